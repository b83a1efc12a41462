//! Records by the thousand: what is kept in memory is what is shown of a record, not the record.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code, unreachable_pub)]

mod common;

use std::process::Command;

use common::world::{Ended, NAME, PORTAL, World};
use serde_json::{Value, json};

/// So many records, each with so much text in attempts that are long over.
const RECORDS: usize = 150;
const TEXT: usize = 200 * 1024;
/// What a process may have for itself, in KiB: less than the records' texts.
const MEMORY: usize = 24 * 1024;

/// A device with one installation, and records of as many others.
fn world() -> World {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let all = world.path("state/installations");
    let own = all.join(world.target()).join("shared").join(format!("{NAME}.json"));
    let mut record: Value = serde_json::from_slice(&std::fs::read(&own).unwrap()).unwrap();
    let attempt = record["history"][0].clone();
    let mut failed = attempt.clone();
    failed["problem"] =
        json!({ "exit": 4, "message": "x".repeat(TEXT / 10), "hint": null, "retry_class": "transient" });
    record["history"] = json!([vec![failed; 10], vec![attempt]].concat());
    for number in 0..RECORDS {
        let device = format!("fw-{number}.example.com");
        record["spec"]["device"] = json!(device);
        let folder = all.join(device).join("shared");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{NAME}.json")), record.to_string()).unwrap();
    }
    world
}

/// `pan_certctl` with little memory.
fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        &format!("ulimit -d {MEMORY}; exec \"$@\""),
        "sh",
        env!("CARGO_BIN_EXE_pan_certctl"),
    ]);
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    command.arg("--config").arg(world.path("config.toml")).args(arguments);
    command.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    Ended::of(&mut command)
}

#[test]
fn nothing_that_goes_through_all_records_holds_their_contents() {
    let world = world();
    common::pki::write(&world.path("config.toml"), b"", 0o600);
    let told = certctl(&world, &["status", "--no-certmonger"]).exits(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 1 + RECORDS + 1 + 1, "{:?}", lines.first());
    assert_eq!(*lines.last().unwrap(), format!("1 certificate on {} devices: all installed.", RECORDS + 1));
    let told = certctl(&world, &["status", "--no-certmonger", "--json"]).exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let each = told["installations"].as_array().unwrap();
    assert_eq!(each.len(), RECORDS + 1);
    let devices: Vec<&str> = each.iter().map(|one| one["device"].as_str().unwrap()).collect();
    assert!(devices.is_sorted(), "{devices:?}");
    assert!(each.iter().all(|one| one["state"] == "installed" && one["problem"].is_null()));
    let metrics = world.path("status.prom");
    certctl(&world, &["status", "--no-certmonger", "--prometheus", metrics.to_str().unwrap()]).exits(0);
    let metrics = std::fs::read_to_string(metrics).unwrap();
    assert_eq!(metrics.matches("pan_getcert_pending{").count(), RECORDS + 1);
    let told = certctl(&world, &["status", "--no-certmonger", "--device", "fw-7.example.com"]).exits(0);
    assert!(told.stdout.contains("1 certificate on 1 device: installed."), "{told:#?}");
    certctl(&world, &["status", "--no-certmonger", "--device", "fw-none.example.com"]).exits(1);
    let told = certctl(&world, &["show", "--no-certmonger", "--json", NAME]).exits(0);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["installations"].as_array().unwrap().len(), RECORDS + 1);
    assert_eq!(told["attempts"].as_array().unwrap().len(), 10);
    let told = certctl(&world, &["list-devices", "--names", "devices"]).exits(0);
    assert_eq!(told.stdout.lines().count(), RECORDS + 1);
    let told = certctl(&world, &["list-devices", "--json"]).exits(0);
    assert_eq!(
        serde_json::from_str::<Value>(&told.stdout).unwrap()["devices"].as_array().unwrap().len(),
        RECORDS + 1
    );
    assert!(certctl(&world, &["retry"]).exits(0).stdout.contains("Nothing is due."));
    certctl(&world, &["retry", "--device", "fw-7.example.com"]).exits(0);
    certctl(&world, &["forget", "--yes", "--device", "fw-7.example.com", NAME]).exits(0);
    assert!(!world.path("state/installations/fw-7.example.com/shared/gp.example.com.json").exists());
}
