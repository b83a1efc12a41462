//! Everything that a state is made of: what is on this machine's disk, the device, the processes, the clock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use pancert::delivery::engine::Selection;
use pancert::delivery::{InstallSpec, Installation, RequestEnd, State};
use pancert::install::names::ProfileName;

use super::device::{CERTIFICATES, Device, NAMES, PROFILES};
use super::rules::Rules;
use super::run::{At, Run};

/// How far a wrong clock is off, in hours: further than a certificate is valid.
pub const OFF: i64 = 400 * 24;
/// How long the worker sleeps where nothing is to be done: longer than the longest gap between two attempts.
const NIGHT: i64 = 13;
/// The process that is no caller.
pub const WORKER: usize = 2;

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The object's name.
    pub name: usize,
    /// Whether it lies in a virtual system.
    pub vsys: bool,
    /// The profiles.
    pub profiles: &'static [usize],
    /// Whether it is typed at a terminal.
    pub attended: bool,
    /// Whether the profiles are stated as the whole list, and under which name.
    pub list: Option<&'static str>,
    /// Whether the caller waits for the renewal of the certificate.
    pub after_renewal: bool,
}

/// How much may go wrong: crashes, lost replies, jobs that fail, colleagues; and how often the clock jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Troubles {
    pub faults: u8,
    pub jumps: u8,
}

/// What is checked.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub orders: [Order; 2],
    /// Whether the certificate's file can be read from the beginning.
    pub readable: bool,
    /// Whether a renewed certificate comes.
    pub renewal: bool,
    pub troubles: Troubles,
    pub rules: Rules,
    /// Whether all changes on the device are committed, with those of others.
    pub commits_everything: bool,
    /// Whether it matters at which clock a request was given, as it must not.
    pub tells_clocks_apart: bool,
}

/// A record with what tells it from others.
#[derive(Clone)]
pub struct Record {
    pub digest: u64,
    pub value: Rc<Installation>,
}

impl Record {
    pub fn of(value: Installation) -> Self {
        Self { digest: digest(&value), value: Rc::new(value) }
    }
}

/// A process.
#[derive(Clone)]
pub struct Process {
    pub at: At,
    pub run: Rc<Run>,
}

/// What a caller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    Nothing,
    Success,
    Failure,
}

/// One state.
#[derive(Clone)]
pub struct World {
    pub queue: Vec<Rc<InstallSpec>>,
    pub records: BTreeMap<String, Record>,
    /// The last number that was given.
    pub last: u64,
    pub device: Device,
    /// The certificate in the file, once it can be read.
    pub file: Option<u8>,
    /// How many hours have passed.
    pub hours: i64,
    /// How many hours the clock is off.
    pub off: i64,
    pub processes: [Process; 3],
    /// Which process has the device's lock.
    pub holder: Option<usize>,
    pub troubles: Troubles,
    /// The requests that were accepted, as they were given.
    pub accepted: [Option<Rc<InstallSpec>>; 2],
    /// Whether the device has run what was asked for, since it was.
    pub ran: [bool; 2],
    pub told: [Told; 2],
    /// Whether Jane has done away with her change herself.
    pub jane_is_done: bool,
    /// What went wrong in the last step.
    pub broken: Option<&'static str>,
}

/// The day on which it all happens.
pub fn base() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

impl World {
    pub fn new(scenario: &Scenario) -> Self {
        let process = |at| Process { at, run: Rc::default() };
        Self {
            queue: Vec::new(),
            records: BTreeMap::new(),
            last: 0,
            device: Device::new(),
            file: scenario.readable.then_some(1),
            hours: 0,
            off: 0,
            processes: [process(At::Start), process(At::Start), process(At::Idle)],
            holder: None,
            troubles: scenario.troubles,
            accepted: [None, None],
            ran: [false; 2],
            told: [Told::Nothing; 2],
            jane_is_done: false,
            broken: None,
        }
    }

    /// The time as it is.
    fn time(&self) -> DateTime<Utc> {
        base() + TimeDelta::hours(self.hours)
    }

