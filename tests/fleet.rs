//! Fleets: a device that is slow, dead or broken keeps no other waiting, each has its own true reason, and there are never
//! more files open than the system allows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use common::inside::{request, shared_log, short_retry_policy};
use common::pki::{self, CertificateSpec, Issued, KeyKind};
use common::trouble::wait_until;
use common::world::{Ended, KEY, NAME, PORTAL, open_many_files, print, served, settings};
use pancert::cli::at_once;
use pancert::delivery::engine::{DeliveryEngine, Report, Selection};
use pancert::delivery::progress::{Progress, Watcher};
use pancert::delivery::worker::Worker;
use pancert::delivery::{Clock, InstallationStore, Queue};
use pancert::install::events::Event;
use panos_sim::{Fault, Listening, Matcher, Settings, Simulator, What, When};
use panos_xmlapi::{Address, ClientOptions};
use tempfile::TempDir;

/// How long a commit takes, and what is taken for a second where it is waited for.
const COMMIT: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_millis(100);
/// As on real devices.
const REAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1));
/// How long a device is away that reboots: longer than it is waited for, which takes longer where many are worked on. One
/// that is back before is asked, and has another true reason: the commit did not take place.
const OUTAGE: Duration = Duration::from_secs(4);
const OUTAGE_OF_MANY: Duration = Duration::from_secs(60);

/// How long a silent device is waited for, at least.
const SILENT: Duration = Duration::from_secs(30);

/// Firewalls, one certificate for all of them, and a clock.
struct Fleet {
    devices: Vec<Simulator>,
    folder: TempDir,
    ca: Issued,
    time: Arc<AtomicI64>,
    /// What is taken for a second.
    second: Duration,
}

/// When something was seen.
type Times = Arc<Mutex<Vec<Instant>>>;

/// When each device was done with, for the first time.
#[derive(Default)]
struct Ends(Mutex<BTreeMap<String, Instant>>);

struct Watching<F>(F);

impl<F: Fn(&Address, &Progress<'_>) + Send + Sync> Watcher for Watching<F> {
    fn see(&self, device: &Address, progress: Progress<'_>) {
        (self.0)(device, &progress);
    }
}

impl Fleet {
    fn new(count: usize, of: impl Fn(usize) -> Settings) -> Self {
        open_many_files();
        let devices = (0..count).map(|number| Simulator::start(of(number)).unwrap()).collect();
        let folder = TempDir::new().unwrap();
        pki::write(&folder.path().join(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        let (ca, time) = (pki::root("Example CA", KeyKind::P256), AtomicI64::new(Utc::now().timestamp()));
        Self { devices, folder, ca, time: Arc::new(time), second: SECOND }
    }

    fn renew(&self) -> Issued {
        let issued = self.ca.issue(&CertificateSpec::named(NAME).san(NAME));
        issued.write(self.folder.path(), NAME);
        issued
    }

    /// Orders the certificate for these devices.
    fn order(&self, which: impl Fn(usize) -> bool) {
        let folder = self.folder.path().to_str().unwrap();
        let key = format!("{folder}/.panrc");
        let orders =
            self.devices.iter().enumerate().filter(|(number, _)| which(*number)).map(|(_, device)| {
                let pin = device.certificate_fingerprint();
                let words =
                    ["-b", "-c", NAME, "-C", folder, "-K", folder, "-k", &key, "--pin", &pin, "-p", PORTAL];
                request(self.folder.path(), &words, &device.address().to_string())
            });
        Queue::below(self.folder.path()).put(&mut orders.collect::<Vec<_>>()).unwrap();
    }

    /// A run of the worker; a silent device is given up after so long.
    fn work(&self, silent: Duration, watcher: Arc<dyn Watcher>) -> BTreeMap<String, Report> {
        let time = Arc::clone(&self.time);
        let clock = Clock::of(move || DateTime::from_timestamp(time.load(Ordering::Relaxed), 0).unwrap());
        let mut engine = DeliveryEngine::new(shared_log().0, self.folder.path(), true);
        engine.records = InstallationStore::below(self.folder.path()).by(clock);
        engine.retry_policy = short_retry_policy();
        let limits = engine.retry_policy.limits;
        engine.retry_policy.pauses = vec![Duration::from_millis(100)];
        engine.retry_policy.limits = ClientOptions {
            connect_timeout: silent,
            idle_timeout: 2 * silent,
            request_timeout: 2 * silent,
            poll_unit: self.second,
            ..limits
        };
        engine.watcher = watcher;
        let concurrency = usize::from(at_once::USUAL);
        let worker = Worker { engine: &engine, which: Selection::Due, only: Vec::new(), concurrency };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (reports, troubles) = runtime.block_on(worker.work(|_| {}));
        assert!(troubles.is_empty(), "{troubles:?}");
        reports.into_iter().map(|report| (report.record.spec.device.to_string(), report)).collect()
    }

    /// A run of the worker, and after what time it was done with each device. `seen` is told how many that are so far.
    fn ends(
        &self,
        silent: Duration,
        seen: impl Fn(usize) + Send,
    ) -> (BTreeMap<String, Report>, BTreeMap<String, Duration>) {
        let (ends, begun) = (Arc::new(Ends::default()), Instant::now());
        let (noted, (sender, counts)) = (Arc::clone(&ends), std::sync::mpsc::channel());
        let watching = Watching(move |device: &Address, progress: &Progress<'_>| {
            if matches!(progress, Progress::Done { .. }) {
                let mut ends = noted.0.lock().unwrap();
                ends.entry(device.to_string()).or_insert_with(Instant::now);
                sender.send(ends.len()).unwrap();
            }
        });
        let reports = std::thread::scope(|scope| {
            scope.spawn(move || counts.iter().for_each(seen));
            self.work(silent, Arc::new(watching))
        });
        let ends = ends.0.lock().unwrap();
        (reports, ends.iter().map(|(device, at)| (device.clone(), *at - begun)).collect())
    }
}

/// What is wrong with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Silent,
    Refuses,
    FailsCommit,
    Reboots,
    Well,
}

