//! Whoever asks for an installation gets the end of the own request, whoever delivers it; what was asked for is not
//! lost, whatever the clock, the words, the settings or the files are like at that moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::pki::CertificateSpec;
use common::trouble::wait_until;
use common::world::{Ended, GATEWAY, NAME, NOBODY, PORTAL, World, print, settings};
use panos_sim::{Fault, Profile, Settings, What, When};
use serde_json::Value;

/// How often two commands meet.
const ROUNDS: usize = 40;
const DAY: i64 = 86_400;

fn certctl_command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    command.args(arguments).env_clear().env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    Ended::of(&mut certctl_command(world, arguments))
}

fn status(world: &World) -> Value {
    let ended = certctl(world, &["status", "--no-certmonger", "--json"]);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

fn away() -> Fault {
    Fault::new(When::Always, What::Close).times(u32::MAX)
}

fn bound(world: &World, profile: &str, object: &str) -> bool {
    let xml: String = world.device.running_xml().split_whitespace().collect::<Vec<_>>().join(" ");
    xml.replace("> <", "><")
        .contains(&format!("<entry name=\"{profile}\"><certificate>{object}</certificate>"))
}

/// A program on a machine whose clock is wrong by so many seconds.
fn with_clock(command: &mut Command, seconds: i64) -> &mut Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let library = BUILT.get_or_init(|| {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests/clock.c");
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"];
        let status = Command::new("cc").args(flags).args([&built, &source]).arg("-ldl").status();
        assert!(status.unwrap().success());
        built
    });
    command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", seconds.to_string())
}

fn installs(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.command();
    command.args(arguments).arg(world.target()).stdin(Stdio::null());
    command
}

#[test]
fn two_commands_at_once_for_one_object_and_other_profiles_are_both_done_or_say_so() {
    for round in 0..ROUNDS {
        let world = World::new();
        let each = [PORTAL, GATEWAY].map(|profile| {
            let mut command = installs(&world, &["-p", profile]);
            (profile, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        });
        for (profile, child) in each {
            let ended = child.wait_with_output().unwrap();
            let is_bound = bound(&world, profile, NAME);
            assert!(!ended.status.success() || is_bound, "round {round}: a false success for {profile}");
            assert!(ended.status.success(), "round {round}: {}", String::from_utf8_lossy(&ended.stderr));
        }
        assert!(bound(&world, PORTAL, NAME) && bound(&world, GATEWAY, NAME), "round {round}");
    }
}

#[test]
fn three_profiles_by_two_commands_are_three_profiles_at_a_renewal_too() {
    let mut settings = settings();
    settings.profiles.push(Profile::unbound("GP third"));
    let world = World::with(settings);
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    world.install(&["-p", "GP third"]).exits(0);
    world.renew();
    world.install(&["-p", PORTAL, "-s", GATEWAY, "--suffix", "serial"]).exits(0);
    let object = world.record()["verified"]["object"].as_str().unwrap().to_owned();
    for profile in [PORTAL, GATEWAY, "GP third"] {
        assert!(bound(&world, profile, &object), "{profile}");
    }
}

#[test]
fn a_list_that_is_stated_is_the_whole_one_and_what_it_leaves_out_is_said() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    world.install(&["-p", GATEWAY, "--profile-list", "a1"]).exits(0);
    assert_eq!(world.record()["bindings"].as_array().unwrap().len(), 1);
    let said = "is not installed in these SSL/TLS profiles any more: 'GP portal'.";
    assert!(world.log().iter().any(|line| line.ends_with(said)), "{:#?}", world.log());
    // The same list again, as at a renewal, takes nothing away.
    world.install(&["-p", PORTAL]).exits(0);
    world.install(&["-p", GATEWAY, "--profile-list", "a1"]).exits(0);
    assert_eq!(world.record()["bindings"].as_array().unwrap().len(), 2);
}

