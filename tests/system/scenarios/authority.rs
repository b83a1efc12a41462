//! IPA says no, or nothing.

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Rollback};
use crate::firewall::THIRD;
use crate::stage::{GP, Stage};

const WORDS: &str =
    "Insufficient access: Insufficient 'write' privilege to the 'userCertificate' attribute of entry";

pub fn denied(stage: &mut Stage) {
    stage.set();
    let old = stage.certificate(GP);
    stage.machine.write("/srv/ipa/refuse", "not managed", 0o644);
    stage.pan_getcert(&["--resubmit"]).exits(10).says("2100").says(WORDS);
    assert_eq!(stage.certificate(GP), old);
    let words = ["pan_getcert", "-c", "new.ipa.test", "-p", THIRD, "fw1.ipa.test"];
    stage.machine.run(&words).exits(10).says("2100").says(WORDS);
    stage.check(&Rollback {
        serves: old.clone(),
        commits: 0..=0,
        // What the device has is good for months, but nobody else would mend it; the other one was never issued.
        status: (20, &["2100", "certmonger reports problems with 1", "1 never issued"]),
        log: &[],
        journal: &["2100"],
        ..DELIVERED
    });
    stage.machine.run(&["ipa-getcert", "stop-tracking", "-f", "/etc/ssl/certs/new.ipa.test.crt"]).exits(0);
    std::fs::remove_file(stage.machine.path("/srv/ipa/refuse")).unwrap();
    stage.pan_getcert(&["--resubmit"]).exits(0).says("FINISHED");
    assert_ne!(stage.certificate(GP), old);
    stage.check(&DELIVERED);
}

pub fn ipa_unreachable(stage: &mut Stage) {
    stage.set();
    let old = stage.certificate(GP);
    stage.machine.run(&["systemctl", "stop", "apache2", "krb5-kdc"]).exits(0);
    let waiting = stage.pan_getcert(&["--resubmit", "--timeout", "8"]).exits(10);
    stage.see(waiting.stderr.lines().next().unwrap_or_default());
    stage.check(&Rollback {
        serves: old.clone(),
        commits: 0..=0,
        status: (0, &["the CA can't be reached", "certmonger reports problems with 1"]),
        log: &[],
        journal: &[],
        ..DELIVERED
    });
    stage.machine.run(&["systemctl", "start", "apache2", "krb5-kdc"]).exits(0);
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.check(&DELIVERED);
}
