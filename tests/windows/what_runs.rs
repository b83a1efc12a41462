//! What counts for a window is what a device really presents, and what a run has really changed there.

use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use panos_sim::{Listening, Settings, Simulator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{DAY, another_day, certctl, install, of, section, status, write};
use crate::common::pki::CertificateSpec;
use crate::common::trouble::wait_until;
use crate::common::world::{NAME, PORTAL, World, settings, settings_with};

/// A device that has the certificate `other` besides, which ends in so many seconds.
fn with_other(ends_in: i64) -> Settings {
    settings_with(&CertificateSpec::named("other.example.com").valid(-DAY, ends_in))
}

/// A colleague makes the profile present `other`.
fn bind_other(device: &Simulator) {
    let entry = format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    device.add_pending_change("jane", &entry, "<certificate>other</certificate>").unwrap();
    device.commit_as("jane");
    assert!(device.wait_idle(std::time::Duration::from_secs(10)));
}

#[test]
fn what_a_drift_has_bound_counts_for_the_window_and_is_shown() {
    for (ends_in, waits) in [(2 * DAY, false), (60 * DAY, true)] {
        let world = World::with(with_other(ends_in));
        write(&world, &section(&world.device));
        let target = world.target();
        install(&world, &[&target]).exits(0);
        bind_other(&world.device);
        write(&world, &format!("{}window = [\"{}\"]\n", section(&world.device), another_day()));
        let told = certctl(&world, &["verify"]).exits(15).says("bound to 'other'");
        assert!(told.stderr.contains("now with 'pan_certctl retry --now'"), "{told:#?}");
        let known = status(&world);
        let row = of(&known, &target);
        assert_eq!(row["drift"]["what"].as_str().map(|what| what.contains("'other'")), Some(true), "{row:#}");
        assert_eq!(row["drift"]["presents_another"], true, "{row:#}");
        assert!(row["drift"]["presented_until"].is_string(), "{row:#}");
        let table = certctl(&world, &["status", "--no-certmonger"]);
        assert!(table.stdout.contains("  another  ") && !table.stdout.contains("as ordered"), "{table:#?}");
        let commits = world.device.commits();
        certctl(&world, &["retry"]).exits(0);
        assert_eq!(world.device.commits() - commits, u64::from(!waits), "ends in {ends_in} s");
        certctl(&world, &["retry", "--now"]).exits(0);
        let row = of(&status(&world), &target).clone();
        assert!(row["drift"].is_null() && row["faults"].as_array().unwrap().is_empty(), "{row:#}");
    }
}

#[test]
fn nobody_can_vouch_for_a_profile_that_presents_nothing_known_and_so_it_waits_for_no_window() {
    let world = World::new();
    write(&world, &section(&world.device));
    let target = world.target();
    install(&world, &[&target]).exits(0);
    // Whatever it presents now, it is none of the certificates that can be read there.
    let entry = format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    world.device.delete_from_candidate("jane", &format!("{entry}/certificate")).unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(std::time::Duration::from_secs(10)));
    write(&world, &format!("{}window = [\"{}\"]\n", section(&world.device), another_day()));
    certctl(&world, &["verify"]).exits(15).says("bound to 'nothing'");
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
}

#[test]
fn a_run_that_ended_before_it_changed_anything_waits_for_the_window_as_any_other() {
    let world = World::new();
    write(&world, &section(&world.device));
    world.device.set_listening(Listening::Silent);
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg("--config").arg(world.path("pan.toml"));
    command.args(["-p", PORTAL]).arg(world.target());
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let path = world.path(&format!("state/installations/{}/shared/{NAME}.json", world.target()));
    let begun = || {
        let record: Option<Value> =
            std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        record.is_some_and(|record| record["started_at"].is_string())
    };
    assert!(wait_until(begun), "the run has begun");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait_with_output().unwrap();
    world.device.set_listening(Listening::Normal);
    write(&world, &format!("{}window = [\"{}\"]\n", section(&world.device), another_day()));
    certctl(&world, &["retry"]).exits(0).says("1 waits until ").says("the change window");
    assert_eq!(world.device.commits(), 0);
    write(&world, &section(&world.device));
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
}

#[test]
fn where_the_override_comes_before_the_window_that_is_until_when_it_waits() {
    let world = World::new();
    let file = format!("{}window = [\"{}\"]\n", section(&world.device), another_day());
    write(&world, &file);
    let target = world.target();
    // It ends in four days, and waits for nothing in the last three of them.
    world.issue(&CertificateSpec::named(NAME).san(NAME).valid(-DAY, 4 * DAY));
    install(&world, &[&target, "--now"]).exits(0);
    world.renew();
    let told = install(&world, &[&target]).exits(21).says("waits until ").says("(window-override)");
    let (day, after) = (Utc::now() + TimeDelta::hours(24), Utc::now() + TimeDelta::hours(23));
    let shown = [day, after].map(|at| at.format("%a %Y-%m-%d").to_string());
    assert!(
        shown.iter().any(|shown| told.stdout.contains(shown) || told.stderr.contains(shown)),
        "{told:#?}"
    );
    let known = status(&world);
    let waits = &of(&known, &target)["waits_for"];
    let until = DateTime::parse_from_rfc3339(waits["until"].as_str().unwrap()).unwrap().to_utc();
    assert!((23..=24).contains(&(until - Utc::now()).num_hours()), "{waits:#}");
    assert!(
        waits["word"] == "window" && waits["what"].as_str().unwrap().contains("window-override"),
        "{waits:#}"
    );
    certctl(&world, &["retry"]).exits(0).says("window-override");
    install(&world, &[&target, "--dry-run"]).exits(0).says("window-override");
}

#[test]
fn a_device_that_is_asked_for_alone_waits_for_no_canary() {
    let world = World::new();
    let lab = Simulator::start(settings()).unwrap();
    write(&world, &super::fleet(&world, &[&lab], 30));
    install(&world, &[&lab.address().to_string()]).exits(0);
    world.renew();
    // The canary has another one, which nobody has asked for together with this.
    install(&world, &[&world.target()]).exits(0).says("installed the certificate");
    world.renew();
    install(&world, &[&lab.address().to_string(), &world.target()]).exits(20).says("the canary ");
    // What is asked of the canary alone later changes nothing about who was asked for together with it.
    install(&world, &[&lab.address().to_string()]).exits(0);
    certctl(&world, &["retry"]).exits(0).says("the canary ");
}
