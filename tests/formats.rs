//! Every stored format that was ever written is read: orders and records as version 0.1.0 left them (tests/formats/1),
//! also in the middle of a delivery.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "formats/upgrade.rs"]
mod upgrade;

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{NaiveDateTime, Utc};
use common::world::{Ended, GATEWAY, NAME, PORTAL, World, print};
use pancert::delivery::{Installation, InstallationStore, Queue, RequestEnd, State};
use pancert::install::result::LastRun;
use pancert::settings::options::{CommitOption, SuffixOption};

fn certctl(world: &World, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    Ended::of(command.args(arguments).env_clear().env("TZ", "UTC"))
}

/// A world whose state directory is as the old version left it.
fn left_by_the_old_version(scene: &str) -> World {
    let world = World::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1").join(scene);
    copy_with(&from, &world.path("state"), &world, &[]);
    world
}

/// When the old version was run, in the days and minutes of its files.
const RECORDED: &str = "2026-11-28T13:47:02";
/// How its times begin.
const DAYS: [&str; 2] = ["2026-11-28T", "2026-11-29T"];

/// The same text as if the old version had been run just now: what is late one day is not late in this one.
fn as_of_now(text: &str) -> String {
    let time = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap();
    let since = Utc::now().naive_utc() - time(RECORDED);
    let mut moved = String::new();
    let mut rest = text;
    while let Some(at) = DAYS.iter().filter_map(|day| rest.find(day)).min() {
        let (before, from) = rest.split_at(at);
        let (told, after) = from.split_at(RECORDED.len());
        moved += before;
        moved += &(time(told) + since).format("%Y-%m-%dT%H:%M:%S").to_string();
        rest = after;
    }
    moved + rest
}

/// Copies a state directory, with what is of this world in the places that are marked, and these besides.
fn copy_with(from: &Path, to: &Path, world: &World, facts: &[(&str, String)]) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().replace("DEVICE", &world.target());
        if path.is_dir() {
            copy_with(&path, &to.join(name), world, facts);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replace("@DEVICE@", &world.target());
            let text = text.replace("@DIR@", world.folder.path().to_str().unwrap());
            let text = text.replace("@PIN@", &world.device.certificate_fingerprint());
            let text = text.replace("@SERVED@", &world.device.service_address().to_string());
            let text = facts.iter().fold(as_of_now(&text), |text, (mark, fact)| text.replace(mark, fact));
            std::fs::write(to.join(name), text).unwrap();
        }
    }
}

fn only(world: &World) -> Installation {
    let mut records = Vec::new();
    let found = InstallationStore::below(&world.path("state")).each(|record| records.push(record)).unwrap();
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    assert_eq!(records.len(), 1);
    records.into_iter().next().unwrap()
}