#[test]
fn the_same_name_in_two_virtual_systems_is_two_installations() {
    let mut settings =
        Settings { multi_vsys: true, vsys: vec!["vsys1".into(), "vsys2".into()], ..settings() };
    for vsys in ["vsys1", "vsys2"] {
        settings.profiles.push(Profile { vsys: Some(vsys.into()), ..Profile::unbound("portal") });
    }
    let world = World::with(settings);
    world.device.inject(away());
    world.install(&["-p", "portal", "--vsys", "vsys1"]).exits(4);
    world.device.clear_faults();
    world.install(&["-p", "portal", "--vsys", "vsys2", "--queue"]).exits(0);
    let shown = status(&world);
    let locations: Vec<&str> = shown["installations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["location"].as_str().unwrap())
        .collect();
    assert!(locations.contains(&"vsys:vsys1") && locations.contains(&"vsys:vsys2"), "{shown}");
    certctl(&world, &["retry", "--now"]).exits(0);
    let xml: String = world.device.running_xml().split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = format!("<entry name=\"portal\"><certificate>{NAME}</certificate>");
    assert_eq!(xml.replace("> <", "><").matches(&wanted).count(), 2, "{xml}");
}

#[test]
fn the_later_request_counts_although_the_clock_was_set_back_before_it() {
    let world = World::new();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let now = world.renew();
    Ended::of(with_clock(&mut installs(&world, &["-p", GATEWAY, "--queue"]), -30)).exits(0);
    certctl(&world, &["retry"]).exits(0);
    assert!(bound(&world, PORTAL, NAME) && bound(&world, GATEWAY, NAME));
    let record = world.record();
    assert_eq!(record["spec"]["certificate"]["fingerprint"], print(&now.certificate));
    assert!(
        record["requests"].as_array().unwrap().iter().all(|request| request["end"]["is"] == "done"),
        "{record:#}"
    );
    // The same again in place: nothing older is told.
    world.renew();
    world.device.inject(away());
    Ended::of(with_clock(&mut installs(&world, &["-p", GATEWAY]), -30)).exits(4);
}

#[test]
fn a_clock_that_was_ahead_at_a_failure_costs_no_more_than_the_gap() {
    for ahead in [5 * 3600, 300 * DAY, 9000 * DAY] {
        let world = World::new();
        world.device.inject(away());
        Ended::of(with_clock(&mut installs(&world, &["-p", PORTAL]), ahead)).says("127.0.0.1");
        world.device.clear_faults();
        certctl(&world, &["retry"]).exits(0).says("installed the certificate");
        assert_eq!(world.record()["pending_since"], Value::Null, "{ahead}");
    }
}

#[test]
fn a_clock_that_is_behind_at_the_first_delivery_or_at_a_renewal_is_waited_for() {
    for behind in [-2 * DAY, -9000 * DAY] {
        let world = World::new();
        let delivered = |says: &str| {
            let ended = Ended::of(with_clock(&mut installs(&world, &["-p", PORTAL]), behind)).exits(10);
            assert!(ended.stderr.contains("is not valid before"), "{ended:#?}");
            let record = world.record();
            assert_eq!(record["state"]["retry_class"], "clock", "{record:#}");
            assert_ne!(record["pending_since"], Value::Null);
            certctl(&world, &["retry"]).exits(0).says(says);
        };
        delivered("installed the certificate");
        let renewed = world.renew();
        delivered("installed the certificate");
        assert_eq!(world.served(), Some(print(&renewed.certificate)));
    }
    // The CA's clock is often some seconds ahead: the next run of the worker has it.
    let world = World::new();
    world.issue(&CertificateSpec::named(NAME).san(NAME).valid(45, 90 * DAY));
    world.install(&["-p", PORTAL]).exits(10);
    let gap = world.record()["gap"].as_u64().unwrap();
    assert!(gap <= 120, "{gap}");
}

#[test]
fn a_record_of_a_later_version_is_left_alone_and_what_is_asked_for_it_waits() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let path =
        world.path("state/installations").join(world.target()).join("shared").join(format!("{NAME}.json"));
    let ours = std::fs::read_to_string(&path).unwrap();
    let later = ours.replacen("\"version\": 2", "\"version\": 3", 1);
    assert_ne!(ours, later);
    std::fs::write(&path, &later).unwrap();
    world.renew();
    let ended = world.install(&["-p", PORTAL]);
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("format 3"), "{ended:#?}");
    for arguments in [&["retry"][..], &["retry", "--now"], &["verify"], &["status", "--no-certmonger"]] {
        let ended = certctl(&world, arguments);
        assert_ne!(ended.code, Some(0), "{ended:#?}");
        assert!(
            !ended.stdout.contains("Nothing is pending") && !ended.stdout.contains("Nothing is due"),
            "{ended:#?}"
        );
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), later, "that version finds it as it was");
    std::fs::write(&path, &ours).unwrap();
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
}

