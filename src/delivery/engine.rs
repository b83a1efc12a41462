//! Delivering what is pending: requests become records, and the records of one device become one delivery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use panos_xmlapi::Address;
use tokio::sync::Mutex;

use super::batch::{self, BatchItem};
use super::bindings;
use super::claims;
use super::confirm::{NotConfirmed, ask_certmonger};
use super::conflicts;
use super::error::StoreError;
use super::failure::DeliveryError;
use super::gate::Gate;
use super::hold::Hold;
use super::ingest::with_requests;
use super::installation::Installation;
use super::leaving::{Leaving, TakenIn, keep, write_and_release};
use super::lock::{DeviceLock, LockError, STOPPED_WAIT, ToldOf};
use super::notifier::{News, Notifier};
use super::numbers::Numbers;
use super::progress::{Progress, Unwatched, Watcher};
use super::queue::{Listing, Queue};
use super::run::Run;
pub use super::selection::Selection;
use super::spec::InstallSpec;
use super::state::Incident;
use super::store::{InstallationStore, LoadedInstallations};
pub use super::turn::Turn;
use super::turn::Turns;
use super::waiting::WaitingList;
use crate::host::log::{Log, RunLog};
use crate::install::InstallError;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::{Problem, RetryClass};
use crate::install::result::{CertificateFacts, Outcome, RunResult};
use crate::install::retry::RetryPolicy;
use crate::settings::SettingsError;
use crate::settings::config::{Config, LOCK_WAIT};
use crate::settings::resolve::{self, CertmongerBus, Named, Prepared};

/// For how long what was read is taken as it was.
const FRESH: Duration = Duration::from_secs(1);

/// What delivers, and what it needs to know besides the records.
pub struct DeliveryEngine<'a> {
    /// The log.
    pub log: &'a Log,
    /// The state directory.
    pub state_dir: &'a Path,
    /// The records in it.
    pub records: InstallationStore,
    /// The requests in it.
    pub queue: Queue,
    /// How long devices may be silent.
    pub retry_policy: RetryPolicy,
    /// Whether it works on several devices at once, so that each line has to say for which run it is.
    pub several: bool,
    /// Whom to tell of failures that last.
    pub notifier: Notifier,
    /// How long another process that works on the same device is waited for.
    pub lock_wait: Duration,
    /// Who watches.
    pub watcher: Arc<dyn Watcher>,
    /// What may be delivered now.
    pub gate: Gate,
    /// Says when each device is begun.
    turns: Turns,
    /// Gives its runs their numbers.
    numbers: Numbers,
    /// What was pending at the last look and not to be delivered, by what it waits for.
    pub(super) left: std::sync::Mutex<WaitingList>,
    /// What this process has read itself for an order, by the order's id: it need not be read again.
    at_hand: Mutex<BTreeMap<String, (Instant, Prepared)>>,
    /// What certmonger has said of each certificate's file.
    confirmed: Mutex<BTreeMap<PathBuf, Result<(), NotConfirmed>>>,
}

/// How one record was dealt with.
#[derive(Debug, Clone)]
pub struct Report {
    /// The record as it stands now.
    pub record: Installation,
    /// How the run ended.
    pub result: RunResult,
    /// Whether a person should know.
    pub news: Option<News>,
}

impl<'a> DeliveryEngine<'a> {
    /// With nobody to notify, and the usual retry policy.
    #[must_use]
    pub fn new(log: &'a Log, state_dir: &'a Path, several: bool) -> Self {
        let (records, retry_policy) = (InstallationStore::below(state_dir), RetryPolicy::default());
        let (notifier, at_hand, confirmed) = (Notifier::default(), Mutex::default(), Mutex::default());
        let (queue, lock_wait, watcher) = (Queue::below(state_dir), LOCK_WAIT, Arc::new(Unwatched));
        Self {
            log,
            state_dir,
            records,
            queue,
            retry_policy,
            several,
            notifier,
            lock_wait,
            watcher,
            gate: Gate::default(),
            turns: Turns::default(),
            numbers: Numbers::default(),
            left: std::sync::Mutex::default(),
            at_hand,
            confirmed,
        }
    }

