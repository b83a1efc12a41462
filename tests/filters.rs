//! Filters that match nothing are errors that say what there is, and `verify` ends as its page says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::process::Command;
use std::time::Duration;

use common::pki::CertificateSpec;
use common::world::{Ended, GATEWAY, NAME, PORTAL, World, settings_with_other};
use panos_sim::{Fault, What, When};

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.arg("--config").arg(world.path("config.toml"));
    Ended::of(command.args(arguments).env_clear().env("TZ", "UTC"))
}

/// A device with a certificate of another origin that can be bound in place of ours.
fn world() -> World {
    let world = World::with(settings_with_other());
    common::pki::write(&world.path("config.toml"), b"[group.vpn]\ndevices = ['fw1.example.com']\n", 0o600);
    world
}

fn rebind(world: &World, profile: &str) {
    let entry = format!("/config/shared/ssl-tls-service-profile/entry[@name='{profile}']");
    world.device.add_pending_change("jane", &entry, "<certificate>other</certificate>").unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(Duration::from_secs(10)));
}

#[test]
fn a_device_that_nothing_is_known_of_is_an_error_that_says_what_there_is() {
    let world = world();
    world.install(&["-p", PORTAL]).exits(0);
    let target = world.target();
    for verb in [
        &["status", "--no-certmonger"][..],
        &["verify"],
        &["verify", "--json"],
        &["retry"],
        &["retry", "--now", "--json"],
        &["log"],
    ] {
        let ended = certctl(&world, &[verb, &["--device", "fw9.example.com"]].concat()).exits(1);
        assert_eq!(ended.stdout, "", "{verb:?}");
        ended.says("nothing matches --device fw9.example.com").says(&target);
        certctl(&world, &[verb, &["--device", &target]].concat()).exits(0);
        // Without a port, on any port.
        certctl(&world, &[verb, &["--device", "127.0.0.1"]].concat()).exits(0);
    }
    for verb in ["verify", "retry"] {
        let both = [verb, "--device", &target, "--device", "fw9.example.com"];
        certctl(&world, &both).exits(1).says("nothing matches --device fw9.example.com");
    }
    certctl(&world, &["inventory", "--group", "vnp"]).exits(1).says("no group 'vnp'; it has vpn");
}

#[test]
fn what_is_only_ordered_can_be_chosen_too() {
    let world = world();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    certctl(&world, &["retry", "--device", "fw9.example.com"]).exits(1).says(&world.target());
    certctl(&world, &["retry", "--device", "127.0.0.1"]).exits(0).says("installed the certificate");
}

#[test]
fn where_there_is_nothing_a_filter_matches_nothing_and_no_filter_is_no_error() {
    let world = world();
    for verb in [&["status", "--no-certmonger"][..], &["verify"], &["retry"]] {
        certctl(&world, verb).exits(0);
        let filtered = [verb, &["--device", "fw1.example.com"]].concat();
        certctl(&world, &filtered).exits(1).says("there is: nothing at all");
    }
}

#[test]
fn verify_ends_as_its_page_says() {
    let world = world();
    world.install(&["-p", PORTAL, "-n", "one"]).exits(0);
    world.install(&["-p", GATEWAY, "-n", "two"]).exits(0);
    certctl(&world, &["verify"]).exits(0);
    // One of two has drifted.
    rebind(&world, GATEWAY);
    let told = certctl(&world, &["verify", "--drift", "warn", "--json"]).exits(15).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["exit"], told["installations"].as_array().unwrap().len()), (&15.into(), 2));
    // Both have.
    rebind(&world, PORTAL);
    certctl(&world, &["verify", "--drift", "warn"]).exits(15);
    // A record that can't be read is a problem of its own.
    let folder = world.path("state/installations").join(world.target());
    std::fs::write(folder.join("broken.json"), "{").unwrap();
    certctl(&world, &["verify", "--drift", "warn"]).exits(20);
    // What drifted is pending from now on, and no news any more.
    certctl(&world, &["verify", "--drift", "deliver"]);
    certctl(&world, &["verify"]).says(": pending; see");
    certctl(&world, &["retry", "--now"]);
    certctl(&world, &["verify"]).says("the device is running this certificate");
}

/// The rows of the table at the end, the headings first.
fn table(ended: &Ended) -> Vec<String> {
    let rows = ended.stdout.lines().skip_while(|line| !line.starts_with("where "));
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn verify_of_several_installations_ends_with_a_table_and_json_has_the_same() {
    const OTHER: &str = "www.example.com";
    let world = world();
    world.install(&["-p", PORTAL]).exits(0);
    let target = world.target();
    // Of a single one its own line says all.
    assert!(table(&certctl(&world, &["verify"]).exits(0)).is_empty());
    world.ca.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", OTHER, "-p", GATEWAY, "-k"]).arg(world.path(".panrc")).arg("--insecure");
    command.arg("-C").arg(world.folder.path()).arg("-K").arg(world.folder.path());
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    Ended::of(command.arg(&target).env_clear().env("TZ", "UTC")).exits(0);
    rebind(&world, GATEWAY);
    let ended = certctl(&world, &["verify", "--drift", "warn"]).exits(15);
    let rows = table(&ended);
    assert_eq!(rows[0], "where certificate result seconds", "{ended:#?}");
    assert!(rows[1].starts_with(&format!("{target} {NAME} good ")), "{ended:#?}");
    assert!(rows[2].starts_with(&format!("{target} {OTHER} drift ")), "{ended:#?}");
    assert_eq!(rows.len(), 3, "the table is the end: {ended:#?}");
    let ended = certctl(&world, &["verify", "--drift", "deliver", "--json"]).exits(15);
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    for (at, name, verdict, exit) in [(0, NAME, "good", 0), (1, OTHER, "pending-again", 15)] {
        let one = &told["installations"][at];
        assert_eq!((&one["common_name"], &one["verdict"]), (&name.into(), &verdict.into()), "{told:#}");
        assert_eq!((&one["exit"], one["seconds"]["total"].is_f64()), (&exit.into(), true), "{told:#}");
    }
    let ended = certctl(&world, &["verify"]).exits(0);
    assert!(table(&ended)[2].starts_with(&format!("{target} {OTHER} pending ")), "{ended:#?}");
    // On a terminal of 50 columns no row is wider.
    let mut narrow = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    narrow.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    narrow.arg("verify").env_clear().env("COLUMNS", "50");
    let rows = Ended::of(&mut narrow).exits(0).stdout;
    let rows: Vec<&str> = rows.lines().skip_while(|line| !line.starts_with("where ")).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row.chars().count() <= 50), "{rows:#?}");
}

#[test]
fn verify_says_where_it_could_not_look() {
    let world = world();
    world.install(&["-p", PORTAL]).exits(0);
    world.device.inject(Fault::new(When::Always, What::Close).times(u32::MAX));
    certctl(&world, &["verify"]).exits(4);
    world.device.clear_faults();
    world.install(&["-p", GATEWAY, "-n", "two", "--commit", "none"]).exits(0);
    certctl(&world, &["verify"]).exits(15).says("is waiting for a manual commit");
    std::fs::remove_file(world.path("gp.example.com.key")).unwrap();
    certctl(&world, &["verify"]).exits(10);
}
