//! What a process does, step by step: each step makes one thing durable, or puts one request to the device. The order of
//! the steps is that of src/delivery/engine.rs, src/install/deliver.rs, transact.rs, commit.rs, commit_lookup.rs and recover.rs,
//! which do it with files, sockets and waiting. What becomes of requests and records, what is due, and the plan for the
//! device are decided by the product's own functions; recovery, rollback and the lookup of a commit are written anew.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use pancert::delivery::Installation;
use pancert::delivery::engine::Selection;
use pancert::delivery::ingest::Effect;
use pancert::error::Exit;
use pancert::install::plan::Plan;
use pancert::install::problem::{Problem, RetryClass};
use pancert::install::result::Outcome;
use pancert::install::state::{CurrentInstall, DeviceState};

use super::device::{Job, NAMES, XPATHS, object_at, profile_at};
use super::orders::{facts, in_time, spec_of};
use super::world::{Record, Scenario, Told, WORKER, World, profile};

/// How far a process is: what it does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// A caller that has not asked yet.
    Start,
    /// The worker, until something is due.
    Idle,
    Over,
    /// Takes the device's lock, and lists the queue.
    Lock,
    /// Makes this effect durable.
    TakeIn(usize),
    /// Chooses what is due, and takes a number for the run.
    Select,
    /// Writes the record of this member of the group: a run has begun.
    Save(usize),
    Settle,
    Look,
    /// Writes the record of this member: what may be left uncommitted.
    Note(usize),
    /// Puts this request to the device: an import, or a binding.
    Request(usize),
    /// Asks for the commit for the so manieth time.
    Commit(u8),
    /// Looks up what became of a commit without an answer.
    Inquire(u8),
    /// Writes the record of this member: the commit job.
    NoteJob(usize),
    Poll,
    /// Reads the running configuration where the job does not tell.
    Conclude,
    Verify,
    Needed,
    /// Comes to its end, and writes the first record.
    Finish,
    /// Writes this record: how the run ended.
    Write(usize),
    Answer,
}

/// How the device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    InTime,
    /// The request did not arrive, or a question got no answer, or a job took too long.
    Never,
    /// The request took effect, and its reply came too late.
    TooLate,
}

/// One record that is delivered.
#[derive(Clone)]
pub struct Delivery {
    pub record: Record,
    pub before: Rc<Installation>,
    pub certificate: Result<u8, Problem>,
    pub end: Option<Outcome>,
    pub observed: Option<CurrentInstall>,
    pub plan: Option<Plan>,
}

/// What a process has in its memory.
#[derive(Clone, Default)]
pub struct Run {
    pub effects: Vec<Effect>,
    pub deliveries: Vec<Delivery>,
    pub sequence: u64,
    /// Groups of deliveries that are still to be tried, the current one first.
    pub groups: Vec<Vec<usize>>,
    pub plan: u64,
    pub commits: u8,
    pub state: Option<DeviceState>,
    pub requests: Vec<Vec<(usize, u8)>>,
    /// How many requests were put, and have to be taken back.
    pub put: usize,
    pub inherited: bool,
    pub failure: Option<Problem>,
}

