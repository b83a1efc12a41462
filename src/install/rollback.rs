//! Putting back: the candidate configuration as it was found, whatever of our steps took effect.

use std::time::Duration;

use panos_xmlapi::{Element, Error, Fingerprint, Session, XPath};
use tokio::time::Instant;

use super::blockers::is_blocked;
use super::change::Change;
use super::error::{Activity, InstallError};
use super::events::{Event, Events};
use super::names::ObjectName;
use super::places::{self, Mark, Spot, more_of};
use super::references::Reference;
use super::request::InstallRequest;
use super::retry::RetryPolicy;
use super::state::{self, CurrentInstall, DeviceState};

/// The pause before a locked device is asked again, after those that any question is asked again with.
const PAUSE: Duration = Duration::from_secs(10);

/// How far a failed application had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Nothing was committed: the candidate configuration is to be put back.
    Needed,
    /// A commit may still come to its end: hands off.
    Unsafe,
}

/// How one step is taken back. Each is noted before its step, so it is harmless where the step never happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// Delete the object that was new.
    Delete {
        /// The object.
        at: XPath,
        /// Its name.
        name: ObjectName,
        /// The certificate that was put into it.
        certificate: Fingerprint,
    },
    /// Bring back the object that was overwritten or deleted: only a revert can.
    Restore(ObjectName),
    /// Bind a profile to what it was bound to.
    RestoreBinding {
        /// The profile.
        at: XPath,
        /// Its name.
        profile: String,
        /// What it was bound to.
        to: Option<String>,
        /// What it was bound to instead.
        made: Option<String>,
    },
    /// Give another place what it had.
    RestoreReference {
        /// The place, and what it had.
        place: Reference,
        /// What it was given.
        made: String,
    },
    /// Take back what a run that died had left: only a revert can.
    DiscardInterrupted,
}

/// What the device was like before the first step.
pub struct RollbackPoint<'a> {
    /// The device as a whole.
    pub state: &'a DeviceState,
    /// Each install request, and what there was of it.
    pub seen: Vec<(&'a InstallRequest, &'a CurrentInstall)>,
    /// All places that the deployment is about, as they were found.
    pub spots: Vec<Spot>,
    /// How long it is asked again.
    pub retry_policy: &'a RetryPolicy,
    /// How long the device may stay locked or busy.
    pub time: Duration,
}

