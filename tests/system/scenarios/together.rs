//! Several at the same time.

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Rollback};
use crate::firewall::THIRD;
use crate::stage::{GP, Stage, VPN};

const LOG: &str = "/var/log/pan_instcert.log";

pub fn two_at_once(stage: &mut Stage) {
    stage.set();
    let words = ["pan_getcert", "-c", VPN, "-p", THIRD, "fw1.ipa.test"];
    stage.machine.run(&words).exits(0).says("FINISHED");
    let before = [GP, VPN].map(|name| stage.certificate(name));
    let line = format!(
        "ipa-getcert resubmit -f /etc/ssl/certs/{GP}.crt & ipa-getcert resubmit -f /etc/ssl/certs/{VPN}.crt; wait"
    );
    stage.machine.sh(&line).exits(0);
    stage.renewed(GP, &before[0], A_TICK_OR_TWO);
    stage.renewed(VPN, &before[1], A_TICK_OR_TWO);
    assert_eq!(stage.firewalls[0].bound(THIRD).as_deref(), Some(VPN));
    stage.check(&Rollback { commits: 2..=3, status: (0, &["2 certificates on 1 device"]), ..DELIVERED });
}

pub fn log_rotated(stage: &mut Stage) {
    stage.set();
    let before = stage.resubmit_until_commit(3);
    stage.machine.run(&["logrotate", "--force", "/etc/logrotate.d/pan_getcert"]).exits(0);
    assert!(stage.firewalls[0].is_committing(), "it was in mid-run");
    assert_eq!(stage.machine.read(LOG), "", "a new file");
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    let old = stage.machine.read(&format!("{LOG}.1"));
    assert!(old.lines().last().is_some_and(|line| line.contains("Phase times: ")), "no line is lost: {old}");
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    let new = stage.machine.read(LOG);
    assert!(new.contains("START of pan_instcert.") && new.contains("Phase times: "), "{new}");
    stage.machine.run(&["stat", "-c", "%a %U %G", LOG]).exits(0).says("640 root adm");
    stage.check(&Rollback { commits: 2..=2, ..DELIVERED });
}
