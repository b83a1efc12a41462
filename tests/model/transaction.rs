//! What a process does on the device: the steps of one transaction.

use pancert::certificate::KeyAlgorithm;
use pancert::error::Exit;
use pancert::install::plan::{NewCertificate, Step, plan};
use pancert::install::problem::Problem;
use pancert::install::request::CommitScope;
use pancert::install::result::{LastRun, Outcome};

use super::device::{CERTIFICATES, Device, JobState, NAMES, US, object_at, profile_at};
use super::orders::request_of;
use super::run::{At, Delivery, Reply, Run, Stepper, place_of, silent, transient};
use super::world::{Record, profile};

/// How often a commit is asked for.
const ATTEMPTS: u8 = 3;

impl Stepper<'_> {
    /// What a run that died has left.
    pub fn settle(&mut self, reply: Reply) -> At {
        if reply == Reply::Never {
            return self.group_fails(silent());
        }
        let left = self.run.leftovers();
        let state = self.world.device.state();
        let own = state.own_changes();
        let ours =
            own.iter().filter(|change| left.iter().any(|path| change.xpath.starts_with(*path))).count();
        if ours > 0 && ours == own.len() {
            self.world.device.revert();
            self.world.look_at_device(self.scenario);
        }
        if reply == Reply::InTime { At::Look } else { self.group_fails(silent()) }
    }

    pub fn look(&mut self, reply: Reply) -> At {
        if reply != Reply::InTime {
            return self.group_fails(silent());
        }
        let state = self.world.device.state();
        let places = self.run.places();
        let members = self.run.members();
        for at in &members {
            let delivery = &self.run.deliveries[*at];
            let record = &delivery.record.value;
            let certificate = *delivery.certificate.as_ref().unwrap();
            let request = request_of(record, self.scenario);
            let (vsys, name) = place_of(record);
            let fingerprint = CERTIFICATES[usize::from(certificate) - 1].1;
            let mut observed = self.world.device.observed(vsys, name);
            if observed.candidate.first_difference(&request, fingerprint).is_some() {
                observed.running = None;
            }
            let offer = NewCertificate { fingerprint, algorithm: KeyAlgorithm::Ec(256) };
            let made = &record.created_objects;
            let decided = match plan(&request, offer, &state, &observed, made, &places) {
                Ok(decided) => decided,
                Err(failure) => return self.member_fails(*at, Problem::from(&failure)),
            };
            let delivery = &mut self.run.deliveries[*at];
            (delivery.observed, delivery.plan) = (Some(observed), Some(decided));
        }
        let own = state.own_changes().len();
        let awaits =
            members.iter().any(|at| self.run.deliveries[*at].before.last_run() == LastRun::AwaitingCommit);
        self.run.inherited = own > state.own_changes_elsewhere(&places).len() && !awaits;
        self.run.state = Some(state);
        self.run.requests = members.iter().flat_map(|at| requests(&self.run.deliveries[*at])).collect();
        if members.iter().all(|at| self.run.deliveries[*at].plan.as_ref().unwrap().steps.is_empty()) {
            return self.group_ends();
        }
        for at in members {
            let delivery = &mut self.run.deliveries[at];
            let (plan, observed) = (delivery.plan.as_ref().unwrap(), delivery.observed.as_ref().unwrap());
            let mut record = (*delivery.record.value).clone();
            let certificate = usize::from(*delivery.certificate.as_ref().unwrap());
            let changes = plan.changes(&observed.place, CERTIFICATES[certificate - 1].1).unwrap();
            record.note_changes(changes.into_iter().map(|(at, change)| (at.to_string(), change)).collect());
            delivery.record = Record::of(record);
        }
        At::Note(0)
    }

    pub fn request(&mut self, at: usize, reply: Reply) -> At {
        let Some(changes) = self.run.requests.get(at).cloned() else { return At::Commit(1) };
        self.run.put = at + 1;
        if reply != Reply::Never {
            self.world.device.set(&changes);
        }
        if reply != Reply::InTime {
            self.run.failure = Some(silent());
            return At::Needed;
        }
        if at + 1 < self.run.requests.len() { At::Request(at + 1) } else { At::Commit(1) }
    }

    pub fn commit(&mut self, attempt: u8, reply: Reply) -> At {
        let scopes =
            self.run.members().into_iter().map(|at| self.run.deliveries[at].plan.as_ref().unwrap().commit());
        let everybody = scopes.flatten().any(|scope| scope == CommitScope::Everybody);
        let begun = reply != Reply::Never && self.world.device.commit(self.run.plan, everybody);
        self.run.commits += u8::from(begun);
        if self.run.commits > 1 {
            self.world.broken = Some("one plan was committed twice");
        }
        match (reply, begun) {
            (Reply::InTime, true) => self.has_job(),
            (Reply::InTime, false) => At::Conclude,
            _ => At::Inquire(attempt),
        }
    }

    fn has_job(&mut self) -> At {
        let id = self.run.plan.to_string();
        self.each(|record| record.job = Some(id.clone()));
        At::NoteJob(0)
    }

    pub fn inquire(&mut self, attempt: u8, reply: Reply) -> At {
        if reply != Reply::InTime {
            return self.group_fails(silent());
        }
        if !self.scenario.rules.looks_up {
            return At::Commit(attempt + 1);
        }
        if self.world.device.job.is_some_and(|job| job.plan == self.run.plan) {
            return self.has_job();
        }
        match self.lacks() {
            false => At::Conclude,
            true if attempt < ATTEMPTS => At::Commit(attempt + 1),
            true => self.not_committed(),
        }
    }

    fn not_committed(&mut self) -> At {
        self.run.failure = Some(transient(Exit::Commit, "not committed"));
        At::Needed
    }

    /// Whether the running configuration lacks anything.
    fn lacks(&self) -> bool {
        self.run.members().into_iter().any(|at| self.lack_of(at))
    }

    fn lack_of(&self, at: usize) -> bool {
        let delivery = &self.run.deliveries[at];
        let (vsys, name) = place_of(&delivery.record.value);
        let certificate = usize::from(*delivery.certificate.as_ref().unwrap());
        let running = self.world.device.observed(vsys, name).running.unwrap();
        let request = request_of(&delivery.record.value, self.scenario);
        running.first_difference(&request, CERTIFICATES[certificate - 1].1).is_some()
    }

    pub fn poll(&mut self, reply: Reply) -> At {
        let job = self.world.device.job.filter(|job| job.plan == self.run.plan).map(|job| job.state);
        match (reply, job) {
            // It takes too long.
            (Reply::Never, Some(JobState::Running)) => self.group_fails(transient(Exit::Busy, "not over")),
            // The device has restarted, and does not know the job any more.
            (Reply::Never, _) | (_, None) => At::Conclude,
            (_, Some(JobState::Done)) => At::Verify,
            (_, Some(JobState::Running | JobState::Failed)) => {
                self.run.failure = Some(transient(Exit::Commit, "the commit failed"));
                At::Needed
            }
        }
    }

    pub fn conclude(&mut self, reply: Reply) -> At {
        match (reply, self.lacks()) {
            (Reply::InTime, false) => At::Verify,
            (Reply::InTime, true) => self.not_committed(),
            _ => self.group_fails(silent()),
        }
    }

    pub fn verify(&mut self, reply: Reply) -> At {
        for at in self.run.members() {
            if reply != Reply::InTime || self.lack_of(at) {
                let exit = if reply == Reply::InTime { Exit::Unproven } else { Exit::Device };
                self.run.deliveries[at].end = Some(Outcome::Failed(transient(exit, "not proven")));
            } else {
                let delivery = &mut self.run.deliveries[at];
                let mut record = (*delivery.record.value).clone();
                record.uncommitted_paths.clear();
                delivery.record = Record::of(record);
            }
        }
        self.group_ends()
    }

    /// The candidate configuration as it was found, where that can be had.
    pub fn restore_candidate(&mut self, reply: Reply) -> At {
        let places = self.run.places();
        let state = self.run.state.as_ref().unwrap();
        let device = &mut self.world.device;
        let mut is_back = self.run.put == 0 && !self.run.inherited;
        if !is_back && reply != Reply::Never {
            if state.own_changes_elsewhere(&places).is_empty() {
                device.revert();
                is_back = !device.journal.contains(&US);
            } else if !self.run.inherited {
                is_back = roll_back(self.run, device);
            }
            self.world.look_at_device(self.scenario);
        }
        is_back &= reply == Reply::InTime;
        if is_back {
            self.each(|record| record.uncommitted_paths.clear());
        }
        let problem = self.run.failure.take().unwrap_or_else(silent);
        let members = self.run.members();
        if problem.what == "the commit failed" && members.len() > 1 {
            // Tried in smaller numbers.
            self.run.groups.remove(0);
            members.into_iter().rev().for_each(|at| self.run.groups.insert(0, vec![at]));
            return self.next_group();
        }
        self.group_fails(problem)
    }

    /// One member can't be delivered; the others go on without it.
    fn member_fails(&mut self, at: usize, problem: Problem) -> At {
        self.run.deliveries[at].end = Some(Outcome::Failed(problem));
        self.run.groups[0].retain(|member| *member != at);
        self.next_group()
    }

    fn group_fails(&mut self, problem: Problem) -> At {
        for at in self.run.members() {
            self.run.deliveries[at].end = Some(Outcome::Failed(problem.clone()));
        }
        self.run.groups.remove(0);
        self.next_group()
    }

    /// What has not failed is installed.
    fn group_ends(&mut self) -> At {
        for at in self.run.members() {
            let delivery = &mut self.run.deliveries[at];
            let object = delivery.record.value.spec.name.clone();
            let unchanged = delivery.plan.as_ref().unwrap().steps.is_empty();
            delivery.end.get_or_insert(Outcome::Installed { object, unchanged });
        }
        self.run.groups.remove(0);
        self.next_group()
    }
}

