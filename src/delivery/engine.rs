//! Delivering what is owed: orders become records, and the records of one device become one delivery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::conflicts;
use super::installation::{End, Incident, Record, State};
use super::lock::{DeviceLock, LockError, STOPPED_WAIT, ToldOf};
use super::notifier::{News, Notifier};
use super::queue::{Order, Queue, Queued};
use super::store::{Found, RecordError, Records};
use crate::error::Exit;
use crate::host::certmonger::{Getcert, GetcertError, Phase};
use crate::host::log::{Log, RunLog};
use crate::install::Failure;
use crate::install::affair::Delivery;
use crate::install::deliver::{self, Outcome};
use crate::install::patience::Patience;
use crate::install::problem::{Mender, Problem};
use crate::panos::Address;
use crate::settings::SettingsError;
use crate::settings::config::LOCK_WAIT;
use crate::settings::resolve::{CertmongerBus, Prepared};
use crate::settings::words::InstallOptions;

/// For how long what was read is taken as it was.
const FRESH: Duration = Duration::from_secs(1);

/// Which of a device's records are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose time has come.
    Due,
    /// All that is owed; what only a person can mend, when its time has come.
    Owed,
    /// All that is owed, whatever was found out about it.
    Everything,
}

impl Which {
    /// Whether a record is one of them.
    #[must_use]
    pub fn wants(self, record: &Record, now: DateTime<Utc>) -> bool {
        match self {
            Self::Due => record.is_due(now),
            Self::Owed => record.is_owed() && (record.is_due(now) || !needs_a_person(record)),
            Self::Everything => record.is_owed(),
        }
    }
}

/// Whoever delivers: what it needs to know besides the records.
pub struct Courier<'a> {
    /// The log.
    pub log: &'a Log,
    /// The state folder.
    pub state_dir: &'a Path,
    /// The records in it.
    pub records: Records,
    /// How long devices may be silent.
    pub patience: Patience,
    /// Whether it works on several devices at once, so that each line has to say for which run it is.
    pub several: bool,
    /// Whom to tell of failures that last.
    pub notifier: Notifier,
    /// How long another process that works on the same device is waited for.
    pub lock_wait: Duration,
    /// What this process has read itself for an order, by the order's id: it need not be read again.
    at_hand: Mutex<BTreeMap<String, (Instant, Prepared)>>,
    /// What certmonger has said of each certificate's file.
    vouched: Mutex<BTreeMap<PathBuf, Result<(), Doubt>>>,
}

/// Why certmonger does not vouch for a certificate.
#[derive(Debug, Clone)]
struct Doubt {
    what: String,
    advice: Option<String>,
    mended_by: Mender,
}

/// How one record was dealt with.
#[derive(Debug, Clone)]
pub struct Report {
    /// The record as it stands now.
    pub record: Record,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a person should know.
    pub news: Option<News>,
}

impl<'a> Courier<'a> {
    /// Somebody who delivers.
    #[must_use]
    pub fn new(log: &'a Log, state_dir: &'a Path, several: bool) -> Self {
        let (records, patience) = (Records::below(state_dir), Patience::default());
        let (notifier, at_hand, vouched) = (Notifier::default(), Mutex::default(), Mutex::default());
        let lock_wait = LOCK_WAIT;
        Self { log, state_dir, records, patience, several, notifier, lock_wait, at_hand, vouched }
    }

    /// Keeps what was read for an order until that is delivered.
    pub async fn keep(&self, order: &Order, prepared: Prepared) {
        self.at_hand.lock().await.insert(order.id.clone(), (Instant::now(), prepared));
    }

