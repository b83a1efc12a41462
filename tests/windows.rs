//! Change windows, canaries, jitter and the limit on commits: what waits is recorded, told, and delivered by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

#[path = "windows/refused.rs"]
mod refused;
#[path = "windows/what_runs.rs"]
mod what_runs;

use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{Days, Utc};
use common::pki::CertificateSpec;
use common::world::{Ended, NAME, PORTAL, World, settings};
use panos_sim::{Settings, Simulator};
use serde_json::Value;

const DAY: i64 = 24 * 3600;

/// A day of the week that is neither today nor tomorrow nor yesterday.
fn another_day() -> String {
    (Utc::now() + Days::new(3)).format("%a").to_string()
}

fn section(device: &Simulator) -> String {
    format!("[device.\"{}\"]\npin = \"{}\"\n", device.address(), device.certificate_fingerprint())
}

fn write(world: &World, text: &str) {
    std::fs::write(world.path("pan.toml"), text).unwrap();
}

fn install(world: &World, arguments: &[&str]) -> Ended {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg("--config").arg(world.path("pan.toml"));
    Ended::of(command.args(["-p", PORTAL]).args(arguments))
}

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.env_clear().env("TZ", "UTC").args(arguments);
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    Ended::of(command.arg("--config").arg(world.path("pan.toml")))
}

fn status(world: &World) -> Value {
    let ended = certctl(world, &["status", "--json", "--no-certmonger"]);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

fn of<'s>(status: &'s Value, device: &str) -> &'s Value {
    status["installations"].as_array().unwrap().iter().find(|one| one["device"] == device).unwrap()
}

