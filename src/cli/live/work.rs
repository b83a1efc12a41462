//! What is done on one device, and the words for it.

use std::time::{Duration, Instant};

use crate::install::events::{Event, Wait};

/// What is done on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// Since when the device is worked on.
    since: Instant,
    doing: &'static str,
    job: Option<String>,
    percent: Option<u8>,
    /// When the commit job usually ends, and how long it takes then.
    usual: Option<(Instant, Duration)>,
    waiting: Option<String>,
}

impl Work {
    pub(super) fn begin(doing: &'static str) -> Self {
        Self { since: Instant::now(), doing, job: None, percent: None, usual: None, waiting: None }
    }

    /// Something else is done now; the seconds go on.
    pub(super) fn turn_to(&mut self, doing: &'static str) {
        *self = Self { since: self.since, ..Self::begin(doing) };
    }

    pub(super) fn wait_for(&mut self, what: String) {
        self.waiting = Some(what);
    }

    /// For how long the device has been worked on.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// The commit job, once there is one.
    pub(super) fn job(&self) -> Option<&str> {
        self.job.as_deref()
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::PhaseBegun(phase) => self.turn_to(phase.name()),
            Event::PhaseEnded { .. } => {}
            Event::Waiting(wait) => self.waiting = Some(waiting(wait)),
            Event::PuttingBack => self.turn_to("put back"),
            Event::CommitJob(job) => self.job = Some(job.clone()),
            Event::CommitUsual(usual) => self.usual = Some((Instant::now() + *usual, *usual)),
            Event::CommitProgress { job, percent } => {
                (self.job, self.percent, self.waiting) = (Some(job.clone()), *percent, None);
            }
            Event::PushBegun { .. } => self.turn_to("push"),
            Event::PushJob { job, .. } => self.job = Some(job.clone()),
            Event::PushProgress { job, percent, done, failed, pending } => {
                (self.job, self.percent) = (Some(job.clone()), *percent);
                // Nothing is told of the firewalls before the job itself is over.
                let told = format!("{pending} firewalls ({done} done, {failed} failed)");
                self.waiting = (*pending > 0).then_some(told);
            }
            Event::PushLooked { seen, total } => {
                self.turn_to("verify");
                self.waiting = (seen < total).then(|| format!("{} of {total} firewalls", total - seen));
            }
            Event::CommitSucceeded { .. } | Event::CommitFailed(_) | Event::CommitJobGone(_) => {
                self.turn_to(self.doing);
            }
            _ => self.waiting = None,
        }
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.doing)?;
        if let Some(percent) = self.percent {
            write!(f, " {percent} %")?;
        }
        if let Some(job) = &self.job {
            write!(f, " (job {job})")?;
        }
        if let Some((end, usual)) = self.usual {
            match end.saturating_duration_since(Instant::now()).as_secs() {
                0 if end.elapsed() > usual / 10 => write!(f, ", usually {} s", usual.as_secs())?,
                left => write!(f, ", about {} s left", left + 1)?,
            }
        }
        self.waiting.as_ref().map_or(Ok(()), |waiting| write!(f, ", waiting: {waiting}"))
    }
}

fn waiting(wait: &Wait) -> String {
    match wait {
        Wait::Device { by: Some(by), .. } => by.clone(),
        Wait::Device { refusal, by: None } => refusal.clone(),
        Wait::PendingChange(found) => found.clone(),
        Wait::EarlierJob(job) => format!("commit job {job}, which was there before, is still running"),
        Wait::PeerSync => "the HA peer gets the configuration".to_owned(),
        Wait::Endpoints(endpoints) => {
            let all: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            format!("the new certificate at {}", all.join(", "))
        }
    }
}
