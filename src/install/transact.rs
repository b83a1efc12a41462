//! The transaction: looked at, decided, done, committed, proven; or put back.

use std::time::Duration;

use futures_util::FutureExt as _;
use panos_xmlapi::Trust;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::accepted_forms::AcceptedForms;
use super::after_commit;
use super::apply::{PlanRunner, PlannedInstall};
use super::assess::{Assessment, look};
use super::commit::CommitRequest;
use super::connect::{Connection, HaRole, connect_single, reach_as};
use super::contest::Known;
use super::endpoints;
use super::error::{BatchError, InstallError};
use super::events::{Event, Events, Wait};
use super::identity;
use super::journal::{Entry, Journal};
use super::pair;
use super::phases::Phase;
use super::plan::{self, Reached};
use super::problem::Problem;
use super::recover::settle;
use super::request::{CommitScope, Target};
use super::result::{LastRun, Outcome};
use super::rollback::{Rollback, RollbackPoint, Undo};
use super::state::DeviceState;
use super::take_back;
use super::transaction::{AfterCommit, DeviceResult, Transaction, TransactionInput};
use super::verify::ExpectedState;

/// The first pause between two looks at a place that somebody works on, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Fulfils all install requests in one commit, or none. What is long is boxed: hundreds of these wait for their commits at
/// the same time, and each would have room for all that it may have to do besides. How each ended, in the same order.
///
/// # Errors
/// What failed before the commit was over. The device is as it was found, as far as that could be had.
pub async fn transact(
    input: TransactionInput<'_>,
    journal: &mut dyn Journal,
    events: &Events,
) -> Result<Vec<Result<Outcome, InstallError>>, BatchError> {
    let ended = Box::pin(in_phases(input, journal, events)).await;
    events.end_phase();
    ended
}

async fn in_phases(
    input: TransactionInput<'_>,
    journal: &mut dyn Journal,
    events: &Events,
) -> Result<Vec<Result<Outcome, InstallError>>, BatchError> {
    let mut transaction = Transaction::new(input, journal, events);
    let request = transaction.request();
    if request.target.trust == Trust::DangerousAcceptAny {
        events.warn("the device's identity is NOT verified (--insecure): whoever answers gets the API key and the private key.");
    }
    // On the disk before anybody is talked to.
    transaction.journal.sync().await.map_err(InstallError::from)?;
    events.begin(Phase::Connect);
    let target = identity::refreshed(&request.target, &transaction);
    let peer = request.peer.as_ref().map(|peer| identity::refreshed(peer, &transaction));
    transaction.next = identity::recorded(&*transaction.journal, &target, peer.as_ref());
    let ask = async || Box::pin(reach_as(request, &target, peer.as_ref(), &transaction.next)).await;
    let mut connection = match transaction.was_interrupted() {
        // Its commit may be restarting the management port just now.
        true => transaction.retry_policy().retry(ask).await?,
        false => ask().await?,
    };
    connection.notes.iter().for_each(|note| events.remark(note));
    // Who can't be reached takes nobody's turn; what is looked at is looked at afterwards.
    take_turn(&mut transaction).await;
    if transaction.wants.iter().any(take_back::is_under_way) {
        await_free(&connection, &transaction);
        settle_leftovers(&connection, &transaction).await?;
        return Box::pin(take_back::resume(&connection, &mut transaction)).await;
    }
    let mut done = Box::pin(work(&mut connection, &mut transaction)).await?;
    if let HaRole::Active { other } = &connection.role {
        if done.committed
            && let Some(why) = pair::await_peer(&connection, &transaction).await
        {
            for unproven in done.unproven.iter_mut().filter(|unproven| unproven.is_none()) {
                *unproven = Some(InstallError::NotRunning(why.clone()));
            }
        }
        if let Some(other) = other
            && identity::management_uses_it(&connection, &done, events).await
        {
            events.tell(Event::PeerBegun(other.device.clone()));
            Box::pin(run_on_peer(other, &mut transaction, &mut done)).await;
        }
    }
    Box::pin(after_commit::push(&connection, &mut done, &mut transaction)).await;
    Box::pin(endpoints::probe_all(&connection, &mut done, &mut transaction)).await;
    let DeviceResult { parts, unproven, after, .. } = done;
    let ends = parts.iter().zip(after).zip(unproven);
    Ok(ends.map(|((part, after), failure)| failure.map_or_else(|| Ok(end(part, &after)), Err)).collect())
}

