//! `pan_certctl inventory`: every certificate on every device, in every place, and which of them came from here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs, dead_code)]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::pki::{self, CertificateSpec};
use common::world::{Ended, GATEWAY, NAME, NOBODY, PORTAL, World, open_many_files, settings};
use panos_sim::{Fault, Matcher, PreloadedCertificate, Profile, Simulator, What, When};
use serde_json::Value;

fn world() -> World {
    let mut settings = settings();
    let old = pki::self_signed(&CertificateSpec::named("old.example.com").valid(-86_400, 3 * 86_400 - 60));
    let given = |name: &str, vsys: Option<&str>| PreloadedCertificate {
        name: name.into(),
        certificate: old.certificate_pem(),
        key: vsys.map(|_| old.key_pem()),
        vsys: vsys.map(str::to_owned),
    };
    settings.certificates = vec![given("old", None), given("inner", Some("vsys1"))];
    let bound = Profile { vsys: Some("vsys1".into()), ..Profile::bound("inside", "inner") };
    settings.profiles.push(bound);
    World::with(settings)
}

fn inventory(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("inventory").arg("--state-dir").arg(world.path("state"));
    command.arg("-k").arg(world.path(".panrc")).args(["--pin", &world.device.certificate_fingerprint()]);
    command.args(arguments).env_clear().env("TZ", "UTC");
    command
}

#[test]
fn all_places_are_listed_and_what_came_from_here_is_told() {
    let world = world();
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    // Without a name: what something was installed on.
    let ended = Ended::of(&mut inventory(&world, &["--json"])).exits(0);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let of = |row: &Value| {
        let word = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let profiles: Vec<&str> =
            row["profiles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        format!(
            "{} {} {} {} {}",
            word("place"),
            word("object"),
            row["private_key"],
            row["ours"],
            profiles.join("+")
        )
    };
    let rows: Vec<String> = told["certificates"].as_array().unwrap().iter().map(of).collect();
    let expected = ["vsys1 inner true false inside", "shared old false false "];
    assert_eq!(rows[..2], expected, "{told:#}");
    assert_eq!(rows[2], format!("shared {NAME} true true {PORTAL}+{GATEWAY}"));
    let shown = Ended::of(&mut inventory(&world, &[&world.target()])).exits(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("until ") && lines[0].ends_with("presented by"), "{shown}");
    assert!(lines[1].contains("(2d)") && lines[3].ends_with("GP portal, GP gateway"), "{shown}");
    assert!(world.device.requests().iter().filter(|request| request.number > 12).all(|request| {
        !matches!(request.r#type.as_deref(), Some("commit" | "import"))
            && request.action.as_deref() != Some("set")
    }));
}

#[test]
fn a_device_that_does_not_answer_is_told_and_the_others_are_listed() {
    let world = world();
    let ended = Ended::of(&mut inventory(&world, &[&world.target(), NOBODY])).exits(20);
    assert!(ended.stderr.contains(NOBODY) && ended.stdout.contains("old.example.com"), "{ended:#?}");
    world.device.inject(Fault::new(When::request(Matcher::typed("config")), What::Html));
    Ended::of(&mut inventory(&world, &[&world.target()])).exits(4);
}

#[test]
fn reports_when_no_devices_are_configured() {
    let world = world();
    Ended::of(&mut inventory(&world, &[])).exits(0).says("No devices configured");
}

#[test]
fn on_a_terminal_of_80_columns_nothing_is_cut_off() {
    let world = world();
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    let presented = format!("presented by {PORTAL}, {GATEWAY}");
    for width in ["80", "60"] {
        let shown = Ended::of(inventory(&world, &[]).env("COLUMNS", width)).exits(0).stdout;
        let width: usize = width.parse().unwrap();
        assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
        assert!(shown.contains(&presented) && shown.contains(NAME) && !shown.contains('…'), "{shown}");
        assert!(shown.contains("from here") && shown.contains("with its key"), "{shown}");
    }
    let wide = Ended::of(inventory(&world, &[]).env("COLUMNS", "200")).exits(0).stdout;
    assert!(wide.lines().next().unwrap().ends_with("presented by"), "{wide}");
}

/// Of many devices that all say very much only some are read at once: 80 answers of 2 MiB.
#[test]
fn the_memory_does_not_grow_with_the_number_of_devices_that_say_very_much() {
    open_many_files();
    let world = world();
    let devices: Vec<Simulator> = (0..80).map(|_| Simulator::start(settings()).unwrap()).collect();
    let text = " all work and no play makes a long reply".repeat((2 << 20) / 40);
    let body = format!("<response status=\"success\"><result>{text}</result></response>").into_bytes();
    let large = What::Body { content_type: "application/xml".to_owned(), body };
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(["inventory", "--insecure", "--state-dir"]).arg(world.path("state"));
    command.arg("-k").arg(world.path(".panrc"));
    for device in &devices {
        device.inject(Fault::new(When::request(Matcher::typed("config")), large.clone()));
        command.arg(device.address().to_string());
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
    let is_asked = |device: &&Simulator| {
        device.requests().iter().any(|request| request.r#type.as_deref() == Some("config"))
    };
    assert_eq!(devices.iter().filter(is_asked).count(), 80);
    assert!((1..140 * 1024).contains(&peak), "{peak} KiB");
}
