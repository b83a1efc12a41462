//! What is wrong with the machine, found by `pan_certctl check` with the real Kerberos, certmonger and systemd.

use crate::firewall::PORTAL;
use crate::machine::Ended;
use crate::stage::{GP, Stage};

/// A mistake: its name, what makes it, what is found, and its exit code.
struct Mistake {
    what: &'static str,
    plant: &'static str,
    finds: &'static str,
    code: i32,
    /// What undoes it where no command of this machine could: it was planted by taking a file away.
    undo: Option<&'static str>,
}

const MISTAKES: [Mistake; 7] = [
    Mistake {
        what: "certmonger stopped",
        plant: "systemctl disable --now certmonger",
        finds: "FAILED   certmonger: certmonger.service is not running",
        code: 10,
        undo: None,
    },
    Mistake {
        what: "worker not enabled",
        plant: "systemctl disable --now pan_certctl-retry.timer pan_certctl-retry.path",
        finds: "warning  worker: not enabled",
        code: 0,
        undo: None,
    },
    Mistake {
        what: "key file open",
        plant: "chmod 644 /etc/ipa/.panrc",
        finds: "FAILED   key file:",
        code: 5,
        undo: None,
    },
    Mistake {
        what: "keytab open",
        plant: "chmod 644 /etc/krb5.keytab",
        finds: "FAILED   keytab: /etc/krb5.keytab is readable by other users",
        code: 5,
        undo: None,
    },
    Mistake {
        what: "no keytab",
        plant: "mv /etc/krb5.keytab /root/away",
        finds: "run: ipa-getkeytab -p host/client.ipa.test -k /etc/krb5.keytab",
        code: 5,
        undo: Some("mv /root/away /etc/krb5.keytab"),
    },
    Mistake {
        what: "not enrolled",
        plant: "mv /etc/ipa/default.conf /root/away",
        finds: "run: ipa-client-install",
        code: 5,
        undo: Some("mv /root/away /etc/ipa/default.conf"),
    },
    Mistake {
        what: "KDC away",
        plant: "systemctl stop krb5-kdc",
        finds: "check that this machine reaches the Kerberos server (ipa.ipa.test)",
        code: 5,
        undo: Some("systemctl start krb5-kdc"),
    },
];

pub fn found(stage: &mut Stage) {
    stage.set();
    let requests = stage.firewalls[0].device.commits();
    is_well(stage);
    for mistake in &MISTAKES {
        let Mistake { what, plant, finds, code, undo } = mistake;
        stage.machine.sh(plant).exits(0);
        let ended = check(stage).exits(*code).says(finds);
        let printed = ended.stdout.lines().filter_map(|line| line.trim_start().strip_prefix("run: "));
        match undo {
            Some(undo) => stage.machine.sh(undo).exits(0),
            // Typed exactly as it was printed.
            None => stage.machine.sh(&printed.collect::<Vec<_>>().join(" && ")).exits(0),
        };
        is_well(stage);
        stage.see(*what);
    }
    assert_eq!(stage.firewalls[0].device.commits(), requests, "looking has committed something");
}

fn check(stage: &Stage) -> Ended {
    stage.machine.run(&["pan_certctl", "check", "-c", GP, "-p", PORTAL, "fw1.ipa.test"])
}

#[track_caller]
fn is_well(stage: &Stage) {
    let ended = check(stage).exits(0);
    assert!(!ended.stdout.contains("worker: not enabled"), "{}", ended.stdout);
}
