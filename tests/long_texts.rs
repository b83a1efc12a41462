//! What a device says never makes a record, a log, a terminal or the environment of a command grow with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::process::Command;

use common::world::{Ended, NAME, PORTAL, World, settings};
use panos_sim::{Fault, LockKind, Matcher, Profile, What, When};

/// More than a line of the log takes, and all that a person needs to read.
const LONGEST: usize = 4200;

fn record_bytes(world: &World) -> u64 {
    let path =
        world.path("state/installations").join(world.target()).join("shared").join(format!("{NAME}.json"));
    std::fs::metadata(path).unwrap().len()
}

fn log_bytes(world: &World) -> u64 {
    std::fs::metadata(world.path("log")).unwrap().len()
}

fn many(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("vsys1 -> rulebase -> rule {number} -> category is invalid")).collect()
}

fn fail_commit_with(world: &World, lines: &[String]) {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.device.fail_next_commit(&lines);
}

#[track_caller]
fn assert_short(ended: &Ended) {
    for line in ended.stderr.lines().chain(ended.stdout.lines()) {
        assert!(line.chars().count() <= LONGEST, "{} characters: {}…", line.len(), &line[..200]);
    }
    assert!(ended.stderr.len() < 20_000, "{} bytes", ended.stderr.len());
}

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.arg("--config").arg(world.path("config.toml"));
    Ended::of(command.args(arguments).env_clear().env("TZ", "UTC"))
}

#[test]
fn a_job_of_three_thousand_lines_three_times_in_a_row_leaves_record_and_log_small() {
    let world = World::new();
    for _ in 0..3 {
        fail_commit_with(&world, &many(3000));
        let ended = world.install(&["-p", PORTAL]).exits(14);
        assert_short(&ended);
        let ended = ended.says("rule 1 -> category is invalid").says("rule 10 -> category is invalid");
        // The device ends a failed job with a line of its own.
        ended.says("… and 2,991 more lines");
    }
    assert!(record_bytes(&world) < 64 * 1024, "{} bytes", record_bytes(&world));
    assert!(log_bytes(&world) < 64 * 1024, "{} bytes", log_bytes(&world));
    assert!(world.log().iter().any(|line| line.contains("… and 2,991 more lines")), "{:#?}", world.log());
    common::pki::write(&world.path("config.toml"), b"", 0o600);
    let status = certctl(&world, &["status", "--json", "--no-certmonger"]);
    assert!(status.stdout.len() < 64 * 1024, "{} bytes", status.stdout.len());
    world.install(&["-p", PORTAL]).exits(0);
}

#[test]
fn the_line_that_says_why_survives_wherever_it_stands() {
    let world = World::new();
    let mut lines: Vec<String> =
        (1..=400).map(|number| format!("rule {number} shadows rule {}", number + 1)).collect();
    lines[333] = "ssl-tls-service-profile -> GP portal -> certificate is invalid".to_owned();
    lines.push("Commit failed".to_owned());
    fail_commit_with(&world, &lines);
    let ended = world.install(&["-p", PORTAL]).exits(14);
    assert_short(&ended);
    ended.says(&lines[333]).says("Commit failed").says("rule 1 shadows rule 2").says("… and 391 more lines");
}

#[test]
fn one_line_of_a_megabyte_is_cut() {
    for line in ["x".repeat(1 << 20), "é\n".repeat(1 << 19), "\u{7f}".repeat(1 << 20)] {
        let world = World::new();
        fail_commit_with(&world, &[line]);
        let ended = world.install(&["-p", PORTAL]).exits(14);
        assert!(ended.stderr.len() < 40_000, "{} bytes", ended.stderr.len());
        assert!(record_bytes(&world) < 128 * 1024, "{} bytes", record_bytes(&world));
    }
}

#[test]
fn the_command_on_failure_is_run_whatever_the_device_says() {
    let world = World::new();
    let script = "#!/bin/sh\nprintf '%s' \"$PAN_PROBLEM\" > \"$1\"\n";
    let path = world.path("tell");
    common::programs::write(&path, script);
    let told = world.path("told");
    let settings = format!("on_failure = ['{}', '{}']\ntell_after = 1\n", path.display(), told.display());
    common::pki::write(&world.path("config.toml"), settings.as_bytes(), 0o600);
    // More than the environment of a command can hold.
    let lines: Vec<String> = many(3000).iter().map(|line| format!("{line}{}", "!".repeat(200))).collect();
    fail_commit_with(&world, &lines);
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(14);
    let told = std::fs::read_to_string(told).expect("the command was run");
    assert!(told.contains("rule 1 -> category is invalid") && told.contains("more lines"), "{told}");
    assert!(told.len() < 16_000, "{} bytes", told.len());
    assert!(!world.log().iter().any(|line| line.contains("on_failure")), "{:#?}", world.log());
}

#[test]
fn a_refusal_of_hundreds_of_lines_is_cut() {
    let lines: String = many(800).iter().map(|line| format!("<line>{line}</line>")).collect();
    let body = format!("<response status=\"error\" code=\"12\"><msg>{lines}</msg></response>");
    let what = What::Body { content_type: "application/xml".into(), body: body.into_bytes() };
    for matcher in
        [Matcher::typed("import"), Matcher::typed("config").action("set"), Matcher::typed("commit")]
    {
        let world = World::new();
        world.device.inject(Fault::new(When::request(matcher), what.clone()).times(u32::MAX));
        let ended = world.install(&["-p", PORTAL]);
        assert!(matches!(ended.code, Some(12..=14)), "{ended:?}");
        assert_short(&ended);
        ended.says("rule 1 -> category is invalid").says("… and 790 more lines");
        assert!(log_bytes(&world) < 64 * 1024 && record_bytes(&world) < 64 * 1024);
    }
}

#[test]
fn a_device_with_thousands_of_profiles_is_told_in_short() {
    let mut settings = settings();
    settings.profiles.extend((0..3000).map(|number| Profile::unbound(&format!("profile {number}"))));
    let world = World::with(settings);
    let ended = world.install(&["-p", "another"]).exits(13);
    assert_short(&ended);
    ended.says("profile 0").says("more");
    assert!(record_bytes(&world) < 64 * 1024, "{} bytes", record_bytes(&world));
}

#[test]
fn huge_names_are_cut() {
    let name = "n".repeat(100_000);
    let body = format!(
        "<response status=\"success\" code=\"19\"><result><ssl-tls-service-profile><entry name=\"{name}\"/>\
         </ssl-tls-service-profile></result></response>"
    );
    let profiles = Matcher::typed("config").action("get").xpath("ssl-tls-service-profile");
    let world = World::new();
    let what = What::Answer { status: 200, body: body.into_bytes() };
    world.device.inject(Fault::new(When::request(profiles), what).times(u32::MAX));
    let ended = world.install(&["-p", PORTAL]).exits(13);
    assert_short(&ended);
    ended.says("nnnn").says("…");
    assert!(record_bytes(&world) < 64 * 1024, "{} bytes", record_bytes(&world));
}

#[test]
fn the_comment_of_a_lock_is_cut() {
    let world = World::new();
    world.device.take_lock(LockKind::Config, "jane", &"change window ".repeat(20_000));
    let ended = world.install(&["-p", PORTAL, "--commit-timeout", "1"]).exits(18).says("jane");
    assert_short(&ended);
    assert!(record_bytes(&world) < 64 * 1024, "{} bytes", record_bytes(&world));
}
