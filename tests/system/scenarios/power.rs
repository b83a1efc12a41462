//! Somebody is away, or ends, in the middle of it.

use std::time::{Duration, Instant};

use panos_sim::{Fault, Listening, Matcher, What, When};

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Mark, Rollback};
use crate::machine::{until, until_within};
use crate::stage::{GP, Stage};

/// For so long the firewall is away.
const AWAY: Duration = Duration::from_secs(120);

pub fn firewall_away(stage: &mut Stage) {
    stage.set();
    // What the firewall has is good for twenty minutes: then the gaps between two attempts don't grow.
    stage.renews_before_the_end(60);
    stage.machine.write("/srv/ipa/seconds", "1200", 0o644);
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    std::fs::remove_file(stage.machine.path("/srv/ipa/seconds")).unwrap();

    let old = stage.firewalls[0].served();
    stage.firewalls[0].device.set_listening(Listening::Refused);
    let begun = Instant::now();
    let before = stage.resubmit(GP);
    let failures = |at_least: u64| {
        stage.installation(GP, "fw1.ipa.test")["failures"].as_u64().is_some_and(|count| count >= at_least)
    };
    until("it was tried", || failures(1));
    assert_ne!(stage.certificate(GP), before);
    stage.machine.run(&["pan_certctl", "status"]).exits(10).says("no connection").says("1 pending");
    let impatient = ["pan_certctl", "status", "--expires-in", "0s", "--pending-for", "0s"];
    stage.machine.run(&impatient).exits(4);
    until_within(A_TICK_OR_TWO, "it was tried again", || failures(2));
    stage.see(format!("2nd attempt after {:.0} s", begun.elapsed().as_secs_f64()));
    until_within(AWAY, "the two minutes are over", || begun.elapsed() >= AWAY);
    assert_eq!(stage.firewalls[0].served(), old);
    stage.firewalls[0].device.set_listening(Listening::Normal);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.see(format!("at {:.0} s", begun.elapsed().as_secs_f64()));
    let log = ["Connection refused", "END - Finished"];
    stage.check(&Rollback { commits: 2..=2, troubled: true, log: &log, ..DELIVERED });
}

pub fn daemons_restarted(stage: &mut Stage) {
    stage.set();
    let before = stage.resubmit_until_commit(5);
    stage.machine.run(&["systemctl", "restart", "certmonger.service"]).exits(0);
    stage.machine.run(&["systemctl", "restart", "dbus.service"]).exits(0);
    assert!(stage.firewalls[0].is_committing(), "it was in mid-delivery");
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    let file = format!("/etc/ssl/certs/{GP}.crt");
    let state = || stage.machine.run(&["ipa-getcert", "status", "-f", &file]);
    until("certmonger watches on", || state().code == Some(0));
    stage.check(&DELIVERED);
}

pub fn power_cut(stage: &mut Stage) {
    stage.set();
    let before = stage.resubmit_until_commit(3);
    stage.machine.cut_power();
    assert!(stage.firewalls[0].is_committing(), "it was in mid-commit");
    stage.machine.boot();
    let booted = Instant::now();
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.see(format!("settled {:.1} s after the boot", booted.elapsed().as_secs_f64()));
    let told = [" of an interrupted run"];
    stage.check(&Rollback {
        commits: 1..=2,
        log: &told,
        journal: &["the certificate 'gp.ipa.test' in 'GP portal'"],
        ..DELIVERED
    });
}

/// The unit's limit, in the place of its three hours; whoever is told of units that fail is told.
const LIMIT: &str = "[Unit]\nOnFailure=told.service\n[Service]\nTimeoutStartSec=4s\n";
const TOLD: &str = "[Service]\nType=oneshot\nExecStart=/usr/bin/touch /root/told\n";

pub fn time_limit(stage: &mut Stage) {
    stage.set();
    let drop_in = "/etc/systemd/system/pan_certctl-retry.service.d/limit.conf";
    stage.machine.write(drop_in, LIMIT, 0o644);
    stage.machine.write("/etc/systemd/system/told.service", TOLD, 0o644);
    stage.machine.run(&["systemctl", "daemon-reload"]).exits(0);
    // The firewall commits, and tells nobody how that ended.
    let polls = When::request(Matcher::typed("op").cmd("<jobs><id>"));
    stage.firewalls[0].device.inject(Fault::new(polls, What::Silence).times(u32::MAX));
    let (before, old) = (stage.resubmit(GP), stage.firewalls[0].device.commits());
    let show = |what: &str| {
        stage.machine.run(&["systemctl", "show", "-P", what, "pan_certctl-retry.service"]).stdout
    };
    // Whatever code or signal it ends with: SIGTERM by hand is no failure, this is one.
    until("the unit has failed", || {
        stage.machine.run(&["systemctl", "is-failed", "-q", "pan_certctl-retry.service"]).code == Some(0)
    });
    assert_eq!((show("Result").trim(), show("ExecMainStatus").trim()), ("timeout", "15"));
    until("who is told of failed units is told", || stage.machine.path("/root/told").exists());
    let journal = stage.journal();
    for word in ["start operation timed out", "Failed with result 'timeout'"] {
        assert!(journal.contains(word), "no '{word}' in {journal}");
    }
    assert_eq!(stage.firewalls[0].device.commits(), old + 1);
    // What was begun is on the disk, and seen by whoever asks.
    let impatient = ["pan_certctl", "status", "--pending-for", "0s"];
    stage.machine.run(&impatient).exits(10).says("interrupted");
    stage.see("ended by its limit: failed, told");
    // With its own limit the next run settles it, without another commit.
    let planted =
        "rm -r /etc/systemd/system/pan_certctl-retry.service.d /etc/systemd/system/told.service /root/told";
    stage.machine.sh(planted).exits(0);
    stage.machine.run(&["systemctl", "daemon-reload"]).exits(0);
    stage.machine.run(&["systemctl", "reset-failed"]).exits(0);
    stage.firewalls[0].device.clear_faults();
    stage.mark = Mark::now(stage);
    stage.machine.run(&["systemctl", "start", "pan_certctl-retry.service"]).exits(0);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    stage.check(&Rollback {
        commits: 0..=0,
        troubled: true,
        journal: &["the certificate 'gp.ipa.test' in 'GP portal'"],
        ..DELIVERED
    });
}