impl State {
    const ALL: [Self; 5] = [Self::Silent, Self::Refuses, Self::FailsCommit, Self::Reboots, Self::Well];

    /// So many of each, in turn as far as they go.
    fn fleet(mut counts: [usize; 5]) -> Vec<Self> {
        let mut states = Vec::new();
        while counts != [0; 5] {
            for (state, left) in Self::ALL.iter().zip(&mut counts).filter(|(_, left)| **left > 0) {
                states.push(*state);
                *left -= 1;
            }
        }
        states
    }

    fn strike(self, device: &Simulator, outage: Duration) {
        match self {
            Self::Silent => device.set_listening(Listening::Silent),
            Self::Refuses => device.set_listening(Listening::Refused),
            Self::FailsCommit => {
                device.fail_next_commit(&["Validation Error:", " ssl-tls-service-profile is invalid"])
            }
            Self::Reboots => {
                let what = What::Reboot { outage, keeps_candidate: false };
                device.inject(Fault::new(When::request(Matcher::typed("commit")), what).after_effect());
            }
            Self::Well => {}
        }
    }

    /// What has to be said of it, and by which exit code.
    fn reason(self, patient: bool) -> (u8, &'static str) {
        match self {
            Self::Silent if patient => (4, "no answer within"),
            Self::Silent => (4, "no connection"),
            Self::Refuses => (4, "refused"),
            Self::FailsCommit => (14, "ssl-tls-service-profile is invalid"),
            Self::Reboots => (4, "commit"),
            Self::Well => (0, ""),
        }
    }
}

