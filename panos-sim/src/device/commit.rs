//! Commits: from the request to a job, and from the job to the running configuration.

use std::time::Instant;

use super::{
    accounts::Session,
    jobs::{JobState, Work},
    state::Device,
};
use crate::{
    WhenBooting, WhenBusy,
    config::{Scope, complaints},
    refusal::Refusal,
};

/// What somebody wants committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commission {
    pub(crate) scope: Scope,
    pub(crate) force: bool,
    pub(crate) description: String,
}

/// What a commit request is answered, when it is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitAnswer {
    /// It will run as this job.
    Enqueued(u64),
    /// Nobody has changed anything.
    NoChanges,
    /// What it would do has been done, or a queued job does it.
    SameAsBefore,
}

impl Device {
    /// Enqueues a commit.
    pub(crate) fn commit(
        &mut self,
        session: &Session,
        commission: &Commission,
        now: Instant,
    ) -> Result<CommitAnswer, Refusal> {
        if self.is_booting() {
            return Err(Refusal::line(match self.settings.when_booting {
                WhenBooting::InProgress => "A commit is in progress.",
                WhenBooting::NotQueued => "Commit job was not queued since auto-commit not yet finished",
            }));
        }
        self.locks.allow_commit(&session.administrator)?;
        if self.settings.when_busy == WhenBusy::Refuse && self.jobs.open().next().is_some() {
            return Err(Refusal::line("Another commit/validate is in progress. Please try again later"));
        }
        if !commission.force {
            let mut pending = self.config.pending(&commission.scope).peekable();
            if pending.peek().is_none() {
                return Ok(if commission.scope.is_partial() {
                    CommitAnswer::SameAsBefore
                } else {
                    CommitAnswer::NoChanges
                });
            }
            let queued = |change| {
                self.jobs.open().any(|job| match &job.work {
                    Work::Commit { snapshot, .. } => snapshot.holds(change),
                    _ => false,
                })
            };
            if pending.all(queued) {
                return Ok(CommitAnswer::SameAsBefore);
            }
        }
        let work = Work::Commit {
            snapshot: self.config.snapshot(&commission.scope),
            fails: self.next_commit_fails.take(),
        };
        let id = self.enqueue(&session.administrator, "Commit", &commission.description, work, now);
        Ok(CommitAnswer::Enqueued(id))
    }

    /// Enqueues a look at what a commit would complain about.
    pub(crate) fn validate(&mut self, session: &Session, scope: &Scope, now: Instant) -> u64 {
        let snapshot = self.config.snapshot(scope);
        let work = Work::Validate { snapshot };
        self.enqueue(&session.administrator, "Validate", "", work, now)
    }

    /// Puts a job into the queue; returns its number.
    pub(crate) fn enqueue(
        &mut self,
        user: &str,
        kind: &'static str,
        description: &str,
        work: Work,
        now: Instant,
    ) -> u64 {
        self.commits += u64::from(kind == "Commit");
        let not_before = now + self.settings.queue_delay;
        let duration = self.settings.commit_duration;
        let id = (self.jobs).enqueue(user, kind, description, work, not_before, duration);
        self.run_jobs(now);
        id
    }

    /// Starts, carries out and ends the jobs that are due.
    pub(super) fn run_jobs(&mut self, now: Instant) {
        let mut free_since = None;
        while let Some(job) = self.jobs.head_mut() {
            match job.state {
                JobState::Active { since } if job.outcome.is_none() => {
                    if now < job.effect_due(since) {
                        return;
                    }
                    let (id, work) = (job.id, job.work.clone());
                    let result = self.carry_out(id, work, now);
                    let warnings = self.settings.commit_warnings.clone();
                    if let Some(job) = self.jobs.head_mut() {
                        job.outcome = Some(result.is_ok());
                        if result.is_ok() && job.kind == "Commit" {
                            job.warnings = warnings;
                        }
                        job.details = result.unwrap_or_else(|lines| lines);
                    }
                }
                JobState::Active { since } => {
                    let end = since + job.duration;
                    if now < end {
                        return;
                    }
                    free_since = Some(end);
                    self.end_of_head();
                }
                _ => {
                    let start = job.not_before.max(free_since.unwrap_or(job.not_before));
                    if now < start {
                        return;
                    }
                    job.start(start);
                }
            }
        }
    }

    /// The effect of a job; the lines that its end shows, of success or of failure.
    fn carry_out(&mut self, job: u64, work: Work, now: Instant) -> Result<Vec<String>, Vec<String>> {
        let done = "Configuration committed successfully".to_owned();
        match work {
            Work::Commit { snapshot, fails } => {
                let outcome = self.config.outcome(&snapshot);
                refuse(fails.unwrap_or_else(|| complaints(&self.config.effective(&outcome))))?;
                let mut lines = Vec::new();
                if snapshot.is_partial() {
                    lines.push(format!(
                        "Partial changes to commit: changes to configuration by administrators: {}",
                        snapshot.owners().join(", ")
                    ));
                }
                lines.push(done);
                let before = self.api_key_certificate();
                self.config.install(outcome);
                self.fleet.committed(snapshot.changes());
                if self.api_key_certificate() != before {
                    self.accounts.expire_all();
                }
                self.reload_management();
                self.start_sync(now);
                Ok(lines)
            }
            Work::Validate { snapshot } => {
                refuse(complaints(&self.config.effective(&self.config.outcome(&snapshot))))?;
                Ok(vec!["Configuration is valid".to_owned()])
            }
            Work::Push(order) => {
                let entries = self.push(job, &order, now);
                let failed = entries.iter().any(|entry| entry.result == "FAIL" && !entry.quiet);
                entries.into_iter().for_each(|entry| self.jobs.tell_of(job, entry));
                if failed { Err(Vec::new()) } else { Ok(Vec::new()) }
            }
            Work::Nothing => Ok(vec![done]),
        }
    }

    fn end_of_head(&mut self) {
        let Some(job) = self.jobs.head_mut() else {
            return;
        };
        job.finish();
        if job.outcome == Some(true) && matches!(job.work, Work::Commit { .. }) {
            let user = job.user.clone();
            self.locks.drop_all_of(&user);
        }
    }
}

/// Fails with these complaints and the line that ends them, unless there are none.
fn refuse(mut complaints: Vec<String>) -> Result<(), Vec<String>> {
    if complaints.is_empty() {
        return Ok(());
    }
    let last = "Commit failed";
    if complaints.last().is_none_or(|line| line != last) {
        complaints.push(last.to_owned());
    }
    Err(complaints)
}