#[test]
fn a_directory_with_another_name_than_its_records_have_hides_nothing() {
    let world = World::new();
    world.device.inject(away());
    world.install(&["-p", PORTAL]).exits(4);
    let devices = world.path("state/installations");
    for name in ["fw1.old", "fw9.example.com", "not a device"] {
        std::fs::rename(devices.join(world.target()), devices.join(name)).unwrap();
        for arguments in [&["retry", "--now"][..], &["verify"], &["status", "--no-certmonger"]] {
            let ended = certctl(&world, arguments).exits(1).says("its place says something else");
            assert!(!ended.stdout.contains("Nothing is pending"), "{ended:#?}");
        }
        std::fs::rename(devices.join(name), devices.join(world.target())).unwrap();
    }
    world.device.clear_faults();
    certctl(&world, &["retry", "--now"]).exits(0);
}

/// Whatever is wrong when certmonger hands a renewal over: it is in the log and in the status, and done once it is
/// right again.
#[track_caller]
fn waits_until_mended(world: &World, hand_over: &dyn Fn() -> Ended, mend: &dyn Fn()) {
    let ended = hand_over();
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    assert!(!world.log().is_empty(), "there is a line in the log");
    let shown = certctl(world, &["status", "--no-certmonger", "--pending-for", "0s"]);
    assert_ne!(shown.code, Some(0), "the status is not green: {shown:#?}");
    let retried = certctl(world, &["retry", "--now"]);
    assert_ne!(retried.code, Some(0), "{retried:#?}");
    mend();
    certctl(world, &["retry", "--now"]).exits(0).says("installed the certificate");
    assert!(bound(world, PORTAL, NAME));
    certctl(world, &["status", "--no-certmonger", "--pending-for", "0s"]).exits(0);
}

#[test]
fn one_wrong_key_in_the_configuration_file_at_a_renewal_loses_nothing() {
    let world = World::new();
    let config = world.path("config.toml");
    let write = |text: &str| common::pki::write(&config, text.as_bytes(), 0o600);
    let good = format!("[device.\"{}\"]\nprofile = '{PORTAL}'\n", world.target());
    write(&good);
    let hand_over = || Ended::of(&mut installs(&world, &["--config", config.to_str().unwrap()]));
    hand_over().exits(0);
    let renewed = world.renew();
    write(&good.replace("profile", "profil"));
    waits_until_mended(&world, &hand_over, &|| write(&good));
    assert_eq!(world.served(), Some(print(&renewed.certificate)));
    // Whoever is asked twice for the same while it is broken does it once.
    write("[device");
    world.renew();
    for _ in 0..3 {
        hand_over().exits(1);
    }
    assert_eq!(status(&world)["unresolved"].as_array().unwrap().len(), 1);
    write(&good);
    certctl(&world, &["retry"]).exits(0);
    assert_eq!(status(&world)["unresolved"].as_array().unwrap().len(), 0);
}

#[test]
fn a_broken_configuration_file_is_told_in_lines_by_a_retry() {
    let world = World::new();
    let config = world.path("config.toml");
    let write = |text: &str| common::pki::write(&config, text.as_bytes(), 0o600);
    write(&format!("[device.\"{}\"]\nprofile = '{PORTAL}'\n", world.target()));
    world.device.inject(away());
    Ended::of(&mut installs(&world, &["--config", config.to_str().unwrap()])).exits(4);
    write("[device");
    let ended = certctl(&world, &["retry", "--now"]).exits(1).says("[device");
    assert!(!ended.stderr.contains("\\n"), "{ended:#?}");
}

