//! The job queue: one at a time, in the order they came.

use std::time::{Duration, Instant};

use super::fleet::{PushEntry, PushOrder};
use crate::{clock, config::Snapshot, seconds::LONGEST, xml::Element};

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Pending,
    Active { since: Instant },
    Finished { ok: bool },
}

/// What a job does.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Makes changes running.
    Commit {
        snapshot: Snapshot,
        /// Lines with which it is to fail whatever it finds.
        fails: Option<Vec<String>>,
    },
    /// Only looks for what a commit would complain about.
    Validate { snapshot: Snapshot },
    /// Pushes from a Panorama to its firewalls.
    Push(Box<PushOrder>),
    /// Takes its time; `AutoCom` and `HA-Sync`.
    Nothing,
}

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) user: String,
    /// `Commit`, `Validate`, `AutoCom`, `HA-Sync`.
    pub(crate) kind: &'static str,
    pub(crate) description: String,
    pub(crate) work: Work,
    pub(crate) state: JobState,
    pub(crate) details: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// What a push came to on each firewall.
    pub(crate) devices: Vec<PushEntry>,
    /// Whether it went well; known when it has had its effect, shortly before its end.
    pub(crate) outcome: Option<bool>,
    /// Not before this moment does it start.
    pub(crate) not_before: Instant,
    pub(crate) duration: Duration,
    enqueued: String,
    started: String,
    finished: String,
}

impl Job {
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, JobState::Finished { .. })
    }

    /// When its effect is due. Nine tenths of the way: a commit that gives the management port
    /// another certificate is seen by that certificate before the job is over.
    pub(crate) fn effect_due(&self, since: Instant) -> Instant {
        since + self.duration.mul_f64(0.9)
    }

    pub(crate) fn start(&mut self, since: Instant) {
        self.state = JobState::Active { since };
        self.started = clock::stamp();
    }

    pub(crate) fn finish(&mut self) {
        let ok = self.outcome == Some(true);
        self.state = JobState::Finished { ok };
        self.finished = clock::stamp();
    }

    /// The `job` element, as in `show jobs`; `position` counts the jobs before it in the queue.
    pub(crate) fn describe(&self, position: usize, now: Instant) -> Element {
        let (status, result, progress) = match self.state {
            JobState::Pending => ("PEND", "PEND", 0),
            JobState::Active { since } => {
                let done = now.saturating_duration_since(since).as_secs_f64();
                let whole = self.duration.as_secs_f64().max(f64::EPSILON);
                // Bounded on both sides, so the conversion is exact.
                ("ACT", "PEND", (done / whole * 100.0).clamp(0.0, 99.0) as u8)
            }
            JobState::Finished { ok: true } => ("FIN", "OK", 100),
            JobState::Finished { ok: false } => ("FIN", "FAIL", 100),
        };
        let pending = self.state == JobState::Pending;
        let tfin = if self.is_finished() { self.finished.as_str() } else { "Still Active" };
        let lines = |name: &str, lines: &[String]| {
            let lines = if self.is_finished() { lines } else { &[] };
            Element::new(name).with(lines.iter().map(|line| Element::leaf("line", line)))
        };
        let job = Element::new("job").with([
            Element::leaf("tenq", &self.enqueued),
            Element::leaf("tdeq", self.started.get(11..).unwrap_or_default()),
            Element::leaf("id", self.id.to_string()),
            Element::leaf("user", &self.user),
            Element::leaf("type", self.kind),
            Element::leaf("status", status),
            Element::leaf("queued", if pending { "YES" } else { "NO" }),
            Element::leaf("stoppable", if pending { "yes" } else { "no" }),
            Element::leaf("result", result),
            Element::leaf("tfin", tfin),
            Element::leaf("description", &self.description),
            Element::leaf("positionInQ", position.to_string()),
            Element::leaf("progress", progress.to_string()),
            lines("details", &self.details),
            lines("warnings", &self.warnings),
        ]);
        match &self.work {
            Work::Push(order) => job.with(self.describe_push(order)),
            _ => job,
        }
    }

    /// What only a push has; while it runs, nothing is told of the firewalls.
    fn describe_push(&self, order: &PushOrder) -> Vec<Element> {
        let mut parts = vec![Element::leaf("push_type", order.kind)];
        if order.kind == "shared-policy" {
            parts.push(Element::leaf("dgname", &order.name));
        }
        if self.is_finished() {
            let entries = self.devices.iter().map(|entry| entry.describe(self.id));
            parts.push(Element::new("devices").with(entries));
        }
        parts
    }
}

/// All jobs since the device forgot them last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs {
    list: Vec<Job>,
    last_id: u64,
}

impl Jobs {
    /// Puts a job at the end of the queue; returns its number.
    pub(crate) fn enqueue(
        &mut self,
        user: &str,
        kind: &'static str,
        description: &str,
        work: Work,
        not_before: Instant,
        duration: Duration,
    ) -> u64 {
        self.last_id += 1;
        self.list.push(Job {
            id: self.last_id,
            user: user.to_owned(),
            kind,
            description: description.to_owned(),
            work,
            state: JobState::Pending,
            details: Vec::new(),
            warnings: Vec::new(),
            devices: Vec::new(),
            outcome: None,
            not_before,
            // Whatever a test asks for, the end is a moment that can be computed.
            duration: duration.min(LONGEST),
            enqueued: clock::stamp(),
            started: String::new(),
            finished: String::new(),
        });
        self.last_id
    }

    /// The automatic commit of a device that has been up for a while.
    pub(crate) fn begin(&mut self) {
        self.enqueue("", "AutoCom", "", Work::Nothing, Instant::now(), Duration::ZERO);
        if let Some(job) = self.head_mut() {
            job.start(job.not_before);
            job.outcome = Some(true);
            job.details = vec!["Configuration committed successfully".to_owned()];
            job.finish();
        }
    }

    pub(crate) fn find(&self, id: u64) -> Option<&Job> {
        self.list.iter().find(|job| job.id == id)
    }

    /// Notes what a push came to on one firewall, in place of what was known of it.
    pub(crate) fn tell_of(&mut self, id: u64, entry: PushEntry) {
        if let Some(job) = self.list.iter_mut().find(|job| job.id == id) {
            match job.devices.iter_mut().find(|known| known.serial == entry.serial) {
                Some(known) => *known = entry,
                None => job.devices.push(entry),
            }
        }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.list.iter()
    }

    /// The job whose turn it is.
    pub(crate) fn head_mut(&mut self) -> Option<&mut Job> {
        self.list.iter_mut().find(|job| !job.is_finished())
    }

    /// Jobs that are not over.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Job> {
        self.list.iter().filter(|job| !job.is_finished())
    }

    /// How many jobs are before this one in the queue, the running one not counted.
    pub(crate) fn position(&self, id: u64) -> usize {
        self.open().filter(|job| job.state == JobState::Pending && job.id < id).count()
    }

    /// Forgets everything; a running job never ends.
    pub(crate) fn forget(&mut self) {
        self.list.clear();
    }

    /// When the job whose turn it is will start, take effect or end.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        let job = self.open().next()?;
        Some(match job.state {
            JobState::Active { since } if job.outcome.is_some() => since + job.duration,
            JobState::Active { since } => job.effect_due(since),
            _ => job.not_before,
        })
    }
}
