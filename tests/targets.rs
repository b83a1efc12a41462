//! Targets: places with a name in the configuration file, so that one certificate goes to several by one command.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use std::process::Command;

use common::bus::Bus;
use common::pki;
use common::world::{Ended, GATEWAY, KEY, NAME, PORTAL, World, settings};
use panos_sim::{Profile, Settings, Simulator};
use serde_json::Value;

/// A firewall with two virtual systems, each with a profile of its own.
fn two_systems() -> Settings {
    let mut settings = settings();
    (settings.multi_vsys, settings.vsys) = (true, vec!["vsys1".into(), "vsys2".into()]);
    for (vsys, name) in [("vsys1", "one"), ("vsys2", "two")] {
        settings.profiles.push(Profile { vsys: Some(vsys.into()), ..Profile::unbound(name) });
    }
    settings
}

/// The devices' sections, and a target for each virtual system of the first.
fn file(devices: &[&Simulator], more: &str) -> String {
    let section = |device: &&Simulator| {
        format!("[device.\"{}\"]\npin = \"{}\"\n", device.address(), device.certificate_fingerprint())
    };
    let sections: String = devices.iter().map(section).collect();
    let first = devices[0].address();
    format!(
        "{sections}[target.one]\ndevice = \"{first}\"\nvsys = \"vsys1\"\nprofile = \"one\"\n\
         [target.two]\ndevice = \"{first}\"\nvsys = \"vsys2\"\nprofile = \"two\"\n{more}"
    )
}

fn write(world: &World, text: &str) {
    std::fs::write(world.path("pan.toml"), text).unwrap();
}

fn install(world: &World, arguments: &[&str]) -> Ended {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg("--config").arg(world.path("pan.toml"));
    Ended::of(command.args(arguments))
}

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.env_clear().env("TZ", "UTC").args(arguments);
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    Ended::of(command.arg("--config").arg(world.path("pan.toml")))
}

