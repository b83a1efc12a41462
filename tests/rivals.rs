//! Two certificates for one profile: nobody starts a fight that comes back at each renewal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use std::process::Command;

use common::pki::CertificateSpec;
use common::world::{Ended, GATEWAY, PORTAL, World};

const OTHER: &str = "vpn.example.com";

fn install_other(world: &World, profile: &str) {
    world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", OTHER, "-p", profile, "--pin", &world.device.certificate_fingerprint()]);
    for (option, path) in
        [("-C", ""), ("-K", ""), ("-k", ".panrc"), ("--log-file", "log"), ("--state-dir", "state")]
    {
        command.arg(option).arg(world.path(path));
    }
    Ended::of(command.arg(world.target()).env_clear().env("TZ", "UTC")).exits(0);
}

fn verify(world: &World) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command
        .arg("verify")
        .arg("--log-file")
        .arg(world.path("log"))
        .arg("--state-dir")
        .arg(world.path("state"));
    Ended::of(command.env_clear().env("TZ", "UTC"))
}

#[test]
fn a_profile_that_another_certificate_was_given_later_is_left_there() {
    let world = World::new();
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    install_other(&world, PORTAL);
    let claimed = "the SSL/TLS profile 'GP portal' is used by both 'gp.example.com' and 'vpn.example.com'";
    assert!(world.log().iter().any(|line| line.contains(claimed)), "{:#?}", world.log());
    let (commits, served) = (world.device.commits(), world.served());
    for _ in 0..2 {
        let ended = verify(&world).exits(0).says("now uses 'vpn.example.com', installed later; not changed");
        let forget = format!("pan_certctl forget gp.example.com --device {}", world.target());
        assert!(ended.stderr.contains(&forget), "{ended:#?}");
    }
    assert_eq!((world.device.commits(), world.served()), (commits, served));
    // What it says mends it.
    let forget = verify(&world).stderr;
    let words = forget.split_once("pan_certctl ").unwrap().1.lines().next().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(words.split(' ')).arg("--yes");
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    Ended::of(command.env_clear().env("TZ", "UTC")).exits(0);
    let ended = verify(&world).exits(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn certificates_with_profiles_of_their_own_are_no_rivals() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    install_other(&world, GATEWAY);
    assert!(!world.log().iter().any(|line| line.contains("claimed")), "{:#?}", world.log());
    assert_eq!(verify(&world).exits(0).stderr, "");
}
