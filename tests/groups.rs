//! Groups of devices: named once in the configuration file, and as they are there at each run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use common::bus::Bus;
use common::pki;
use common::world::{Ended, GATEWAY, KEY, NAME, PORTAL, World, settings};
use panos_sim::Simulator;

/// The settings of a device that is trusted by its fingerprint.
fn section(device: &Simulator) -> String {
    format!("[device.\"{}\"]\npin = \"{}\"\n", device.address(), device.certificate_fingerprint())
}

fn group(devices: &[&Simulator]) -> String {
    let names: Vec<String> = devices.iter().map(|device| format!("\"{}\"", device.address())).collect();
    let sections: String = devices.iter().map(|device| section(device)).collect();
    format!("{sections}[group.vpn]\ndevices = [{}]\n", names.join(", "))
}

fn install(world: &World, arguments: &[&str]) -> Ended {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg("--config").arg(world.path("pan.toml"));
    Ended::of(command.args(["-p", PORTAL]).args(arguments))
}

#[test]
fn every_device_of_a_group_gets_the_certificate_once() {
    let world = World::new();
    let second = Simulator::start(settings()).unwrap();
    std::fs::write(world.path("pan.toml"), group(&[&world.device, &second])).unwrap();
    let first = world.target();
    install(&world, &["--group", "vpn", &first]).exits(0).says(&second.address().to_string());
    assert_eq!((world.device.commits(), second.commits()), (1, 1));
    // A record names the device alone: what is pending stays pending when the group changes.
    assert!(!world.record()["spec"]["options"].to_string().contains("group"), "{:#}", world.record());
}

#[test]
fn a_group_that_is_not_there_is_a_mistake() {
    let world = World::new();
    std::fs::write(world.path("pan.toml"), group(&[&world.device])).unwrap();
    install(&world, &["--group", "vpm"]).exits(1).says("no group 'vpm'; it has vpn");
    install(&world, &[]).exits(1).says("FQDN");
    for (text, says) in [
        ("[group.vpn]\ndevices = []\n", "without devices"),
        ("[group.vpn]\ndevices = ['a b']\n", "line 2, column 12"),
        ("[group.'v p']\ndevices = ['a']\n", "letters"),
        ("[group.vpn]\ndevice = ['a']\n", "did you mean 'devices'"),
    ] {
        std::fs::write(world.path("pan.toml"), text).unwrap();
        install(&world, &["--group", "vpn"]).exits(1).says(says);
    }
    assert!(world.device.requests().is_empty());
}

#[tokio::test]
async fn a_device_that_joins_the_group_gets_the_certificate_at_the_next_renewal() {
    let bus = Bus::with_certmonger().await;
    let (first, second) = (Simulator::start(settings()).unwrap(), Simulator::start(settings()).unwrap());
    pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    std::fs::write(bus.path("pan.toml"), group(&[&first])).unwrap();
    let ask = |list: &[&str], more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        command.args(["-c", NAME, "--session-bus", "--ca", "local", "--timeout", "60", "-p", PORTAL]);
        command.arg("-k").arg(bus.path(".panrc")).arg("--config").arg(bus.path("pan.toml"));
        for option in ["-C", "-K"] {
            command.arg(option).arg(bus.folder.path());
        }
        command.arg("--log-file").arg(bus.path("log")).arg("--state-dir").arg(bus.path("state"));
        Ended::of(command.args(list).args(more)).exits(0).says("FINISHED")
    };
    let vpn = ["--group", "vpn"];
    ask(&vpn, &[]);
    assert_eq!((first.commits(), second.commits()), (1, 0));
    let command = bus.until_phase(pancert::host::certmonger::Phase::Done).await.post_save.unwrap();
    assert!(command.contains("--group=vpn"), "{command}");
    std::fs::write(bus.path("pan.toml"), group(&[&first, &second])).unwrap();
    let ended = ask(&vpn, &["--resubmit"]);
    assert_eq!((first.commits(), second.commits()), (2, 1));
    assert!(!ended.stderr.contains("WARNING"), "{ended:#?}");
    // Whoever names less than before is told what is no longer renewed.
    let (first, second_name) = (first.address().to_string(), second.address().to_string());
    let ended = ask(&[&first, &second_name], &[]);
    assert!(!ended.stderr.contains("WARNING"), "the same devices, named one by one: {ended:#?}");
    let ended = ask(&vpn, &[]);
    assert!(!ended.stderr.contains("WARNING"), "and as a group again: {ended:#?}");
    ask(&[&first], &[]).says(&format!("WARNING: renewals will no longer be installed on: {second_name}\n"));
    ask(&[&first], &[]).exits(0);
    let ended = ask(&[&first, &second.address().to_string()], &[]);
    assert!(!ended.stderr.contains("WARNING"), "{ended:#?}");
    ask(&[&first], &[]).says(&format!("no longer be installed on: {}\n", second.address()));
}

#[test]
fn a_profile_that_is_typed_is_the_whole_list() {
    let world = World::new();
    let more = format!("profile = \"{GATEWAY}\"\nsecondary-profile = \"{PORTAL}\"\n");
    std::fs::write(world.path("pan.toml"), section(&world.device) + &more).unwrap();
    let bound = || {
        let bindings = world.record()["bindings"].as_array().unwrap().clone();
        bindings.iter().map(|one| one["profile"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The file's second profile is not added to what is typed.
    install(&world, &[&world.target()]).exits(0).says("in 'GP portal' (");
    assert_eq!(bound(), [PORTAL]);
    // Where nothing is typed, the file's profiles count; a second one that is typed goes with the file's first.
    let bare = |arguments: &[&str]| {
        let mut command = world.bare_command();
        command.arg("-k").arg(world.path(".panrc")).arg("--config").arg(world.path("pan.toml"));
        Ended::of(command.args(arguments).arg(world.target())).exits(0)
    };
    bare(&["--profile-list", "a"]).says("in 'GP gateway' and 'GP portal'");
    bare(&["--profile-list", "b", "-s", PORTAL]).says("in 'GP gateway' and 'GP portal'");
}
