//! What became of a commit whose answer got lost or whose job is gone: looked up, never guessed.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Doing, Failure};
use super::patience::Patience;
use super::undo::Aftermath;
use super::verify::Goal;
use crate::panos::Commit;
use crate::panos::Error;
use crate::panos::JobOutcome;
use crate::panos::Session;
use crate::panos::{Job, JobState};

/// What became of a commit request.
pub(super) enum Fate {
    /// It is this job.
    Job(String),
    /// The device runs what was wanted.
    Running,
    /// Neither: the request never took effect. What is missing on the device, in words.
    Nothing(String),
}

/// What is needed to look it up.
pub(super) struct Inquiry<'a> {
    /// The device.
    pub(super) session: &'a Session,
    /// What the device is to run.
    pub(super) goals: &'a [Goal],
    /// How long to insist.
    pub(super) patience: &'a Patience,
    /// The time that is allowed for it all, for messages.
    pub(super) time: Duration,
}

impl Inquiry<'_> {
    /// Looks up what became of a commit request that got no answer: our job is known by the run's id in its
    /// description, and where there is none, the running configuration decides.
    pub(super) async fn fate(&self, commit: &Commit, deadline: Instant) -> Result<Fate, Failure> {
        let jobs = jobs(self.session, self.patience).await?;
        let ours = |job: &&Job| {
            job.description.as_deref().is_some_and(|description| description.contains(&commit.description))
        };
        let number = |job: &Job| job.id.as_ref()?.parse::<u64>().ok();
        match jobs.iter().filter(ours).max_by_key(|job| number(job)).and_then(|job| job.id.clone()) {
            Some(id) => Ok(Fate::Job(id)),
            None => match self.lack(deadline).await? {
                None => Ok(Fate::Running),
                Some(lack) => Ok(Fate::Nothing(lack)),
            },
        }
    }

    /// The running configuration decides whether this commit took place.
    ///
    /// # Errors
    /// It did not, and the candidate configuration is to be put back; or nobody can tell.
    pub(super) async fn conclude(&self, deadline: Instant) -> Result<(), (Failure, Aftermath)> {
        match self.lack(deadline).await {
            Ok(None) => Ok(()),
            Ok(Some(lack)) => Err((Failure::NotCommitted(lack), Aftermath::PutBack)),
            Err(failure) => Err((failure, Aftermath::LeaveAlone)),
        }
    }

    /// What the device's running configuration lacks, once no job can change it any more.
    async fn lack(&self, deadline: Instant) -> Result<Option<String>, Failure> {
        await_commits(self.session, self.patience, (self.time, deadline), |_| true).await?;
        for goal in self.goals {
            let lack = self.patience.insist(async || goal.lack(self.session).await).await?;
            if lack.is_some() {
                return Ok(lack);
            }
        }
        Ok(None)
    }
}

async fn jobs(session: &Session, patience: &Patience) -> Result<Vec<Job>, Failure> {
    let committing = Failure::while_doing(Doing::Committing);
    patience.insist(async || session.jobs().await.map_err(committing)).await
}

/// Waits until no commit of these is open, the one after a restart included; whether any was.
///
/// # Errors
/// A job that is not over in time; a device that fails or refuses. Nothing was changed.
pub(super) async fn await_commits(
    session: &Session,
    patience: &Patience,
    (time, deadline): (Duration, Instant),
    of: impl Fn(&Job) -> bool,
) -> Result<bool, Failure> {
    let mut waited = false;
    loop {
        // Entries of failed jobs have no status.
        let is_open = |job: &Job| job.status.is_some() && job.state() == JobState::Running;
        let commits = |job: &Job| matches!(job.kind.as_deref(), Some("Commit" | "AutoCom")) && of(job);
        let open = jobs(session, patience).await?.into_iter().find(|job| is_open(job) && commits(job));
        let Some(id) = open.and_then(|job| job.id) else { return Ok(waited) };
        waited = true;
        tracing::debug!("job {id} is waited for");
        let open =
            |error: Option<Error>| Failure::CommitOpen { job: id.clone(), seconds: time.as_secs(), error };
        match session.wait_for_job(&id, deadline, |_| {}).await {
            JobOutcome::Done(_) | JobOutcome::Failed(_) | JobOutcome::NotFound => {}
            JobOutcome::TimedOut(error) => return Err(open(error)),
            JobOutcome::Unavailable(error) => return Err(open(Some(error))),
        }
    }
}
