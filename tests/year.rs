//! A year in minutes: one certificate renewed daily on five firewalls, with trouble in three of ten runs. Nothing
//! that was issued is lost, whatever happens.
//!
//! `make test` runs a month of it, `make year` all of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use common::inside::{request, shared_log, short_retry_policy};
use common::pki::{self, CertificateSpec, Issued, KeyKind};
use common::trouble::wait_until;
use common::world::{KEY, NAME, PORTAL, print, served, settings};
use pancert::delivery::engine::{DeliveryEngine, Selection};
use pancert::delivery::worker::Worker;
use pancert::delivery::{Clock, Installation, InstallationStore, Queue};
use panos_sim::{Administrator, Fault, Listening, LockKind, Simulator, What, When};
use panos_xmlapi::ClientOptions;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use tempfile::TempDir;

const FIREWALLS: usize = 5;
const JANE: &str = "jane";
const PRINTER: &str = "/config/shared/address/entry[@name='printer']";
/// Of ten runs so many meet trouble.
const TROUBLED: u32 = 3;

/// What a run may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Down,
    Dropped,
    FailingCommit,
    ForeignLock,
    Killed,
    Reboot,
    /// The commit fails with three thousand lines.
    ManyWords,
    /// The device is down, and this machine's clock is wrong by so many days just then.
    Clock(i64),
}

const TROUBLES: [Trouble; 9] = [
    Trouble::Down,
    Trouble::Dropped,
    Trouble::FailingCommit,
    Trouble::ForeignLock,
    Trouble::Killed,
    Trouble::Reboot,
    Trouble::ManyWords,
    Trouble::Clock(300),
    Trouble::Clock(-4000),
];

/// A record is never larger, whatever devices say and however often it is tried.
const LARGEST_RECORD: u64 = 256 * 1024;

/// Five firewalls, and the machine that looks after them.
struct Fleet {
    devices: Vec<Simulator>,
    folder: TempDir,
    ca: Issued,
    /// Seconds since 1970, as the records have it.
    time: Arc<AtomicI64>,
    random: SmallRng,
    met: BTreeMap<Trouble, u32>,
    runs: u32,
}

impl Fleet {
    fn new(seed: u64) -> Self {
        let device = |_| {
            let mut settings = settings();
            settings.commit_duration = Duration::from_millis(10);
            settings.restart_outage = Duration::from_millis(10);
            let settings = settings.with_key(Administrator::superuser(JANE, "secret"), "jane's key");
            let device = Simulator::start(settings).unwrap();
            device.add_pending_change(JANE, PRINTER, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
            device
        };
        let folder = TempDir::new().unwrap();
        let key = folder.path().join(".panrc");
        std::fs::write(&key, format!("api_key={KEY}\n")).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            devices: (0..FIREWALLS).map(device).collect(),
            folder,
            ca: pki::root("Example CA", KeyKind::P256),
            time: Arc::new(AtomicI64::new(Utc::now().timestamp())),
            random: rand::SeedableRng::seed_from_u64(seed),
            met: BTreeMap::new(),
            runs: 0,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.time.load(Ordering::Relaxed), 0).unwrap()
    }

    fn records(&self) -> InstallationStore {
        let time = Arc::clone(&self.time);
        let clock = Clock::of(move || DateTime::from_timestamp(time.load(Ordering::Relaxed), 0).unwrap());
        InstallationStore::below(self.folder.path()).by(clock)
    }

    fn all(&self) -> Vec<Installation> {
        let mut records = Vec::new();
        let unread = self.records().each(|record| records.push(record)).unwrap();
        assert!(unread.errors.is_empty(), "{:?}", unread.errors);
        records
    }

    /// certmonger renews, and its post-save command writes down what is wanted.
    fn renew(&mut self) -> Issued {
        let issued = self.ca.issue(&CertificateSpec::named(NAME).san(NAME));
        issued.write(self.folder.path(), NAME);
        for device in &self.devices {
            let address = device.address().to_string();
            let folder = self.folder.path().to_str().unwrap();
            let (key, pin) = (format!("{folder}/.panrc"), device.certificate_fingerprint());
            let words = ["-b", "-c", NAME, "-C", folder, "-K", folder, "-k", &key, "--pin", &pin];
            let words: Vec<&str> = words.into_iter().chain(["-p", PORTAL, "--commit-timeout", "1"]).collect();
            let mut spec = request(self.folder.path(), &words, &address);
            spec.requested_at = self.now();
            Queue::below(self.folder.path()).put(&mut [spec]).unwrap();
        }
        issued
    }