    /// The time as the clock shows it.
    pub fn now(&self) -> DateTime<Utc> {
        self.time() + TimeDelta::hours(self.off)
    }

    pub fn sleeps(&mut self) {
        self.hours += NIGHT;
    }

    /// Whether there is something for the worker to do.
    pub fn is_due(&self, scenario: &Scenario) -> bool {
        let now = self.now();
        !self.queue.is_empty()
            || self
                .records
                .values()
                .any(|record| (scenario.rules.is_chosen)(Selection::Due, &record.value, now))
    }

    pub fn is_pending(&self) -> bool {
        self.records.values().any(|record| record.value.is_pending())
    }

    /// Whether nobody does anything.
    pub fn is_quiet(&self) -> bool {
        self.processes.iter().all(|process| matches!(process.at, At::Start | At::Idle | At::Over))
    }

    /// Notes what the device runs now.
    pub fn look_at_device(&mut self, scenario: &Scenario) {
        for (at, order) in scenario.orders.iter().enumerate() {
            let Some(spec) = &self.accepted[at] else { continue };
            let wanted = spec.certificate.as_ref().map_or(1, |facts| number(&facts.fingerprint));
            self.ran[at] |=
                Device::holds(&self.device.running, order.vsys, order.name, order.profiles, wanted);
        }
        if !self.device.keeps_janes_change() && !self.jane_is_done {
            self.broken = Some("a colleague's change was committed or lost");
        }
    }

    /// The state of an accepted request, where a record has it.
    fn request(&self, at: usize) -> Option<(&Installation, &RequestEnd)> {
        let spec = self.accepted[at].as_ref()?;
        let has = |record: &&Record| record.value.request(&spec.id).is_some();
        let record = &self.records.values().find(has)?.value;
        Some((record, &record.request(&spec.id)?.end))
    }

    /// What must not be, if it is.
    pub fn violation(&self, scenario: &Scenario) -> Option<String> {
        if let Some(broken) = self.broken {
            return Some(broken.to_owned());
        }
        for at in 0..2 {
            let Some(spec) = &self.accepted[at] else { continue };
            let who = ["the first", "the second"][at];
            if self.told[at] == Told::Success && !self.ran[at] {
                return Some(format!("{who} caller was told success, and the device has never run it"));
            }
            let is_queued = self.queue.iter().any(|queued| queued.id == spec.id);
            let lost = match self.request(at) {
                None => !is_queued,
                Some((record, RequestEnd::Open { .. })) => !record.is_pending(),
                Some((_, RequestEnd::Failed { .. })) => !scenario.orders[at].attended,
                Some((_, RequestEnd::Superseded { .. })) => {
                    scenario.orders.iter().all(|order| order.list.is_none())
                }
                Some((_, RequestEnd::AwaitingCommit { .. } | RequestEnd::AwaitingPush { .. })) => true,
                Some((_, RequestEnd::Done { .. })) if !self.ran[at] => {
                    return Some(format!("{who} caller's request is done, and the device has never run it"));
                }
                Some((_, RequestEnd::Done { .. })) => false,
            };
            if lost {
                return Some(format!("{who} caller's order is lost"));
            }
        }
        None
    }

    /// Whether all that was asked for has come to its end, nobody is at work, and the device runs it.
    pub fn is_done(&self) -> bool {
        let is_over =
            self.is_quiet() && self.processes.iter().all(|process| !matches!(process.at, At::Start));
        let ended = |at: usize| match self.request(at) {
            None => self.accepted[at].is_none(),
            Some((_, end)) => !matches!(end, RequestEnd::Open { .. }),
        };
        let runs = |record: &Record| {
            let record = &record.value;
            let name = NAMES.iter().position(|name| *name == record.spec.name.as_str()).unwrap();
            let profiles: Vec<usize> = record.profiles().iter().map(profile).collect();
            let vsys = record.spec.location.vsys().is_some();
            let wanted = record.spec.certificate.as_ref().map_or(0, |facts| number(&facts.fingerprint));
            record.verified.is_none() || Device::holds(&self.device.running, vsys, name, &profiles, wanted)
        };
        is_over
            && self.queue.is_empty()
            && !self.is_pending()
            && ended(0)
            && ended(1)
            && self.records.values().all(runs)
    }

