//! Committing: one commit for all that was done, followed to its end whatever happens on the way.

use std::time::Duration;

use futures_util::future::join;
use panos_xmlapi::{Commit, CommitReply, Error, Job, JobOutcome, Location};
use tokio::time::Instant;

use super::apply::PlanRunner;
use super::blockers::retry_while_locked;
use super::commit_lookup::{CommitLookup, CommitStatus};
use super::error::{Activity, InstallError};
use super::events::Event;
use super::journal::{Entry, Journal};
use super::request::CommitScope;
use super::rollback::{Rollback, may_have_taken_effect};
use super::verify::ExpectedState;

/// How often a commit is asked for whose request got lost on the way.
const ATTEMPTS: u32 = 3;

/// A commit that is wanted.
pub struct CommitRequest<'a> {
    /// Whose changes.
    pub scope: CommitScope,
    /// On Panorama, the templates and stacks that it is limited to.
    pub locations: Vec<Location>,
    /// What is written beside it.
    pub description: String,
    /// What the device runs afterwards.
    pub goals: &'a [ExpectedState],
    /// How long the job may take.
    pub time: Duration,
}

impl PlanRunner<'_> {
    /// Commits, and waits for the job's end. The journal learns the job as soon as there is one.
    ///
    /// # Errors
    /// The failure, and what it means for the candidate configuration.
    pub async fn commit(
        &mut self,
        wanted: &CommitRequest<'_>,
        journal: &mut dyn Journal,
    ) -> Result<(), (InstallError, Rollback)> {
        let scope = match wanted.scope {
            CommitScope::OwnChanges => {
                self.state.fetch_administrator(self.session).await.map_err(restore_candidate)?;
                let name = self.state.administrator.clone();
                panos_xmlapi::CommitScope::Administrator(
                    name.ok_or_else(|| restore_candidate(InstallError::AdministratorUnknown))?,
                )
            }
            CommitScope::Everybody | CommitScope::Nothing => panos_xmlapi::CommitScope::Full,
        };
        let locations = wanted.locations.clone();
        let commit = Commit { scope, locations, description: wanted.description.clone() };
        self.events.tell(Event::CommitBegun);
        let lookup = CommitLookup {
            session: self.session,
            events: self.events,
            goals: wanted.goals,
            retry_policy: self.retry_policy,
            time: wanted.time,
        };
        let begun = Instant::now();
        let deadline = begun + wanted.time;
        match Box::pin(self.enqueue(&commit, &lookup, deadline)).await? {
            CommitReply::NoChanges(words) => {
                self.events.tell(Event::NothingToCommit(words));
                // Because it runs already, because a job does it just now, or because the change is lost.
                Box::pin(lookup.conclude(deadline)).await?;
            }
            CommitReply::Job(id) => {
                // Should this process die while it waits, the journal says which job to ask about.
                journal.note(Entry::CommitStarted(id.clone()));
                self.events.tell(Event::CommitJob(id.clone()));
                self.usual_commit.into_iter().for_each(|usual| self.events.tell(Event::CommitUsual(usual)));
                let follow = async {
                    let begun = Instant::now();
                    journal.stand_back().await;
                    self.follow(&id, &lookup, begun, (wanted.time, deadline)).await
                };
                let (noted, ended) = join(journal.sync(), follow).await;
                // The commit goes on all the same; it is written once more at the end.
                if let Err(error) = noted {
                    self.events.trouble(error.to_string());
                }
                ended?;
            }
        }
        self.events.tell(Event::Committed { took: begun.elapsed() });
        Ok(())
    }

    /// Asks for the commit, for as long as the device is busy or locked.
    async fn enqueue(
        &self,
        commit: &Commit,
        lookup: &CommitLookup<'_>,
        deadline: Instant,
    ) -> Result<CommitReply, (InstallError, Rollback)> {
        let mut attempt = 0;
        let mut commit = commit.clone();
        loop {
            attempt += 1;
            let ask = async || self.session.commit(&commit).await;
            let error = match retry_while_locked(self.session, self.events, self.deadline, ask).await {
                Ok(enqueued) => return Ok(enqueued),
                // Old releases and restricted roles refuse the text, not the commit.
                Err(Error::Refused(refusal))
                    if !commit.description.is_empty() && refusal.says("description") =>
                {
                    self.events.tell(Event::DescriptionRefused(refusal.to_string()));
                    commit.description.clear();
                    attempt -= 1;
                    continue;
                }
                Err(error) if may_have_taken_effect(&error) => error,
                Err(error) => {
                    return Err(restore_candidate(InstallError::during(Activity::Committing)(error)));
                }
            };
            self.events.tell(Event::CommitAnswerLost(error.to_string()));
            match lookup.status(&commit, deadline).await {
                Ok(CommitStatus::Job(id)) => return Ok(CommitReply::Job(id)),
                Ok(CommitStatus::Running) => return Ok(CommitReply::NoChanges("it runs already".to_owned())),
                Ok(CommitStatus::Nothing(_)) if attempt < ATTEMPTS => {}
                Ok(CommitStatus::Nothing(lack)) => {
                    return Err(restore_candidate(InstallError::NotCommitted(lack)));
                }
                Err(failure) => {
                    let unknown = InstallError::CommitUnknown { lost: error, since: Box::new(failure) };
                    return Err((unknown, Rollback::Unsafe));
                }
            }
        }
    }

    async fn follow(
        &self,
        id: &str,
        lookup: &CommitLookup<'_>,
        begun: Instant,
        (time, deadline): (Duration, Instant),
    ) -> Result<(), (InstallError, Rollback)> {
        let mut told = None;
        let end = self
            .session
            .wait_for_job_since(id, begun, self.usual_commit, deadline, |job| {
                if job.progress != told {
                    tracing::debug!("job {id}: {:?} {:?}", job.status, job.progress);
                    told.clone_from(&job.progress);
                    let percent = job.progress.as_deref().and_then(|percent| percent.parse().ok());
                    let percent = percent.filter(|percent| *percent <= 100);
                    self.events.tell(Event::CommitProgress { job: id.to_owned(), percent });
                }
            })
            .await;
        match end {
            JobOutcome::Done(job) => {
                self.tell_success(&job);
                Ok(())
            }
            JobOutcome::Failed(job) => {
                let lines = job.details.clone();
                self.events.tell(Event::CommitFailed(lines.clone()));
                Err(restore_candidate(InstallError::CommitFailed { job: id.to_owned(), lines }))
            }
            JobOutcome::NotFound => {
                self.events.tell(Event::CommitJobGone(id.to_owned()));
                lookup.conclude(deadline).await
            }
            JobOutcome::TimedOut(error) => {
                let seconds = time.as_secs();
                Err((InstallError::CommitTimedOut { job: id.to_owned(), seconds, error }, Rollback::Unsafe))
            }
            JobOutcome::Unavailable(error) => {
                Err((InstallError::during(Activity::Committing)(error), Rollback::Unsafe))
            }
        }
    }

    fn tell_success(&self, job: &Job) {
        const USUAL: &str = "Configuration committed successfully";
        let words = match job.details.iter().find(|line| line.as_str() == USUAL) {
            Some(line) => line.clone(),
            None => job.details.join("; "),
        };
        self.events.tell(Event::CommitSucceeded { words, warnings: job.warnings.clone() });
    }
}

fn restore_candidate(failure: InstallError) -> (InstallError, Rollback) {
    (failure, Rollback::Needed)
}