impl RollbackPoint<'_> {
    /// Takes all steps back, looks whether that worked, and tells how it ended.
    ///
    /// Returns whether the candidate configuration is as it was found.
    pub async fn restore_candidate(&self, session: &Session, undo: &[Undo], events: &Events) -> bool {
        if undo.is_empty() {
            return true;
        }
        events.tell(Event::PuttingBack);
        let attempt = async || self.retry_policy.retry(async || self.attempt(session, undo).await).await;
        let trouble = match until_free(Instant::now() + self.time, attempt).await {
            Ok(others) => {
                events.tell(Event::PutBack { left: others });
                return true;
            }
            Err(failure) => failure,
        };
        events.tell(Event::NotPutBack {
            why: trouble.to_string(),
            left: undo.iter().map(left).collect(),
            administrator: self.state.administrator.clone(),
        });
        false
    }

    /// Where others have changed something meanwhile, in words: that is left.
    async fn attempt(&self, session: &Session, undo: &[Undo]) -> Result<Vec<String>, InstallError> {
        let undoing = InstallError::during(Activity::Binding);
        let administrator = self.administrator(session).await?;
        match &administrator {
            Some(administrator) if self.reverting_is_safe(session, administrator).await? => {
                session.revert_changes_of(administrator).await.map_err(undoing)?;
                // All of it, what a run that died before had left included.
                let changes = session.pending_changes().await.map_err(undoing)?;
                if let Some(left) = changes.iter().find(|change| change.owner == *administrator) {
                    return Err(InstallError::RollbackIncomplete(format!("has a change at {}", left.xpath)));
                }
            }
            _ => {
                undo_in_reverse(session, undo).await?;
            }
        }
        self.compare(session, administrator.as_deref(), undo.contains(&Undo::DiscardInterrupted)).await
    }

    /// Whether each place is what it was before, or, where a run that died had left something in it, what runs. What
    /// another administrator has made of it meanwhile is his.
    async fn compare(
        &self,
        session: &Session,
        administrator: Option<&str>,
        has_inherited: bool,
    ) -> Result<Vec<String>, InstallError> {
        let mut others = Vec::new();
        for spot in &self.spots {
            let Some(change) = &spot.change else { continue };
            let now = places::candidate(session, &spot.at).await?;
            let is_as_before = now.content == spot.before.content;
            if is_as_before
                || (has_inherited && now.content == places::running(session, &spot.at).await?.content)
            {
                continue;
            }
            let is_own = |mark: &Mark| Some(mark.administrator.as_str()) == administrator;
            if now.is(change) || now.marks.iter().any(is_own) {
                return Err(InstallError::RollbackIncomplete(format!("is not what it was at {}", spot.at)));
            }
            // What is deleted has no mark.
            let who = now.marks.first().map_or("somebody else", |mark| mark.administrator.as_str());
            others.push(format!("{} by {who}", spot.at));
        }
        Ok(others)
    }

    /// An old release tells the administrator's name only in the marks of a change.
    async fn administrator(&self, session: &Session) -> Result<Option<String>, InstallError> {
        let mut state = self.state.clone();
        state.fetch_administrator(session).await?;
        for (request, observed) in &self.seen {
            if state.administrator.is_none() {
                let now = state::candidate(session, &observed.place, request).await?;
                state.administrator = now.object.and_then(|object| object.uncommitted_admin);
            }
        }
        Ok(state.administrator)
    }

    /// A revert takes back everything of this administrator: only where all of it is ours. What has come from elsewhere
    /// since the device was looked at counts, so it is asked again.
    async fn reverting_is_safe(&self, session: &Session, administrator: &str) -> Result<bool, InstallError> {
        if self.state.changes.is_none() {
            return Ok(false);
        }
        let changes = session.pending_changes().await.map_err(InstallError::during(Activity::Binding))?;
        let places: Vec<&str> = self.spots.iter().map(|spot| spot.at.as_str()).collect();
        if more_of(session, &changes, administrator, &places).await? {
            return Ok(false);
        }
        for spot in &self.spots {
            let now = places::candidate(session, &spot.at).await?;
            let is_known = now.content == spot.before.content
                || spot.change.as_ref().is_some_and(|change| now.is(change));
            let is_own = now.marks.iter().any(|mark| mark.administrator == administrator);
            if is_own && !is_known {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Tries again for as long as the device is locked or busy.
async fn until_free<T>(
    deadline: Instant,
    mut attempt: impl AsyncFnMut() -> Result<T, InstallError>,
) -> Result<T, InstallError> {
    loop {
        match attempt().await {
            Err(InstallError::Device { error, .. }) if is_blocked(&error) && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Takes each step back for itself, the last one first. What is not there, or was changed by somebody else since, is
/// left; where that is.
///
/// # Errors
/// A device that fails or refuses; a step that only a revert takes back.
pub async fn undo_in_reverse(session: &Session, undo: &[Undo]) -> Result<Vec<XPath>, InstallError> {
    let undoing = InstallError::during(Activity::Binding);
    let (mut left, mut trouble) = (Vec::new(), None);
    for step in undo.iter().rev() {
        match step {
            Undo::RestoreBinding { at, to, made, .. } => {
                let now = places::candidate(session, at).await?;
                match (now.text("certificate"), to) {
                    (now, to) if now == to.as_deref() => {}
                    (now, _) if now != made.as_deref() => left.push(at.clone()),
                    (_, Some(name)) => {
                        let element = Element::new("certificate").with_text(name);
                        session.set(at, &element).await.map_err(undoing)?;
                    }
                    (_, None) => {
                        session.delete(&at.clone().step("certificate")).await.map_err(undoing)?;
                    }
                }
            }
            Undo::RestoreReference { place, made } => {
                let now = places::candidate(session, &place.at).await?;
                match now.text(place.element) {
                    Some(now) if now == made => {
                        let element = Element::new(place.element).with_text(&place.from);
                        session.set(&place.at, &element).await.map_err(undoing)?;
                    }
                    Some(now) if now == place.from => {}
                    _ => left.push(place.at.clone()),
                }
            }
            Undo::Delete { at, certificate, .. } => {
                let now = places::candidate(session, at).await?;
                // One that can't be read is what the device has made of ours.
                if now.is(&Change::Holds(*certificate)) || !now.has_certificate() {
                    session.delete(at).await.map_err(undoing)?;
                } else {
                    left.push(at.clone());
                }
            }
            Undo::Restore(name) => trouble = Some(format!("holds an overwritten certificate '{name}'")),
            Undo::DiscardInterrupted => trouble = Some("holds changes of an earlier run".to_owned()),
        }
    }
    trouble.map_or(Ok(left), |trouble| Err(InstallError::RollbackIncomplete(trouble)))
}

fn left(step: &Undo) -> String {
    match step {
        Undo::Delete { name, .. } => format!("the new certificate '{name}'"),
        Undo::Restore(name) => format!("the overwritten certificate '{name}'"),
        Undo::DiscardInterrupted => {
            "changes of an earlier run to the same certificate and profiles".to_owned()
        }
        Undo::RestoreReference { place, .. } => {
            format!("{}, which used '{}' before", place.label, place.from)
        }
        Undo::RestoreBinding { profile, to, .. } => {
            format!(
                "the SSL/TLS profile '{profile}', bound before to '{}'",
                to.as_deref().unwrap_or("nothing")
            )
        }
    }
}

/// Whether an error leaves open if the request took effect.
#[must_use]
pub fn may_have_taken_effect(error: &Error) -> bool {
    !matches!(
        error,
        Error::Unreachable { .. }
            | Error::Identity(_)
            | Error::Refused(_)
            | Error::Setup(_)
            | Error::InvalidRequest(_)
    )
}