#[test]
fn files_that_are_missing_or_bad_at_that_moment_are_waited_for() {
    let world = World::new();
    let hand_over = || Ended::of(&mut installs(&world, &["-p", PORTAL]));
    let file = |ending: &str| world.path(&format!("{NAME}.{ending}"));
    let aside = world.path("aside");
    for path in [file("crt"), file("key"), world.path(".panrc")] {
        let world = World::new();
        let hand_over = || Ended::of(&mut installs(&world, &["-p", PORTAL]));
        let path = world.path(path.file_name().unwrap().to_str().unwrap());
        let aside = world.path("aside");
        std::fs::rename(&path, &aside).unwrap();
        waits_until_mended(&world, &hand_over, &|| std::fs::rename(&aside, &path).unwrap());
    }
    std::fs::copy(file("crt"), &aside).unwrap();
    std::fs::write(file("crt"), "half a certif").unwrap();
    waits_until_mended(&world, &hand_over, &|| {
        std::fs::copy(&aside, file("crt")).unwrap();
    });
}

#[test]
fn words_that_are_not_understood_are_kept_as_they_were_typed() {
    let world = World::new();
    let ended = Ended::of(&mut installs(&world, &["-p", PORTAL, "--nonsense"])).exits(1);
    assert!(ended.stderr.contains("it is recorded"), "{ended:#?}");
    let shown = certctl(&world, &["status", "--no-certmonger"]);
    assert!(shown.stderr.contains("--nonsense"), "{shown:#?}");
    assert_eq!(shown.code, Some(1));
    certctl(&world, &["retry", "--now"]).exits(1).says("--nonsense");
    assert!(world.log().iter().any(|line| line.contains("--nonsense")), "{:#?}", world.log());
    assert_eq!(world.device.connections(), 0);
    // Whoever has read it runs the right words, and what status says then: the installation stays.
    assert!(shown.stderr.contains("pan_certctl forget --unresolved gp.example.com"), "{shown:#?}");
    world.install(&["-p", PORTAL]).exits(0);
    let forget = |name: &str| certctl(&world, &["forget", "--unresolved", name, "--yes"]);
    forget("other.example.com").exits(1).says("--nonsense");
    forget(NAME).exits(0);
    forget(NAME).exits(1);
    certctl(&world, &["status", "--no-certmonger"]).exits(0);
    certctl(&world, &["retry"]).exits(0);
    assert!(bound(&world, PORTAL, NAME));
    // What is refused to a certificate manager is not done later instead.
    let queued = || std::fs::read_dir(world.path("state/queue")).unwrap().count();
    let before = queued();
    let mut delegated = world.command();
    delegated.args(["--delegated", "--force", &world.target()]).stdin(Stdio::null());
    Ended::of(&mut delegated).exits(1);
    assert_eq!(queued(), before);
}

#[test]
fn only_what_hands_over_a_certificate_and_nobody_saw_is_kept() {
    let world = World::new();
    let unread = || status(&world)["unresolved"].as_array().unwrap().len();
    let target = world.target();
    let with = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["--state-dir", world.path("state").to_str().unwrap()]);
        command.args(["--log-file", world.path("log").to_str().unwrap()]);
        command.args(words).env_clear().env("TZ", "UTC").stdin(Stdio::null());
        command
    };
    for words in [
        &["--verison"][..],
        &[],
        &["--hlep"],
        &["--rekey", "fw1", "--help"],
        &["-c", "", "--x", "fw1"],
        &["fw1"],
    ] {
        Ended::of(&mut with(words));
        assert_eq!(unread(), 0, "{words:?}");
    }
    let seen = with(&["-c", "seen.example.com", "--nonsense", &target]);
    let piped = at_a_terminal_through(&seen, "2>&1 | cat");
    assert!(piped.stdout.contains("--nonsense"), "{piped:#?}");
    assert_eq!(unread(), 0);
    for (number, words) in [
        &["-c", "a.example.com", "--nonsense", "fw1"][..],
        &["-cb.example.com", "--nonsense", "fw1"],
        &["-bc", "c.example.com", "--nonsense", "fw1"],
        &["--common-name=d.example.com", "--nonsense", "fw1"],
        &["--nonsense", "--common-name", "e.example.com", "fw1"],
    ]
    .iter()
    .enumerate()
    {
        Ended::of(&mut with(words)).exits(1);
        assert_eq!(unread(), number + 1, "{words:?}");
    }
    for name in ["a", "b", "c", "d", "e"] {
        certctl(&world, &["forget", "--unresolved", &format!("{name}.example.com"), "--yes"]).exits(0);
    }
    assert_eq!(unread(), 0);
}

