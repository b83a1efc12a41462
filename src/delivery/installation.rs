//! One object on one device: what is wanted of it, what is known of it, and how both change. Nothing here reads a
//! clock or a file.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use panos_xmlapi::{Fingerprint, NextIdentity};
use serde::{Deserialize, Serialize};

use super::key::InstallationKey;
use super::request::{RequestEnd, RequestState};
use super::schedule::{gap, longest_gap};
use super::spec::{InstallSpec, VERSION};
use super::state::{Attempt, Binding, DriftFound, Incident, State, Verified};
use crate::error::Exit;
use crate::install::change::Change;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::problem::{Problem, RetryClass};
use crate::install::push::{LeftToPush, PushState, WayBack};
use crate::install::result::{CreatedObject, LastRun, Outcome};

/// How many past attempts a record keeps.
pub const HISTORY: usize = 20;
/// How many requests that have ended a record keeps.
pub const ENDED_REQUESTS: usize = 50;
/// How many requests that have not ended a record keeps: of further ones the oldest are not waited for any more.
const OPEN_REQUESTS: usize = 500;
/// How many created objects a record keeps: what is older is not deleted any more.
pub const CREATED_OBJECTS: usize = 500;

/// What is known of one certificate object at one location of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// The format, see [`VERSION`].
    pub version: u32,
    /// What is wanted, as it was asked for last.
    pub spec: InstallSpec,
    /// The profiles that are to present it: all that were asked for.
    pub bindings: Vec<Binding>,
    /// The name of the list of profiles that was stated last.
    pub list: Option<String>,
    /// The targets whose profiles of the configuration file are among them, beside that of `spec`: without a name the
    /// device's own section. Missing in records in which only one was ever asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_targets: Vec<Option<String>>,
    /// The profiles that are taken from whoever claims them, once the certificate is verified there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_over: Vec<ProfileName>,
    /// Who asked, with what they asked for and how that ended; the latest last.
    pub requests: Vec<RequestState>,
    /// Since when the device has not been verified to run the certificate; nothing where it was.
    pub pending_since: Option<DateTime<Utc>>,
    /// When it is tried again, if it is pending.
    pub next_attempt: Option<DateTime<Utc>>,
    /// How many seconds were to pass until then.
    pub gap: u64,
    /// Whether certmonger was asked for the certificate, and confirmed it.
    pub confirmed: bool,
    /// How many attempts have failed in a row.
    pub failures: u32,
    /// The run that tried last; empty before the first one.
    pub run_id: String,
    /// When that run began.
    pub started_at: Option<DateTime<Utc>>,
    /// Its commit job, once there is one; until then that of an earlier run which left something that is not settled.
    pub job: Option<String>,
    /// How it stands.
    pub state: State,
    /// What the device was verified to run at last.
    pub verified: Option<Verified>,
    /// The objects that were created on the device for this name, the latest last: what may be deleted again.
    pub created_objects: Vec<CreatedObject>,
    /// The objects that were created for intermediate certificates of its chain, the latest last: what may be deleted
    /// again once nothing needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub created_issuers: Vec<CreatedObject>,
    /// The paths on the device where something may be left that was changed and not committed.
    pub uncommitted_paths: Vec<String>,
    /// What runs were about to make of those paths, as far as they have noted it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncommitted_changes: BTreeMap<String, Change>,
    /// Whether a run has ever begun to change the device for it.
    pub has_changed_device: bool,
    /// By which certificates the device and its HA peer are recognised once the commit has taken effect, as it was
    /// decided before it; empty as soon as that is known to be over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_identities: Vec<NextIdentity>,
    /// Which firewalls have it, where it is committed on Panorama and has to be pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<PushState>,
    /// What the profiles presented before the commit whose push is not over: kept where a push that fails on too many
    /// firewalls is to be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<WayBack>,
    /// What `verify` found that is not as it was installed, for as long as that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftFound>,
    /// The problem that was reported, for as long as it lasts.
    pub incident: Option<Incident>,
    /// The last attempts, the latest last; [`HISTORY`] at most.
    pub history: Vec<Attempt>,
}