/// The requests that a plan puts to the device.
fn requests(delivery: &Delivery) -> Vec<Vec<(usize, u8)>> {
    let (vsys, name) = place_of(&delivery.record.value);
    let object = u8::try_from(name).unwrap() + 1;
    let certificate = *delivery.certificate.as_ref().unwrap();
    let changes = |step: &Step| match step {
        Step::Import { .. } => Some(vec![(object_at(vsys, name), certificate)]),
        Step::Bind { profiles, .. } => {
            let bind = |(name, _): &(String, Option<String>)| {
                (profile_at(vsys, profile(&name.parse().unwrap())), object)
            };
            Some(profiles.iter().map(bind).collect())
        }
        Step::Commit(_) => None,
        Step::Rebind { .. } | Step::Delete(_) | Step::ImportIssuer(_) | Step::DeleteIssuer(_) => {
            unreachable!("nothing of that is asked for")
        }
    };
    delivery.plan.as_ref().unwrap().steps.iter().filter_map(changes).collect()
}

/// Takes back what was put, step by step; whether that is possible.
fn roll_back(run: &Run, device: &mut Device) -> bool {
    for request in run.requests[..run.put].iter().rev() {
        for (path, _) in request {
            let (vsys, within) = (*path >= 4, path % 4);
            let delivery = run.members().into_iter().find_map(|at| {
                let delivery = &run.deliveries[at];
                let here = place_of(&delivery.record.value);
                let observed = delivery.observed.as_ref()?;
                (here.0 == vsys && (within >= 2 || here.1 == within)).then_some(observed)
            });
            let before = delivery.map(|observed| &observed.candidate).unwrap();
            let value = if within < 2 {
                if before.object.is_some() {
                    return false;
                }
                0
            } else {
                let bound = before.profiles[within - 2].certificate.as_deref();
                let at = bound.and_then(|bound| NAMES.iter().position(|name| *name == bound));
                at.map_or(0, |at| u8::try_from(at).unwrap() + 1)
            };
            device.set(&[(*path, value)]);
        }
    }
    true
}
