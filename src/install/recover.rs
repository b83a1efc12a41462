//! Settling: what a run that died has left pending on the device is taken back before anything else is done.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use panos_xmlapi::{Element, Error, Job, JobState, Reason, Session, XPath};
use tokio::time::Instant;

use super::change::Change;
use super::commit_lookup::await_commits;
use super::error::{Activity, InstallError};
use super::events::{EarlierRun, Event, Events};
use super::places::{self, Mark, Sight, more_of};
use super::retry::RetryPolicy;
use super::state::none_if_unsupported;

/// What a run that died has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptedRun {
    /// The places that it was about to change.
    pub touches: Vec<String>,
    /// What it was about to make of them, as far as it has noted that.
    pub changes: BTreeMap<String, Change>,
    /// Its commit job, if it came that far.
    pub job: Option<String>,
    /// Its run id, which stands in the job's description.
    pub run: String,
    /// When it began.
    pub begun: Option<DateTime<Utc>>,
}

impl InterruptedRun {
    /// The run, as it is found in the log: its lines have an id only where it was not alone.
    fn name(&self) -> EarlierRun {
        EarlierRun { id: self.run.clone(), begun: self.begun }
    }
}

/// A place in which something of a run that died is pending.
struct Dirty<'a> {
    at: XPath,
    change: Option<&'a Change>,
    running: Sight,
}

/// Takes back what an earlier run has changed in these places and not committed; first its commit, if it had
/// begun one, comes to its end. It was one whole that this run may not want: with another certificate, say, or
/// with other profiles.
///
/// What is pending is found by comparing the places themselves. Where the administrator has other changes pending, a
/// revert would take those as well: then each place is put back for itself, as far as that can be done.
///
/// # Errors
/// A device that fails or refuses.
pub(super) async fn settle(
    session: &Session,
    user: Option<&str>,
    left: &InterruptedRun,
    (retry_policy, time): (&RetryPolicy, Duration),
    events: &Events,
) -> Result<(), InstallError> {
    let look = InstallError::during(Activity::Looking);
    let told = none_if_unsupported(session.current_administrator().await).map_err(look)?.flatten();
    let administrator = told.or_else(|| user.map(str::to_owned));
    let deadline = Instant::now() + time;
    let own_job = |job: &Job| administrator.is_none() || job.user == administrator;
    await_commits((session, events), retry_policy, (time, deadline), own_job).await?;
    if let Some(id) = &left.job {
        tell_job(session, id, left, events).await;
    }
    let Pending { ours, others } = pending(session, administrator.as_deref(), left).await?;
    if ours.is_empty() {
        return Ok(());
    }
    let changes = none_if_unsupported(session.pending_changes().await).map_err(look)?;
    let places: Vec<&str> = left.touches.iter().map(String::as_str).collect();
    let beside = match (&administrator, &changes) {
        (Some(own), Some(changes)) => others || more_of(session, changes, own, &places).await?,
        _ => true,
    };
    let count = ours.len();
    match administrator.filter(|_| !beside) {
        Some(administrator) => {
            session.revert_changes_of(&administrator).await.map_err(look)?;
            events.tell(Event::LeftoverTakenBack { count, one_by_one: false, run: left.name() });
        }
        None => {
            // An object can't be deleted before nothing refers to it.
            let (objects, references): (Vec<&Dirty<'_>>, Vec<&Dirty<'_>>) =
                ours.iter().partition(|dirty| matches!(dirty.change, Some(Change::Holds(_))));
            for dirty in references.into_iter().chain(objects) {
                restore_candidate(session, dirty).await?;
            }
            events.tell(Event::LeftoverTakenBack { count, one_by_one: true, run: left.name() });
        }
    }
    for dirty in &ours {
        if places::candidate(session, &dirty.at).await?.content != dirty.running.content {
            events.warn(format!(
                "an earlier run has left an uncommitted change at {}, which only Config > Revert Changes takes back; it stays, and is committed with ours.",
                dirty.at
            ));
        }
    }
    Ok(())
}

/// What is pending in the places of runs that died.
struct Pending<'a> {
    /// What they have left.
    ours: Vec<Dirty<'a>>,
    /// Whether the administrator has changed one of the places from elsewhere since.
    others: bool,
}

async fn pending<'a>(
    session: &Session,
    administrator: Option<&str>,
    left: &'a InterruptedRun,
) -> Result<Pending<'a>, InstallError> {
    let mut pending = Pending { ours: Vec::new(), others: false };
    for place in &left.touches {
        let at = XPath::absolute(place);
        let (now, running) = (places::candidate(session, &at).await?, places::running(session, &at).await?);
        if now.content == running.content {
            continue;
        }
        let change = left.changes.get(place);
        // Another administrator's, or made from elsewhere since: not ours to take back.
        let is_ours = match change {
            Some(change) => now.is(change),
            None => true,
        };
        let is_own = |mark: &Mark| administrator.is_none_or(|own| mark.administrator == own);
        let is_anothers = !now.marks.is_empty() && !now.marks.iter().any(is_own);
        match is_ours && !is_anothers {
            true => pending.ours.push(Dirty { at, change, running }),
            false => pending.others |= !is_anothers,
        }
    }
    Ok(pending)
}

/// Puts one place back to what runs, where that can be done by itself.
async fn restore_candidate(session: &Session, dirty: &Dirty<'_>) -> Result<(), InstallError> {
    let undoing = InstallError::during(Activity::Binding);
    match dirty.change {
        Some(Change::Holds(_)) if !dirty.running.is_there() => {
            match session.delete(&dirty.at).await {
                // Somebody else has bound it: it stays, which is told.
                Err(Error::Refused(refusal)) if refusal.reason == Reason::InUse => {}
                outcome => drop(outcome.map_err(undoing)?),
            }
        }
        Some(Change::Names { element, .. }) => match dirty.running.text(element) {
            Some(text) => {
                let before = Element::new(element).with_text(text);
                session.set(&dirty.at, &before).await.map_err(undoing)?;
            }
            None => {
                session.delete(&dirty.at.clone().step(element)).await.map_err(undoing)?;
            }
        },
        // An object that was overwritten or deleted comes back by a revert only.
        _ => {}
    }
    Ok(())
}

/// What became of the commit of a run that died. The device's state decides; this is for whoever reads of it.
async fn tell_job(session: &Session, id: &str, left: &InterruptedRun, events: &Events) {
    // After a restart a device may give the same number to another job.
    let is_that =
        |job: &Job| job.description.as_ref().is_none_or(|description| description.contains(&left.run));
    let ended = match session.job(id).await {
        Ok(job) if !is_that(&job) => "is not known to the device any more".to_owned(),
        Ok(job) if job.state() == JobState::Done => "succeeded".to_owned(),
        Ok(job) if job.state() == JobState::Failed => format!("failed: {}", job.details.join("; ")),
        Ok(_) => "is not over".to_owned(),
        Err(error) => format!("can't be looked up any more: {error}"),
    };
    events.tell(Event::EarlierCommit { job: id.to_owned(), run: left.name(), ended });
}