    /// The worker runs once; some of its deliveries meet trouble.
    async fn work(&mut self, due: &[usize]) {
        let (mut left_to_worker, mut wrong) = (Vec::new(), 0);
        for number in due {
            self.runs += 1;
            let trouble = (self.random.random_range(0..10) < TROUBLED)
                .then(|| TROUBLES[self.random.random_range(0..TROUBLES.len())]);
            if let Some(trouble) = trouble {
                *self.met.entry(trouble).or_default() += 1;
            }
            let nth = self.random.random_range(1..=16);
            let device = &self.devices[*number];
            match trouble {
                Some(Trouble::Killed) => self.die(device, nth),
                other => {
                    if let Some(Trouble::Clock(days)) = other {
                        wrong = days * 86_400;
                    }
                    meet(device, other, nth, self.random.random());
                    left_to_worker.push(device.address().to_string().parse().unwrap());
                }
            }
        }
        let (log, _) = shared_log();
        let mut engine = DeliveryEngine::new(log, self.folder.path(), true);
        engine.records = self.records();
        engine.retry_policy = short_retry_policy();
        engine.retry_policy.limits =
            ClientOptions { poll_unit: Duration::from_millis(20), ..engine.retry_policy.limits };
        if !left_to_worker.is_empty() {
            let worker = Worker {
                engine: &engine,
                which: Selection::Due,
                only: left_to_worker,
                concurrency: FIREWALLS,
            };
            self.time.fetch_add(wrong, Ordering::Relaxed);
            let (_, troubles) = worker.work(|_| {}).await;
            self.time.fetch_sub(wrong, Ordering::Relaxed);
            assert!(troubles.is_empty(), "{troubles:?}");
        }
        for device in &self.devices {
            device.clear_faults();
            device.set_listening(Listening::Normal);
            for kind in [LockKind::Config, LockKind::Commit] {
                device.release_lock(kind, JANE);
            }
            assert!(device.wait_idle(Duration::from_secs(10)));
        }
    }

    /// A worker process that is killed at its n-th request, or ends before.
    fn die(&self, device: &Simulator, nth: u64) {
        device.clear_requests();
        let first = device.requests().len() as u64;
        device.inject(Fault::new(When::Nth(first + nth), What::Silence));
        let mut program = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        program
            .arg("--state-dir")
            .arg(self.folder.path())
            .arg("--log-file")
            .arg(self.folder.path().join("log"));
        program.args(["retry", "--now", "--device", &device.address().to_string()]);
        let mut program = program.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let struck = || device.requests().iter().any(|request| request.fault.is_some());
        assert!(wait_until(|| struck() || program.try_wait().unwrap().is_some()));
        program.kill().ok();
        program.wait().unwrap();
        device.clear_faults();
    }

    /// The firewalls that something is pending to, and when the first of them is due.
    fn pending(&self) -> (Vec<usize>, Option<DateTime<Utc>>) {
        let queued = Queue::below(self.folder.path()).all().unwrap().specs;
        let records = self.all();
        let now = self.now();
        let mut next = None;
        let due = self.devices.iter().enumerate().filter_map(|(number, device)| {
            let address = device.address().to_string();
            if queued.iter().any(|queued| queued.spec.device.to_string() == address) {
                return Some(number);
            }
            let record = records.iter().find(|record| record.spec.device.to_string() == address)?;
            if record.is_due(now) {
                return Some(number);
            }
            if let Some(at) = record.next_attempt.filter(|_| record.is_pending()) {
                next = Some(next.map_or(at, |next: DateTime<Utc>| next.min(at)));
            }
            None
        });
        (due.collect(), next)
    }
}

