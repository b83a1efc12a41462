//! Committing: one commit for all that was done, followed to its end whatever happens on the way.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::Instant;

use super::apply::Application;
use super::busy::while_blocked;
use super::failure::{Doing, Failure};
use super::fate::{Fate, Inquiry};
use super::request::CommitScope;
use super::undo::{Aftermath, may_have_taken_effect};
use super::verify::Goal;
use crate::delivery::Ledger;
use crate::panos::Job;
use crate::panos::JobOutcome;
use crate::panos::{self, Commit, CommitReply};

/// How often a commit is asked for whose request got lost on the way.
const ATTEMPTS: u32 = 3;

/// A commit that is wanted.
pub struct Wanted<'a> {
    /// Whose changes.
    pub scope: CommitScope,
    /// What is written beside it.
    pub description: String,
    /// What the device runs afterwards.
    pub goals: &'a [Goal],
    /// How long the job may take.
    pub time: Duration,
}

impl Application<'_> {
    /// Commits, and waits for the job's end. The records learn the job as soon as there is one.
    ///
    /// # Errors
    /// The failure, and what it means for the candidate configuration.
    pub async fn commit(
        &mut self,
        wanted: &Wanted<'_>,
        ledger: &mut Ledger<'_>,
    ) -> Result<(), (Failure, Aftermath)> {
        let scope = match wanted.scope {
            CommitScope::OwnChanges => {
                self.situation.learn_name(self.session).await.map_err(put_back)?;
                let name = self.situation.administrator.clone();
                panos::CommitScope::Administrator(
                    name.ok_or_else(|| put_back(Failure::AdministratorUnknown))?,
                )
            }
            CommitScope::Everybody | CommitScope::Nothing => panos::CommitScope::Full,
        };
        let commit = Commit { scope, locations: Vec::new(), description: wanted.description.clone() };
        self.log.say("Starting commit, please be patient.");
        let inquiry = Inquiry {
            session: self.session,
            goals: wanted.goals,
            patience: self.patience,
            time: wanted.time,
        };
        let begun = Instant::now();
        let deadline = begun + wanted.time;
        match self.enqueue(&commit, &inquiry, deadline).await? {
            CommitReply::NoChanges(words) => {
                self.log.say(&format!("commit: nothing to commit: \"{words}\""));
                // Because it runs already, because a job does it just now, or because the change is lost.
                inquiry.conclude(deadline).await?;
            }
            CommitReply::Job(id) => {
                // Should this process die while it waits, the records say which job to ask about.
                ledger.each(|record| record.job = Some(id.clone()));
                let (noted, ended) =
                    join(ledger.save(), self.follow(&id, &inquiry, (wanted.time, deadline))).await;
                // The commit goes on all the same; the records are written once more at the end.
                if let Err(error) = noted {
                    self.log.error(&error.to_string());
                }
                ended?;
            }
        }
        self.log.say(&format!("The commit took {} seconds to complete.", begun.elapsed().as_secs()));
        Ok(())
    }

    /// Asks for the commit, for as long as the device is busy or locked.
    async fn enqueue(
        &self,
        commit: &Commit,
        inquiry: &Inquiry<'_>,
        deadline: Instant,
    ) -> Result<CommitReply, (Failure, Aftermath)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let ask = async || self.session.commit(commit).await;
            let error = match while_blocked(self.session, self.log, self.deadline, ask).await {
                Ok(enqueued) => return Ok(enqueued),
                Err(error) if may_have_taken_effect(&error) => error,
                Err(error) => return Err(put_back(Failure::while_doing(Doing::Committing)(error))),
            };
            self.log.say(&format!("{error}; looking up whether the commit was begun."));
            match inquiry.fate(commit, deadline).await {
                Ok(Fate::Job(id)) => return Ok(CommitReply::Job(id)),
                Ok(Fate::Running) => return Ok(CommitReply::NoChanges("it runs already".to_owned())),
                Ok(Fate::Nothing(_)) if attempt < ATTEMPTS => {}
                Ok(Fate::Nothing(lack)) => return Err(put_back(Failure::NotCommitted(lack))),
                Err(failure) => {
                    let unknown = Failure::CommitUnknown { lost: error, since: Box::new(failure) };
                    return Err((unknown, Aftermath::LeaveAlone));
                }
            }
        }
    }

    async fn follow(
        &self,
        id: &str,
        inquiry: &Inquiry<'_>,
        (time, deadline): (Duration, Instant),
    ) -> Result<(), (Failure, Aftermath)> {
        let mut told = None;
        let end = self
            .session
            .wait_for_job(id, deadline, |job| {
                if job.progress != told {
                    tracing::debug!("job {id}: {:?} {:?}", job.status, job.progress);
                    told.clone_from(&job.progress);
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
                self.log.say(&format!("commit: failure: \"{}\"", lines.join("; ")));
                Err(put_back(Failure::CommitFailed { job: id.to_owned(), lines }))
            }
            JobOutcome::NotFound => {
                self.log.say(&format!(
                    "The device does not know job {id} any more; its running configuration decides."
                ));
                inquiry.conclude(deadline).await
            }
            JobOutcome::TimedOut(error) => {
                let seconds = time.as_secs();
                Err((Failure::CommitOpen { job: id.to_owned(), seconds, error }, Aftermath::LeaveAlone))
            }
            JobOutcome::Unavailable(error) => {
                Err((Failure::while_doing(Doing::Committing)(error), Aftermath::LeaveAlone))
            }
        }
    }

    fn tell_success(&self, job: &Job) {
        const USUAL: &str = "Configuration committed successfully";
        let words = match job.details.iter().find(|line| line.as_str() == USUAL) {
            Some(line) => line.clone(),
            None => job.details.join("; "),
        };
        self.log.say(&format!("commit: success: \"{words}\""));
        for warning in &job.warnings {
            self.log.say(&format!("commit: warning: \"{warning}\""));
        }
    }
}

fn put_back(failure: Failure) -> (Failure, Aftermath) {
    (failure, Aftermath::PutBack)
}