fn end(part: &PlannedInstall<'_>, after: &AfterCommit) -> Outcome {
    if matches!(after, AfterCommit::LeftToPush) {
        return Outcome::AwaitingPush { object: Some(part.request.object.clone()) };
    }
    if part.plan.reached == Reached::Candidate {
        return Outcome::AwaitingCommit { object: Some(part.request.object.clone()) };
    }
    if part.plan.is_running() {
        let unchanged = !matches!(after, AfterCommit::Pushed { now: true });
        return Outcome::Installed { object: part.request.object.clone(), unchanged };
    }
    Outcome::Installed { object: part.request.object.clone(), unchanged: false }
}

/// The other member of a pair, for itself: what its management interface presents is not synchronised.
async fn run_on_peer(other: &Target, transaction: &mut Transaction<'_>, done: &mut DeviceResult<'_>) {
    let blame = |problem| InstallError::Peer { device: other.device.to_string(), problem };
    let other = &identity::refreshed(other, transaction);
    let worked = match connect_single(other, transaction.retry_policy(), &transaction.next).await {
        Ok(mut connection) => work(&mut connection, transaction).await,
        Err(failure) => Err(failure.into()),
    };
    let problems: Vec<Option<Problem>> = match worked {
        Ok(theirs) => theirs.unproven.iter().map(|unproven| unproven.as_ref().map(Problem::from)).collect(),
        // Whichever is to blame, nothing was done there for any of them.
        Err(BatchError { failure, .. }) => vec![Some((&failure).into()); done.unproven.len()],
    };
    for (ours, theirs) in done.unproven.iter_mut().zip(problems) {
        *ours = ours.take().or_else(|| theirs.map(blame));
    }
}

/// Looks, decides, applies, commits and verifies on one device.
async fn work<'a>(
    connection: &mut Connection,
    transaction: &mut Transaction<'a>,
) -> Result<DeviceResult<'a>, BatchError> {
    let (events, retry_policy, request) =
        (transaction.events, transaction.retry_policy(), transaction.request());
    events.begin(Phase::Check);
    let until = await_free(connection, transaction);
    Box::pin(settle_leftovers(connection, transaction)).await?;
    Box::pin(identity::settle(connection, transaction)).await?;
    identity::fall_back(connection, transaction);
    let Assessment { state, parts, places, .. } =
        Box::pin(look_until_free(connection, transaction, until)).await?;
    let unproven = parts.iter().map(|_| None).collect();
    let mut after = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        after.push(after_commit::plan(part).map_err(BatchError::of(at))?);
    }
    let mut done = DeviceResult {
        parts,
        state,
        committed: false,
        unproven,
        managements: OnceCell::new(),
        after,
        answering: Vec::new(),
    };
    for note in done.parts.iter().flat_map(|part| &part.plan.notes) {
        events.remark(note);
    }
    if done.parts.iter().all(|part| part.plan.steps.is_empty()) {
        events.tell(if done.parts.iter().any(|part| part.plan.reached == Reached::Candidate) {
            Event::LeftToCommit
        } else if done.parts.iter().any(after_commit::is_on_panorama) {
            Event::AlreadyCommitted
        } else {
            Event::AlreadyInstalled
        });
        identity::forget(connection, transaction);
        return Ok(done);
    }
    plan::pending_notes(request, &done.state, &places).iter().for_each(|note| events.remark(note));
    done.answering = endpoints::answering(&done.parts).await;
    transaction.note_uncommitted(&done.parts).await?;
    let mut application = PlanRunner {
        session: &connection.session,
        events,
        retry_policy,
        state: done.state.clone(),
        undo: inherited(&done.state, &places, &transaction.lefts).into_iter().collect(),
        deadline: Instant::now() + request.commit_timeout,
        usual_commit: transaction.usual_commit,
        system: &connection.system,
        device: &connection.target.device,
        state_dir: transaction.state_dir,
        taken: AcceptedForms::below(transaction.state_dir).of(&connection.target.device),
    };
    let walked = apply_and_commit(&mut application, &mut done, connection, transaction).await;
    if let Err((stop, aftermath)) = walked {
        let before = RollbackPoint {
            state: &application.state,
            seen: done.parts.iter().map(|part| (part.request, &part.observed)).collect(),
            spots: done.parts.iter().flat_map(|part| part.spots.iter().cloned()).collect(),
            retry_policy,
            time: request.commit_timeout,
        };
        let back = roll_back(stop, aftermath, &before, &application, connection, transaction);
        return Err(Box::pin(back).await);
    }
    done.state = application.state;
    if !done.committed {
        debug_assert!(request.commit == CommitScope::Nothing);
        events.tell(Event::LeftToCommit);
        return Ok(done);
    }
    events.begin(Phase::Verify);
    Box::pin(verify(connection, transaction, &mut done)).await;
    Box::pin(identity::remember(connection, &done, transaction)).await;
    Ok(done)
}