    /// Delivers what one device is owed, once nobody else works on it.
    ///
    /// # Errors
    /// A state folder that can't be used. Everything else is in the reports, and in the records.
    pub async fn serve(&self, device: &Address, which: Which) -> Result<Vec<Report>, Failure> {
        let records = self.records.clone();
        let run = self.log.run(&run_id(), self.several);
        let places = self.places(device, &run)?;
        let told = ToldOf::device(self.state_dir, device);
        let lock = self.reserve(device, &places, which, &told, &run).await?;
        let mut found = self.take_over(device, &records, &run)?;
        if let Some(what) = told.any() {
            // A person was told then, and is told when it is over, as of any other failure.
            heed(&mut found, &what, &records)?;
            told.forget();
        }
        let now = records.now();
        let all = found.clone();
        let mut reports = Vec::new();
        let mut groups: Vec<Vec<Delivery>> = Vec::new();
        for record in found.into_iter().filter(|record| which.wants(record, now)) {
            match self.prepare(record).await {
                Ok(delivery) => match groups.iter_mut().find(|group| group[0].wish.goes_with(&delivery.wish))
                {
                    Some(group) => group.push(delivery),
                    None => groups.push(vec![delivery]),
                },
                Err(stranded) => reports.push(strand(*stranded, &records, &run)),
            }
        }
        for (number, mut group) in groups.into_iter().enumerate() {
            // Each commit is a run of its own.
            let run = if number == 0 { run.clone() } else { self.log.run(&run_id(), self.several) };
            group.iter().for_each(|delivery| warn_of_rivals(&delivery.record, &all, &run));
            let outcomes = deliver::deliver(&mut group, &records, &run).await;
            let told = group.into_iter().zip(outcomes);
            reports.extend(told.map(|(delivery, outcome)| Report {
                record: delivery.record,
                outcome,
                news: None,
            }));
        }
        let mut news = Vec::new();
        for report in &mut reports {
            if let Some(new) = self.notifier.notice(&mut report.record, &report.outcome.end, now) {
                report.news = Some(new);
                news.push((new, report.record.clone()));
            }
        }
        if !news.is_empty() {
            let records_of_news = news.iter().map(|(_, record)| record.clone()).collect();
            records.write_aside(records_of_news).await?;
        }
        drop(lock);
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
        which: Which,
        told: &ToldOf,
        run: &RunLog,
    ) -> Result<DeviceLock, Failure> {
        // What is known to be stuck must not keep other devices from being tried again.
        let wait = if told.any().is_some() { self.lock_wait.min(STOPPED_WAIT) } else { self.lock_wait };
        let error = match DeviceLock::acquire(self.state_dir, places, wait).await {
            Ok(lock) => return Ok(lock),
            Err(error) => error,
        };
        let LockError::Held { holder, .. } = &error else { return Err(error.into()) };
        let is_new = told.note(holder).unwrap_or(true);
        let failure = Failure::from(error);
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
        which: Which,
        failure: &Failure,
    ) -> Result<Vec<Record>, RecordError> {
        let now = self.records.now();
        let known =
            self.records.of_device(device)?.records.into_iter().filter(|known| which.wants(known, now));
        let (queued, _) = Queue::below(self.state_dir).for_device(device)?;
        let queued =
            queued.into_iter().map(|queued| (queued.order.name.clone(), Record::of(queued.order, None)));
        let mut all: BTreeMap<_, Record> = queued.collect();
        all.extend(known.map(|known| (known.order.name.clone(), known)));
        let end = End::Failed(Problem::from(failure));
        Ok(all
            .into_values()
            .map(|mut record| {
                record.finish(&end, &[], now);
                record
            })
            .collect())
    }

    /// The device, and the other members of the pairs that it is said to be in.
    fn places(&self, device: &Address, run: &RunLog) -> Result<Vec<Address>, RecordError> {
        let (queued, troubles) = Queue::below(self.state_dir).for_device(device)?;
        let Found { records: known, troubles: more } = self.records.of_device(device)?;
        troubles.iter().chain(&more).for_each(|trouble| run.error(&trouble.to_string()));
        let orders =
            queued.into_iter().map(|queued| queued.order).chain(known.into_iter().map(|known| known.order));
        let mut all: Vec<Address> = orders.filter_map(|order| order.peer).collect();
        all.push(device.clone());
        Ok(all)
    }

