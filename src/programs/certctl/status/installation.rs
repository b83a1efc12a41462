//! One object on one device, and what is to be thought of it.

use chrono::{DateTime, Utc};

use super::Span;
use super::certmonger::Standing;
use crate::delivery::{Attempt, Installation, State};
use crate::error::Exit;
use crate::install::names::ObjectName;
use crate::install::problem::Problem;
use crate::install::result::LastRun;
use crate::programs::certctl::screen::Mood;

/// By what installations are judged.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) now: DateTime<Utc>,
    pub(super) owed_for: Span,
    pub(super) expires_in: Span,
}

/// One object on one device.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its record, the orders in the queue included.
    pub(super) record: Installation,
    /// Whether its order is still in the queue.
    pub(super) queued: bool,
    /// What certmonger says, if it was asked.
    pub(super) certmonger: Option<Standing>,
}

/// How an installation stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Installed,
    Owed,
    Failed,
    LeftToCommit,
}

/// How the certificate on the device's end is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    Long,
    NotLong,
    Expired,
}

/// What comes first in the table.
pub(super) type Place = (u8, DateTime<Utc>, DateTime<Utc>, String, String, String);

impl Row {
    pub(super) fn of(record: Installation, queued: bool) -> Self {
        Self { record, queued, certmonger: None }
    }

    pub(super) fn how(&self) -> How {
        match &self.record.state {
            _ if self.record.is_pending() => How::Owed,
            State::Pending => How::Owed,
            State::Installed { .. } => How::Installed,
            State::Failed { .. } => How::Failed,
            State::AwaitingCommit { .. } => How::LeftToCommit,
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
            State::Installed { .. } | State::AwaitingCommit { .. } => None,
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
        self.record.pending_since.is_some_and(|since| limits.now - since > limits.owed_for.length)
    }

    pub(super) fn lasts(&self, limits: &Limits) -> Lasts {
        match self.installed_until().map(|until| until - limits.now) {
            Some(left) if left.num_seconds() <= 0 => Lasts::Expired,
            Some(left) if left <= limits.expires_in.length => Lasts::NotLong,
            _ => Lasts::Long,
        }
    }

    /// What certmonger has to say that somebody should know.
    pub(super) fn certmongers_trouble(&self) -> Option<String> {
        self.certmonger.as_ref()?.trouble()
    }

    /// The exit codes that this calls for.
    pub(super) fn exits(&self, limits: &Limits) -> impl Iterator<Item = Exit> {
        let owed =
            self.is_overdue(limits).then(|| self.problem().map_or(Exit::Certificate, |problem| problem.exit));
        let expires = (self.lasts(limits) != Lasts::Long).then_some(Exit::Certificate);
        let not_renewed = self.certmonger.as_ref().is_some_and(Standing::needs_somebody);
        owed.into_iter().chain(expires).chain(not_renewed.then_some(Exit::Certmonger))
    }

    pub(super) fn mood(&self, limits: &Limits) -> Mood {
        if self.is_overdue(limits) || self.lasts(limits) == Lasts::Expired {
            Mood::Bad
        } else if self.how() != How::Installed
            || self.lasts(limits) == Lasts::NotLong
            || self.certmongers_trouble().is_some()
        {
            Mood::Odd
        } else {
            Mood::Plain
        }
    }

    /// What needs attention comes first: what is owed for longest, then what ends soonest.
    pub(super) fn order_of_attention(&self, limits: &Limits) -> Place {
        let rank = match self.mood(limits) {
            Mood::Bad => 0,
            Mood::Odd => 1,
            Mood::Plain | Mood::Heading => 2,
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