impl Run {
    pub fn digest(&self, job: Option<Job>) -> u64 {
        let mut hasher = DefaultHasher::new();
        let has_job = job.is_some_and(|job| job.plan == self.plan);
        (self.effects.len(), self.commits, &self.groups, has_job).hash(&mut hasher);
        let failure = self.failure.as_ref().map(|failure| failure.exit);
        (&self.requests, self.put, self.inherited, failure).hash(&mut hasher);
        for effect in &self.effects {
            match effect {
                Effect::Save(record) => super::world::digest(record).hash(&mut hasher),
                Effect::Remove(id) => id.hash(&mut hasher),
            }
        }
        for delivery in &self.deliveries {
            let certificate = delivery.certificate.as_ref().ok();
            let end = delivery.end.as_ref().map(|end| match end {
                Outcome::Failed(problem) => Some(problem.retry_class as u8),
                _ => None,
            });
            let decided = delivery.plan.as_ref().map(|plan| plan.steps.is_empty());
            (delivery.record.digest, certificate, end, decided).hash(&mut hasher);
            delivery.before.uncommitted_paths.hash(&mut hasher);
            if let Some(observed) = &delivery.observed {
                let profiles = &observed.candidate.profiles;
                profiles.iter().for_each(|profile| profile.certificate.hash(&mut hasher));
                observed.candidate.object.is_some().hash(&mut hasher);
            }
        }
        if let Some(state) = &self.state {
            state.own_changes().iter().for_each(|change| change.xpath.hash(&mut hasher));
        }
        hasher.finish()
    }

    /// The members of the current group.
    pub fn members(&self) -> Vec<usize> {
        self.groups.first().cloned().unwrap_or_default()
    }

    pub fn leftovers(&self) -> Vec<&String> {
        let paths = self.members().into_iter().flat_map(|at| &self.deliveries[at].before.uncommitted_paths);
        paths.collect()
    }

    pub fn places(&self) -> Vec<String> {
        let of = |at: usize| {
            let record = &self.deliveries[at].record.value;
            let (vsys, name) = place_of(record);
            let profiles = record.profiles();
            let profiles = profiles.iter().map(move |name| profile_at(vsys, profile(name)));
            let paths: Vec<usize> = std::iter::once(object_at(vsys, name)).chain(profiles).collect();
            paths
        };
        self.members().into_iter().flat_map(of).map(|path| XPATHS[path].clone()).collect()
    }
}

pub fn place_of(record: &Installation) -> (bool, usize) {
    let name = NAMES.iter().position(|name| *name == record.spec.name.as_str()).unwrap();
    (record.spec.location.vsys().is_some(), name)
}

pub fn transient(exit: Exit, what: &str) -> Problem {
    Problem { exit, what: what.to_owned(), advice: None, retry_class: RetryClass::Transient }
}

pub fn silent() -> Problem {
    transient(Exit::Device, "the device does not answer")
}

/// Whether a reply to this step can get lost: never arrived, or too late.
pub fn can_be_lost(at: At) -> (bool, bool) {
    match at {
        At::Look | At::Poll | At::Inquire(_) | At::Conclude | At::Verify => (true, false),
        At::Settle | At::Request(_) | At::Commit(_) | At::Needed => (true, true),
        _ => (false, false),
    }
}

/// Whether a process can go on.
pub fn can_go_on(world: &World, scenario: &Scenario, who: usize) -> bool {
    let process = &world.processes[who];
    let is_committing = world.device.is_committing();
    match process.at {
        At::Start => !scenario.orders[who].after_renewal || world.file == Some(2),
        At::Idle => world.is_due(scenario) && world.holder.is_none(),
        At::Over => false,
        At::Lock => world.holder.is_none(),
        At::Settle | At::Conclude | At::Poll => !is_committing,
        At::Look => !(is_committing && world.device.has_own_changes()),
        At::Inquire(_) => !is_committing || world.device.job.is_some_and(|job| job.plan == process.run.plan),
        _ => true,
    }
}

/// A process dies. What it has locked is free; systemd starts the worker again.
pub fn crash(world: &mut World, who: usize) {
    if world.holder == Some(who) {
        world.holder = None;
    }
    world.processes[who].at = if who == WORKER { At::Idle } else { At::Over };
    world.processes[who].run = Rc::default();
}

/// A process does its next step.
pub fn go_on(world: &mut World, scenario: &Scenario, who: usize, reply: Reply) {
    let mut run = std::mem::take(&mut world.processes[who].run);
    let mut stepper = Stepper { world, scenario, who, run: Rc::make_mut(&mut run) };
    let next = stepper.step(reply);
    world.processes[who].at = next;
    let is_over = matches!(next, At::Idle | At::Over);
    world.processes[who].run = if is_over { Rc::default() } else { run };
}