/// As it runs at somebody's terminal.
fn at_a_terminal(command: &Command) -> Ended {
    at_a_terminal_through(command, "")
}

/// The same with this behind it in the shell.
fn at_a_terminal_through(command: &Command, behind: &str) -> Ended {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("{} {behind}", words.join(" ")), "/dev/null"]);
    script.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh");
    Ended::of(script.stdin(Stdio::null()))
}

#[test]
fn what_is_typed_and_fails_before_anything_was_changed_is_told_and_not_pending() {
    let world = World::new();
    let mut wrong_port = world.command();
    wrong_port.args(["-p", PORTAL, NOBODY]);
    let missing = || installs(&world, &["-p", "GP gatway"]);
    for (command, code) in [(&wrong_port, 4), (&missing(), 13)] {
        let ended = at_a_terminal(command).exits(code);
        assert!(ended.stdout.contains("it is not recorded as pending"), "{ended:#?}");
    }
    assert_eq!(status(&world)["summary"]["pending"], 0);
    certctl(&world, &["retry", "--now"]).exits(0).says("Nothing is pending");
    // The same without a terminal is pending.
    Ended::of(&mut missing()).exits(13);
    assert_eq!(status(&world)["summary"]["pending"], 1);
    let world = World::new();
    let ended = at_a_terminal(&installs(&world, &["-p", PORTAL, "--nonsense"])).exits(1);
    assert!(!world.path("state").exists(), "{ended:#?}");
    // What was installed once is pending, whoever asks.
    world.install(&["-p", PORTAL]).exits(0);
    world.renew();
    world.device.inject(away());
    let ended = at_a_terminal(&installs(&world, &["-p", PORTAL])).exits(4);
    assert!(!ended.stdout.contains("not recorded as pending"), "{ended:#?}");
    assert_eq!(status(&world)["summary"]["pending"], 1);
}

#[test]
fn whoever_waits_for_the_device_gets_the_own_end_although_another_one_delivered() {
    let world = World::new();
    world.device.set_commit_duration(std::time::Duration::from_millis(600));
    let mut first = installs(&world, &["-p", PORTAL]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait_until(|| !world.device.requests().is_empty()));
    // Queued while the first one works, delivered by the third.
    world.install(&["-p", GATEWAY, "--queue"]).exits(0);
    world.install(&["-p", GATEWAY]).exits(0).says("'GP gateway'");
    assert!(first.wait().unwrap().success());
    assert!(bound(&world, PORTAL, NAME) && bound(&world, GATEWAY, NAME));
    let record = world.record();
    assert!(
        record["requests"].as_array().unwrap().iter().all(|request| request["end"]["is"] == "done"),
        "{record:#}"
    );
}

#[test]
fn a_profile_that_is_missing_makes_no_other_one_wait() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    world.install(&["-p", "GP gatway"]).exits(13);
    let renewed = world.renew();
    world.install(&["-p", PORTAL]).exits(0);
    assert_eq!(world.served(), Some(print(&renewed.certificate)));
    certctl(&world, &["retry", "--now"]).exits(13).says("'GP gatway' does not exist");
    assert_eq!(status(&world)["summary"]["pending"], 1);
}
