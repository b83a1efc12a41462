//! What became of a commit whose answer got lost or whose job is gone: looked up, never guessed.

use std::time::Duration;

use panos_xmlapi::{Commit, Error, Job, JobOutcome, JobState, Session};
use tokio::time::Instant;

use super::error::{Activity, InstallError};
use super::events::{Event, Events, Wait};
use super::retry::RetryPolicy;
use super::rollback::Rollback;
use super::verify::ExpectedState;

/// Between two looks at a list of jobs that contradicts a job's own answer.
const BEHIND: Duration = Duration::from_millis(500);

/// What became of a commit request.
pub(super) enum CommitStatus {
    /// It is this job.
    Job(String),
    /// The device runs what was wanted.
    Running,
    /// Neither: the request never took effect. What is missing on the device, in words.
    Nothing(String),
}

/// What is needed to look it up.
pub(super) struct CommitLookup<'a> {
    /// The device.
    pub(super) session: &'a Session,
    /// Where it is told what is waited for.
    pub(super) events: &'a Events,
    /// What the device is to run.
    pub(super) goals: &'a [ExpectedState],
    /// How long it is asked again.
    pub(super) retry_policy: &'a RetryPolicy,
    /// The time that is allowed for it all, for messages.
    pub(super) time: Duration,
}

impl CommitLookup<'_> {
    /// Looks up what became of a commit request that got no answer: our job is known by the run's id in its
    /// description, and where there is none, the running configuration decides.
    pub(super) async fn status(
        &self,
        commit: &Commit,
        deadline: Instant,
    ) -> Result<CommitStatus, InstallError> {
        let jobs = jobs(self.session, self.retry_policy).await?;
        let ours = |job: &&Job| {
            let is_described = !commit.description.is_empty();
            is_described
                && job
                    .description
                    .as_deref()
                    .is_some_and(|description| description.contains(&commit.description))
        };
        let number = |job: &Job| job.id.as_ref()?.parse::<u64>().ok();
        match jobs.iter().filter(ours).max_by_key(|job| number(job)).and_then(|job| job.id.clone()) {
            Some(id) => Ok(CommitStatus::Job(id)),
            None => match self.lack(deadline).await? {
                None => Ok(CommitStatus::Running),
                Some(lack) => Ok(CommitStatus::Nothing(lack)),
            },
        }
    }

    /// The running configuration decides whether this commit took place.
    ///
    /// # Errors
    /// It did not, and the candidate configuration is to be put back; or nobody can tell.
    pub(super) async fn conclude(&self, deadline: Instant) -> Result<(), (InstallError, Rollback)> {
        match self.lack(deadline).await {
            Ok(None) => Ok(()),
            Ok(Some(lack)) => Err((InstallError::NotCommitted(lack), Rollback::Needed)),
            Err(failure) => Err((failure, Rollback::Unsafe)),
        }
    }

    /// What the device's running configuration lacks, once no job can change it any more.
    async fn lack(&self, deadline: Instant) -> Result<Option<String>, InstallError> {
        await_commits((self.session, self.events), self.retry_policy, (self.time, deadline), |_| true)
            .await?;
        for goal in self.goals {
            let lack = self.retry_policy.retry(async || goal.lack(self.session).await).await?;
            if lack.is_some() {
                return Ok(lack);
            }
        }
        Ok(None)
    }
}

async fn jobs(session: &Session, retry_policy: &RetryPolicy) -> Result<Vec<Job>, InstallError> {
    let committing = InstallError::during(Activity::Committing);
    retry_policy.retry(async || session.jobs().await.map_err(committing)).await
}

/// Waits until no commit of these is open, the one after a restart included; whether any was.
///
/// # Errors
/// A job that is not over in time; a device that fails or refuses. Nothing was changed.
pub(super) async fn await_commits(
    (session, events): (&Session, &Events),
    retry_policy: &RetryPolicy,
    (time, deadline): (Duration, Instant),
    of: impl Fn(&Job) -> bool,
) -> Result<bool, InstallError> {
    let (mut waited, mut before) = (false, None);
    loop {
        // Entries of failed jobs have no status.
        let is_open = |job: &Job| job.status.is_some() && job.state() == JobState::Running;
        let commits = |job: &Job| matches!(job.kind.as_deref(), Some("Commit" | "AutoCom")) && of(job);
        let open = jobs(session, retry_policy).await?.into_iter().find(|job| is_open(job) && commits(job));
        let Some(id) = open.and_then(|job| job.id) else {
            if waited {
                events.tell(Event::WaitOver);
            }
            return Ok(waited);
        };
        waited = true;
        tracing::debug!("job {id} is waited for");
        events.tell(Event::Waiting(Wait::EarlierJob(id.clone())));
        let open = |error: Option<Error>| InstallError::CommitTimedOut {
            job: id.clone(),
            seconds: time.as_secs(),
            error,
        };
        if before.as_ref() == Some(&id) {
            // The list calls a job open that is over by its own answer: it may be behind, but not for ever.
            if Instant::now() >= deadline {
                return Err(open(None));
            }
            tokio::time::sleep_until((Instant::now() + BEHIND).min(deadline)).await;
        }
        match session.wait_for_job(&id, deadline, |_| {}).await {
            JobOutcome::Done(_) | JobOutcome::Failed(_) | JobOutcome::NotFound => {}
            JobOutcome::TimedOut(error) => return Err(open(error)),
            JobOutcome::Unavailable(error) => return Err(open(Some(error))),
        }
        before = Some(id);
    }
}