    /// What keeps a record waiting: a change window, a canary.
    #[must_use]
    pub fn hold(&self, record: &Installation, which: Selection) -> Option<Hold> {
        let is_held = which != Selection::All;
        is_held.then(|| self.gate.hold(record, self.state_dir, self.records.now())).flatten()
    }

    /// What a worker has left because it waits, as of its last look.
    #[must_use]
    pub fn take_left(&self) -> WaitingList {
        std::mem::take(&mut *self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Keeps what was read for an order until that is delivered.
    pub async fn keep(&self, spec: &InstallSpec, prepared: Prepared) {
        self.at_hand.lock().await.insert(spec.id.clone(), (Instant::now(), prepared));
    }

    /// Waits until the next device is to be begun. Whoever has its turn serves it.
    pub async fn turn(&self) -> Turn {
        self.turns.next().await
    }

    /// Delivers what is pending for one device, once it is its turn and nobody else works on it.
    ///
    /// # Errors
    /// A state directory that can't be used. Everything else is in the reports, and in the records.
    pub async fn serve(&self, device: &Address, which: Selection) -> Result<Vec<Report>, DeliveryError> {
        let turn = self.turn().await;
        self.serve_in_turn(device, which, turn).await
    }

    /// The same for a device whose turn it is.
    ///
    /// # Errors
    /// As [`DeliveryEngine::serve`].
    pub async fn serve_in_turn(
        &self,
        device: &Address,
        which: Selection,
        turn: Turn,
    ) -> Result<Vec<Report>, DeliveryError> {
        self.watcher.see(device, Progress::Taken);
        let served = Box::pin(self.deliver_to(device, which, Arc::new(turn))).await;
        let is_failure = |report: &Report| matches!(report.result.outcome, Outcome::Failed(_));
        let failed = served.as_ref().map_or(true, |reports| reports.iter().any(is_failure));
        self.watcher.see(device, Progress::Done { failed });
        served
    }

    async fn deliver_to(
        &self,
        device: &Address,
        which: Selection,
        turn: Arc<Turn>,
    ) -> Result<Vec<Report>, DeliveryError> {
        let records = self.records.clone();
        let run = self.log.run(&run_id(), self.several);
        let devices = self.devices(device, &run)?;
        let told = ToldOf::device(self.state_dir, device);
        let lock = self.reserve(device, &devices, which, &told, &run).await?;
        let TakenIn { records: mut all, mut leaving } = self.take_in(device, &records, &run).await?;
        if let Some(what) = told.any() {
            // A person was told then, and is told when it is over, as of any other failure.
            heed(&mut all, &what, &records)?;
            told.forget();
        }
        claims::hand_over(&mut all, &records, &run)?;
        let now = records.now();
        let mut reports = Vec::new();
        let mut withheld = Vec::new();
        let mut groups: Vec<Vec<BatchItem>> = Vec::new();
        let is_meant =
            |record: &&Installation| which.includes(record, now) && self.hold(record, which).is_none();
        for record in all.iter().filter(is_meant) {
            match self.prepare(record.clone()).await {
                // Renewed since: the canaries have to run this very certificate.
                Ok(delivery) if self.hold(&delivery.record, which).is_some() => {}
                Ok(mut delivery) => {
                    delivery.leaving = leaving.remove(&record.key()).unwrap_or_default();
                    if let Some((problem, rest)) = claims::split(&delivery.record, &all) {
                        let requests = std::mem::take(&mut delivery.leaving);
                        let failed =
                            fail_without_run((delivery.record, problem), requests, &records, &run).await;
                        if rest.is_empty() {
                            reports.push(failed);
                            continue;
                        }
                        withheld.push((record.key(), failed.result));
                        (delivery.record, delivery.request.profiles) = (failed.record, rest);
                    }
                    let goes_with = |group: &&mut Vec<BatchItem>| {
                        group[0].request.can_share_commit(&delivery.request)
                            && group[0].record.is_taken_back() == delivery.record.is_taken_back()
                    };
                    match groups.iter_mut().find(goes_with) {
                        Some(group) => group.push(delivery),
                        None => groups.push(vec![delivery]),
                    }
                }
                Err(failed) => {
                    let requests = leaving.remove(&record.key()).unwrap_or_default();
                    reports.push(fail_without_run(*failed, requests, &records, &run).await);
                }
            }
        }
        keep(&all, leaving, &records).await?;
        for (number, mut group) in groups.into_iter().enumerate() {
            // Each commit is a run of its own.
            let run = if number == 0 { run.clone() } else { self.log.run(&run_id(), self.several) };
            group.iter().for_each(|delivery| warn_about_conflicts(&delivery.record, &all, &run));
            let sequence = self.numbers.next(&self.queue).await?;
            let names: Vec<String> =
                group.iter().map(|delivery| delivery.request.common_name.to_string()).collect();
            self.watcher.see(device, Progress::Begun(&names));
            let begin = || Run::begin(&run, device, &self.watcher, &turn).within(self.gate.slots.clone());
            let results = batch::deliver(&mut group, &records, sequence, &begin()).await;
            for (mut delivery, mut result) in group.into_iter().zip(results) {
                if leave_out(&mut delivery, &result.missing_profiles) {
                    run.say("The other profiles are not made to wait for those that are missing.");
                    let only = std::slice::from_mut(&mut delivery);
                    let rest = batch::deliver(only, &records, sequence, &begin()).await;
                    // What is missing is still pending; what is there may have ended.
                    if let Some(rest) = rest.into_iter().find(|_| !delivery.record.is_pending()) {
                        result = rest;
                    }
                }
                reports.push(Report { record: delivery.record, result, news: None });
            }
        }
        // A request of which a profile was withheld has not been done, whatever else was.
        for report in reports.iter_mut().filter(|report| report.record.is_pending()) {
            let result = withheld.iter().find(|(key, _)| *key == report.record.key());
            result.into_iter().for_each(|(_, result)| report.result = result.clone());
        }
        let mut news = Vec::new();
        for report in &mut reports {
            if let Some(new) = self.notifier.notice(&mut report.record, &report.result.outcome, now) {
                report.news = Some(new);
                news.push((new, report.record.clone()));
            }
        }
        if !news.is_empty() {
            let records_of_news = news.iter().map(|(_, record)| record.clone()).collect();
            records.write_in_background(records_of_news).await?;
        }
        if reports.iter().any(|report| !report.record.takes_over.is_empty()) {
            claims::hand_over(&mut records.of_device(device)?.records, &records, &run)?;
        }
        drop(lock);
        reports.iter().for_each(|report| self.gate.delivered(&report.record));
        for (new, record) in &news {
            self.notifier.tell(*new, record, &run).await;
        }
        Ok(reports)
    }

    /// Reserves a device. That another process does not give it back is told once for each such process.
    async fn reserve(
        &self,
        device: &Address,
        places: &[Address],
        which: Selection,
        told: &ToldOf,
        run: &RunLog,
    ) -> Result<DeviceLock, DeliveryError> {
        // What is known to be stuck must not keep other devices from being tried again.
        let wait = if told.any().is_some() { self.lock_wait.min(STOPPED_WAIT) } else { self.lock_wait };
        let error = match DeviceLock::acquire_telling(self.state_dir, places, wait, |holder| {
            self.watcher.see(device, Progress::Reserving(holder));
        })
        .await
        {
            Ok(lock) => return Ok(lock),
            Err(error) => error,
        };
        let LockError::Held { holder, .. } = &error else { return Err(error.into()) };
        let is_new = told.note(holder).unwrap_or(true);
        let failure = DeliveryError::from(error);
        if is_new {
            run.error(&failure.to_string());
            for record in self.kept_waiting(device, which, &failure)? {
                self.notifier.tell(News::Failure, &record, run).await;
            }
        }
        Err(failure)
    }

    /// What can't be delivered to a device that another process works on, as it would stand after this failure. Nothing
    /// is written: only whoever has the device may.
    fn kept_waiting(
        &self,
        device: &Address,
        which: Selection,
        failure: &DeliveryError,
    ) -> Result<Vec<Installation>, StoreError> {
        let now = self.records.now();
        let known = self.records.of_device(device)?.records;
        let known = known.into_iter().filter(|known| which.includes(known, now));
        let requests = self.queue.for_device(device)?.specs.into_iter().map(|queued| queued.spec);
        let all = with_requests(known, requests, now);
        let outcome = Outcome::Failed(Problem::from(failure));
        let waiting = all.into_values().map(|mut record| {
            record.finish(&outcome, &[], &[], record.spec.sequence, now);
            record
        });
        Ok(waiting.collect())
    }

    /// The device, and the other members of the pairs that it is said to be in.
    fn devices(&self, device: &Address, run: &RunLog) -> Result<Vec<Address>, StoreError> {
        let Listing { specs, errors, .. } = self.queue.lately_for_device(device)?;
        let LoadedInstallations { records: known, errors: more } = self.records.of_device(device)?;
        errors.iter().chain(&more).for_each(|error| log_once(error, run));
        let specs =
            specs.into_iter().map(|queued| queued.spec).chain(known.into_iter().map(|known| known.spec));
        let mut all: Vec<Address> = specs.filter_map(|spec| spec.peer).collect();
        all.push(device.clone());
        Ok(all)
    }

    /// What a record asks for, from what was typed then and the configuration of today.
    async fn prepare(&self, mut record: Installation) -> Result<BatchItem, Box<(Installation, Problem)>> {
        let at_hand = self.at_hand.lock().await.remove(&record.spec.id);
        // Whoever had to wait for the device looks again: meanwhile it may have got another certificate of its own.
        let at_hand = at_hand.filter(|(since, _)| since.elapsed() < FRESH).map(|(_, prepared)| prepared);
        let mut prepared = match at_hand.map_or_else(|| again(&record, self.state_dir), Ok) {
            Ok(prepared) => prepared,
            Err(problem) => return Err(Box::new((record, problem))),
        };
        prepared.request.retry_policy = self.retry_policy.clone();
        complete(&mut prepared, &mut record);
        record.forget_other_way();
        record.spare_commit(&mut prepared.request);
        let bundle = match prepared.bundle {
            Ok(bundle) if record.confirmed => Ok(bundle),
            Ok(bundle) => match prepared.certmonger.zip(prepared.files.as_ref()) {
                Some((bus, files)) => self.confirm(bus, &files.certificate).await.map(|()| bundle),
                None => Ok(bundle),
            },
            Err(failure) => Err(failure),
        };
        record.confirmed = bundle.is_ok();
        Ok(BatchItem { request: prepared.request, bundle, record, leaving: Leaving::new() })
    }

    /// Whether certmonger says that the certificate is issued. It says so while its post-save command runs, too.
    async fn confirm(&self, bus: CertmongerBus, file: &Path) -> Result<(), InstallError> {
        let mut said = self.confirmed.lock().await;
        if !said.contains_key(file) {
            let answer = ask_certmonger(bus, file).await;
            said.insert(file.to_owned(), answer);
        }
        match said.get(file) {
            Some(Err(NotConfirmed { what, advice, retry_class })) => {
                let (what, advice, retry_class) = (what.clone(), advice.clone(), *retry_class);
                Err(InstallError::Certmonger { what, advice, retry_class })
            }
            _ => Ok(()),
        }
    }
}

/// Notes in the records that a person was told of a process that kept the device.
fn heed(found: &mut [Installation], what: &str, records: &InstallationStore) -> Result<(), StoreError> {
    let now = records.now();
    for record in found.iter_mut().filter(|record| record.is_pending() && record.incident.is_none()) {
        record.incident = Some(Incident { since: now, reported: what.to_owned() });
        records.write(record)?;
    }
    Ok(())
}

/// Goes on with what has nothing to do with the profiles that the device does not have; whether there is any.
fn leave_out(delivery: &mut BatchItem, missing: &[ProfileName]) -> bool {
    if missing.is_empty() {
        return false;
    }
    delivery.request.profiles = delivery.record.unaffected_by(missing);
    !delivery.request.profiles.is_empty() && delivery.bundle.is_ok()
}

/// Location and profiles are the record's own; the certificate is the one that the file holds now.
fn complete(prepared: &mut Prepared, record: &mut Installation) {
    if let Some(others) = bindings::of_other_targets(record) {
        record.configure(&prepared.configured_profiles, &others);
    }
    prepared.request.profiles = record.profiles();
    prepared.request.location = record.spec.location.clone();
    if let Ok(bundle) = &prepared.bundle
        && let Ok(facts) = CertificateFacts::of(bundle)
    {
        // Renewed since it was asked for: the newer one supersedes the older.
        record.spec.certificate = Some(facts);
    }
}

/// What a record asks for: what was typed then, with the configuration of this moment.
///
/// # Errors
/// Settings that can't be used any more.
pub fn again(record: &Installation, state_dir: &Path) -> Result<Prepared, Problem> {
    let spec = &record.spec;
    let named = Named {
        common_name: spec.common_name.clone(),
        base_name: spec.name.clone(),
        year: spec.options.year,
    };
    let config = Config::shared(spec.options.config.as_deref()).map_err(SettingsError::from);
    let prepared = config
        .and_then(|config| resolve::prepare(&named, &spec.options, &config, &spec.destination(), state_dir));
    let mut prepared = prepared.map_err(|error| problem_of(&error))?;
    let mut known = record.clone();
    complete(&mut prepared, &mut known);
    Ok(prepared)
}

/// Settings that can't be used, as a problem that is recorded.
#[must_use]
pub fn problem_of(error: &SettingsError) -> Problem {
    let (exit, what, advice) = (error.exit(), error.to_string(), error.advice());
    Problem { exit, what, advice, retry_class: RetryClass::NeedsOperator }
}

/// What lasts would be in the log every minute: `status` has it, and whoever asks for this very record.
pub(super) fn log_once(error: &StoreError, run: &RunLog) {
    if !error.lasts() {
        run.error(&error.to_string());
    }
}

/// Says which profiles another certificate will take back at its next renewal.
fn warn_about_conflicts(record: &Installation, all: &[Installation], run: &RunLog) {
    let shared = all.iter().filter_map(|other| Some((other, conflicts::shared_profile(record, other)?)));
    for (other, profile) in shared.filter(|(other, _)| other.verified.is_some()) {
        let (name, other): (&ObjectName, &ObjectName) = (&record.spec.name, &other.spec.name);
        run.say(&format!(
            "WARNING: the SSL/TLS profile '{profile}' is used by both '{other}' and '{name}': each renewal will replace the other's certificate."
        ));
    }
}

/// A record that can't be made into a transaction fails without a run.
async fn fail_without_run(
    (mut record, problem): (Installation, Problem),
    leaving: Leaving,
    records: &InstallationStore,
    run: &RunLog,
) -> Report {
    run.error(&format!("{}: {}: {problem}", record.spec.device, record.common_name()));
    let sequence = record.spec.sequence;
    record.begin(run.id(), records.now());
    let outcome = Outcome::Failed(problem);
    record.finish(&outcome, &[], &[], sequence, records.now());
    if let Err(error) = write_and_release(records, vec![record.clone()], leaving).await {
        run.error(&error.to_string());
    }
    Report {
        record,
        result: RunResult { outcome, phases: vec![("total", 0.0)], missing_profiles: Vec::new() },
        news: None,
    }
}

/// Six hexadecimal digits: enough to tell the runs of a day apart.
pub fn run_id() -> String {
    format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff)
}