    /// Moves the orders for a device into its records; all its records.
    fn take_over(
        &self,
        device: &Address,
        records: &Records,
        run: &RunLog,
    ) -> Result<Vec<Record>, RecordError> {
        let (queued, troubles) = Queue::below(self.state_dir).for_device(device)?;
        troubles.iter().for_each(|trouble| run.error(&trouble.to_string()));
        for queued in queued {
            self.enter(queued, records, run)?;
        }
        let found = records.of_device(device)?;
        found.troubles.iter().for_each(|trouble| run.error(&trouble.to_string()));
        Ok(found.records)
    }

    fn enter(&self, queued: Queued, records: &Records, run: &RunLog) -> Result<(), RecordError> {
        let order = queued.order.clone();
        let before = match records.read_or_set_aside(&order.device, &order.name)? {
            Ok(before) => before,
            Err(trouble) => {
                run.error(&trouble.to_string());
                None
            }
        };
        // Taken over before, by a process that died before it could say so; or overtaken by a later one.
        let is_known = before.as_ref().is_some_and(|before| before.order.at >= order.at);
        if !is_known {
            records.write(&Record::of(order, before))?;
        }
        queued.taken()
    }

    /// Makes a wish of a record, from the words that were typed then and the configuration of today.
    async fn prepare(&self, mut record: Record) -> Result<Delivery, Box<(Record, Problem)>> {
        let at_hand = self.at_hand.lock().await.remove(&record.order.id);
        // Whoever had to wait for the device looks again: meanwhile it may have got another certificate of its own.
        let at_hand = at_hand.filter(|(since, _)| since.elapsed() < FRESH).map(|(_, prepared)| prepared);
        let mut prepared = match at_hand.map_or_else(|| again(&record, self.state_dir), Ok) {
            Ok(prepared) => prepared,
            Err(problem) => return Err(Box::new((record, problem))),
        };
        prepared.wish.patience = self.patience.clone();
        if let Ok(bundle) = &prepared.bundle
            && let Ok(facts) = deliver::facts(bundle)
        {
            // Renewed since it was ordered: the newer one supersedes the older.
            record.order.certificate = Some(facts);
        }
        let bundle = match prepared.bundle {
            Ok(bundle) if record.vouched => Ok(bundle),
            Ok(bundle) => match prepared.certmonger.zip(prepared.files.as_ref()) {
                Some((bus, files)) => self.vouch(bus, &files.certificate).await.map(|()| bundle),
                None => Ok(bundle),
            },
            Err(failure) => Err(failure),
        };
        record.vouched = bundle.is_ok();
        Ok(Delivery { wish: prepared.wish, bundle, record })
    }

    /// Whether certmonger says that the certificate is issued. It says so while its post-save command runs, too.
    async fn vouch(&self, bus: CertmongerBus, file: &Path) -> Result<(), Failure> {
        let mut said = self.vouched.lock().await;
        if !said.contains_key(file) {
            let answer = ask_certmonger(bus, file).await;
            said.insert(file.to_owned(), answer);
        }
        match said.get(file) {
            Some(Err(Doubt { what, advice, mended_by })) => {
                let (what, advice, mended_by) = (what.clone(), advice.clone(), *mended_by);
                Err(Failure::Certmonger { what, advice, mended_by })
            }
            _ => Ok(()),
        }
    }
}

/// Notes in the records that a person was told of a process that kept the device.
fn heed(found: &mut [Record], what: &str, records: &Records) -> Result<(), RecordError> {
    let now = records.now();
    for record in found.iter_mut().filter(|record| record.is_owed() && record.incident.is_none()) {
        record.incident = Some(Incident { since: now, told: what.to_owned() });
        records.write(record)?;
    }
    Ok(())
}