    /// What tells this state from others. Of times it only matters whether something is due at one of the clocks, and
    /// of numbers their order, which is that of the requests in a record.
    pub fn digest(&self, scenario: &Scenario) -> u64 {
        let mut hasher = DefaultHasher::new();
        let ids: Vec<&str> = self.queue.iter().map(|spec| spec.id.as_str()).collect();
        (ids, self.device, self.file, self.off).hash(&mut hasher);
        for (key, record) in &self.records {
            let chosen = |off| {
                (scenario.rules.is_chosen)(Selection::Due, &record.value, self.time() + TimeDelta::hours(off))
            };
            let due = [-OFF, 0, OFF].map(chosen);
            (key, record.digest, due).hash(&mut hasher);
        }
        for process in &self.processes {
            (process.at, process.run.digest(self.device.job)).hash(&mut hasher);
        }
        for spec in self.accepted.iter().flatten() {
            (&spec.id, facts_number(spec)).hash(&mut hasher);
            if scenario.tells_clocks_apart {
                ((spec.requested_at - self.time()).num_hours() + OFF / 2).div_euclid(OFF).hash(&mut hasher);
            }
        }
        let numbers = self.accepted.each_ref().map(|spec| spec.as_ref().map(|spec| spec.sequence));
        (numbers[0] < numbers[1]).hash(&mut hasher);
        let told = self.told.map(|told| told == Told::Success);
        (self.holder, self.troubles, self.ran, told, self.jane_is_done, self.broken).hash(&mut hasher);
        hasher.finish()
    }
}

/// The number of a certificate, from 1 on.
fn number(fingerprint: &panos_xmlapi::Fingerprint) -> u8 {
    let at = CERTIFICATES.iter().position(|(_, other)| other == fingerprint).unwrap();
    u8::try_from(at).unwrap() + 1
}

fn facts_number(spec: &InstallSpec) -> u8 {
    spec.certificate.as_ref().map_or(0, |facts| number(&facts.fingerprint))
}

/// The number of a profile.
pub fn profile(name: &ProfileName) -> usize {
    PROFILES.iter().position(|profile| *profile == name.as_str()).unwrap()
}

/// What tells a record from others, without its times and numbers that only people read.
pub fn digest(record: &Installation) -> u64 {
    let mut hasher = DefaultHasher::new();
    let spec = &record.spec;
    (&spec.id, spec.location.to_string(), facts_number(spec)).hash(&mut hasher);
    record.profiles().iter().map(profile).collect::<Vec<_>>().hash(&mut hasher);
    (&record.list, record.confirmed, record.is_pending()).hash(&mut hasher);
    for request in &record.requests {
        let certificate = request.certificate.as_ref().map(|facts| number(&facts.fingerprint));
        let profiles: Vec<usize> = request.profiles.iter().map(profile).collect();
        let end = match &request.end {
            RequestEnd::Open { .. } => 0,
            RequestEnd::Done { .. } => 2,
            RequestEnd::AwaitingCommit { .. } => 3,
            RequestEnd::AwaitingPush { .. } => 6,
            RequestEnd::Failed { .. } => 4,
            RequestEnd::Superseded { .. } => 5,
        };
        (&request.id, certificate, profiles, end).hash(&mut hasher);
    }
    let state = match &record.state {
        State::Pending => (0, None),
        State::Installed { unchanged, .. } => (1 + u8::from(*unchanged), None),
        State::AwaitingCommit { .. } => (3, None),
        State::AwaitingPush { .. } => (5, None),
        State::Failed { problem, .. } => (4, Some(problem.retry_class as u8)),
    };
    (state, record.started_at.is_some(), record.job.is_some()).hash(&mut hasher);
    if let Some(verified) = &record.verified {
        let profiles: Vec<usize> = verified.profiles.iter().map(profile).collect();
        (profiles, number(&verified.certificate.fingerprint)).hash(&mut hasher);
    }
    (&record.uncommitted_paths, record.has_changed_device).hash(&mut hasher);
    hasher.finish()
}
