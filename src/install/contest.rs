//! A pending change of somebody's in a place of the deployment: nothing is begun then. Overwritten, it would be lost,
//! and committed with ours or put back after a failure, it would not be what its owner has left.

use std::collections::BTreeMap;

use panos_xmlapi::Session;

use super::change::{Change, Contested};
use super::error::{BatchError, InstallError};
use super::places::{self, Relation, Sight, Spot, relation};
use super::state::DeviceState;

/// The pending changes of the API administrator that the deployment may go on from.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The last run has left them for an administrator to commit.
    pub awaiting_commit: bool,
    /// What runs that died were about to make of their places.
    pub changes: BTreeMap<String, Change>,
}

impl Known {
    fn covers(&self, spot: &Spot) -> bool {
        let change = self.changes.get(spot.at.as_str());
        self.awaiting_commit || change.is_some_and(|change| spot.before.is(change))
    }
}

/// The first of these places that somebody has a pending change in. `is_done` tells of which part of the deployment
/// the candidate configuration has all that is wanted: of that the administrator's own changes are no hindrance.
///
/// # Errors
/// A device that fails or refuses.
pub async fn contested(
    session: &Session,
    state: &mut DeviceState,
    spots: impl IntoIterator<Item = (usize, &Spot, bool)>,
    known: &Known,
) -> Result<Option<(usize, Contested)>, BatchError> {
    for (part, spot, is_done) in spots {
        let Some(found) = at(session, state, spot).await? else { continue };
        if !(found.is_own && (is_done || known.covers(spot))) {
            return Ok(Some((part, found)));
        }
    }
    Ok(None)
}

/// The pending change in one place, if there is one.
///
/// # Errors
/// A device that fails or refuses.
pub async fn at(
    session: &Session,
    state: &mut DeviceState,
    spot: &Spot,
) -> Result<Option<Contested>, InstallError> {
    let Spot { at, before, .. } = spot;
    let listed = owners(state, at.as_str());
    let unlisted = state.changes.is_some() && listed.is_empty() && before.marks.is_empty();
    if unlisted || before.is_supplied {
        return Ok(None);
    }
    let running = places::running(session, at).await?;
    let who = changed_by(before, &listed);
    if running.content == before.content || who.is_empty() {
        return Ok(None);
    }
    state.fetch_administrator(session).await?;
    let is_own = state.administrator.as_ref().is_some_and(|own| who == [own.clone()]);
    let since = before.marks.iter().find(|mark| who.contains(&mark.administrator));
    let since = since.and_then(|mark| mark.time.clone());
    Ok(Some(Contested { at: at.to_string(), who, since, is_own }))
}

/// Who has pending changes at a place, or at a list that holds it.
fn owners(state: &DeviceState, at: &str) -> Vec<String> {
    let mut owners = Vec::new();
    for change in state.changes.iter().flatten() {
        if relation(&change.xpath, at) != Relation::Apart && !owners.contains(&change.owner) {
            owners.push(change.owner.clone());
        }
    }
    owners
}

/// A list names all who have changed anything in it, and a mark may be an older one: whoever has both, if anybody has.
fn changed_by(sight: &Sight, listed: &[String]) -> Vec<String> {
    let mut marked: Vec<String> = Vec::new();
    for mark in &sight.marks {
        if !marked.contains(&mark.administrator) {
            marked.push(mark.administrator.clone());
        }
    }
    let both: Vec<String> = marked.iter().filter(|name| listed.contains(name)).cloned().collect();
    match (both.is_empty(), marked.is_empty()) {
        (false, _) => both,
        (true, false) => marked,
        (true, true) => listed.to_vec(),
    }
}
