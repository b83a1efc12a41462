//! What a delivery tells while it goes on: one stream, of which the log and the times of the phases are made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::inside::{order, shared_log, short_retry_policy};
use common::world::{GATEWAY, NAME, PORTAL, World, settings};
use pancert::delivery::engine::{DeliveryEngine, Report, Selection};
use pancert::delivery::progress::{Progress, Watcher};
use pancert::delivery::{DeviceLock, Queue};
use pancert::install::events::{Event, Wait};
use panos_sim::LockKind;
use panos_xmlapi::Address;

/// Keeps a word for everything that was seen, and does something at some of it.
struct Recorder<F> {
    seen: Mutex<Vec<String>>,
    react: F,
}

impl<F: Fn(&str) + Send + Sync> Watcher for Recorder<F> {
    fn see(&self, _device: &Address, progress: Progress<'_>) {
        let word = match progress {
            Progress::Reserving(holder) => format!("reserving: {holder}"),
            Progress::Begun(names) => format!("begun {}", names.join(" ")),
            Progress::Taken => "taken".to_owned(),
            Progress::Done { failed } => format!("done, failed: {failed}"),
            Progress::Transaction(event) => match event {
                Event::PhaseBegun(phase) => format!("({}", phase.name()),
                Event::PhaseEnded { phase, took } => format!("{}) {}", phase.name(), took.as_secs_f64()),
                Event::Waiting(Wait::Device { by, .. }) => format!("waiting for {by:?}"),
                Event::CommitProgress { percent, .. } => format!("percent {percent:?}"),
                other => format!("{other:?}"),
            },
        };
        self.seen.lock().unwrap().push(word.clone());
        (self.react)(&word);
    }
}

fn watched(
    world: &World,
    arguments: &[&str],
    react: impl Fn(&str) + Send + Sync + 'static,
) -> (Vec<String>, Report, Vec<String>) {
    let mut specs = [order(world, arguments)];
    let state = world.path("state");
    Queue::below(&state).put(&mut specs).unwrap();
    let (log, file) = shared_log();
    let watcher = Arc::new(Recorder { seen: Mutex::default(), react });
    let mut engine = DeliveryEngine::new(log, &state, true);
    engine.retry_policy = short_retry_policy();
    engine.watcher = Arc::<Recorder<_>>::clone(&watcher);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut reports = runtime.block_on(engine.serve(&specs[0].device, Selection::DueOrTransient)).unwrap();
    assert_eq!(reports.len(), 1);
    let report = reports.remove(0);
    let tag = format!("[{}]: ", report.record.run_id);
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(&tag)).map(|(_, text)| text.to_owned());
    let seen = watcher.seen.lock().unwrap().clone();
    (seen, report, lines.collect())
}

fn pin(world: &World) -> String {
    format!("--pin={}", world.device.certificate_fingerprint())
}

/// These stand in it, in this order.
fn in_order(seen: &[String], wanted: &[&str]) {
    let mut rest = seen.iter();
    for word in wanted {
        assert!(rest.any(|seen| seen.starts_with(word)), "{word} is not there, or not there: {seen:#?}");
    }
}

#[test]
fn all_is_told_in_its_order_and_the_times_of_the_phases_are_those_of_the_events() {
    let mut settings = settings();
    settings.commit_duration = Duration::from_millis(700);
    let world = World::with(settings);
    let (seen, report, log) = watched(&world, &[&pin(&world), "-p", PORTAL, "-s", GATEWAY], |_| ());
    in_order(
        &seen,
        &[
            "taken",
            &format!("begun {NAME}"),
            "(connect",
            "connect)",
            "(check",
            "check)",
            "(import",
            "Uploaded",
            "Imported",
            "import)",
            "(bind",
            "ProfileUpdated(\"GP portal\")",
            "ProfileUpdated(\"GP gateway\")",
            "bind)",
            "(commit",
            "CommitBegun",
            "CommitJob",
            "percent Some",
            "CommitSucceeded",
            "Committed",
            "commit)",
            "(verify",
            "Verified",
            "verify)",
            "done, failed: false",
        ],
    );
    // What is written is made of the same numbers, which stand nowhere else.
    for (phase, seconds) in &report.result.phases[..6] {
        let told = seen.iter().filter_map(|word| word.strip_prefix(&format!("{phase}) ")));
        let told: f64 = told.map(|seconds| seconds.parse::<f64>().unwrap()).sum();
        assert!((told - seconds).abs() < 1e-6, "{phase}: {told} and {seconds}");
        assert!(*seconds > 0.0, "{phase}");
    }
    let (last, total) = report.result.phases[6];
    let sum: f64 = report.result.phases[..6].iter().map(|(_, seconds)| seconds).sum();
    assert!(last == "total" && total >= sum, "{total} {sum}");
    in_order(
        &log,
        &[
            "START of pan_instcert.",
            "Certificate Common Name: gp.example.com",
            "XML API output for keypair: <response",
            "Finished uploading certificate: gp.example.com",
            "Successfully updated SSL/TLS Profile GP portal",
            "Successfully updated SSL/TLS Profile GP gateway",
            "Starting commit, please be patient.",
            "commit: success: \"Configuration committed successfully\"",
            "The commit took ",
            "END - Finished certificate installation to: ",
            "Phase times: connect ",
        ],
    );
}

#[test]
fn a_phase_that_is_broken_off_has_its_end_too() {
    let world = World::new();
    world.device.fail_next_commit(&["Validation Error"]);
    let (seen, report, log) = watched(&world, &[&pin(&world), "-p", PORTAL], |_| ());
    in_order(&seen, &["(commit", "CommitFailed", "PutBack", "commit)", "done, failed: true"]);
    let begun = seen.iter().filter(|word| word.starts_with('(')).count();
    let ended = seen.iter().filter(|word| word.contains(") ") && !word.starts_with("Waiting")).count();
    assert!(begun >= 5 && begun == ended, "{seen:#?}");
    assert!(report.result.phases[4].1 > 0.0);
    in_order(&log, &["commit: failure: \"", "The candidate configuration was restored.", "ERROR: "]);
}

#[test]
fn whoever_is_waited_for_is_named_until_it_is_over() {
    let world = Arc::new(World::new());
    world.device.take_lock(LockKind::Config, "jane", "night work");
    let device = Arc::clone(&world);
    let (seen, _, log) = watched(&world, &[&pin(&world), "-p", PORTAL], move |word| {
        if word.starts_with("waiting for") {
            device.device.release_lock(LockKind::Config, "jane");
        }
    });
    in_order(
        &seen,
        &["(import", "waiting for Some(\"jane holds a configuration lock", "WaitOver", "Uploaded"],
    );
    in_order(&log, &["Waiting: ", "XML API output"]);
}

#[test]
fn another_process_that_works_on_the_device_is_named() {
    let world = World::new();
    let devices: [Address; 1] = [world.target().parse().unwrap()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = world.path("state");
    let lock = DeviceLock::acquire(&state, &devices, Duration::from_secs(30));
    let lock = Mutex::new(Some(runtime.block_on(lock).unwrap()));
    let (seen, ..) = watched(&world, &[&pin(&world), "-p", PORTAL], move |word| {
        if word.starts_with("reserving") {
            drop(lock.lock().unwrap().take());
        }
    });
    in_order(
        &seen,
        &[&format!("reserving: process {}", std::process::id()), "begun", "Committed", "done, failed: false"],
    );
}
