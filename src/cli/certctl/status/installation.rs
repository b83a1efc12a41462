//! One object on one device, and what is to be thought of it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::Span;
use super::certmonger::Standing;
use crate::cli::certctl::terminal::Severity;
use crate::delivery::hold::{Hold, Reason};
use crate::delivery::{Attempt, Installation, State};
use crate::error::Exit;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::Problem;
use crate::install::result::LastRun;

/// By what installations are judged.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) now: DateTime<Utc>,
    pub(super) pending_for: Span,
    pub(super) expires_in: Span,
}

/// One object on one device.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its record, the orders in the queue included.
    pub(super) record: Installation,
    /// Whether its order is still in the queue.
    pub(super) queued: bool,
    /// Whether its profiles are those that use the object already.
    pub(super) is_where_used: bool,
    /// What certmonger says, if it was asked.
    pub(super) certmonger: Option<Standing>,
    /// What is wrong with it beside that.
    pub(super) faults: Vec<Fault>,
    /// What it waits for, if it is not to be delivered now.
    pub(super) hold: Option<Hold>,
}

/// Something that nobody mends by trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another installation has the same profile.
    ProfileClaimedTwice {
        /// The profile.
        profile: ProfileName,
        /// The other's object.
        by: ObjectName,
    },
    /// No profile presents it.
    NoProfile,
}

impl Fault {
    /// In one word, for other programs.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::ProfileClaimedTwice { .. } => "profile-claimed-twice",
            Self::NoProfile => "no-profile",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProfileClaimedTwice { profile, by } => write!(
                f,
                "the SSL/TLS profile '{profile}' is claimed by '{by}' as well: forget one of the two (pan_certctl forget)"
            ),
            Self::NoProfile => f.write_str("no SSL/TLS profile presents it"),
        }
    }
}

/// How an installation stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InstallState {
    Installed,
    Pending,
    Failed,
    LeftToCommit,
    LeftToPush,
    /// Taken over from the scripts, and not seen on the device yet.
    Adopted,
}

/// How the certificate on the device's end is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Long,
    NotLong,
    Expired,
}

/// What comes first in the table.
pub(super) type Place = (u8, DateTime<Utc>, DateTime<Utc>, String, String, String);

impl Row {
    pub(super) fn of(record: Installation, queued: bool) -> Self {
        Self { record, queued, is_where_used: false, certmonger: None, faults: Vec::new(), hold: None }
    }

    pub(super) fn how(&self) -> InstallState {
        match &self.record.state {
            _ if self.record.is_pending() => InstallState::Pending,
            _ if self.record.is_unseen() => InstallState::Adopted,
            State::Pending => InstallState::Pending,
            State::Installed { .. } => InstallState::Installed,
            State::Failed { .. } => InstallState::Failed,
            State::AwaitingCommit { .. } => InstallState::LeftToCommit,
            State::AwaitingPush { .. } => InstallState::LeftToPush,
        }
    }

    /// The name on the device, as far as it is known.
    pub(super) fn object(&self) -> &ObjectName {
        match (&self.record.state, &self.record.verified) {
            (State::Installed { object, .. }, _) => object,
            (_, Some(proven)) => &proven.object,
            _ => &self.record.spec.name,
        }
    }

    pub(super) fn installed_until(&self) -> Option<DateTime<Utc>> {
        self.record.verified.as_ref().map(|proven| proven.certificate.not_after)
    }

    /// Whether the device was last seen to run what is ordered; nothing where one of the two is not known.
    pub(super) fn runs_what_is_ordered(&self) -> Option<bool> {
        let (ordered, proven) = (self.record.spec.certificate.as_ref()?, self.record.verified.as_ref()?);
        Some(ordered.fingerprint == proven.certificate.fingerprint)
    }

    pub(super) fn last_attempt(&self) -> Option<&Attempt> {
        self.record.history.last()
    }

    /// What went wrong last, unless it is over.
    pub(super) fn problem(&self) -> Option<&Problem> {
        match &self.record.state {
            State::Failed { problem, .. } => Some(problem),
            State::Pending => self.last_attempt()?.problem.as_ref(),
            State::Installed { .. } | State::AwaitingCommit { .. } | State::AwaitingPush { .. } => None,
        }
    }

    /// The commit job of the last attempt.
    pub(super) fn job(&self) -> Option<&str> {
        self.record.job.as_deref().or_else(|| self.last_attempt()?.job.as_deref())
    }