/// Those that are silent are let go once all others are done with; or, with commits as long as real ones, are given up in
/// the end, as `patient` has it.
fn worst_case(states: &[State], patient: bool) {
    let (commit_duration, second) = if patient { REAL } else { (COMMIT, SECOND) };
    let mut fleet = Fleet::new(states.len(), |_| Settings { commit_duration, ..settings() });
    fleet.second = second;
    let each = || fleet.devices.iter().zip(states);
    let named = |device: &Simulator| device.address().to_string();
    fleet.renew();
    fleet.order(|number| states[number] == State::Well);
    let (_, alone) = fleet.ends(SILENT, |_| {});
    let alone = alone.values().max().copied().unwrap();

    let outage = if patient { OUTAGE_OF_MANY } else { OUTAGE };
    each().for_each(|(device, state)| state.strike(device, outage));
    let issued = fleet.renew();
    fleet.order(|_| true);
    let loud = states.iter().filter(|state| **state != State::Silent).count();
    // Longer than all of the work on the others takes, on a machine that does much else.
    let silent = SILENT.max(if patient { 2 * alone } else { 4 * alone });
    let (reports, ends) = fleet.ends(silent, |ended| {
        // With a bound on how many are worked on at once, these would keep the others waiting for ever.
        if !patient && ended == loud {
            let silent = each().filter(|(_, state)| **state == State::Silent);
            silent.for_each(|(device, _)| device.set_listening(Listening::Refused));
        }
    });
    let mut last: BTreeMap<State, Duration> = BTreeMap::new();
    for (device, state) in each() {
        let report = &reports[&named(device)];
        let end = last.entry(*state).or_default();
        *end = (*end).max(ends[&named(device)]);
        let (exit, words) = state.reason(patient);
        match report.record.last_problem() {
            None => assert_eq!(exit, 0, "{state:?}"),
            Some(problem) => {
                assert_eq!(problem.exit.code(), exit, "{state:?}: {problem}");
                assert!(problem.to_string().contains(words), "{state:?}: {problem}");
            }
        }
        if *state == State::Well {
            assert_eq!(served(device).as_deref(), Some(print(&issued.certificate).as_str()));
        }
    }
    println!(
        "{} devices; those that are well, alone: {alone:.2?}; the last of each: {last:.2?}",
        states.len()
    );
    assert!(last[&State::Well] < last[&State::Silent], "{last:?}");
    // The work on the others costs some of this machine's time, and none of it is waiting.
    assert!(!patient || last[&State::Well] < alone.mul_f64(1.1), "{last:?}");

    for (device, _) in each().filter(|(_, state)| **state != State::Well) {
        device.set_listening(Listening::Normal);
        // One that reboots may be away for the rest of its time, which is longer than what is waited for at once.
        let mut tries = 0..3;
        assert!(tries.any(|_| wait_until(|| std::net::TcpStream::connect(device.address()).is_ok())));
        assert!(device.wait_idle(commit_duration + Duration::from_secs(10)));
    }
    fleet.time.fetch_add(86_400, Ordering::Relaxed);
    let (reports, _) = fleet.ends(SILENT, |_| {});
    assert_eq!(reports.len(), states.iter().filter(|state| **state != State::Well).count());
    for device in &fleet.devices {
        assert_eq!(served(device).as_deref(), Some(print(&issued.certificate).as_str()));
        assert!(device.pending_changes().is_empty());
    }
}

#[test]
fn none_waits_for_one_that_is_silent_and_each_that_fails_is_told_its_own_reason_and_served_when_it_is_back() {
    worst_case(&State::fleet([18, 3, 3, 3, 9]), false);
}

/// `make fleet`.
#[test]
#[ignore = "minutes"]
fn five_hundred_of_which_a_tenth_each_is_silent_refuses_fails_the_commit_and_reboots_in_it() {
    worst_case(&State::fleet([50, 50, 50, 50, 300]), true);
}

/// A firewall that takes three seconds to commit, and one that was away and has come back.
#[test]
fn what_has_become_due_is_tried_again_while_another_device_still_commits() {
    const SLOW: Duration = Duration::from_secs(3);
    let of = |number| Settings { commit_duration: if number == 0 { SLOW } else { COMMIT }, ..settings() };
    let fleet = Fleet::new(2, of);
    let (slow, away) = (fleet.devices[0].address().to_string(), &fleet.devices[1]);
    let issued = fleet.renew();
    fleet.order(|_| true);
    away.inject(Fault::new(When::Always, What::Close).times(u32::MAX));
    let ends = Arc::new(Mutex::new(Vec::new()));
    let ended = |count| ends.lock().unwrap().len() >= count;
    std::thread::scope(|scope| {
        let noted = Arc::clone(&ends);
        let watcher = Watching(move |device: &Address, progress: &Progress<'_>| {
            if matches!(progress, Progress::Done { .. }) {
                noted.lock().unwrap().push(device.to_string());
            }
        });
        scope.spawn(|| {
            assert!(wait_until(|| ended(1)));
            away.clear_faults();
            // Hours pass until its next attempt.
            assert!(wait_until(|| ended(2) || fleet.time.fetch_add(60, Ordering::Relaxed) < 0));
        });
        fleet.work(SILENT, Arc::new(watcher));
    });
    let away_name = away.address().to_string();
    assert_eq!(*ends.lock().unwrap(), [away_name.clone(), away_name, slow]);
    assert_eq!(served(away).as_deref(), Some(print(&issued.certificate).as_str()));
}

