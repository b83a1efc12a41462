//! What is done on one device, and the words for it.

use std::time::{Duration, Instant};

use crate::install::events::{Event, Wait};

/// Who waits for longer is shown before others, where there is not room for all.
const HELD_UP: Duration = Duration::from_secs(2);

/// What is done on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// Since when the device is worked on.
    since: Instant,
    doing: &'static str,
    job: Option<String>,
    /// Whether that is a push job.
    is_push: bool,
    percent: Option<u8>,
    /// When the commit job usually ends, and how long it takes then.
    usual: Option<(Instant, Duration)>,
    /// What it waits for, and since when.
    waiting: Option<(Instant, String)>,
    /// Whether another process works on the device, so that nothing is done there by this one.
    is_reserving: bool,
    /// Whether this run has asked for a commit.
    has_committed: bool,
}

/// What a process does on a device, for whoever interrupts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// It waits for another process that works there.
    Waits,
    /// It works there.
    Works {
        /// Whether it has asked for a commit.
        has_committed: bool,
        /// The job that the device works on, in words.
        job: Option<String>,
    },
}

impl Work {
    pub(super) fn begin(doing: &'static str) -> Self {
        let since = Instant::now();
        Self {
            since,
            doing,
            job: None,
            is_push: false,
            percent: None,
            usual: None,
            waiting: None,
            is_reserving: false,
            has_committed: false,
        }
    }

    /// A run begins on the device, which is this process's now.
    pub(super) fn begin_run(&mut self) {
        *self = Self { since: self.since, ..Self::begin("start") };
    }

    /// Another process works on the device.
    pub(super) fn reserve(&mut self, holder: String) {
        self.is_reserving = true;
        self.wait_for(holder);
    }

    /// The same for whoever interrupts it.
    pub(super) fn standing(&self) -> Doing {
        match self.is_reserving {
            true => Doing::Waits,
            false => Doing::Works { has_committed: self.has_committed, job: self.job() },
        }
    }

    /// Something else is done now; the seconds go on.
    pub(super) fn turn_to(&mut self, doing: &'static str) {
        *self = Self { since: self.since, has_committed: self.has_committed, ..Self::begin(doing) };
    }

    pub(super) fn wait_for(&mut self, what: String) {
        self.wait(Some(what));
    }

    /// It waits for this, for as long as it has waited for anything.
    fn wait(&mut self, what: Option<String>) {
        let since = self.waiting.take().map_or_else(Instant::now, |(since, _)| since);
        self.waiting = what.map(|what| (since, what));
    }

    /// For how long the device has been worked on.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether it has waited for so long that somebody should see for what.
    pub(super) fn is_held_up(&self) -> bool {
        self.waiting.as_ref().is_some_and(|(since, _)| since.elapsed() >= HELD_UP)
    }

    /// It has waited for longer than one can see.
    #[cfg(test)]
    pub(super) fn hold_up(&mut self, what: &str) {
        self.waiting = Instant::now().checked_sub(HELD_UP).map(|since| (since, what.to_owned()));
    }

    /// The job that the device works on, in words, once there is one: a push from there on.
    fn job(&self) -> Option<String> {
        let kind = if self.is_push { "push" } else { "commit" };
        self.job.as_ref().map(|job| format!("{kind} job {job}"))
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::PhaseBegun(phase) => self.turn_to(phase.name()),
            Event::PhaseEnded { .. } => {}
            Event::Waiting(wait) => self.wait_for(waiting(wait)),
            Event::PuttingBack => self.turn_to("put back"),
            Event::CommitJob(job) => {
                (self.job, self.is_push, self.has_committed) = (Some(job.clone()), false, true);
            }
            Event::CommitUsual(usual) => self.usual = Some((Instant::now() + *usual, *usual)),
            Event::CommitProgress { job, percent } => {
                (self.job, self.percent, self.waiting) = (Some(job.clone()), *percent, None);
            }
            Event::PushBegun { .. } => self.turn_to("push"),
            Event::PushJob { job, .. } => (self.job, self.is_push) = (Some(job.clone()), true),
            Event::PushProgress { job, percent, done, failed, pending } => {
                (self.job, self.percent, self.is_push) = (Some(job.clone()), *percent, true);
                // Nothing is told of the firewalls before the job itself is over.
                let told = format!("{pending} firewalls ({done} done, {failed} failed)");
                self.wait((*pending > 0).then_some(told));
            }
            Event::PushLooked { seen, total } => {
                self.turn_to("verify");
                self.wait((seen < total).then(|| format!("{} of {total} firewalls", total - seen)));
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
        self.waiting.as_ref().map_or(Ok(()), |(_, waiting)| write!(f, ", waiting: {waiting}"))
    }
}

fn waiting(wait: &Wait) -> String {
    match wait {
        Wait::Device { by: Some(by), .. } => by.clone(),
        Wait::Device { refusal, by: None } => refusal.clone(),
        Wait::PendingChange(found) => found.clone(),
        Wait::EarlierJob(job) => format!("commit job {job}, which was there before, is still running"),
        Wait::EarlierPush(job) => format!("push job {job}, which was there before, is still running"),
        Wait::OtherDevices => "as many others are being changed as max_commits allows".to_owned(),
        Wait::PeerSync => "the HA peer gets the configuration".to_owned(),
        Wait::Endpoints(endpoints) => {
            let all: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            format!("the new certificate at {}", all.join(", "))
        }
    }
}
