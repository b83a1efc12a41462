//! Taking back what a proof has put into the candidate configuration, whatever of it is there, and looking whether it is
//! gone.

use panos_xmlapi::{Error, Reason, Session, XPath};

use super::leftover::Leftover;
use crate::install::change::Change;
use crate::install::error::{Activity, InstallError};
use crate::install::places::{self, more_of};

/// A revert may leave uploads, and what is then deleted by hand may be listed as a change once more.
const ROUNDS: usize = 3;

/// Takes it back; whether a revert alone took the certificates.
///
/// Only what the proof has made is touched: an object of another content under one of its names is somebody else's.
/// Where the administrator has changed anything else meanwhile, nothing is reverted, and each object is deleted for
/// itself.
///
/// # Errors
/// A device that fails or refuses; an object that is still there afterwards.
pub(super) async fn restore(session: &Session, left: &Leftover) -> Result<bool, InstallError> {
    let undoing = InstallError::during(Activity::Binding);
    let places: Vec<&str> = left.changes.keys().map(String::as_str).collect();
    let mut by_revert = true;
    for _ in 0..ROUNDS {
        let changes = session.pending_changes().await.map_err(undoing)?;
        let has_own = changes.iter().any(|change| change.owner == left.administrator);
        let there = those_there(session, left).await?;
        if !has_own && there.is_empty() {
            return Ok(by_revert);
        }
        // What this reads of others is not for the transcript.
        let others = more_of(&session.unnoted(), &changes, &left.administrator, &places).await?;
        if !others {
            session.revert_changes_of(&left.administrator).await.map_err(undoing)?;
        }
        let there = those_there(session, left).await?;
        by_revert &= there.is_empty();
        for at in &there {
            match session.delete(at).await {
                // Somebody has bound it: told below.
                Err(Error::Refused(refusal)) if refusal.reason == Reason::InUse => {}
                outcome => drop(outcome.map_err(undoing)?),
            }
        }
        if others && those_there(session, left).await?.is_empty() {
            return Ok(false);
        }
    }
    match those_there(session, left).await?.first() {
        Some(at) => Err(InstallError::RollbackIncomplete(format!("still has {at}"))),
        // Changed and changed back: some devices go on listing that, and there is nothing to revert in it.
        None => Ok(by_revert),
    }
}

/// What the proof has made and is still there, profiles first: an object can't be deleted before nothing refers to it.
async fn those_there(session: &Session, left: &Leftover) -> Result<Vec<XPath>, InstallError> {
    let mut there = Vec::new();
    let is_object = |change: &Change| matches!(change, Change::Holds(_));
    let mut all: Vec<_> = left.changes.iter().collect();
    all.sort_by_key(|(_, change)| is_object(change));
    for (place, change) in all {
        let at = XPath::absolute(place);
        let sight = places::candidate(session, &at).await?;
        // An upload whose certificate can't be read is ours by its name.
        let is_ours =
            sight.is(change) || (is_object(change) && !sight.has_certificate()) || !is_object(change);
        if sight.is_there() && is_ours {
            there.push(at);
        }
    }
    Ok(there)
}