pub struct Stepper<'a> {
    pub world: &'a mut World,
    pub scenario: &'a Scenario,
    pub who: usize,
    pub run: &'a mut Run,
}

impl Stepper<'_> {
    fn step(&mut self, reply: Reply) -> At {
        match self.world.processes[self.who].at {
            At::Start => self.put(),
            At::Idle => {
                self.world.holder = Some(self.who);
                self.list()
            }
            At::Over => At::Over,
            At::Lock => {
                self.world.holder = Some(self.who);
                self.list()
            }
            At::TakeIn(at) => self.take_in(at),
            At::Select => self.select(),
            At::Save(at) => {
                self.write(at, At::Save, if self.run.leftovers().is_empty() { At::Look } else { At::Settle })
            }
            At::Settle => self.settle(reply),
            At::Look => self.look(reply),
            At::Note(at) => self.write(at, At::Note, At::Request(0)),
            At::Request(at) => self.request(at, reply),
            At::Commit(attempt) => self.commit(attempt, reply),
            At::Inquire(attempt) => self.inquire(attempt, reply),
            At::NoteJob(at) => self.write(at, At::NoteJob, At::Poll),
            At::Poll => self.poll(reply),
            At::Conclude => self.conclude(reply),
            At::Verify => self.verify(reply),
            At::Needed => self.restore_candidate(reply),
            At::Finish => self.finish(),
            At::Write(at) => self.write_end(at),
            At::Answer => self.answer(),
        }
    }

    /// Under the lock of the numbers, which is held until the request is written: a crash in between leaves nothing.
    fn put(&mut self) -> At {
        self.world.last += 1;
        let order = &self.scenario.orders[self.who];
        let spec = Rc::new(spec_of(order, self.who, self.world.last, self.world));
        self.world.queue.push(Rc::clone(&spec));
        self.world.accepted[self.who] = Some(spec);
        // The device may run it already.
        self.world.look_at_device(self.scenario);
        At::Lock
    }

    fn list(&mut self) -> At {
        let mut queued: Vec<_> = self.world.queue.iter().map(|spec| (**spec).clone()).collect();
        queued.sort_by_key(|spec| spec.sequence);
        let records = &self.world.records;
        let find = |key: &str| records.get(key).map(|record| (*record.value).clone());
        self.run.effects = (self.scenario.rules.ingest)(&queued, &find, self.world.now());
        self.next_effect(0)
    }

    fn next_effect(&mut self, at: usize) -> At {
        if at < self.run.effects.len() {
            return At::TakeIn(at);
        }
        self.run.effects.clear();
        At::Select
    }

    fn take_in(&mut self, at: usize) -> At {
        match self.run.effects[at].clone() {
            Effect::Save(record) => self.save(Record::of(*record)),
            Effect::Remove(id) => self.world.queue.retain(|spec| spec.id != id),
        }
        self.next_effect(at + 1)
    }

    pub fn save(&mut self, record: Record) {
        let key = (self.scenario.rules.key)(&record.value.spec);
        self.world.records.insert(key, record);
    }

    /// What is due, with the certificate that its file holds now.
    fn select(&mut self) -> At {
        let now = self.world.now();
        let which = if self.who == WORKER { Selection::Due } else { Selection::DueOrTransient };
        let due = self
            .world
            .records
            .values()
            .filter(|record| (self.scenario.rules.is_chosen)(which, &record.value, now));
        let read = match self.world.file {
            None => Err(Problem {
                retry_class: RetryClass::NeedsOperator,
                ..transient(Exit::Certificate, "no certificate")
            }),
            Some(_) if !in_time(now) => {
                Err(Problem { retry_class: RetryClass::Clock, ..transient(Exit::Certificate, "expired") })
            }
            Some(certificate) => Ok(certificate),
        };
        let prepare = |record: &Record| {
            let mut changed = (*record.value).clone();
            if let Ok(certificate) = &read {
                changed.spec.certificate = Some(facts(*certificate));
            }
            changed.confirmed = read.is_ok();
            Delivery {
                before: Rc::new(changed.clone()),
                record: Record::of(changed),
                certificate: read.clone(),
                end: read.clone().err().map(Outcome::Failed),
                observed: None,
                plan: None,
            }
        };
        self.run.deliveries = due.map(prepare).collect();
        if self.run.deliveries.is_empty() { self.unlock() } else { self.number() }
    }

    fn number(&mut self) -> At {
        self.world.last += 1;
        self.run.sequence = self.world.last;
        self.run.plan = self.run.sequence * 16;
        let (now, id) = (self.world.now(), format!("run{}", self.run.sequence));
        for delivery in &mut self.run.deliveries {
            let mut record = (*delivery.record.value).clone();
            record.begin(&id, now);
            delivery.record = Record::of(record);
        }
        let usable = (0..self.run.deliveries.len()).filter(|at| self.run.deliveries[*at].end.is_none());
        self.run.groups = vec![usable.collect()];
        self.next_group()
    }

    pub fn next_group(&mut self) -> At {
        self.run.groups.retain(|group| !group.is_empty());
        (self.run.state, self.run.failure) = (None, None);
        (self.run.put, self.run.inherited, self.run.commits) = (0, false, 0);
        self.run.requests.clear();
        self.run.plan += 1;
        if self.run.groups.is_empty() { At::Finish } else { At::Save(0) }
    }

    /// Changes the records of the current group.
    pub fn each(&mut self, change: impl Fn(&mut Installation)) {
        for at in self.run.members() {
            let delivery = &mut self.run.deliveries[at];
            let mut record = (*delivery.record.value).clone();
            change(&mut record);
            delivery.record = Record::of(record);
        }
    }

    /// Writes the record of one member of the group.
    fn write(&mut self, at: usize, here: impl Fn(usize) -> At, then: At) -> At {
        let members = self.run.members();
        let record = self.run.deliveries[members[at]].record.clone();
        self.save(record);
        if at + 1 < members.len() { here(at + 1) } else { then }
    }

    fn finish(&mut self) -> At {
        let (now, sequence) = (self.world.now(), self.run.sequence);
        for delivery in &mut self.run.deliveries {
            let mut record = (*delivery.record.value).clone();
            let profiles = record.profiles();
            (self.scenario.rules.finish)(
                &mut record,
                delivery.end.as_ref().unwrap(),
                &profiles,
                sequence,
                now,
            );
            delivery.record = Record::of(record);
            (delivery.observed, delivery.plan) = (None, None);
        }
        self.write_end(0)
    }

    fn write_end(&mut self, at: usize) -> At {
        let record = self.run.deliveries[at].record.clone();
        self.save(record);
        if at + 1 < self.run.deliveries.len() { At::Write(at + 1) } else { self.unlock() }
    }

    fn unlock(&mut self) -> At {
        self.world.holder = None;
        if self.who == WORKER { At::Idle } else { At::Answer }
    }

    /// Tells the caller what became of the request: by the run's own record, or else by the one on the disk.
    fn answer(&mut self) -> At {
        let spec = self.world.accepted[self.who].clone().unwrap();
        let key = (self.scenario.rules.key)(&spec);
        let own = self.run.deliveries.iter().map(|delivery| &delivery.record);
        let mut own = own.filter(|record| (self.scenario.rules.key)(&record.value.spec) == key);
        let record = own.next().or_else(|| self.world.records.get(&key));
        let outcome = record.and_then(|record| (self.scenario.rules.answer)(&record.value, &spec.id));
        self.world.told[self.who] = match outcome {
            Some(Outcome::Installed { .. }) => Told::Success,
            _ => Told::Failure,
        };
        At::Over
    }
}
