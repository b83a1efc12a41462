//! One file for each kind of trouble. main.rs says in which order they are played.

pub mod authority;
pub mod mistakes;
pub mod moving;
pub mod package;
pub mod power;
pub mod refusals;
pub mod renewal;
pub mod rights;
pub mod time;
pub mod together;

use std::time::Duration;

use crate::firewall::{GATEWAY, PORTAL};
use crate::machine::Ended;
use crate::stage::{GP, Stage};

/// Longer than the shortest gap between two attempts, what the timer waits with all its randomness, and a commit.
const A_TICK_OR_TWO: Duration = Duration::from_secs(200);

impl Stage {
    /// What a person types for the first certificate, with more words.
    fn pan_getcert(&self, more: &[&str]) -> Ended {
        let words = ["pan_getcert", "-c", GP, "-p", PORTAL, "-s", GATEWAY, "fw1.ipa.test"];
        self.machine.run(&[&words[..], more].concat())
    }

    /// certmonger renews what has no more than these seconds left.
    fn renews_before_the_end(&self, seconds: u64) {
        let settings = format!("[defaults]\nenroll_ttls = {seconds}\n");
        self.machine.write("/etc/certmonger/certmonger.conf", &settings, 0o644);
        self.machine.run(&["systemctl", "restart", "certmonger"]).exits(0);
    }

    /// certmonger is asked to renew; the certificate there was before.
    fn resubmit(&self, name: &str) -> Option<String> {
        let before = self.certificate(name);
        assert!(before.is_some(), "there is no certificate {name}");
        self.machine.run(&["ipa-getcert", "resubmit", "-f", &format!("/etc/ssl/certs/{name}.crt")]).exits(0);
        before
    }

    /// The same, and the firewall is in the middle of its commit, of this many seconds.
    fn resubmit_until_commit(&self, seconds: u64) -> Option<String> {
        let firewall = &self.firewalls[0];
        firewall.commit_takes(Some(seconds));
        let before = self.resubmit(GP);
        crate::machine::until("the firewall commits", || firewall.is_committing());
        before
    }
}
