//! How long each phase of a run takes.

use std::time::{Duration, Instant};

/// The phases of a run, as they are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, TCP, TLS and the first question.
    Connect,
    /// Looking at the device.
    Check,
    /// The upload.
    Import,
    /// The profiles.
    Bind,
    /// The commit job.
    Commit,
    /// Looking at the running configuration.
    Verify,
}

impl Phase {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Connect, "connect"),
        (Self::Check, "check"),
        (Self::Import, "import"),
        (Self::Bind, "bind"),
        (Self::Commit, "commit"),
        (Self::Verify, "verify"),
    ];
}

/// How long each phase took.
#[derive(Debug)]
pub struct Stopwatch {
    begun: Instant,
    current: Option<(Phase, Instant)>,
    times: Vec<(Phase, Duration)>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

impl Stopwatch {
    /// Starts counting.
    #[must_use]
    pub fn new() -> Self {
        Self { begun: Instant::now(), current: None, times: Vec::new() }
    }

    /// Ends the current phase and begins another.
    pub fn begin(&mut self, phase: Phase) {
        self.stop();
        self.current = Some((phase, Instant::now()));
    }

    /// Ends the current phase.
    pub fn stop(&mut self) {
        if let Some((phase, since)) = self.current.take() {
            self.times.push((phase, since.elapsed()));
        }
    }

    /// Each phase with its seconds, 0 where it was not reached, and the total.
    #[must_use]
    pub fn phases(&self) -> Vec<(&'static str, f64)> {
        let spent = |wanted: Phase| -> f64 {
            let times = self.times.iter().filter(|(phase, _)| *phase == wanted);
            times.map(|(_, time)| *time).sum::<Duration>().as_secs_f64()
        };
        let total = ("total", self.begun.elapsed().as_secs_f64());
        Phase::ALL.iter().map(|(phase, name)| (*name, spent(*phase))).chain(std::iter::once(total)).collect()
    }
}
