//! When a place may be changed: what the configuration file says of windows, canaries and jitter.

use chrono::TimeDelta;

use super::destination::Destination;
use super::window::Windows;

/// How soon a certificate has to end so that no window is waited for, unless somebody says otherwise.
pub const WINDOW_OVERRIDE: TimeDelta = TimeDelta::hours(72);

/// What counts for one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// All of these have to be open.
    pub windows: Vec<Windows>,
    /// When the certificate that runs there ends within so much time, nothing is waited for.
    pub window_override: TimeDelta,
    /// Over how much time deliveries are spread.
    pub jitter: TimeDelta,
    /// Who goes first.
    pub canaries: Vec<CanaryRule>,
}

/// Those of a group that go first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryRule {
    /// The group.
    pub group: String,
    /// The members that go first.
    pub canaries: Vec<Destination>,
    /// How long they have to run the certificate.
    pub proven_for: TimeDelta,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            window_override: WINDOW_OVERRIDE,
            jitter: TimeDelta::zero(),
            canaries: Vec::new(),
        }
    }
}

impl Schedule {
    /// Whether nothing is ever waited for.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.windows.is_empty() && self.canaries.is_empty() && self.jitter.is_zero()
    }
}