/// Two whose uploads overlap, because each is slow to answer, and then a third.
#[test]
fn devices_that_get_a_certificate_at_the_same_time_get_the_same_file_and_a_later_one_another() {
    let fleet = Fleet::new(3, |_| settings());
    fleet.renew();
    for device in &fleet.devices[..2] {
        let slow = What::Drip(Duration::from_millis(10));
        device.inject(Fault::new(When::request(Matcher::typed("import")), slow).after_effect());
    }
    for which in [0..2, 2..3] {
        fleet.order(|number| which.contains(&number));
        let reports = fleet.work(SILENT, Arc::new(Watching(|_: &Address, _: &Progress<'_>| {})));
        assert!(reports.values().all(|report| report.record.last_problem().is_none()), "{reports:#?}");
    }
    let uploads = fleet.devices.iter().map(|device| {
        let uploads = device.uploads();
        assert_eq!(uploads.len(), 1);
        (uploads[0].passphrase.clone(), uploads[0].file.clone())
    });
    let [first, second, third] = uploads.collect::<Vec<_>>().try_into().unwrap();
    assert!(first == second, "two files were made");
    assert!(third.0 != first.0 && third.1 != first.1, "a file was kept");
}

/// More devices than begin at once; the first commits are over long before the last device begins.
#[test]
fn none_is_asked_for_its_commit_as_long_as_others_wait_to_begin() {
    const SHORT: Duration = Duration::from_millis(50);
    let fleet = Fleet::new(160, |_| Settings { commit_duration: SHORT, ..settings() });
    fleet.renew();
    fleet.order(|_| true);
    let (begins, jobs, answers) = <(Times, Times, Times)>::default();
    let note = |times: &Times| times.lock().unwrap().push(Instant::now());
    let noted = (Arc::clone(&begins), Arc::clone(&jobs), Arc::clone(&answers));
    let watching = Watching(move |_: &Address, progress: &Progress<'_>| match progress {
        Progress::Taken => note(&noted.0),
        Progress::Transaction(Event::CommitJob(_)) => note(&noted.1),
        Progress::Transaction(Event::CommitProgress { .. } | Event::Committed { .. }) => note(&noted.2),
        _ => {}
    });
    let reports = fleet.work(SILENT, Arc::new(watching));
    assert!(reports.values().all(|report| report.record.last_problem().is_none()), "{reports:#?}");
    let [begins, jobs, answers] = [begins, jobs, answers].map(|times| times.lock().unwrap().clone());
    assert_eq!((begins.len(), jobs.len()), (160, 160));
    let (first_job, last_begin, first_answer) = (jobs[0], begins[159], answers[0]);
    assert!(first_job + SHORT < last_begin, "this machine is too fast for this test");
    // On a very slow one it is asked all the same after six seconds.
    if last_begin - first_job < Duration::from_secs(5) {
        assert!(first_answer > last_begin, "{:?} before", last_begin - first_answer);
    }
}

#[test]
fn a_system_that_allows_few_open_files_gets_fewer_devices_at_once_and_none_fails() {
    let fleet = Fleet::new(24, |_| settings());
    let issued = fleet.renew();
    let folder = fleet.folder.path().to_str().unwrap();
    // The hard limit too: nobody may raise it.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 48; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_pan_instcert")]);
    command.args([
        "-b",
        "-c",
        NAME,
        "-C",
        folder,
        "-K",
        folder,
        "-k",
        &format!("{folder}/.panrc"),
        "-p",
        PORTAL,
    ]);
    command.args([
        "--insecure",
        "--log-file",
        &format!("{folder}/log"),
        "--state-dir",
        &format!("{folder}/state"),
    ]);
    command.args(fleet.devices.iter().map(|device| device.address().to_string()));
    Ended::of(command.env_clear().env("TZ", "UTC")).exits(0);
    for device in &fleet.devices {
        assert_eq!(served(device).as_deref(), Some(print(&issued.certificate).as_str()));
    }
}
