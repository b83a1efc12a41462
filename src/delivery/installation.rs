//! Installation records: what is installed where, and what is owed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::queue::Order;
use super::schedule::next_try;
use crate::fingerprint::Fingerprint;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::problem::{Mender, Problem};
use crate::panos::NextIdentity;

/// The format this program writes. A record of a later one is refused, not guessed at.
pub const VERSION: u32 = 1;
/// How many past attempts a record keeps.
pub const HISTORY: usize = 20;

/// What is known of one certificate object on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format, see [`VERSION`].
    pub version: u32,
    /// The order that is carried out, or was at last.
    #[serde(flatten)]
    pub order: Order,
    /// Since when the device has not been proven to run the certificate; nothing where it was.
    pub owed_since: Option<DateTime<Utc>>,
    /// When it is tried again, if it is owed.
    pub next_try: Option<DateTime<Utc>>,
    /// Whether certmonger was asked for the certificate, and vouched for it.
    #[serde(default)]
    pub vouched: bool,
    /// How many attempts have failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// The run that tried last; empty before the first one.
    #[serde(default)]
    pub run: String,
    /// When that run began.
    pub begun: Option<DateTime<Utc>>,
    /// Its commit job, once there is one.
    pub job: Option<String>,
    /// How it stands.
    pub state: State,
    /// What the device was proven to run at last.
    pub proven: Option<Proven>,
    /// The objects that were made on the device for this name, the latest last: what may be deleted again.
    #[serde(default)]
    pub made: Vec<Made>,
    /// The places on the device where something may be left that was changed and not committed.
    #[serde(default)]
    pub touches: Vec<String>,
    /// By which certificates the device and its HA peer are recognised once the commit has taken effect, as it was
    /// decided before it; empty as soon as that is known to be over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_identities: Vec<NextIdentity>,
    /// The trouble that a person was told of, for as long as it lasts.
    pub incident: Option<Incident>,
    /// The last attempts, the latest last; [`HISTORY`] at most.
    #[serde(default)]
    pub history: Vec<Attempt>,
}

/// An object that was made on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its name.
    pub object: ObjectName,
    /// The certificate in it.
    pub fingerprint: Fingerprint,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// A certificate, as far as a record needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// Its end.
    pub not_after: DateTime<Utc>,
}

/// A certificate that a device was seen to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// When that was seen.
    pub at: DateTime<Utc>,
    /// The object's name on the device.
    pub object: ObjectName,
    /// The certificate.
    #[serde(flatten)]
    pub certificate: CertificateFacts,
}

/// One attempt that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The run.
    pub run: String,
    /// When it began.
    pub begun: DateTime<Utc>,
    /// Why it failed; nothing where it did not.
    pub problem: Option<Problem>,
    /// The commit job, if there was one.
    pub job: Option<String>,
    /// Milliseconds of each phase.
    pub milliseconds: BTreeMap<String, u64>,
}

/// A trouble that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it began.
    pub since: DateTime<Utc>,
    /// What a person was told.
    pub told: String,
}

/// How an installation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Not begun, or begun and not known to be over.
    Owed,
    /// The device was seen to run this very certificate.
    Installed {
        /// When that was seen.
        at: DateTime<Utc>,
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before this run.
        unchanged: bool,
    },
    /// Uploaded and bound; a person has to commit.
    LeftToCommit {
        /// When.
        at: DateTime<Utc>,
    },
    /// The run failed.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        #[serde(flatten)]
        problem: Problem,
    },
}

/// How the last run left the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It came to its end.
    Settled,
    /// It did not: what it changed may be pending, and its commit running.
    InTheMiddle,
    /// With changes that a person is to commit.
    ForAPerson,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The device runs the certificate as this object, since this run or since before.
    Installed {
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before.
        unchanged: bool,
    },
    /// Uploaded and bound; a person has to commit.
    LeftToCommit,
    /// It failed.
    Failed(Problem),
}

impl Record {
    /// The record of an order that nothing has been done for. What is known from `before` is kept: what was made
    /// on the device, what may be left there, what it was proven to run.
    #[must_use]
    pub fn of(order: Order, before: Option<Self>) -> Self {
        let asked = order.at;
        let fresh = Self {
            version: VERSION,
            order,
            owed_since: Some(asked),
            next_try: Some(asked),
            vouched: false,
            failures: 0,
            run: String::new(),
            begun: None,
            job: None,
            state: State::Owed,
            proven: None,
            made: Vec::new(),
            touches: Vec::new(),
            next_identities: Vec::new(),
            incident: None,
            history: Vec::new(),
        };
        match before {
            None => fresh,
            Some(before) => {
                // What a run that died has left is told by its state, until the next one has settled it.
                let (state, begun) = match before.left() {
                    Left::Settled => (State::Owed, None),
                    Left::InTheMiddle | Left::ForAPerson => (before.state.clone(), before.begun),
                };
                // Owed without a break since the first of them.
                let owed_since = before.owed_since.or(fresh.owed_since);
                let (order, next_try) = (fresh.order, fresh.next_try);
                // The same again fails for the same reason: that is no news.
                let again =
                    order.certificate == before.order.certificate && order.words == before.order.words;
                let failures = if again { before.failures } else { 0 };
                Self { order, owed_since, next_try, vouched: false, failures, state, begun, ..before }
            }
        }
    }