impl Installation {
    /// The installation after a request: a new one, or what is known from `before` with what is wanted now. What was
    /// taken in before changes nothing.
    #[must_use]
    pub fn ingest(spec: InstallSpec, before: Option<Self>, now: DateTime<Utc>) -> Self {
        match before {
            None => Self::new(spec, now),
            Some(before) if before.request(&spec.id).is_some() => before,
            Some(before) => before.with(spec, now),
        }
    }

    pub(super) fn new(spec: InstallSpec, now: DateTime<Utc>) -> Self {
        let request = RequestState::of(&spec);
        Self {
            version: VERSION,
            bindings: bindings(&spec),
            list: spec.list.clone(),
            other_targets: Vec::new(),
            takes_over: if spec.options.take_over { spec.profiles.clone() } else { Vec::new() },
            requests: vec![request],
            pending_since: Some(spec.requested_at.min(now)),
            next_attempt: Some(now),
            gap: 0,
            confirmed: false,
            failures: 0,
            run_id: String::new(),
            started_at: None,
            job: None,
            state: State::Pending,
            verified: None,
            created_objects: Vec::new(),
            created_issuers: Vec::new(),
            uncommitted_paths: Vec::new(),
            uncommitted_changes: BTreeMap::new(),
            has_changed_device: false,
            next_identities: Vec::new(),
            push: None,
            way_back: None,
            drift: None,
            incident: None,
            history: Vec::new(),
            spec,
        }
    }

    fn with(mut self, spec: InstallSpec, now: DateTime<Utc>) -> Self {
        // What a run that died has left is told by its state, until the next one has recovered it.
        if self.last_run() == LastRun::Finished {
            (self.state, self.started_at) = (State::Pending, None);
        }
        self.pending_since = self.pending_since.or(Some(spec.requested_at)).map(|since| since.min(now));
        (self.next_attempt, self.gap, self.confirmed) = (Some(now), 0, false);
        // The same again fails for the same reason: that is no news.
        let certificate = |spec: &InstallSpec| spec.certificate.as_ref().map(|known| known.fingerprint);
        let again = certificate(&spec) == certificate(&self.spec) && spec.options == self.spec.options;
        if !again {
            self.failures = 0;
        }
        self.note_target(&spec);
        self.requests.push(RequestState::of(&spec));
        if spec.options.force {
            // Once more from the beginning, the firewalls included.
            (self.push, self.way_back) = (None, None);
        }
        // A list is stated once, however often its post-save command runs: at a renewal nothing is taken over anew.
        if spec.options.take_over && (spec.list.is_none() || spec.list != self.list) {
            self.takes_over.clone_from(&spec.profiles);
        }
        if spec.list.is_some() && spec.list != self.list {
            self.list.clone_from(&spec.list);
            self.restate(&spec, now);
        } else {
            for binding in bindings(&spec) {
                self.bind(binding);
            }
        }
        self.spec = spec;
        self.forget_ended();
        self
    }

    /// Another list of profiles is stated: what is not in it is not bound any more, and nobody waits for it.
    fn restate(&mut self, spec: &InstallSpec, now: DateTime<Utc>) {
        self.bindings = bindings(spec);
        self.other_targets.clear();
        self.supersede(now);
    }

    /// What identifies it.
    #[must_use]
    pub fn key(&self) -> InstallationKey {
        self.spec.key()
    }

    /// The certificate's common name.
    #[must_use]
    pub fn common_name(&self) -> &CommonName {
        &self.spec.common_name
    }

    /// The profiles that are to present it.
    #[must_use]
    pub fn profiles(&self) -> Vec<ProfileName> {
        self.bindings.iter().map(|binding| binding.profile.clone()).collect()
    }

