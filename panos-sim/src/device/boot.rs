//! Switching off and on again.

use std::time::{Duration, Instant};

use super::{jobs::Work, locks::Locks, state::Device};
use crate::config::Scope;

impl Device {
    /// Restarts: jobs and locks are lost, the port is away, then an auto-commit runs.
    pub(crate) fn reboot(&mut self, now: Instant, outage: Duration, keeps_candidate: bool) {
        self.jobs.forget();
        self.locks = Locks::default();
        if !keeps_candidate {
            self.config.revert(&Scope::default());
        }
        self.leave_to_peer();
        self.interrupt(outage);
        self.booted = now + outage;
        let duration = self.settings.commit_duration;
        self.jobs.enqueue("", "AutoCom", "", Work::Nothing, self.booted, duration);
    }

    /// Whether the auto-commit of the last restart is not over yet.
    pub(crate) fn is_booting(&self) -> bool {
        self.jobs.open().any(|job| job.kind == "AutoCom")
    }
}