    /// The certificate's common name.
    #[must_use]
    pub fn common_name(&self) -> &CommonName {
        &self.order.common_name
    }

    /// The profiles that are to present it.
    #[must_use]
    pub fn profiles(&self) -> &[ProfileName] {
        &self.order.profiles
    }

    /// Why the last attempt failed, if it did.
    #[must_use]
    pub fn last_problem(&self) -> Option<&Problem> {
        self.history.last().and_then(|attempt| attempt.problem.as_ref())
    }

    /// Something has changed since the device was proven to run the certificate: it is owed anew.
    pub fn reopen(&mut self, now: DateTime<Utc>) {
        (self.owed_since, self.next_try) = (self.owed_since.or(Some(now)), Some(now));
        (self.state, self.begun) = (State::Owed, None);
    }

    /// How the last run left the device.
    #[must_use]
    pub fn left(&self) -> Left {
        match &self.state {
            State::Owed if self.begun.is_some() => Left::InTheMiddle,
            State::LeftToCommit { .. } => Left::ForAPerson,
            _ => Left::Settled,
        }
    }

    /// Whether the device has yet to be proven to run the certificate.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        self.owed_since.is_some()
    }

    /// Whether it is to be tried now.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.is_owed() && (self.left() == Left::InTheMiddle || self.next_try.is_none_or(|at| at <= now))
    }

    /// A run begins.
    pub fn begin(&mut self, run: &str, now: DateTime<Utc>) {
        self.run = run.to_owned();
        self.begun = Some(now);
        self.job = None;
        self.state = State::Owed;
    }

    /// A run is over.
    pub fn finish(&mut self, end: &End, phases: &[(&'static str, f64)], now: DateTime<Utc>) {
        let problem = match end {
            End::Failed(problem) => Some(problem.clone()),
            End::Installed { .. } | End::LeftToCommit => None,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no run takes that long")]
        let milliseconds =
            phases.iter().map(|(name, seconds)| ((*name).to_owned(), (seconds * 1000.0) as u64)).collect();
        let begun = self.begun.unwrap_or(now);
        self.history.push(Attempt {
            run: self.run.clone(),
            begun,
            problem,
            job: self.job.clone(),
            milliseconds,
        });
        let superfluous = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..superfluous);
        self.settle(end, now);
    }

    fn settle(&mut self, end: &End, now: DateTime<Utc>) {
        match end {
            End::Installed { object, unchanged } => {
                self.state = State::Installed { at: now, object: object.clone(), unchanged: *unchanged };
                self.prove(object, now);
            }
            End::LeftToCommit => {
                self.state = State::LeftToCommit { at: now };
                (self.owed_since, self.next_try, self.failures) = (None, None, 0);
                self.touches.clear();
            }
            End::Failed(problem) => {
                self.state = State::Failed { at: now, problem: problem.clone() };
                self.failures = self.failures.saturating_add(1);
                // An order for a certificate that nobody has ever seen is a mistake, and no debt.
                let unknown = self.order.certificate.is_none() && self.proven.is_none();
                if problem.mended_by == Mender::Nobody || (unknown && problem.mended_by == Mender::Person) {
                    self.owed_since = None;
                }
                self.next_try = self.is_owed().then(|| next_try(self, problem, now));
            }
        }
    }

    /// The device was seen to run what was ordered, as this object.
    pub fn prove(&mut self, object: &ObjectName, now: DateTime<Utc>) {
        if !matches!(self.state, State::Installed { .. }) {
            self.state = State::Installed { at: now, object: object.clone(), unchanged: true };
        }
        (self.owed_since, self.next_try, self.failures) = (None, None, 0);
        self.touches.clear();
        if let Some(certificate) = self.order.certificate.clone() {
            self.proven = Some(Proven { at: now, object: object.clone(), certificate });
        }
    }

    /// Notes an object that was made; one that was made before is the latest now.
    pub fn note_made(&mut self, made: Made) {
        self.made.retain(|other| other.object != made.object);
        self.made.push(made);
    }

    /// Whether the device was seen to run the certificate with this fingerprint.
    #[must_use]
    pub fn proves(&self, fingerprint: Fingerprint) -> bool {
        matches!(self.state, State::Installed { .. })
            && self
                .order
                .certificate
                .as_ref()
                .is_some_and(|certificate| certificate.fingerprint == fingerprint)
    }
}