    /// Somebody's request, by its id.
    #[must_use]
    pub fn request(&self, id: &str) -> Option<&RequestState> {
        self.requests.iter().find(|request| request.id == id)
    }

    /// Why the last attempt failed, if it did.
    #[must_use]
    pub fn last_problem(&self) -> Option<&Problem> {
        self.history.last().and_then(|attempt| attempt.problem.as_ref())
    }

    /// Something has changed since the device was verified to run the certificate: it is pending again.
    pub fn mark_pending(&mut self, now: DateTime<Utc>) {
        self.pending_since = self.pending_since.or(Some(now));
        (self.next_attempt, self.gap) = (Some(now), 0);
        (self.state, self.started_at) = (State::Pending, None);
    }

    /// How the last run left the device.
    #[must_use]
    pub fn last_run(&self) -> LastRun {
        match &self.state {
            State::Pending if self.started_at.is_some() => LastRun::Interrupted,
            State::AwaitingCommit { .. } => LastRun::AwaitingCommit,
            _ => LastRun::Finished,
        }
    }

    /// Whether the device has yet to be verified to run the certificate.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending_since.is_some()
    }

    /// Whether it is to be tried now. An attempt that is further ahead than was to pass until it was scheduled by a
    /// clock that was ahead: it is due.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        let gap =
            TimeDelta::try_seconds(i64::try_from(self.gap).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX);
        let has_come = |at: DateTime<Utc>| at <= now || at - now > gap;
        self.is_pending()
            && !self.waits_for_a_person()
            && (self.last_run() == LastRun::Interrupted || self.next_attempt.is_none_or(has_come))
    }

    /// A run begins.
    pub fn begin(&mut self, run: &str, now: DateTime<Utc>) {
        run.clone_into(&mut self.run_id);
        self.started_at = Some(now);
        if self.uncommitted_paths.is_empty() {
            self.job = None;
        }
        self.state = State::Pending;
        self.forget_way_gone();
        // Nothing is pending since the future: that was another clock.
        self.pending_since = self.pending_since.map(|since| since.min(now));
    }

    /// What is about to be made of these paths, which may hold uncommitted changes from now on.
    pub fn note_changes(&mut self, changes: Vec<(String, Change)>) {
        self.note_uncommitted(changes.iter().map(|(path, _)| path.clone()));
        self.uncommitted_changes.extend(changes);
    }

    /// Nothing is left uncommitted.
    pub fn forget_uncommitted(&mut self) {
        self.uncommitted_paths.clear();
        self.uncommitted_changes.clear();
    }

    /// These paths may hold uncommitted changes from now on.
    pub fn note_uncommitted(&mut self, paths: impl IntoIterator<Item = String>) {
        self.uncommitted_paths.extend(paths);
        self.uncommitted_paths.sort();
        self.uncommitted_paths.dedup();
        self.has_changed_device = true;
    }

    /// A run for these profiles is over. `sequence` is its number: what is verified later has a higher one.
    pub fn finish(
        &mut self,
        outcome: &Outcome,
        profiles: &[ProfileName],
        phases: &[(&'static str, f64)],
        sequence: u64,
        now: DateTime<Utc>,
    ) {
        let pending_since = self.pending_since;
        // Why other profiles are left out of this run.
        let rest = self.last_problem().cloned();
        let problem = match outcome {
            Outcome::Failed(problem) => Some(problem.clone()),
            Outcome::Installed { .. } | Outcome::AwaitingCommit { .. } | Outcome::AwaitingPush { .. } => None,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no run takes that long")]
        let milliseconds =
            phases.iter().map(|(name, seconds)| ((*name).to_owned(), (seconds * 1000.0) as u64)).collect();
        let (run_id, started_at) = (self.run_id.clone(), self.started_at.unwrap_or(now));
        self.history.push(Attempt {
            run_id,
            started_at,
            problem,
            job: self.job.clone(),
            milliseconds,
            commit_milliseconds: None,
            push_milliseconds: None,
        });
        let superfluous = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..superfluous);
        match outcome {
            Outcome::Installed { object, unchanged } => {
                let failures = self.failures;
                self.state = State::Installed { at: now, object: object.clone(), unchanged: *unchanged };
                self.verify(object, profiles, sequence, now);
                let is_whole = self.bindings.iter().all(|binding| profiles.contains(&binding.profile));
                if let Some(problem) = rest.filter(|_| !is_whole) {
                    (self.pending_since, self.failures) =
                        (pending_since.or(Some(now)), failures.saturating_sub(1));
                    self.fail(&problem, now);
                }
            }
            Outcome::AwaitingCommit { object } => {
                let end = RequestEnd::AwaitingCommit { at: now, object: object.clone() };
                self.leave(State::AwaitingCommit { at: now, object: object.clone() }, end);
            }
            Outcome::AwaitingPush { object } => {
                let end = RequestEnd::AwaitingPush { at: now, object: object.clone() };
                self.leave(State::AwaitingPush { at: now, object: object.clone() }, end);
            }
            Outcome::Failed(problem) => self.fail(problem, now),
        }
        self.forget_ended();
    }

    /// The object that a person has yet to commit or push.
    #[must_use]
    pub fn left_to_a_person(&self) -> Option<&ObjectName> {
        match &self.state {
            State::AwaitingCommit { object, .. } | State::AwaitingPush { object, .. } => object.as_ref(),
            State::Pending | State::Installed { .. } | State::Failed { .. } => None,
        }
    }

    /// What a person has yet to push, where that is all that is missing.
    #[must_use]
    pub fn left_to_push(&self) -> Option<LeftToPush> {
        let (State::AwaitingPush { object, .. }, Some(push)) = (&self.state, &self.push) else { return None };
        let object = object.as_ref().unwrap_or(&push.object);
        let what = format!("the certificate '{object}' ({})", self.spec.location);
        Some(LeftToPush { what, stacks: push.stacks.clone() })
    }

    /// The rest is left to a person.
    fn leave(&mut self, state: State, end: RequestEnd) {
        self.state = state;
        (self.pending_since, self.next_attempt, self.failures) = (None, None, 0);
        self.drift = None;
        self.forget_uncommitted();
        self.end_requests(|_| end.clone());
    }

    fn fail(&mut self, problem: &Problem, now: DateTime<Utc>) {
        self.state = State::Failed { at: now, problem: problem.clone() };
        self.failures = self.failures.saturating_add(1);
        if problem.retry_class == RetryClass::Permanent || self.is_only_a_try() {
            self.pending_since = None;
        }
        if self.waits_for_a_person() {
            (self.next_attempt, self.gap) = (None, 0);
            self.end_requests(|_| RequestEnd::Open { problem: Some(problem.clone()) });
        } else if self.is_pending() {
            let left = self.verified.as_ref().map(|verified| verified.certificate.not_after - now);
            // Whole seconds: as many as are stored.
            let seconds =
                gap(problem, self.failures, left).min(longest_gap(self.push.as_ref())).num_seconds();
            let gap = TimeDelta::try_seconds(seconds).unwrap_or_default();
            (self.next_attempt, self.gap) =
                (Some(now.checked_add_signed(gap).unwrap_or(now)), seconds.unsigned_abs());
            self.end_requests(|_| RequestEnd::Open { problem: Some(problem.clone()) });
        } else {
            self.next_attempt = None;
            self.end_requests(|_| RequestEnd::Failed { at: now, problem: problem.clone() });
        }
    }

    /// Whether all who wait for it see it fail at their terminals, and nothing was ever changed on the device for it.
    fn is_only_a_try(&self) -> bool {
        let never = self.verified.is_none() && !self.has_changed_device;
        never && self.requests.iter().filter(|request| request.is_open()).all(|request| request.attended)
    }

    /// The device was seen to run what is wanted, as this object.
    pub fn mark_verified(&mut self, object: &ObjectName, sequence: u64, now: DateTime<Utc>) {
        self.verify(object, &self.profiles(), sequence, now);
    }

    fn verify(&mut self, object: &ObjectName, profiles: &[ProfileName], sequence: u64, now: DateTime<Utc>) {
        if !matches!(self.state, State::Installed { .. }) {
            self.state = State::Installed { at: now, object: object.clone(), unchanged: true };
        }
        (self.pending_since, self.next_attempt, self.failures) = (None, None, 0);
        (self.way_back, self.drift) = (None, None);
        self.forget_uncommitted();
        let Some(certificate) = self.spec.certificate.clone() else { return };
        let unchanged = matches!(self.state, State::Installed { unchanged: true, .. });
        let sequence = match &self.verified {
            // Nobody has taken anything from anybody.
            Some(before) if unchanged && before.profiles == profiles => before.sequence,
            _ => sequence,
        };
        let is_bound =
            |request: &RequestState| request.profiles.iter().all(|profile| profiles.contains(profile));
        self.end_requests(|request| match &request.certificate {
            _ if !is_bound(request) => request.end.clone(),
            Some(wanted) if !certificate.supersedes(wanted) => RequestEnd::Failed {
                at: now,
                problem: Problem {
                    exit: Exit::Certificate,
                    what: "the certificate's file holds an older certificate than was asked for".to_owned(),
                    advice: Some(
                        "the device runs the older one: put the newer one back into its file".to_owned(),
                    ),
                    retry_class: RetryClass::NeedsOperator,
                },
            },
            _ => RequestEnd::Done { at: now, object: object.clone(), unchanged },
        });
        self.verified = Some(Verified {
            at: now,
            sequence,
            object: object.clone(),
            profiles: profiles.to_vec(),
            certificate,
        });
    }

    fn end_requests(&mut self, end: impl Fn(&RequestState) -> RequestEnd) {
        for request in self.requests.iter_mut().filter(|request| request.is_open()) {
            request.end = end(request);
        }
    }

    /// Open requests stay, of the others the last ones.
    pub(super) fn forget_ended(&mut self) {
        let open = self.requests.iter().filter(|request| request.is_open()).count();
        let mut too_many = open.saturating_sub(OPEN_REQUESTS);
        self.requests.retain(|request| {
            let goes = too_many > 0 && request.is_open();
            too_many -= usize::from(goes);
            !goes
        });
        let ended = self.requests.iter().filter(|request| !request.is_open()).count();
        let mut superfluous = ended.saturating_sub(ENDED_REQUESTS);
        self.requests.retain(|request| {
            let goes = superfluous > 0 && !request.is_open();
            superfluous -= usize::from(goes);
            !goes
        });
    }

    /// Notes an object that was created; one that was created before is the latest now.
    pub fn note_created(&mut self, created: CreatedObject) {
        created.note_among(&mut self.created_objects, CREATED_OBJECTS);
    }

    /// The same for the object of an intermediate certificate.
    pub fn note_issuer(&mut self, created: CreatedObject) {
        created.note_among(&mut self.created_issuers, CREATED_OBJECTS);
    }

    /// Whether the device was seen to run the certificate with this fingerprint.
    #[must_use]
    pub fn runs(&self, fingerprint: Fingerprint) -> bool {
        matches!(self.state, State::Installed { .. })
            && self.verified.as_ref().is_some_and(|verified| verified.certificate.fingerprint == fingerprint)
    }
}

fn bindings(spec: &InstallSpec) -> Vec<Binding> {
    let configured = spec.profiles_configured;
    spec.profiles.iter().map(|profile| Binding { profile: profile.clone(), configured }).collect()
}