/// What a record asks for: its own words, read again, with the configuration of this moment.
///
/// # Errors
/// Words or settings that are not understood any more.
pub fn again(record: &Record, state_dir: &Path) -> Result<Prepared, Problem> {
    let refused = |error: SettingsError| {
        let (exit, what, advice) = (error.exit(), error.to_string(), error.advice());
        Problem { exit, what, advice, mended_by: Mender::Person }
    };
    let options = InstallOptions::of_words(&record.order.words).map_err(|error| {
        refused(SettingsError::Value(format!("the record's words are not understood: {error}")))
    })?;
    options.prepare_for(&record.order.device, state_dir).map_err(refused)
}

/// Says which profiles another certificate will take back at its next renewal.
fn warn_of_rivals(record: &Record, all: &[Record], run: &RunLog) {
    let rivals = all.iter().filter_map(|other| Some((other, conflicts::contested(record, other)?)));
    for (other, profile) in rivals.filter(|(other, _)| other.proven.is_some()) {
        let (name, other) = (&record.order.name, &other.order.name);
        run.say(&format!(
            "WARNING: the SSL/TLS profile '{profile}' is claimed by '{other}' as well as by '{name}': whichever is renewed last gets it."
        ));
    }
}

/// A record of which no wish can be made fails without a run.
fn strand((mut record, problem): (Record, Problem), records: &Records, run: &RunLog) -> Report {
    run.error(&format!("{}: {}: {problem}", record.order.device, record.common_name()));
    record.begin(run.id(), records.now());
    let end = End::Failed(problem);
    record.finish(&end, &[], records.now());
    if let Err(error) = records.write(&record) {
        run.error(&error.to_string());
    }
    Report { record, outcome: Outcome { end, phases: vec![("total", 0.0)] }, news: None }
}

fn needs_a_person(record: &Record) -> bool {
    matches!(&record.state, State::Failed { problem, .. } if problem.mended_by == Mender::Person)
}

/// How a record stands that another process has dealt with.
#[must_use]
pub fn told_by(record: &Record) -> End {
    match &record.state {
        State::Installed { object, unchanged, .. } => {
            End::Installed { object: object.clone(), unchanged: *unchanged }
        }
        State::LeftToCommit { .. } => End::LeftToCommit,
        State::Failed { problem, .. } => End::Failed(problem.clone()),
        State::Owed => End::Failed(Problem {
            exit: Exit::Certificate,
            what: "the installation is not over, or its process was ended".to_owned(),
            advice: Some("See the log; 'pan_certctl retry' takes it up again.".to_owned()),
            mended_by: Mender::Time,
        }),
    }
}

async fn ask_certmonger(bus: CertmongerBus, file: &Path) -> Result<(), Doubt> {
    const BLIND: &str = "For a certificate that is not certmonger's, or to go on all the same, use -b.";
    let getcert = Getcert::new(["getcert"], None).on_session_bus(bus == CertmongerBus::Session);
    let no = |what: String| Doubt { what, advice: Some(BLIND.to_owned()), mended_by: Mender::Nobody };
    match getcert.status(file).await {
        Ok(status) => match status.phase() {
            Phase::Done | Phase::Saving => Ok(()),
            _ => Err(no(format!("the certificate's state is {}, it is not issued", status.state))),
        },
        Err(GetcertError::NotTracked) => Err(no(format!("{} is not tracked", file.display()))),
        Err(error) => {
            let advice =
                error.advice().map(|advice| format!("{advice}; to go on without certmonger, use -b"));
            let advice = advice.or_else(|| Some(BLIND.to_owned()));
            Err(Doubt { what: error.to_string(), advice, mended_by: Mender::Time })
        }
    }
}

/// Six hexadecimal digits: enough to tell the runs of a day apart.
pub fn run_id() -> String {
    format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff)
}
