//! What somebody else has installed and is looked after from now on.

use chrono::{DateTime, Utc};

use super::installation::Installation;
use super::spec::InstallSpec;
use super::state::State;

impl Installation {
    /// What somebody else has installed: nobody waits for it, nothing is delivered, and what the device runs has yet to
    /// be seen.
    #[must_use]
    pub fn adopt(spec: InstallSpec, now: DateTime<Utc>) -> Self {
        let mut record = Self::new(spec, now);
        (record.pending_since, record.next_attempt) = (None, None);
        record.requests.clear();
        record
    }

    /// Whether it was adopted, and not looked at since.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.state == State::Pending && !self.is_pending() && self.verified.is_none()
    }
}
