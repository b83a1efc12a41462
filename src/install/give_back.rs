//! Giving back: after a commit, profiles and other places are bound again to what they presented before, and that is
//! committed.

use panos_xmlapi::Session;
use tokio::time::Instant;

use super::apply::PlanRunner;
use super::change::Change;
use super::commit::CommitRequest;
use super::connect::Connection;
use super::contest;
use super::error::InstallError;
use super::journal::Entry;
use super::pair;
use super::places::{self, Spot};
use super::references::Reference;
use super::request::InstallRequest;
use super::rollback::{Rollback, RollbackPoint, Undo, undo_in_reverse};
use super::state::{CurrentInstall, DeviceState};
use super::transaction::Transaction;
use super::verify::ExpectedState;

/// What is given back.
pub(super) struct GiveBack<'a> {
    /// The steps for each certificate, by its place among those of the transaction.
    pub(super) steps: Vec<(usize, Vec<Undo>)>,
    /// What the device runs afterwards.
    pub(super) goals: Vec<ExpectedState>,
    /// What there is now; needed where an old release tells the administrator's name only in marks.
    pub(super) seen: Vec<(&'a InstallRequest, &'a CurrentInstall)>,
}

/// Binds back, commits that, and looks whether the device runs it. `state` is the device as it is now.
///
/// # Errors
/// What kept it from being done. Then the candidate configuration has the new certificate again, as far as that could be
/// had.
pub(super) async fn give_back(
    connection: &Connection,
    mut state: DeviceState,
    transaction: &mut Transaction<'_>,
    way: GiveBack<'_>,
) -> Result<(), InstallError> {
    let (session, request) = (&connection.session, transaction.request());
    pair::check_still_active(connection).await?;
    state.fetch_administrator(session).await?;
    let mut spots = Vec::new();
    for (item, steps) in &way.steps {
        let own = spots_of(session, steps).await?;
        let change = |spot: &Spot| Some((spot.at.to_string(), spot.change.clone()?));
        let changes = own.iter().filter_map(change).collect();
        transaction.journal.note(Entry::Uncommitted { item: *item, changes });
        spots.extend(own);
    }
    for spot in &spots {
        if let Some(found) = contest::at(session, &mut state, spot).await? {
            return Err(InstallError::Contested(Box::new(found)));
        }
    }
    // On the disk before anything is changed: a run that comes after one that died takes it back first.
    transaction.journal.sync().await?;
    let steps: Vec<Undo> = way.steps.iter().flat_map(|(_, steps)| steps.iter().cloned()).collect();
    let mut application = PlanRunner {
        session,
        events: transaction.events,
        retry_policy: &request.retry_policy,
        state,
        undo: steps.iter().cloned().map(reversed).collect(),
        deadline: Instant::now() + request.commit_timeout,
        usual_commit: transaction.usual_commit,
        system: &connection.system,
        device: &connection.target.device,
        state_dir: transaction.state_dir,
        taken: None,
    };
    let description = format!("{}, taken back", transaction.description());
    let wanted = CommitRequest {
        scope: request.commit,
        locations: transaction.locations(),
        description,
        goals: &way.goals,
        time: request.commit_timeout,
    };
    let committed = match undo_in_reverse(session, &steps).await {
        Ok(others) if others.is_empty() => application.commit(&wanted, &mut *transaction.journal).await,
        Ok(others) => {
            let at = others.first().map(ToString::to_string).unwrap_or_default();
            Err((InstallError::ChangedMeanwhile { at, who: None }, Rollback::Needed))
        }
        Err(failure) => Err((failure, Rollback::Needed)),
    };
    if let Err((failure, aftermath)) = committed {
        if aftermath == Rollback::Needed {
            let before = RollbackPoint {
                state: &application.state,
                seen: way.seen,
                spots,
                retry_policy: &request.retry_policy,
                time: request.commit_timeout,
            };
            if before.restore_candidate(session, &application.undo, transaction.events).await {
                transaction.journal.note(Entry::RolledBack);
            }
        }
        return Err(failure);
    }
    for goal in &way.goals {
        goal.verify(session, &request.retry_policy).await?;
    }
    transaction.journal.note(Entry::RolledBack);
    pair::await_peer(connection, transaction).await.map_or(Ok(()), |why| Err(InstallError::NotRunning(why)))
}

/// The places of these steps as they are now.
async fn spots_of(session: &Session, steps: &[Undo]) -> Result<Vec<Spot>, InstallError> {
    let mut spots = Vec::new();
    for step in steps {
        let names = |element: &str, object: &str| Change::Names {
            element: element.to_owned(),
            object: object.to_owned(),
        };
        let (at, change) = match step {
            Undo::RestoreBinding { at, to: Some(to), .. } => (at, names("certificate", to)),
            Undo::RestoreReference { place, .. } => (&place.at, names(place.element, &place.from)),
            _ => continue,
        };
        let before = places::candidate(session, at).await?;
        spots.push(Spot { at: at.clone(), before, change: Some(change) });
    }
    Ok(spots)
}

/// The way back, taken back: everything presents the new object again.
fn reversed(step: Undo) -> Undo {
    match step {
        Undo::RestoreBinding { at, profile, to, made } => {
            Undo::RestoreBinding { at, profile, to: made, made: to }
        }
        Undo::RestoreReference { place, made } => {
            let from = place.from.clone();
            Undo::RestoreReference { place: Reference { from: made, ..place }, made: from }
        }
        other => other,
    }
}
