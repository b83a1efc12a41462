//! A network that leads nowhere else: the firewalls' addresses on this side, the machine on the other.

use std::path::{Path, PathBuf};

use crate::machine::here;

/// The firewalls, as /etc/hosts of the machine has them.
pub const FIREWALLS: [(&str, &str); 2] = [("fw1.ipa.test", "10.77.0.11"), ("fw2.ipa.test", "10.77.0.12")];

/// Lays the cable; gives the place of the machine's network namespace. That outlives the machine, as a switch does.
pub fn lay() -> PathBuf {
    // ip and nspawn keep their notes here; nothing of it is to be seen outside of the test.
    here(&["mount", "-t", "tmpfs", "tmpfs", "/run"]).exits(0);
    let ip = |words: &str| here(&[&["ip"], &words.split(' ').collect::<Vec<_>>()[..]].concat()).exits(0);
    ip("netns add machine");
    ip("link add firewalls type veth peer name eth0 netns machine");
    for (_, address) in FIREWALLS {
        ip(&format!("address add {address}/24 dev firewalls"));
    }
    ip("link set lo up");
    ip("link set firewalls up");
    ip("-n machine address add 10.77.0.2/24 dev eth0");
    ip("-n machine link set lo up");
    ip("-n machine link set eth0 up");
    Path::new("/run/netns/machine").to_owned()
}