/// Waits until this device may be changed, which belongs to no phase.
async fn take_turn(transaction: &mut Transaction<'_>) {
    let events = transaction.events;
    let mut turn = transaction.journal.turn();
    if (&mut turn).now_or_never().is_none() {
        events.end_phase();
        events.tell(Event::Waiting(Wait::OtherDevices));
        turn.await;
        events.tell(Event::WaitOver);
    }
}

/// A device that is busy is asked again until then.
fn await_free(connection: &Connection, transaction: &Transaction<'_>) -> Instant {
    let told = transaction.events.clone();
    let until = Instant::now() + transaction.request().commit_timeout;
    connection.session.wait_while_busy(until, move |refusal| {
        told.tell(Event::Waiting(Wait::Device { refusal: refusal.to_string(), by: None }));
    });
    until
}

/// Looks for as long as somebody has a pending change in a place of the deployment.
async fn look_until_free<'a>(
    connection: &Connection,
    transaction: &Transaction<'a>,
    deadline: Instant,
) -> Result<Assessment<'a>, BatchError> {
    let known = Known {
        awaiting_commit: transaction.lefts.contains(&LastRun::AwaitingCommit),
        changes: transaction.interrupted.as_ref().map(|left| left.changes.clone()).unwrap_or_default(),
    };
    let (mut pause, mut told) = (FIRST_PAUSE, None);
    loop {
        let assessment = match transaction.was_interrupted() {
            true => {
                transaction
                    .retry_policy()
                    .retry(async || look(connection, &transaction.wants, &known, transaction.events).await)
                    .await?
            }
            false => look(connection, &transaction.wants, &known, transaction.events).await?,
        };
        let Some((at, found)) = assessment.contested else {
            if told.is_some() {
                transaction.events.tell(Event::WaitOver);
            }
            return Ok(assessment);
        };
        if Instant::now() >= deadline {
            return Err(BatchError::of(at)(InstallError::Contested(Box::new(found))));
        }
        if told.as_ref() != Some(&found) {
            transaction.events.tell(Event::Waiting(Wait::PendingChange(found.to_string())));
            told = Some(found);
        }
        tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn settle_leftovers(
    connection: &Connection,
    transaction: &Transaction<'_>,
) -> Result<(), InstallError> {
    let Some(left) = &transaction.interrupted else { return Ok(()) };
    let (retry_policy, time, user) =
        (transaction.retry_policy(), transaction.request().commit_timeout, connection.user.as_deref());
    let settling =
        async || settle(&connection.session, user, left, (retry_policy, time), transaction.events).await;
    retry_policy.retry(settling).await
}

/// What a run that died has left pending in the places of this one is no state to come back to.
fn inherited(state: &DeviceState, places: &[String], lefts: &[LastRun]) -> Option<Undo> {
    let ours = state.own_changes().len() > state.own_changes_elsewhere(places).len();
    (ours && !lefts.contains(&LastRun::AwaitingCommit)).then_some(Undo::DiscardInterrupted)
}

async fn apply_and_commit(
    application: &mut PlanRunner<'_>,
    done: &mut DeviceResult<'_>,
    connection: &Connection,
    transaction: &mut Transaction<'_>,
) -> Result<(), (BatchError, Rollback)> {
    let scope = done.parts.iter().find_map(|part| part.plan.commit());
    // Nothing was changed yet.
    let decided =
        Box::pin(identity::decide(connection, done, transaction, scope.unwrap_or(CommitScope::Nothing)))
            .await;
    let decided = decided.map_err(|failure| (failure.into(), Rollback::Needed))?;
    for (at, part) in done.parts.iter_mut().enumerate() {
        let made = Box::pin(application.make(part)).await;
        made.map_err(|failure| (BatchError::of(at)(failure), Rollback::Needed))?;
    }
    let Some(scope) = scope else { return Ok(()) };
    pair::check_still_active(connection).await.map_err(|failure| (failure.into(), Rollback::Needed))?;
    transaction.events.begin(Phase::Commit);
    let accepted = identity::accept(connection, transaction, decided).await;
    accepted.map_err(|failure| (failure.into(), Rollback::Needed))?;
    let goals: Vec<ExpectedState> = done.parts.iter().map(goal).collect();
    let description = transaction.description();
    let locations = transaction.locations();
    let wanted = CommitRequest {
        scope,
        locations,
        description,
        goals: &goals,
        time: transaction.request().commit_timeout,
    };
    let committed = application.commit(&wanted, &mut *transaction.journal).await;
    committed.map_err(|(failure, aftermath)| (failure.into(), aftermath))?;
    done.committed = true;
    Ok(())
}

fn goal(part: &PlannedInstall<'_>) -> ExpectedState {
    let (request, place) = (Box::new(part.request.clone()), part.observed.place.clone());
    ExpectedState::Runs { request, place, wanted: part.bundle.fingerprint(), issuers: part.issuers.clone() }
}

/// After a failure: the candidate configuration as it was found, where that can be had.
async fn roll_back(
    stop: BatchError,
    aftermath: Rollback,
    before: &RollbackPoint<'_>,
    application: &PlanRunner<'_>,
    connection: &Connection,
    transaction: &mut Transaction<'_>,
) -> BatchError {
    if aftermath == Rollback::Unsafe {
        transaction.events.tell(Event::CommitMayFinish);
    } else if before.restore_candidate(application.session, &application.undo, transaction.events).await {
        transaction.journal.note(Entry::RolledBack);
        identity::forget(connection, transaction);
        return stop;
    }
    // Nobody goes on from a candidate configuration that is half changed.
    BatchError { at: None, ..stop }
}

async fn verify(connection: &Connection, transaction: &mut Transaction<'_>, done: &mut DeviceResult<'_>) {
    for (item, part) in done.parts.iter().enumerate() {
        let verified = goal(part).verify(&connection.session, transaction.retry_policy()).await;
        if verified.is_ok() {
            let is_new = !part.plan.steps.is_empty();
            let created = is_new.then(|| (part.request.object.clone(), part.bundle.fingerprint()));
            let (issuers, deleted) = (part.issuers.clone(), part.deleted.clone());
            transaction.journal.note(Entry::Verified { item, created, issuers, deleted });
            transaction.events.tell(Event::Verified { item });
        }
        done.unproven[item] = verified.err();
    }
}
