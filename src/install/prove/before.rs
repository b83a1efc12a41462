//! Whether the proof may be made on a device. Nothing is changed.

use panos_xmlapi::{Element, Location, Lock, Session};

use super::error::ProveError;
use crate::install::connect::Connection;
use crate::install::error::{Activity, InstallError};
use crate::install::ha::{self, is_active};
use crate::install::places;
use crate::install::state::none_if_unsupported;

/// A device on which it may be made.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The API key's administrator.
    pub administrator: String,
    /// The model, where it tells.
    pub model: Option<String>,
    /// The release, where it tells.
    pub release: Option<String>,
    /// Where the objects go.
    pub place: Location,
}

/// Looks whether anybody would be disturbed, and whether all of it could be taken back.
///
/// # Errors
/// Why it must not be made.
pub(super) async fn readiness(session: &Session, connection: &Connection) -> Result<Readiness, ProveError> {
    let looking = InstallError::during(Activity::Looking);
    // Asked once more: this time it stands in the transcript.
    let system = session.system_info().await.map_err(looking)?;
    if system.is_panorama() {
        return Err(ProveError::Panorama);
    }
    let state = ha::known(session.ha_state().await).map_err(looking)?;
    if state.enabled && !is_active(&state) {
        let local = state.local.unwrap_or_else(|| "in an unknown state".to_owned());
        return Err(ProveError::NotActive(local));
    }
    let told = none_if_unsupported(session.current_administrator().await).map_err(looking)?.flatten();
    let administrator = told.or_else(|| connection.user.clone()).ok_or(InstallError::AdministratorUnknown)?;
    check_locks(session).await?;
    check_own_changes(session, &administrator).await?;
    Ok(Readiness { administrator, model: system.model, release: system.sw_version, place: Location::Shared })
}

/// A lock of anybody's, this administrator's included.
async fn check_locks(session: &Session) -> Result<(), ProveError> {
    let looking = InstallError::during(Activity::Looking);
    let configuration = session.config_locks().await.map_err(looking)?;
    let commit = session.commit_locks().await.map_err(looking)?;
    let held = |kind: &'static str, locks: Vec<Lock>| locks.into_iter().next().map(|lock| (kind, lock));
    let Some((kind, lock)) = held("configuration", configuration).or_else(|| held("commit", commit)) else {
        return Ok(());
    };
    let comment = lock.comment.filter(|text| !text.is_empty() && text != "(null)");
    let comment = comment.map(|text| format!(" ('{text}')")).unwrap_or_default();
    Err(ProveError::Locked { owner: lock.owner, kind, comment })
}

/// Refuses while this administrator has changed anything that is not committed.
///
/// # Errors
/// Such a change; a device that does not list them.
pub(super) async fn check_own_changes(session: &Session, administrator: &str) -> Result<(), ProveError> {
    let looking = InstallError::during(Activity::Looking);
    let changes = none_if_unsupported(session.pending_changes().await).map_err(looking)?;
    let changes = changes.ok_or(ProveError::NoJournal)?;
    match changes.into_iter().find(|change| change.owner == administrator) {
        None => Ok(()),
        Some(change) => {
            Err(ProveError::OwnChanges { administrator: administrator.to_owned(), at: change.xpath })
        }
    }
}

/// What stands in the candidate configuration where the proof makes something: the names of the certificates, whose
/// contents with their encrypted private keys are not asked for, and all of the profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    certificates: Vec<String>,
    profiles: String,
}

impl Places {
    /// Others' names are in it: it is not for the transcript.
    pub(super) async fn look(session: &Session, place: &Location) -> Result<Self, InstallError> {
        let (session, looking) = (session.unnoted(), InstallError::during(Activity::Looking));
        let names =
            session.get_all(&place.certificates().step("entry").step("@name")).await.map_err(looking)?;
        let mut certificates: Vec<String> = names.iter().map(Element::name_attribute).collect();
        certificates.sort();
        let profiles = places::candidate(&session, &place.profiles()).await?.content;
        Ok(Self { certificates, profiles })
    }

    /// Whether all is as it was.
    pub(super) fn compare(&self, before: &Self) -> Result<(), InstallError> {
        let differs = |what: &str| Err(InstallError::RollbackIncomplete(format!("has {what} than before")));
        match () {
            () if self.certificates != before.certificates => differs("other certificates"),
            () if self.profiles != before.profiles => differs("other SSL/TLS service profiles"),
            () => Ok(()),
        }
    }
}