    /// Since when a run is at it, or was when its process was ended.
    pub(super) fn under_way(&self) -> Option<DateTime<Utc>> {
        (self.record.last_run() == LastRun::Interrupted).then_some(self.record.started_at?)
    }

    pub(super) fn is_overdue(&self, limits: &Limits) -> bool {
        // What it waits for has an end, or a row of its own.
        let waits = |hold: &Hold| hold.until.is_some() || matches!(hold.reason, Reason::Canary { .. });
        !self.hold.as_ref().is_some_and(waits)
            && self.record.pending_since.is_some_and(|since| limits.now - since > limits.pending_for.length)
    }

    pub(super) fn lasts(&self, limits: &Limits) -> Expiry {
        match self.installed_until().map(|until| until - limits.now) {
            Some(left) if left.num_seconds() <= 0 => Expiry::Expired,
            Some(left) if left <= limits.expires_in.length => Expiry::NotLong,
            _ => Expiry::Long,
        }
    }

    /// What certmonger has to say that somebody should know.
    pub(super) fn certmongers_trouble(&self) -> Option<String> {
        self.certmonger.as_ref()?.trouble()
    }

    /// The exit codes that this calls for.
    pub(super) fn exits(&self, limits: &Limits) -> impl Iterator<Item = Exit> {
        let pending =
            self.is_overdue(limits).then(|| self.problem().map_or(Exit::Certificate, |problem| problem.exit));
        let expires = (self.lasts(limits) != Expiry::Long).then_some(Exit::Certificate);
        let not_renewed = self.certmonger.as_ref().is_some_and(Standing::needs_somebody);
        // Nobody tries it again: it is not a matter of time.
        let failed = (self.how() == InstallState::Failed)
            .then(|| self.problem().map_or(Exit::Certificate, |problem| problem.exit));
        let faulty = (!self.faults.is_empty()).then_some(Exit::Rebind);
        let not_renewed = not_renewed.then_some(Exit::Certmonger);
        pending.into_iter().chain(failed).chain(expires).chain(not_renewed).chain(faulty)
    }

    pub(super) fn mood(&self, limits: &Limits) -> Severity {
        if self.is_overdue(limits) || self.lasts(limits) == Expiry::Expired {
            Severity::Bad
        } else if self.how() != InstallState::Installed
            || self.lasts(limits) == Expiry::NotLong
            || self.certmongers_trouble().is_some()
            || !self.faults.is_empty()
        {
            Severity::Odd
        } else {
            Severity::Plain
        }
    }

    /// What needs attention comes first: what is pending for longest, then what ends soonest.
    pub(super) fn order_of_attention(&self, limits: &Limits) -> Place {
        let rank = match self.mood(limits) {
            Severity::Bad => 0,
            Severity::Odd => 1,
            Severity::Plain | Severity::Heading => 2,
        };
        let order = &self.record.spec;
        (
            rank,
            self.record.pending_since.unwrap_or(DateTime::<Utc>::MAX_UTC),
            self.installed_until().unwrap_or(DateTime::<Utc>::MAX_UTC),
            order.common_name.to_string(),
            order.device.to_string(),
            order.name.to_string(),
        )
    }
}

/// Notes what contradicts itself, among all installations.
pub(super) fn find_faults(all: &mut [Row], is_where_used: impl Fn(&Installation) -> bool) {
    let mut claimed: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, row) in all.iter().enumerate() {
        let key = row.record.key();
        for profile in row.record.profiles() {
            let place = (key.device.clone(), key.location.clone(), profile.to_string());
            claimed.entry(place).or_default().push(index);
        }
    }
    let mut found: Vec<(usize, Fault)> = Vec::new();
    for ((_, _, profile), indexes) in &claimed {
        for (at, index) in indexes.iter().enumerate() {
            let other = indexes
                .iter()
                .enumerate()
                .find(|(other, _)| *other != at)
                .and_then(|(_, other)| all.get(*other));
            if let (Some(other), Ok(profile)) = (other, profile.parse()) {
                found.push((
                    *index,
                    Fault::ProfileClaimedTwice { profile, by: other.record.spec.name.clone() },
                ));
            }
        }
    }
    for (index, fault) in found {
        all.get_mut(index).into_iter().for_each(|row| row.faults.push(fault.clone()));
    }
    let is_bare = |record: &Installation| record.profiles().is_empty() && !record.is_pending();
    for row in all.iter_mut() {
        row.is_where_used = is_where_used(&row.record);
        if is_bare(&row.record) && !row.is_where_used {
            row.faults.push(Fault::NoProfile);
        }
    }
}