#[test]
fn outside_of_its_window_a_delivery_is_recorded_told_and_made_by_the_worker_later() {
    let world = World::new();
    let closed = format!("{}window = [\"{}\"]\n", section(&world.device), another_day());
    let open = format!("{}window = [\"{}\", \"00:00-24:00\"]\n", section(&world.device), another_day());
    write(&world, &closed);
    let target = world.target();
    let told =
        install(&world, &[&target]).exits(21).says("is recorded, and waits until ").says(&another_day());
    assert!(told.stderr.contains("pan_certctl retry --now --device"), "{told:#?}");
    let json: Value = serde_json::from_str(&install(&world, &[&target, "--json"]).exits(21).stdout).unwrap();
    assert_eq!(json["devices"][0]["result"], "waiting", "{json:#}");
    assert_eq!(json["devices"][0]["waits_for"]["word"], "window", "{json:#}");
    // Nobody who looks is alarmed, and everybody sees why it waits, and until when.
    let known = status(&world);
    let waits = &of(&known, &target)["waits_for"];
    let opens = (Utc::now() + Days::new(3)).format("%Y-%m-%dT00:00:00Z").to_string();
    assert_eq!((&waits["word"], &waits["until"]), (&"window".into(), &Value::from(opens)), "{known:#}");
    assert_eq!(of(&known, &target)["pending_too_long"], false);
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("waits until ").says("the change window");
    // The worker's verb says what it leaves, and how to have it all the same.
    let idle = certctl(&world, &["retry"]).exits(0).says("Nothing is due.");
    let line = idle.stdout.lines().nth(1).unwrap();
    assert!(line.starts_with("  1 waits until ") && line.contains(&another_day()), "{idle:#?}");
    assert!(idle.stderr.contains("pan_certctl retry --now"), "{idle:#?}");
    let json: Value = serde_json::from_str(&certctl(&world, &["retry", "--json"]).exits(0).stdout).unwrap();
    assert_eq!((&json["waiting"][0]["word"], &json["waiting"][0]["count"]), (&"window".into(), &1.into()));
    // Before anything is asked for, a dry run says the same.
    let dry = install(&world, &[&target, "--dry-run"]).exits(0);
    assert!(
        dry.stdout.contains("  wait    until ") && dry.stdout.contains("the change window ("),
        "{dry:#?}"
    );
    assert!(dry.stderr.contains("--now"), "{dry:#?}");
    let json: Value =
        serde_json::from_str(&install(&world, &[&target, "--dry-run", "--json"]).exits(0).stdout).unwrap();
    assert_eq!(json["devices"][0]["waits_for"]["word"], "window", "{json:#}");
    let dry = install(&world, &[&target, "--dry-run", "--now"]).exits(0);
    assert!(!dry.stdout.contains("  wait ") && !dry.stderr.contains("--now"), "{dry:#?}");
    world.device.clear_requests();
    install(&world, &[&target, "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(0);
    assert!(world.device.requests().is_empty(), "nobody has spoken to the device");
    // The window opens: the worker goes on by itself.
    write(&world, &open);
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
    assert_eq!(world.device.commits(), 1);
    // Somebody who cannot wait.
    write(&world, &closed);
    world.renew();
    install(&world, &[&target, "--now"]).exits(0).says("installed the certificate");
    world.renew();
    install(&world, &[&target]).exits(21);
    certctl(&world, &["retry", "--now"]).exits(0).says("installed the certificate");
    assert_eq!(world.device.commits(), 3);
}

#[test]
fn the_end_of_the_old_certificate_counts_more_than_the_window() {
    let world = World::new();
    let file = |more: &str| format!("{}window = [\"{}\"]\n{more}", section(&world.device), another_day());
    let spec = || CertificateSpec::named(NAME).san(NAME);
    let target = world.target();
    for (ends_in, more, waits) in
        [(2 * DAY, "", false), (4 * DAY, "", true), (2 * DAY, "window-override = 24\n", true)]
    {
        write(&world, &file(more));
        world.issue(&spec().valid(-DAY, ends_in));
        install(&world, &[&target, "--now"]).exits(0);
        world.renew();
        install(&world, &[&target]).exits(if waits { 21 } else { 0 });
    }
}

#[test]
fn the_setting_of_the_target_counts_then_of_the_device_then_of_all_its_groups() {
    let world = World::new();
    let (target, day) = (world.target(), another_day());
    let group =
        |name: &str, window: &str| format!("[group.{name}]\ndevices = [\"{target}\"]\nwindow = [{window}]\n");
    let (always, closed) = ("\"00:00-24:00\"", format!("\"{day}\""));
    for (device, groups, waits) in [
        (String::new(), group("a", &closed), true),
        (String::new(), group("a", always), false),
        (String::new(), group("a", always) + &group("b", &closed), true),
        ("window = []\n".to_owned(), group("a", &closed), false),
        (format!("window = [{closed}]\n"), group("a", always), true),
    ] {
        write(&world, &format!("{}{device}{groups}", section(&world.device)));
        world.renew();
        install(&world, &[&target]).exits(if waits { 21 } else { 0 });
    }
    let named = format!("[target.x]\ndevice = \"{target}\"\nwindow = []\n");
    write(&world, &format!("{}window = [{closed}]\n{named}", section(&world.device)));
    install(&world, &["--target", "x"]).exits(0);
    for (text, says) in [
        (
            "[device.a]\nwindow = ['Mo 20:00-22:00']\n",
            "line 2, column 11: window: 'Mo 20:00-22:00' is no change window",
        ),
        ("[device.a]\nwindow = 'Mon'\n", "line 2, column 10: "),
        ("[device.a]\njitter = -1\n", "line 2"),
        ("[device.a]\njitter = 999999999\n", "line 2, column 10: jitter: "),
        ("[device.a]\nwindow-overide = 1\n", "did you mean 'window-override'?"),
        (
            "[group.g]\ndevices = ['a', 'b']\ncanary = ['c']\n",
            "line 3, column 11: canary: 'c' is no member of the group, but a, b",
        ),
        ("[group.g]\ndevices = ['a']\ncanary = ['a']\n", "nobody is left"),
        (
            "[group.g]\ndevices = ['a']\ncanary-minutes = 5\n",
            "line 3, column 1: canary-minutes: it needs 'canary'",
        ),
        ("max_commits = 0\n", "line 1"),
    ] {
        write(&world, text);
        certctl(&world, &["check"]).exits(1).says(says);
    }
}

#[test]
fn a_fleet_is_spread_by_jitter_unless_somebody_waits() {
    let world = World::new();
    write(&world, &format!("{}jitter = 604800\n", section(&world.device)));
    let target = world.target();
    install(&world, &[&target]).exits(21).says("spread over some time (jitter)");
    assert_eq!(of(&status(&world), &target)["waits_for"]["word"], "jitter");
    write(&world, &section(&world.device));
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
}

/// Three devices in one group; the third goes first.
fn fleet(world: &World, others: &[&Simulator], minutes: u32) -> String {
    let devices: Vec<&Simulator> = std::iter::once(&world.device).chain(others.iter().copied()).collect();
    let names: Vec<String> = devices.iter().map(|device| format!("\"{}\"", device.address())).collect();
    let sections: String = devices.iter().map(|device| section(device)).collect();
    let last = names.last().unwrap().clone();
    format!(
        "{sections}[group.vpn]\ndevices = [{}]\ncanary = [{last}]\ncanary-minutes = {minutes}\n",
        names.join(", ")
    )
}

#[test]
fn the_canary_goes_first_and_the_rest_waits_until_it_has_proven_the_certificate() {
    let world = World::new();
    let (second, lab) = (Simulator::start(settings()).unwrap(), Simulator::start(settings()).unwrap());
    let others = [&second, &lab];
    let commits = || (world.device.commits(), second.commits(), lab.commits());
    // Without a time the rest follows at once.
    write(&world, &fleet(&world, &others, 0));
    let ended = install(&world, &["--group", "vpn"]).exits(0);
    let at = |device: &Simulator| ended.stdout.find(&format!("{}: installed", device.address())).unwrap();
    assert!(at(&lab) < at(&world.device) && at(&lab) < at(&second), "{ended:#?}");
    assert_eq!(commits(), (1, 1, 1));
    // With one it waits, and says for whom.
    write(&world, &fleet(&world, &others, 30));
    world.renew();
    let lab_name = lab.address().to_string();
    // A dry run knows who goes first, though nobody was asked yet.
    let dry = install(&world, &["--group", "vpn", "--dry-run"]).exits(0);
    let waits = format!("  wait    the canary {lab_name} has not got the certificate yet");
    assert_eq!(dry.stdout.matches(&waits).count(), 2, "{dry:#?}");
    install(&world, &["--group", "vpn"])
        .exits(20)
        .says(&format!("the canary {lab_name} has to run the certificate for some time first"));
    assert_eq!(commits(), (1, 1, 2));
    let waits = status(&world);
    let waits = &of(&waits, &world.target())["waits_for"];
    assert_eq!(waits["word"], "canary", "{waits:#}");
    let until = chrono::DateTime::parse_from_rfc3339(waits["until"].as_str().unwrap()).unwrap();
    assert!((28..=30).contains(&(until.to_utc() - Utc::now()).num_minutes()), "{until}");
    let idle = certctl(&world, &["retry"]).exits(0).says("Nothing is due.");
    // One line for all that wait for the same.
    assert_eq!(idle.stdout.lines().count(), 2, "{idle:#?}");
    assert!(idle.stdout.contains("  2 wait until ") && idle.stdout.contains(&lab_name), "{idle:#?}");
    write(&world, &fleet(&world, &others, 0));
    certctl(&world, &["retry"]).exits(0);
    assert_eq!(commits(), (2, 2, 2));
    // From the queue, too, by one run of the worker.
    world.renew();
    install(&world, &["--group", "vpn", "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(0);
    assert_eq!(commits(), (3, 3, 3));
}

#[test]
fn a_canary_that_fails_holds_the_rest_and_somebody_is_told_once() {
    let world = World::new();
    let lab = Simulator::start(settings()).unwrap();
    let told = world.path("told");
    let script = format!(
        "on_failure = [\"/bin/sh\", \"-c\", \"echo $PAN_EVENT $PAN_DEVICE >> {}\"]\ntell_after = 1\n",
        told.display()
    );
    write(&world, &(script + &fleet(&world, &[&lab], 0)));
    install(&world, &["--group", "vpn"]).exits(0);
    world.renew();
    lab.fail_next_commit(&["Validation Error:", " no"]);
    install(&world, &["--group", "vpn"]).exits(20).says("has failed: ");
    let name = lab.address().to_string();
    for _ in 0..3 {
        certctl(&world, &["retry"]).exits(0).says("Nothing is due.");
    }
    assert_eq!(std::fs::read_to_string(&told).unwrap(), format!("failure {name}\n"));
    assert_eq!(world.device.commits(), 1, "the rest runs what it ran");
    certctl(&world, &["status", "--no-certmonger"]).says(&format!("the canary {name} has failed"));
    // Once it is well the rest follows.
    certctl(&world, &["retry", "--now", "--device", &name]).exits(0);
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
    assert_eq!(world.device.commits(), 2);
    assert_eq!(std::fs::read_to_string(&told).unwrap(), format!("failure {name}\nrecovered {name}\n"));
}

#[test]
fn of_two_canaries_the_one_that_fails_is_the_one_that_is_waited_for() {
    let world = World::new();
    let (second, lab) = (Simulator::start(settings()).unwrap(), Simulator::start(settings()).unwrap());
    let (second_name, lab_name) = (second.address().to_string(), lab.address().to_string());
    // The one that goes well is named first.
    let one = format!("canary = [\"{lab_name}\"]");
    let two = format!("canary = [\"{lab_name}\", \"{second_name}\"]");
    write(&world, &fleet(&world, &[&second, &lab], 30).replace(&one, &two));
    second.set_listening(panos_sim::Listening::Refused);
    // The time at which the first has run it for long enough is no time at which it goes on.
    let failed = format!("the canary {second_name} has failed: ");
    let ended = install(&world, &["--group", "vpn"]).exits(20).says(&failed);
    assert!(!ended.stdout.contains("waits until"), "{ended:#?}");
    let waits = &of(&status(&world), &world.target())["waits_for"].clone();
    assert!(waits["until"].is_null() && waits["what"].as_str().unwrap().contains(&failed), "{waits:#}");
    // Then it is the time.
    second.set_listening(panos_sim::Listening::Normal);
    certctl(&world, &["retry", "--now", "--device", &second_name]).exits(0);
    let waits = &of(&status(&world), &world.target())["waits_for"].clone();
    assert!(waits["until"].is_string(), "{waits:#}");
    assert_eq!(world.device.commits(), 0);
}

#[test]
fn no_more_devices_are_changed_at_the_same_time_than_is_set() {
    const COMMIT: Duration = Duration::from_millis(300);
    let slow = || Settings { commit_duration: COMMIT, ..settings() };
    let world = World::with(slow());
    let (second, third) = (Simulator::start(slow()).unwrap(), Simulator::start(slow()).unwrap());
    let all = [&world.device, &second, &third];
    let sections: String = all.iter().map(|device| section(device)).collect();
    let names: Vec<String> = all.iter().map(|device| device.address().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    write(&world, &format!("max_commits = 1\n{sections}"));
    let dry = install(&world, &[&names[..], &["--dry-run"]].concat()).exits(0);
    assert!(dry.stdout.contains("1 device at most is changed at the same time (max_commits)"), "{dry:#?}");
    let begun = Instant::now();
    let ended = install(&world, &names).exits(0);
    assert!(begun.elapsed() >= 3 * COMMIT, "one after the other takes longer than {:?}", begun.elapsed());
    // A table tells how long each took.
    for name in &names {
        let row = ended.stdout.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(
            row.is_some_and(|row| row.contains("  installed  ") && row.contains("commit 0.")),
            "{ended:#?}"
        );
    }
    assert!(ended.stdout.contains("where ") && ended.stdout.contains("longest phases"), "{ended:#?}");
    // The wait for the others belongs to no phase: that of the last one is two commits long.
    let log = world.log();
    let times = log.iter().filter_map(|line| line.split_once("Phase times: ").map(|(_, times)| times));
    let waits = times.map(|times| {
        let each = times.split(", ").filter_map(|time| time.split(' ').nth(1)?.parse::<f64>().ok());
        let each: Vec<f64> = each.collect();
        each.last().unwrap() - each[..each.len() - 1].iter().sum::<f64>()
    });
    let longest = waits.fold(0.0, f64::max);
    assert!(longest >= 2.0 * COMMIT.as_secs_f64() - 0.1, "{longest} s: {log:#?}");
}
