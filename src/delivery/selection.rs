//! Which of a device's records are delivered.

use chrono::{DateTime, Utc};

use super::installation::Installation;
use super::state::State;
use crate::install::problem::RetryClass;

/// Which of a device's records are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Those whose time has come.
    Due,
    /// All that is pending; what an operator has to act on, when its time has come.
    DueOrTransient,
    /// All that is pending, whatever was found out about it.
    All,
}

impl Selection {
    /// Whether a record is one of them.
    #[must_use]
    pub fn includes(self, record: &Installation, now: DateTime<Utc>) -> bool {
        match self {
            Self::Due => record.is_due(now),
            Self::DueOrTransient => record.is_pending() && (record.is_due(now) || !needs_operator(record)),
            Self::All => record.is_pending(),
        }
    }
}

fn needs_operator(record: &Installation) -> bool {
    let waits = [RetryClass::NeedsOperator, RetryClass::OnRequest];
    matches!(&record.state, State::Failed { problem, .. } if waits.contains(&problem.retry_class))
}
