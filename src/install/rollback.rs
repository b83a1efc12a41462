//! Putting back: the candidate configuration as it was found, whatever of our steps took effect.

use std::time::Duration;

use tokio::time::Instant;

use super::blockers::is_blocked;
use super::error::{Activity, InstallError};
use super::names::{ObjectName, ProfileName};
use super::references::Reference;
use super::request::InstallRequest;
use super::retry::RetryPolicy;
use super::state::{self, ConfigView, CurrentInstall, DeviceState};
use crate::host::log::RunLog;
use crate::panos::Element;
use crate::panos::Error;
use crate::panos::Session;
use crate::panos::XPath;

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
    },
    /// Give another place what it had.
    RestoreReference(Reference),
    /// Take back what a run that died had left: only a revert can.
    DiscardInterrupted,
}

/// What the device was like before the first step.
pub struct RollbackPoint<'a> {
    /// The device as a whole.
    pub situation: &'a DeviceState,
    /// Each wish, and what there was of it.
    pub seen: Vec<(&'a InstallRequest, &'a CurrentInstall)>,
    /// All places that the deployment is about.
    pub places: &'a [String],
    /// How long to insist.
    pub patience: &'a RetryPolicy,
    /// How long the device may stay locked or busy.
    pub time: Duration,
}

impl RollbackPoint<'_> {
    /// Takes all steps back, looks whether that worked, and says in the log how it ended.
    ///
    /// Returns whether the candidate configuration is as it was found.
    pub async fn restore_candidate(&self, session: &Session, undo: &[Undo], log: &RunLog) -> bool {
        if undo.is_empty() {
            return true;
        }
        let attempt = async || self.patience.retry(async || self.attempt(session, undo).await).await;
        let trouble = match until_free(Instant::now() + self.time, attempt).await {
            Ok(()) => {
                log.say("The candidate configuration was put back to what it was.");
                return true;
            }
            Err(failure) => failure,
        };
        log.error(&format!("the candidate configuration could not be put back: {trouble}"));
        for step in undo {
            log.error(&format!("left on the device, perhaps, and uncommitted: {}", left(step)));
        }
        let who = self.situation.administrator.as_deref().unwrap_or("the API administrator");
        log.error(&format!(
            "to clean up: in the device's web interface choose Config > Revert Changes, for the changes of '{who}'"
        ));
        false
    }

    async fn attempt(&self, session: &Session, undo: &[Undo]) -> Result<(), InstallError> {
        let undoing = InstallError::during(Activity::Binding);
        match self.administrator(session).await? {
            Some(administrator) if self.reverting_is_safe() => {
                session.revert_changes_of(&administrator).await.map_err(undoing)?;
                // All of it, what a run that died before had left included.
                let changes = session.pending_changes().await.map_err(undoing)?;
                match changes.iter().find(|change| change.owner == administrator) {
                    None => Ok(()),
                    Some(left) => {
                        Err(InstallError::RollbackIncomplete(format!("has a change at {}", left.xpath)))
                    }
                }
            }
            _ => {
                undo_in_reverse(session, undo).await?;
                for (wish, observed) in &self.seen {
                    let now = state::candidate(session, &observed.place, wish).await?;
                    if let Some(left) = difference(&observed.candidate, &now, wish) {
                        return Err(InstallError::RollbackIncomplete(left));
                    }
                }
                Ok(())
            }
        }
    }

    /// An old release tells the administrator's name only in the marks of a change.
    async fn administrator(&self, session: &Session) -> Result<Option<String>, InstallError> {
        let mut situation = self.situation.clone();
        situation.fetch_administrator(session).await?;
        for (wish, observed) in &self.seen {
            if situation.administrator.is_none() {
                let now = state::candidate(session, &observed.place, wish).await?;
                situation.administrator = now.object.and_then(|object| object.uncommitted_admin);
            }
        }
        Ok(situation.administrator)
    }

    /// A revert takes back everything of this administrator: only where all of it is ours.
    fn reverting_is_safe(&self) -> bool {
        self.situation.changes.is_some() && self.situation.own_changes_elsewhere(self.places).is_empty()
    }
}

/// Tries again for as long as the device is locked or busy.
async fn until_free(
    deadline: Instant,
    mut attempt: impl AsyncFnMut() -> Result<(), InstallError>,
) -> Result<(), InstallError> {
    loop {
        match attempt().await {
            Err(InstallError::Device { error, .. }) if is_blocked(&error) && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Takes each step back for itself, the last one first.
///
/// # Errors
/// A device that fails or refuses; a step that only a revert takes back.
pub async fn undo_in_reverse(session: &Session, undo: &[Undo]) -> Result<(), InstallError> {
    let undoing = InstallError::during(Activity::Binding);
    for step in undo.iter().rev() {
        match step {
            Undo::RestoreBinding { at, to: Some(name), .. } => {
                let element = Element::new("certificate").with_text(name);
                session.set(at, &element).await.map_err(undoing)?;
            }
            Undo::RestoreBinding { at, to: None, .. } => {
                session.delete(&at.clone().step("certificate")).await.map_err(undoing)?;
            }
            Undo::RestoreReference(place) => {
                let element = Element::new(place.element).with_text(&place.from);
                session.set(&place.at, &element).await.map_err(undoing)?;
            }
            Undo::Delete { at, .. } => {
                session.delete(at).await.map_err(undoing)?;
            }
            Undo::Restore(name) => {
                return Err(InstallError::RollbackIncomplete(format!(
                    "holds an overwritten certificate '{name}'"
                )));
            }
            Undo::DiscardInterrupted => {
                return Err(InstallError::RollbackIncomplete("holds changes of an earlier run".to_owned()));
            }
        }
    }
    Ok(())
}

fn difference(before: &ConfigView, now: &ConfigView, wish: &InstallRequest) -> Option<String> {
    if before.fingerprint() != now.fingerprint() || before.object.is_some() != now.object.is_some() {
        return Some(format!("holds another certificate '{}' than before", wish.object));
    }
    let binding = |holdings: &ConfigView, name: &ProfileName| {
        holdings.profile(name).and_then(|profile| profile.certificate.clone())
    };
    let changed = wish.profiles.iter().find(|name| binding(before, name) != binding(now, name))?;
    Some(format!("binds the SSL/TLS profile '{changed}' to something else than before"))
}

fn left(step: &Undo) -> String {
    match step {
        Undo::Delete { name, .. } => format!("the new certificate '{name}'"),
        Undo::Restore(name) => format!("the overwritten certificate '{name}'"),
        Undo::DiscardInterrupted => {
            "changes of an earlier run to the same certificate and profiles".to_owned()
        }
        Undo::RestoreReference(place) => format!("{}, which used '{}' before", place.label, place.from),
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
