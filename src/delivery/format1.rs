//! Orders and records as version 0.1.0 wrote them, and what they mean today. Nothing is added here: the old format
//! does not change any more.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use panos_xmlapi::{Address, Fingerprint};
use serde::Deserialize;

use super::installation::Installation;
use super::request::{RequestEnd, RequestState};
use super::spec::{InstallSpec, Requester, UnresolvedSpec, VERSION};
use super::state::{Attempt, Binding, Incident, State, Verified};
use crate::error::Exit;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::problem::{Problem, RetryClass};
use crate::install::result::{CertificateFacts, CreatedObject, LastRun};
use crate::settings::SettingsError;
use crate::settings::certificate::Files;
use crate::settings::config::Config;
use crate::settings::location;
use crate::settings::resolve;
use crate::settings::words;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    id: String,
    at: DateTime<Utc>,
    by: Asker,
    common_name: CommonName,
    name: ObjectName,
    pub(super) device: Address,
    peer: Option<Address>,
    profiles: Vec<ProfileName>,
    certificate: Option<Facts>,
    #[serde(default)]
    served: Vec<Address>,
    files: Option<Files>,
    words: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Asker {
    uid: u32,
    sudo_user: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Facts {
    fingerprint: Fingerprint,
    serial: String,
    not_after: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    order: Order,
    owed_since: Option<DateTime<Utc>>,
    #[serde(default)]
    vouched: bool,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    run: String,
    begun: Option<DateTime<Utc>>,
    job: Option<String>,
    state: OldState,
    proven: Option<Proven>,
    #[serde(default)]
    made: Vec<Made>,
    #[serde(default)]
    touches: Vec<String>,
    incident: Option<OldIncident>,
    #[serde(default)]
    history: Vec<OldAttempt>,
}

#[derive(Debug, Clone, Deserialize)]
struct Proven {
    at: DateTime<Utc>,
    object: ObjectName,
    #[serde(flatten)]
    certificate: Facts,
}

#[derive(Debug, Clone, Deserialize)]
struct Made {
    object: ObjectName,
    fingerprint: Fingerprint,
    at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
struct OldIncident {
    since: DateTime<Utc>,
    told: String,
}

#[derive(Debug, Clone, Deserialize)]
struct OldAttempt {
    run: String,
    begun: DateTime<Utc>,
    problem: Option<OldProblem>,
    job: Option<String>,
    milliseconds: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct OldProblem {
    exit: Exit,
    what: String,
    advice: Option<String>,
    mended_by: Mender,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mender {
    Time,
    Person,
    Nobody,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum OldState {
    Owed,
    Installed {
        at: DateTime<Utc>,
        object: ObjectName,
        unchanged: bool,
    },
    LeftToCommit {
        at: DateTime<Utc>,
    },
    Failed {
        at: DateTime<Utc>,
        #[serde(flatten)]
        problem: OldProblem,
    },
}

impl From<Facts> for CertificateFacts {
    fn from(facts: Facts) -> Self {
        let Facts { fingerprint, serial, not_after } = facts;
        Self { fingerprint, serial, not_before: None, not_after }
    }
}

impl From<OldProblem> for Problem {
    fn from(problem: OldProblem) -> Self {
        let retry_class = match problem.mended_by {
            Mender::Time => RetryClass::Transient,
            Mender::Person => RetryClass::NeedsOperator,
            Mender::Nobody => RetryClass::Permanent,
        };
        Self { exit: problem.exit, what: problem.what, advice: problem.advice, retry_class }
    }
}

/// Where times said what came later, the time is the number: numbers that are given from now on are higher.
fn number(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_micros()).unwrap_or(0)
}

impl Order {
    /// The same as a request of today. The location is decided now, with the configuration file of this moment.
    pub(super) fn convert(self) -> Result<InstallSpec, SettingsError> {
        let options = words::read(&self.words)?;
        let configured = Config::load(options.config.as_deref())?;
        let whole = resolve::options_for(&options.device, &configured, &self.device.clone().into());
        Ok(InstallSpec {
            location: location::of(&whole)?,
            profiles_configured: options.device.profile.is_none() && !self.profiles.is_empty(),
            sequence: number(self.at),
            requested_at: self.at,
            requested_by: Requester { uid: self.by.uid, sudo_user: self.by.sudo_user },
            attended: false,
            list: None,
            id: self.id,
            common_name: self.common_name,
            name: self.name,
            device: self.device,
            peer: self.peer,
            profiles: self.profiles,
            certificate: self.certificate.map(CertificateFacts::from),
            served: self.served,
            files: self.files,
            options,
        })
    }

    /// The same as what can't be read as a request yet.
    pub(super) fn unresolved(self, error: &SettingsError) -> UnresolvedSpec {
        UnresolvedSpec {
            id: self.id,
            sequence: number(self.at),
            requested_at: self.at,
            requested_by: Requester { uid: self.by.uid, sudo_user: self.by.sudo_user },
            argv: self.words,
            directory: PathBuf::from("/"),
            problem: Problem {
                exit: error.exit(),
                what: error.to_string(),
                advice: error.advice(),
                retry_class: RetryClass::NeedsOperator,
            },
        }
    }
}

impl Record {
    /// The same as a record of today.
    pub(super) fn convert(self) -> Result<Installation, SettingsError> {
        let spec = self.order.convert()?;
        let verified = self.proven.map(|proven| Verified {
            at: proven.at,
            sequence: number(proven.at),
            object: proven.object,
            profiles: spec.profiles.clone(),
            certificate: proven.certificate.into(),
        });
        let state = match self.state {
            OldState::Owed => State::Pending,
            OldState::Installed { at, object, unchanged } => State::Installed { at, object, unchanged },
            OldState::LeftToCommit { at } => State::AwaitingCommit { at, object: None },
            OldState::Failed { at, problem } => State::Failed { at, problem: problem.into() },
        };
        let end = match &state {
            State::Installed { at, object, unchanged } => {
                RequestEnd::Done { at: *at, object: object.clone(), unchanged: *unchanged }
            }
            State::AwaitingCommit { at, object } => {
                RequestEnd::AwaitingCommit { at: *at, object: object.clone() }
            }
            State::AwaitingPush { at, object } => {
                RequestEnd::AwaitingPush { at: *at, object: object.clone() }
            }
            State::Failed { at, problem } if self.owed_since.is_none() => {
                RequestEnd::Failed { at: *at, problem: problem.clone() }
            }
            State::Failed { problem, .. } => RequestEnd::Open { problem: Some(problem.clone()) },
            State::Pending => RequestEnd::Open { problem: None },
        };
        let configured = spec.profiles_configured;
        let bindings = spec.profiles.iter().map(|profile| Binding { profile: profile.clone(), configured });
        let attempt = |old: OldAttempt| Attempt {
            run_id: old.run,
            started_at: old.begun,
            problem: old.problem.map(Problem::from),
            job: old.job,
            milliseconds: old.milliseconds,
            commit_milliseconds: None,
            push_milliseconds: None,
        };
        let created =
            |made: Made| CreatedObject { object: made.object, fingerprint: made.fingerprint, at: made.at };
        Ok(Installation {
            takes_over: Vec::new(),
            version: VERSION,
            bindings: bindings.collect(),
            list: None,
            other_targets: Vec::new(),
            requests: vec![RequestState { end, ..RequestState::of(&spec) }],
            pending_since: self.owed_since,
            // When it was to be tried again says nothing about how long that was meant to be: it is due.
            next_attempt: self.owed_since,
            gap: 0,
            confirmed: self.vouched,
            failures: self.failures,
            run_id: self.run,
            started_at: self.begun,
            job: self.job,
            state,
            verified,
            created_objects: self.made.into_iter().map(created).collect(),
            created_issuers: Vec::new(),
            uncommitted_paths: self.touches,
            uncommitted_changes: BTreeMap::new(),
            next_identities: Vec::new(),
            push: None,
            way_back: None,
            drift: None,
            has_changed_device: true,
            incident: self.incident.map(|old| Incident { since: old.since, reported: old.told }),
            history: self.history.into_iter().map(attempt).collect(),
            spec,
        })
    }
}

/// A record of today beside one of 0.1.0 for the same installation. Where it knows the old one's request it was made of
/// that, by a process that died before it could remove the file. Else a process of 0.1.0 has written the old one later: it
/// waited for the device while this version was installed, and looks for no record of today. Then what it was asked for
/// is one more request, of which nobody knows how it ended until the device was looked at.
pub(super) fn both(record: Installation, old: Installation, now: DateTime<Utc>) -> Installation {
    if record.request(&old.spec.id).is_some() {
        return record;
    }
    let later = (record.spec.sequence > old.spec.sequence).then(|| record.spec.clone());
    let mut both = Installation::ingest(old.spec.clone(), Some(record), now);
    both.spec = later.unwrap_or(both.spec);
    old.created_objects.iter().cloned().for_each(|created| both.note_created(created));
    if !old.uncommitted_paths.is_empty() {
        both.note_uncommitted(old.uncommitted_paths.iter().cloned());
    }
    if old.last_run() == LastRun::Interrupted {
        (both.state, both.started_at, both.job) = (old.state, old.started_at, old.job);
        both.run_id = old.run_id;
    }
    both
}