fn meet(device: &Simulator, trouble: Option<Trouble>, nth: u64, after: bool) {
    device.clear_requests();
    let first = device.requests().len() as u64;
    let at_request = |what| {
        let fault = Fault::new(When::Nth(first + nth), what);
        device.inject(if after { fault.after_effect() } else { fault });
    };
    match trouble {
        Some(Trouble::Down | Trouble::Clock(_)) => device.set_listening(Listening::Refused),
        Some(Trouble::ManyWords) => {
            let lines: Vec<String> =
                (0..3000).map(|number| format!("{number}: {} is invalid", "x".repeat(200))).collect();
            device.fail_next_commit(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Some(Trouble::Dropped) => at_request(What::Close),
        Some(Trouble::FailingCommit) => {
            device.fail_next_commit(&["Validation Error:", " something is invalid"])
        }
        Some(Trouble::ForeignLock) => {
            let kind = if after { LockKind::Config } else { LockKind::Commit };
            device.take_lock(kind, JANE, "maintenance");
        }
        Some(Trouble::Reboot) => {
            at_request(What::Reboot { outage: Duration::from_millis(30), keeps_candidate: true });
        }
        Some(Trouble::Killed) | None => {}
    }
}

/// What came of it.
#[derive(Default)]
struct Sum {
    deliveries: u32,
    lost: u32,
    delays: Vec<TimeDelta>,
    foreign: u32,
}

fn live(days: u32, seed: u64) {
    let begun = Instant::now();
    let mut fleet = Fleet::new(seed);
    let mut sum = Sum::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut commits = 0;
    let mut newest = String::new();
    for _ in 0..days {
        let morning = fleet.now();
        newest = print(&fleet.renew().certificate);
        loop {
            let (due, next) = fleet.pending();
            if !due.is_empty() {
                commits += runtime.block_on(async {
                    let before = commit_jobs(&fleet);
                    fleet.work(&due).await;
                    commit_jobs(&fleet) - before
                });
                continue;
            }
            match next {
                Some(next) if next < morning + TimeDelta::days(1) => {
                    fleet.time.store(next.timestamp() + 1, Ordering::Relaxed);
                }
                _ => break,
            }
        }
        for record in fleet.all() {
            sum.deliveries += 1;
            let wanted = record.spec.certificate.as_ref().map(|facts| facts.fingerprint.to_string());
            match record.verified.filter(|_| wanted.as_deref() == Some(&newest)) {
                Some(proven) if proven.certificate.fingerprint.to_string() == newest => {
                    // By another clock: that of a process that was killed, or a wrong one.
                    let delay = (proven.at - morning).max(TimeDelta::zero());
                    sum.delays.push(if delay > TimeDelta::days(100) { TimeDelta::zero() } else { delay });
                }
                _ => sum.lost += 1,
            }
        }
        sum.foreign += fleet.devices.iter().filter(|device| !jane_is_pending(device)).count() as u32;
        fleet.time.store((morning + TimeDelta::days(1)).timestamp(), Ordering::Relaxed);
    }
    let largest = largest_file(fleet.folder.path());
    assert!(largest < LARGEST_RECORD, "a record has {largest} bytes");
    let old = fleet.devices.iter().filter(|device| served(device).as_ref() != Some(&newest)).count();
    report(&fleet, &sum, old, commits, begun.elapsed());
    assert_eq!(sum.deliveries, days * FIREWALLS as u32);
    assert_eq!((sum.lost, old, sum.foreign), (0, 0, 0), "lost, old, foreign");
    let troubled = f64::from(fleet.met.values().sum::<u32>()) / f64::from(fleet.runs);
    assert!((0.15..0.45).contains(&troubled), "{troubled} of the runs met trouble");
}

/// The size of the largest record.
fn largest_file(state: &std::path::Path) -> u64 {
    let mut largest = 0;
    let mut folders = vec![state.join("installations")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => largest = largest.max(entry.metadata().unwrap().len()),
            }
        }
    }
    largest
}

fn jane_is_pending(device: &Simulator) -> bool {
    let pending = device.pending_changes().iter().any(|(path, owner)| path == PRINTER && owner == JANE);
    pending && !device.running_xml().contains("printer")
}

/// The commits that were begun on all firewalls so far.
fn commit_jobs(fleet: &Fleet) -> u64 {
    fleet.devices.iter().map(Simulator::commits).sum()
}

/// Past the test harness, so that the numbers show in every run.
fn report(fleet: &Fleet, sum: &Sum, old: usize, commits: u64, time: Duration) {
    let longest = sum.delays.iter().max().copied().unwrap_or_default();
    let met: Vec<String> = fleet.met.iter().map(|(trouble, count)| format!("{count} {trouble:?}")).collect();
    let text = format!(
        "{} deliveries in {} runs ({}): {} lost, {old} firewalls with an old certificate, {} foreign changes \
         committed or lost, {commits} commits ({:.2} a delivery), longest delay {} min, {:.1} s\n",
        sum.deliveries,
        fleet.runs,
        met.join(", "),
        sum.lost,
        sum.foreign,
        commits as f64 / f64::from(sum.deliveries),
        longest.num_minutes(),
        time.as_secs_f64(),
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[test]
fn month_of_renewals_with_faults_loses_nothing() {
    live(30, 1);
}

#[test]
#[ignore = "takes minutes: make year"]
fn in_a_year_with_trouble_in_three_of_ten_runs_nothing_is_lost() {
    live(365, rand::random());
}