/// The record's file, as a path below the device's directory.
fn files(world: &World) -> Vec<String> {
    let folder = world.path("state/installations").join(world.target());
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push(path);
        }
    }
    found.iter().map(|path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn an_order_means_what_it_meant() {
    let world = left_by_the_old_version("queued-all-options");
    let listing = Queue::below(&world.path("state")).all().unwrap();
    assert!(listing.errors.is_empty() && listing.unresolved.is_empty(), "{listing:?}");
    let spec = &listing.specs[0].spec;
    let folder = world.folder.path();
    assert_eq!((spec.key().to_string(), spec.id.len()), (format!("{}: {NAME}", world.target()), 16));
    assert_eq!(spec.profiles.iter().map(|name| name.as_str()).collect::<Vec<_>>(), [PORTAL, GATEWAY]);
    assert_eq!(spec.peer.as_ref().unwrap().to_string(), "fw2.example.com");
    let options = &spec.options;
    assert_eq!((options.cert_dir.as_path(), options.key_dir.as_path()), (folder, folder));
    assert!(options.blind && !options.force && !options.year && options.config.is_none());
    let device = &options.device;
    assert_eq!(device.suffix, Some(SuffixOption::Serial));
    assert_eq!(
        (device.keep, device.commit, device.commit_timeout),
        (Some(2), Some(CommitOption::Full), Some(77))
    );
    assert_eq!(device.pin, Some(world.device.certificate_fingerprint()));
    assert!(device.exportable && device.where_used && device.vsys.is_none());
    assert_eq!(device.served, [world.device.service_address().to_string()]);
}

#[test]
fn an_order_for_a_virtual_system_is_one_for_that_location() {
    let world = left_by_the_old_version("queued-vsys");
    let spec = Queue::below(&world.path("state")).all().unwrap().specs.remove(0).spec;
    assert_eq!((spec.location.to_string().as_str(), spec.name.as_str()), ("vsys:vsys2", "gp"));
    assert!(spec.options.year && !spec.options.blind);
    let shown = certctl(&world, &["status", "--no-certmonger", "--json"]).exits(0);
    assert!(shown.stdout.contains("\"location\":\"vsys:vsys2\""), "{shown:?}");
}

#[test]
fn what_is_installed_stays_so_and_its_renewal_writes_the_new_form() {
    let world = left_by_the_old_version("installed");
    let record = only(&world);
    assert!(!record.is_pending() && matches!(record.state, State::Installed { .. }));
    assert!(matches!(record.requests[0].end, RequestEnd::Done { .. }));
    assert_eq!(record.created_objects.len(), 1);
    assert_eq!(record.verified.unwrap().profiles.len(), 1);
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("installed");
    assert_eq!(files(&world), [format!("{NAME}.json")], "who only looks changes nothing");
    world.install(&["-p", PORTAL]).exits(0);
    assert_eq!(files(&world), [format!("shared/{NAME}.json")]);
    assert_eq!((world.record()["version"].as_u64(), only(&world).requests.len()), (Some(2), 2));
}

#[test]
fn an_old_order_for_an_old_record_is_delivered_with_what_is_there() {
    let world = left_by_the_old_version("installed-and-queued");
    let now = world.renew();
    certctl(&world, &["retry"]).exits(0);
    let record = only(&world);
    assert_eq!(record.profiles().iter().map(|name| name.as_str()).collect::<Vec<_>>(), [PORTAL, GATEWAY]);
    for profile in [PORTAL, GATEWAY] {
        let bound = format!("<entry name=\"{profile}\"><certificate>{NAME}<");
        assert!(world.device.running_xml().replace('\n', "").contains(&bound), "{profile}");
    }
    assert_eq!(world.served(), Some(print(&now.certificate)));
    assert_eq!(files(&world), [format!("shared/{NAME}.json")]);
}

#[test]
fn what_an_old_run_left_in_the_middle_is_recovered() {
    let world = left_by_the_old_version("interrupted");
    let record = only(&world);
    assert_eq!((record.last_run(), record.job.as_deref()), (LastRun::Interrupted, Some("3")));
    assert_eq!(record.uncommitted_paths.len(), 2);
    certctl(&world, &["retry"]).exits(0).says("installed the certificate 'gp2'");
    assert!(world.log().iter().any(|line| line.contains("Commit job 3 of an interrupted run")));
    let record = only(&world);
    assert!(!record.is_pending() && record.uncommitted_paths.is_empty());
    assert_eq!((record.requests.len(), record.history.len()), (1, 1));
}

#[test]
fn what_failed_is_tried_again_and_what_was_given_up_is_not() {
    let world = left_by_the_old_version("failed");
    let record = only(&world);
    assert!(record.is_pending() && record.incident.is_some() && record.failures == 1);
    assert!(matches!(record.requests[0].end, RequestEnd::Open { problem: Some(_) }));
    certctl(&world, &["retry"]).exits(13).says("'No such' does not exist");
    assert_eq!((only(&world).failures, files(&world)), (2, vec!["shared/failed.json".to_owned()]));

    let world = left_by_the_old_version("mistake");
    assert!(!only(&world).is_pending());
    assert!(matches!(only(&world).requests[0].end, RequestEnd::Failed { .. }));
    certctl(&world, &["retry", "--now"]).exits(0).says("Nothing is pending");

    let world = left_by_the_old_version("left-to-commit");
    assert_eq!(only(&world).last_run(), LastRun::AwaitingCommit);
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("waiting for manual commit");
}

#[test]
fn an_old_record_waits_for_a_configuration_file_that_can_be_read() {
    let world = left_by_the_old_version("installed-and-queued");
    let config = world.path("config.toml");
    let state = world.path("state");
    let of = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    };
    let stored = [of(&state.join("queue")), of(&state.join("installations").join(world.target()))].concat();
    for path in &stored {
        let text = std::fs::read_to_string(path).unwrap();
        let with_config = format!("\"--config={}\", \"--blind\"", config.display());
        std::fs::write(path, text.replace("\"--blind\"", &with_config)).unwrap();
    }
    common::pki::write(&config, b"[device", 0o600);
    certctl(&world, &["retry"]).exits(1).says("line 1");
    certctl(&world, &["status", "--no-certmonger"]).exits(1).says("line 1");
    assert!(stored.iter().all(|path| path.is_file()), "nothing is moved or lost");
    common::pki::write(&config, b"", 0o600);
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
    assert_eq!(only(&world).profiles().len(), 2);
}
