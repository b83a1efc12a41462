//! dpkg comes in the middle of it.

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Rollback};
use crate::machine::until;
use crate::package;
use crate::stage::{GP, LOG, Stage};

const TRIGGERS: [&str; 3] = ["pan_certctl-retry.timer", "pan_certctl-retry.path", "pan_certctl-verify.timer"];

pub fn upgraded(stage: &mut Stage) {
    stage.set();
    let later = package::later(&stage.machine);
    let before = stage.resubmit_until_commit(5);
    stage.machine.run(&["dpkg", "-i", &later]).exits(0);
    assert!(stage.firewalls[0].is_committing() && stage.is_working(), "it was in mid-delivery");
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.machine.run(&["dpkg-query", "-W", "-f", "${Version}", "pan-getcert"]).exits(0).says("+later");
    for unit in TRIGGERS {
        stage.machine.run(&["systemctl", "is-active", unit]).exits(0);
    }
    stage.check(&DELIVERED);
    // And what was upgraded delivers.
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
}

pub fn removed_and_purged(stage: &mut Stage) {
    stage.set();
    let before = stage.resubmit_until_commit(5);
    stage.machine.run(&["dpkg", "-r", "pan-getcert"]).exits(0);
    assert!(!stage.is_working(), "the worker is stopped");
    assert!(stage.firewalls[0].is_committing(), "and was in mid-delivery");
    for unit in TRIGGERS {
        let state = stage.machine.run(&["systemctl", "is-active", unit]).stdout;
        assert_eq!(state.trim(), "inactive", "{unit}");
    }
    stage.machine.sh("command -v pan_certctl pan_getcert pan_instcert").exits(127);
    assert!(stage.machine.read(LOG).contains("Starting commit"), "the log stays");
    assert!(!stage.installation(GP, "fw1.ipa.test")["pending_since"].is_null(), "and what is pending");
    // Back again: what was pending is delivered.
    for command in package::install(stage) {
        stage.machine.sh(&command).exits(0);
    }
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    // The firewall went on alone: to look and to note it was all that was left.
    let journal = ["the certificate 'gp.ipa.test' in 'GP portal'"];
    stage.check(&Rollback { journal: &journal, ..DELIVERED });

    let served = stage.firewalls[0].served();
    stage.machine.run(&["dpkg", "-P", "pan-getcert"]).exits(0);
    for left in ["/var/lib/pan_getcert", LOG, "/etc/logrotate.d/pan_getcert"] {
        assert!(!stage.machine.path(left).exists(), "{left} is still there");
    }
    let links = stage.machine.sh("find /etc/systemd /var/lib/systemd -name '*pan_*'").exits(0).stdout;
    assert_eq!(links, "", "of units that are gone");
    until("systemd has forgotten them", || {
        stage.machine.run(&["systemctl", "list-units", "--all", "--no-legend", "pan_*"]).stdout.is_empty()
    });
    let failed = stage.machine.run(&["systemctl", "--failed", "--no-legend", "--plain"]).stdout;
    assert_eq!(failed, "");
    assert_eq!(stage.firewalls[0].served(), served, "the firewall keeps what it has");
    stage.see("purged: nothing left, fw1 keeps its certificate");
}
