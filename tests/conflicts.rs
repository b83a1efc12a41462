//! Two certificates for one profile: nobody starts a fight that comes back at each renewal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use std::process::Command;

use common::pki::CertificateSpec;
use common::world::{Ended, GATEWAY, PORTAL, World};

const OTHER: &str = "vpn.example.com";

/// A second certificate asks for a profile.
fn ask_other(world: &World, profiles: &[&str], more: &[&str]) -> Ended {
    if !world.path(&format!("{OTHER}.crt")).exists() {
        world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", OTHER, "--pin", &world.device.certificate_fingerprint()]).args(profiles);
    for (option, path) in
        [("-C", ""), ("-K", ""), ("-k", ".panrc"), ("--log-file", "log"), ("--state-dir", "state")]
    {
        command.arg(option).arg(world.path(path));
    }
    Ended::of(command.args(more).arg(world.target()).env_clear().env("TZ", "UTC"))
}

fn status(world: &World) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(["status", "--no-certmonger", "--json", "--state-dir"]).arg(world.path("state"));
    serde_json::from_str(&Ended::of(command.env_clear().env("TZ", "UTC")).stdout).unwrap()
}

/// How an installation stands: its state, its profiles, and what is wrong with it in a word each.
fn stands(world: &World, name: &str) -> (String, Vec<String>, Vec<String>) {
    let status = status(world);
    let mut all = status["installations"].as_array().unwrap().iter();
    let one = all.find(|one| one["certificate"] == name).unwrap_or_else(|| panic!("{name}: {status:#}"));
    let words = |list: &serde_json::Value, key: Option<&str>| {
        let word =
            |value: &serde_json::Value| key.map_or(value, |key| &value[key]).as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(word).collect::<Vec<_>>()
    };
    (
        one["state"].as_str().unwrap().into(),
        words(&one["profiles"], None),
        words(&one["faults"], Some("word")),
    )
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
fn a_profile_that_another_installation_claims_is_not_taken_without_a_word() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let (commits, served) = (world.device.commits(), world.served());
    let claimed = "the SSL/TLS profile 'GP portal' belongs to the installation 'gp.example.com'";
    let dry = ask_other(&world, &["-p", PORTAL], &["--dry-run"]).exits(13).says(claimed);
    assert!(dry.stderr.contains("add --take-over"), "{dry:#?}");
    assert_eq!(status(&world)["installations"].as_array().unwrap().len(), 1, "a dry run records nothing");
    // Nobody sees it: what certmonger asks for is recorded, and stays pending.
    let list = ["--profile-list=one"];
    ask_other(&world, &["-p", PORTAL, "-s", GATEWAY], &list).exits(13).says(claimed);
    assert_eq!((world.device.commits(), world.served()), (commits, served.clone()), "nothing was changed");
    let both = || vec![PORTAL.to_owned(), GATEWAY.to_owned()];
    let twice = || vec!["profile-claimed-twice".to_owned()];
    assert_eq!(stands(&world, OTHER), ("pending".into(), both(), twice()));
    // The first one's renewals are not disturbed by that.
    world.renew();
    world.install(&["-p", PORTAL]).exits(0);
    assert_ne!(world.served(), served);
    // Somebody decides, and what was recorded is delivered.
    let ended = ask_other(&world, &["-p", PORTAL, "-s", GATEWAY], &["--profile-list=two", "--take-over"]);
    ended.exits(0);
    assert_eq!(stands(&world, OTHER), ("installed".into(), both(), Vec::new()));
    assert_eq!(stands(&world, "gp.example.com"), ("installed".into(), Vec::new(), vec!["no-profile".into()]));
    let taken = "The SSL/TLS profile 'GP portal' was taken over by 'vpn.example.com' from 'gp.example.com'.";
    assert!(world.log().iter().any(|line| line.ends_with(taken)), "{:#?}", world.log());
    assert_eq!(verify(&world).exits(0).stderr, "");
    // The first one's post-save command asks for it at the next renewal: that is a claim like any other.
    let served = world.served();
    world.renew();
    let theirs = "the SSL/TLS profile 'GP portal' belongs to the installation 'vpn.example.com'";
    world.install(&["-p", PORTAL]).exits(13).says(theirs);
    assert_eq!(world.served(), served);
    // A renewal of the other one takes nothing over a second time, and does not have to.
    world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    ask_other(&world, &["-p", PORTAL, "-s", GATEWAY], &["--profile-list=two", "--take-over"]).exits(0);
    assert_ne!(world.served(), served);
    assert_eq!(stands(&world, "gp.example.com").0, "pending", "it is told until somebody decides");
    // The first one decides again; then the other one's same command, as each renewal runs it, is refused there.
    world.install(&["-p", PORTAL, "--take-over"]).exits(0);
    assert_eq!(stands(&world, OTHER), ("installed".into(), vec![GATEWAY.to_owned()], Vec::new()));
    world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    let served = world.served();
    ask_other(&world, &["-p", PORTAL, "-s", GATEWAY], &["--profile-list=two", "--take-over"]).exits(13);
    assert_eq!(world.served(), served);
    // What is undisputed was renewed all the same.
    let status = status(&world);
    let other = status["installations"].as_array().unwrap().iter().find(|one| one["certificate"] == OTHER);
    let other = other.unwrap();
    assert_eq!(other["fingerprint_proven"], other["fingerprint_ordered"], "{other:#}");
}

#[test]
fn a_profile_is_taken_over_only_once_the_new_certificate_is_there() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    world.device.fail_next_commit(&["no"]);
    ask_other(&world, &["-p", PORTAL], &["--take-over"]).exits(14);
    assert_eq!(stands(&world, "gp.example.com").1, [PORTAL], "its renewals go on");
}

#[test]
fn two_that_claim_a_profile_since_an_earlier_version_are_told_and_left() {
    let world = World::new();
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    let path = world.path(&format!("state/installations/{}/shared/gp.example.com.json", world.target()));
    let before = std::fs::read(&path).unwrap();
    ask_other(&world, &["-p", PORTAL], &["--take-over"]).exits(0);
    // Earlier versions let both claim it.
    std::fs::write(&path, before).unwrap();
    world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    ask_other(&world, &["-p", PORTAL], &[]).exits(0);
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
fn distinct_profiles_do_not_conflict() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    ask_other(&world, &["-p", GATEWAY], &[]).exits(0);
    assert!(!world.log().iter().any(|line| line.contains("claimed")), "{:#?}", world.log());
    assert_eq!(verify(&world).exits(0).stderr, "");
}
