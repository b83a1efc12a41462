//! Settling: what a run that died has left pending on the device is taken back before anything else is done.

use std::time::Duration;

use tokio::time::Instant;

use super::commit_lookup::await_commits;
use super::error::{Activity, InstallError};
use super::retry::RetryPolicy;
use super::state::none_if_unsupported;
use crate::host::log::RunLog;
use crate::panos::PendingChange;
use crate::panos::Session;
use crate::panos::{Job, JobState};

/// What a run that died has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptedRun {
    /// The places that it was about to change.
    pub touches: Vec<String>,
    /// Its commit job, if it came that far.
    pub job: Option<String>,
    /// Its run id, which stands in the job's description.
    pub run: String,
}

/// Takes back what an earlier run has changed in these places and not committed; first its commit, if it had
/// begun one, comes to its end. It was one whole that this run may not want: with another certificate, say, or
/// with other profiles.
///
/// Where the administrator has other changes pending, nothing is done: a revert would take those as well.
///
/// # Errors
/// A device that fails or refuses.
pub(super) async fn settle(
    session: &Session,
    user: Option<&str>,
    left: &InterruptedRun,
    (patience, time): (&RetryPolicy, Duration),
    log: &RunLog,
) -> Result<(), InstallError> {
    let look = InstallError::during(Activity::Looking);
    let told = none_if_unsupported(session.current_administrator().await).map_err(look)?.flatten();
    let Some(administrator) = told.or_else(|| user.map(str::to_owned)) else { return Ok(()) };
    let deadline = Instant::now() + time;
    let own_job = |job: &Job| job.user.as_ref() == Some(&administrator);
    await_commits(session, patience, (time, deadline), own_job).await?;
    if let Some(id) = &left.job {
        tell_job(session, id, &left.run, log).await;
    }
    let changes = none_if_unsupported(session.pending_changes().await).map_err(look)?.unwrap_or_default();
    let own: Vec<&PendingChange> = changes.iter().filter(|change| change.owner == administrator).collect();
    let is_left = |change: &&&PendingChange| left.touches.iter().any(|path| change.xpath.starts_with(path));
    let ours = own.iter().filter(is_left).count();
    if ours == 0 {
        return Ok(());
    }
    if ours < own.len() {
        log.say(&format!(
            "WARNING: an earlier run has left {ours} uncommitted changes; they stay, because '{administrator}' has others as well."
        ));
        return Ok(());
    }
    session.revert_changes_of(&administrator).await.map_err(look)?;
    log.say(&format!(
        "An earlier run did not come to its end: its {ours} uncommitted changes were taken back."
    ));
    Ok(())
}

/// What became of the commit of a run that died. The device's state decides; this is for the reader of the log.
async fn tell_job(session: &Session, id: &str, run: &str, log: &RunLog) {
    // After a restart a device may give the same number to another job.
    let is_that = |job: &Job| job.description.as_ref().is_none_or(|description| description.contains(run));
    let ended = match session.job(id).await {
        Ok(job) if !is_that(&job) => "is not known to the device any more".to_owned(),
        Ok(job) if job.state() == JobState::Done => "succeeded".to_owned(),
        Ok(job) if job.state() == JobState::Failed => format!("failed: {}", job.details.join("; ")),
        Ok(_) => "is not over".to_owned(),
        Err(error) => format!("can't be looked up any more: {error}"),
    };
    log.say(&format!("An earlier run did not see the end of its commit: job {id} {ended}."));
}