fn json(ended: Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

#[test]
fn one_command_delivers_to_two_systems_of_a_device_by_one_commit_and_to_another_device() {
    let world = World::with(two_systems());
    let second = Simulator::start(settings()).unwrap();
    let name = second.address();
    let group = format!(
        "[target.other]\ndevice = \"{name}\"\nprofile = \"{GATEWAY}\"\n\
         [group.vpn]\ndevices = []\ntargets = [\"two\", \"other\"]\n"
    );
    write(&world, &file(&[&world.device, &second], &group));
    let ended = install(&world, &["--target", "one", "--group", "vpn", "--json"]).exits(0);
    assert_eq!((world.device.commits(), second.commits()), (1, 1), "one commit for each device");
    let told = json(ended);
    let targets: Vec<&str> =
        told["devices"].as_array().unwrap().iter().map(|one| one["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["one", "two", "other"], "{told:#}");
    let running = world.device.running_xml();
    let (_, vsys2) = running.split_once("<entry name=\"vsys2\">").unwrap();
    assert!(vsys2.contains(&format!("<certificate>{NAME}</certificate>")));
    assert_eq!(running.matches(&format!("<certificate>{NAME}</certificate>")).count(), 2);
    assert!(second.running_xml().contains(&format!("<certificate>{NAME}</certificate>")));
    // By its name it is found again: in the log, and in what is known.
    for target in ["one", "two", "other"] {
        assert!(world.log().iter().any(|line| line.ends_with(&format!("Target: {target}"))), "{target}");
    }
    let status = json(certctl(&world, &["status", "--json", "--no-certmonger"]).exits(0));
    let known: Vec<&str> = status["installations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["target"].as_str().unwrap())
        .collect();
    assert_eq!(known.len(), 3, "{status:#}");
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("(target 'two')");
    certctl(&world, &["verify"]).exits(0);
    let again = install(&world, &["--target", "one", "--target", "two", "--target", "one"]).exits(0);
    assert_eq!(again.stdout.matches("nothing to do").count(), 2, "{again:#?}");
}

#[test]
fn a_target_that_is_not_what_it_has_to_be_is_refused_with_its_line_and_advice() {
    let world = World::with(two_systems());
    let device = format!("device = \"{}\"\n", world.device.address());
    for (text, says) in [
        (
            "[target.x]\nvsys = 'vsys2'\n".to_owned(),
            "line 1, column 9: the target 'x' names no device: add device",
        ),
        ("[target.x]\ndevice = 'a b'\n".to_owned(), "line 2, column 10: "),
        (
            "[target.x]\ndevices = ['fw1']\n".to_owned(),
            "line 2, column 1: unknown key 'devices', did you mean 'device'?",
        ),
        (
            format!("[target.x]\n{device}vsis = 'vsys2'\n"),
            "line 3, column 1: unknown key 'vsis', did you mean 'vsys'?",
        ),
        (format!("[target.x]\n{device}vsys = 'Blue'\n"), "line 3, column 8: vsys: "),
        (format!("[target.x]\n{device}exportable = 'yes'\n"), "line 3, column 14: "),
        (
            format!("[target.x]\n{device}pin = 'a'\ninsecure = true\n"),
            "only one of ca-file, pin and insecure",
        ),
        (
            format!("[target.x]\n{device}secondary-profile = 'b'\n"),
            "line 3, column 1: secondary-profile: it needs",
        ),
        (
            format!(
                "[device.\"{0}\"]\npkcs12 = 'legacy'\n[target.x]\n{device}chain = '/c'\n",
                world.device.address()
            ),
            "line 3, column 9: pkcs12: with the settings of ",
        ),
        (format!("[target.'x y']\n{device}"), "line 1, column 9: a target's name is made of letters"),
        (
            format!("[target.x]\n{device}[group.vpn]\ntargets = ['y']\n"),
            "line 4, column 12: targets: there is no target 'y'; there is x",
        ),
        ("[group.vpn]\ntargets = []\n".to_owned(), "line 2, column 11: "),
        ("target = 1\n".to_owned(), "line 1"),
        ("[target]\nx = 1\n".to_owned(), "line 2, column 5: invalid type"),
    ] {
        write(&world, &text);
        let ended = install(&world, &["--target", "x"]).exits(1).says(says);
        assert!(ended.stderr.contains("pan.toml"), "{ended:#?}");
        certctl(&world, &["check"]).exits(1).says(says);
    }
    write(&world, &file(&[&world.device], ""));
    install(&world, &["--target", "tow"])
        .exits(1)
        .says("no target 'tow'; it has one, two")
        .says("[target.NAME]");
    certctl(&world, &["check"]).exits(0).says("(target 'two')");
    // Twice the same place would be one installation with two settings.
    let same = [&["--target", "one", "--target", "two", "--vsys", "vsys1"][..]];
    for arguments in same {
        install(&world, arguments).exits(1).says("are the same place, vsys:vsys1 of");
    }
    assert!(world.device.requests().is_empty());
}

#[test]
fn what_the_file_says_on_the_day_of_the_delivery_counts() {
    let world = World::with(two_systems());
    write(&world, &file(&[&world.device], ""));
    install(&world, &["--target", "two", "--queue"]).exits(0).says("is queued");
    // Nobody knows any more what it means: it waits, and says so.
    let without = file(&[&world.device], "").replace("target.two", "target.former");
    write(&world, &without);
    certctl(&world, &["retry", "--now"]).exits(1).says("no target 'two'; it has former, one");
    let moved = file(&[&world.device], "") + "[target.third]\ndevice = \"fw9.example.com\"\n";
    let moved = moved.replace("target.two", "target.former").replace("target.third", "target.two");
    write(&world, &moved);
    certctl(&world, &["retry", "--now"]).exits(1).says("is fw9.example.com in the configuration file now");
    assert_eq!(world.device.commits(), 0);
    // Another profile, by the file of today.
    let other =
        file(&[&world.device], "").replace("profile = \"two\"", "commit-timeout = 60\nprofile = \"two\"");
    write(&world, &other);
    certctl(&world, &["retry", "--now"]).exits(0).says("(target 'two'): installed the certificate");
    assert_eq!(world.device.commits(), 1);
}

#[tokio::test]
async fn a_target_is_passed_on_by_name_and_one_that_is_left_out_is_told() {
    let bus = Bus::with_certmonger().await;
    let device = Simulator::start(two_systems()).unwrap();
    pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    let write = |more: &str| std::fs::write(bus.path("pan.toml"), file(&[&device], more)).unwrap();
    let ask = |list: &[&str], more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        command.args(["-c", NAME, "--session-bus", "--ca", "local", "--timeout", "60"]);
        command.arg("-k").arg(bus.path(".panrc")).arg("--config").arg(bus.path("pan.toml"));
        for option in ["-C", "-K"] {
            command.arg(option).arg(bus.folder.path());
        }
        command.arg("--log-file").arg(bus.path("log")).arg("--state-dir").arg(bus.path("state"));
        Ended::of(command.args(list).args(more)).exits(0).says("FINISHED")
    };
    write("");
    let both = ["--target", "one", "--target", "two"];
    ask(&both, &[]).says("(target 'one')").says("(target 'two')");
    let command = bus.until_phase(pancert::host::certmonger::Phase::Done).await.post_save.unwrap();
    assert!(command.contains("--target=one --target=two"), "{command}");
    assert!(!command.contains("vsys"), "the file says where that is: {command}");
    assert_eq!(device.commits(), 1);
    // The same places by a group leave nothing out; one target alone does.
    write("[group.both]\ntargets = [\"one\", \"two\"]\n");
    let ended = ask(&["--group", "both"], &["--resubmit"]);
    assert!(!ended.stderr.contains("WARNING"), "{ended:#?}");
    assert_eq!(device.commits(), 2);
    ask(&["--target", "one"], &[]).says("no longer be installed on: ").says("(target 'two')");
    let forgotten = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        command.args(["forget", NAME, "--yes", "--untrack-device"]).arg("--state-dir").arg(bus.path("state"));
        Ended::of(command.arg("--log-file").arg(bus.path("log")))
    };
    forgotten.says("by the target 'one'");
}

#[test]
fn a_device_that_only_targets_describe_is_reached_as_they_say() {
    let world = World::with(two_systems());
    // The usual key file is none of these tests': whoever looks there finds no key.
    let (device, pin) = (world.target(), world.device.certificate_fingerprint());
    let key_file = world.path(".panrc");
    let reached = format!("device = \"{device}\"\npin = \"{pin}\"\nkey-file = \"{}\"\n", key_file.display());
    write(
        &world,
        &format!(
            "[target.one]\n{reached}vsys = \"vsys1\"\nprofile = \"one\"\n\
             [target.two]\n{reached}vsys = \"vsys2\"\nprofile = \"two\"\n[group.all]\ntargets = [\"one\", \"two\"]\n"
        ),
    );
    let listed = &json(certctl(&world, &["list-devices", "--json"]))["devices"];
    let of_device = listed.as_array().unwrap().iter().find(|listed| listed["device"] == device).unwrap();
    assert_eq!(
        (&of_device["has_key"], &of_device["trusted_by"]),
        (&true.into(), &"pin".into()),
        "{listed:#}"
    );
    for words in [vec!["inventory"], vec!["inventory", "--group", "all"], vec!["inventory", &device]] {
        certctl(&world, &words).exits(0);
    }
    world
        .bare_command()
        .arg("--config")
        .arg(world.path("pan.toml"))
        .args(["--group", "all"])
        .output()
        .unwrap();
    for words in [vec!["inventory"], vec!["inventory", "--group", "all"], vec!["inventory", &device]] {
        certctl(&world, &words).exits(0).says(NAME);
    }
    certctl(&world, &["prove", "--yes", &device]).exits(0);
}

#[test]
fn two_targets_at_one_place_keep_the_profiles_of_both_whoever_asks_last() {
    let world = World::new();
    let device = world.target();
    let text = |of_device: &str, of_a: &str| {
        format!(
            "[device.\"{device}\"]\npin = \"{}\"\n{of_device}[target.a]\ndevice = \"{device}\"\n{of_a}\
             [target.b]\ndevice = \"{device}\"\nprofile = \"{GATEWAY}\"\n",
            world.device.certificate_fingerprint()
        )
    };
    let (portal, both) = (format!("profile = \"{PORTAL}\"\n"), serde_json::json!([PORTAL, GATEWAY]));
    let proven = || {
        let mut profiles: Vec<String> =
            serde_json::from_value(world.record()["verified"]["profiles"].clone()).unwrap();
        profiles.sort_by_key(|profile| profile != PORTAL);
        serde_json::json!(profiles)
    };
    for (of_device, of_a, first) in
        [("", portal.as_str(), ["--target", "a"]), (portal.as_str(), "", ["--target", "a"])]
    {
        write(&world, &text(of_device, of_a));
        install(&world, &first).exits(0);
        install(&world, &["--target", "b"]).exits(0);
        assert_eq!(proven(), both, "{:#}", world.record());
        // At the renewal of one of them both are bound to the new one.
        world.renew();
        install(&world, &["--target", "b"]).exits(0);
        assert_eq!(proven(), both, "{:#}", world.record());
        certctl(&world, &["verify"]).exits(0);
        certctl(&world, &["forget", NAME, "--yes"]).exits(0);
    }
    // The same where the device's own section has asked first.
    write(&world, &text(&portal, ""));
    install(&world, &[&device]).exits(0);
    install(&world, &["--target", "b"]).exits(0);
    assert_eq!(proven(), both, "{:#}", world.record());
    // The file of today says which profiles: one that it names no more is left.
    write(&world, &text("", ""));
    world.renew();
    install(&world, &["--target", "b"]).exits(0);
    assert_eq!(proven(), serde_json::json!([GATEWAY]));
    write(&world, &text(&portal, ""));
    world.renew();
    certctl(&world, &["verify"]).exits(15);
    certctl(&world, &["retry", "--now"]).exits(0);
    assert_eq!(proven(), both, "{:#}", world.record());
}
