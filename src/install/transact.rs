//! The transaction: looked at, decided, done, committed, proven; or put back.

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::affair::{Affair, Delivery, Done};
use super::apply::{Application, Part};
use super::commit::Wanted;
use super::connect::{Reached, Role, reach_active, reach_alone};
use super::failure::{Doing, Failure, Stop};
use super::identity;
use super::look::{Looked, look};
use super::observe::Situation;
use super::pair::{self, Member};
use super::plan;
use super::problem::Problem;
use super::proof;
use super::request::{CommitScope, Target};
use super::settle::{Leftovers, settle};
use super::stopwatch::{Phase, Stopwatch};
use super::undo::{Aftermath, Before, Undo};
use super::verify::Goal;
use crate::delivery::{End, Left, Made, Record, Records};
use crate::host::log::RunLog;
use crate::panos::Trust;

/// Fulfils all wishes in one commit, or none. How each ended, in the same order.
///
/// # Errors
/// What failed before the commit was over. The device is as it was found, as far as that could be had.
pub(super) async fn transact(
    members: Vec<&mut Delivery>,
    before: &[&Record],
    records: &Records,
    log: &RunLog,
    watch: &mut Stopwatch,
) -> Result<Vec<Result<End, Failure>>, Stop> {
    let mut affair = Affair::new(members, before, records, log);
    let wish = affair.wish();
    if wish.target.trust == Trust::DangerousAcceptAny {
        log.say("WARNING: the device's identity is NOT verified (--insecure): whoever answers gets the API key and the private key.");
    }
    // On the disk before anybody is talked to.
    affair.ledger.save().await.map_err(Failure::from)?;
    watch.begin(Phase::Connect);
    let target = identity::refreshed(&wish.target, &affair);
    let peer = wish.peer.as_ref().map(|peer| identity::refreshed(peer, &affair));
    affair.next = identity::recorded(records, &target, peer.as_ref());
    let ask = async || reach_active(&target, peer.as_ref(), &wish.patience, &affair.next).await;
    let mut reached = match affair.was_interrupted() {
        // Its commit may be restarting the management port just now.
        true => affair.patience().insist(ask).await?,
        false => ask().await?,
    };
    reached.notes.iter().for_each(|note| log.say(note));
    let mut done = work(&mut reached, &mut affair, watch).await?;
    if let Role::Active { other } = &reached.role {
        if done.committed {
            let synchronised = pair::await_sync(&reached.session, wish.patience.sync).await;
            log.say(&format!("HA: {synchronised}."));
            // A failover during the commit leaves the certificate on a member that serves nobody.
            if let Err(Failure::NoActivePeer(why)) = still_active(&reached).await {
                for unproven in done.unproven.iter_mut().filter(|unproven| unproven.is_none()) {
                    let what = format!("the pair has changed its roles during the commit: {why}");
                    *unproven = Some(Failure::NotRunning(what));
                }
            }
        }
        if let Some(other) = other
            && identity::management_presents(&reached, &done, log).await
        {
            log.say(&format!(
                "The management interface presents it; that of the HA peer {} is looked after for itself.",
                other.device
            ));
            work_on_peer(other, &mut affair, &mut done, watch).await;
        }
    }
    proof::served_everywhere(&reached, &mut done, &mut affair).await;
    let Done { parts, unproven, .. } = done;
    Ok(parts.iter().zip(unproven).map(|(part, failure)| failure.map_or_else(|| Ok(end(part)), Err)).collect())
}

fn end(part: &Part<'_>) -> End {
    if part.plan.steps.is_empty() {
        return End::Installed { object: part.wish.object.clone(), unchanged: true };
    }
    match part.plan.commit() {
        Some(_) => End::Installed { object: part.wish.object.clone(), unchanged: false },
        None => End::LeftToCommit,
    }
}

/// The other member of a pair, for itself: what its management interface presents is not synchronised.
async fn work_on_peer(other: &Target, affair: &mut Affair<'_>, done: &mut Done<'_>, watch: &mut Stopwatch) {
    let blame = |problem| Failure::Peer { device: other.device.to_string(), problem };
    let other = &identity::refreshed(other, affair);
    let worked = match reach_alone(other, affair.patience(), &affair.next).await {
        Ok(mut reached) => work(&mut reached, affair, watch).await,
        Err(failure) => Err(failure.into()),
    };
    let problems: Vec<Option<Problem>> = match worked {
        Ok(theirs) => theirs.unproven.iter().map(|unproven| unproven.as_ref().map(Problem::from)).collect(),
        // Whichever is to blame, nothing was done there for any of them.
        Err(Stop { failure, .. }) => vec![Some((&failure).into()); done.unproven.len()],
    };
    for (ours, theirs) in done.unproven.iter_mut().zip(problems) {
        *ours = ours.take().or_else(|| theirs.map(blame));
    }
}

/// Looks, decides, applies, commits and verifies on one device.
async fn work<'a>(
    reached: &mut Reached,
    affair: &mut Affair<'a>,
    watch: &mut Stopwatch,
) -> Result<Done<'a>, Stop> {
    let (log, patience, wish) = (affair.log, affair.patience(), affair.wish());
    watch.begin(Phase::Check);
    let told = log.clone();
    let until = Instant::now() + wish.commit_timeout;
    reached.session.wait_while_busy(until, move |refusal| told.say(&format!("Waiting: {refusal}")));
    settle_leftovers(reached, affair).await?;
    identity::settle(reached, affair).await?;
    identity::fall_back(reached, affair);
    let Looked { situation, parts, places } = match affair.was_interrupted() {
        true => patience.insist(async || look(reached, &affair.wants).await).await?,
        false => look(reached, &affair.wants).await?,
    };
    let unproven = parts.iter().map(|_| None).collect();
    let mut done = Done {
        parts,
        situation,
        committed: false,
        unproven,
        managements: OnceCell::new(),
        answering: Vec::new(),
    };
    for note in done.parts.iter().flat_map(|part| &part.plan.notes) {
        log.say(note);
    }
    if done.parts.iter().all(|part| part.plan.steps.is_empty()) {
        log.say("The device runs this very certificate already, nothing to do.");
        identity::forget(reached, affair);
        return Ok(done);
    }
    plan::pending_notes(wish.commit, &done.situation, &places).iter().for_each(|note| log.say(note));
    done.answering = proof::answering(&done.parts).await;
    affair.note_touches(&done.parts).await?;
    let mut application = Application {
        session: &reached.session,
        log,
        patience,
        situation: done.situation.clone(),
        undo: inherited(&done.situation, &places, &affair.lefts).into_iter().collect(),
        deadline: Instant::now() + wish.commit_timeout,
    };
    let walked = walk(&mut application, &mut done, reached, affair, watch).await;
    if let Err((stop, aftermath)) = walked {
        let before = Before {
            situation: &application.situation,
            seen: done.parts.iter().map(|part| (part.wish, &part.observed)).collect(),
            places: &places,
            patience,
            time: wish.commit_timeout,
        };
        return Err(take_back(stop, aftermath, &before, &application, reached, affair).await);
    }
    done.situation = application.situation;
    if !done.committed {
        debug_assert!(wish.commit == CommitScope::Nothing);
        log.say("Not committed (--commit none): a person has to commit on the device.");
        return Ok(done);
    }
    watch.begin(Phase::Verify);
    verify(reached, affair, &mut done).await;
    identity::remember(reached, &done, affair).await;
    Ok(done)
}

async fn settle_leftovers(reached: &Reached, affair: &Affair<'_>) -> Result<(), Failure> {
    let Some(first) = affair.leftovers.first() else { return Ok(()) };
    let touches: Vec<String> = affair.leftovers.iter().flat_map(|record| record.touches.clone()).collect();
    let left = Leftovers { touches: &touches, job: first.job.as_deref(), run: &first.run };
    let (patience, time, user) = (affair.patience(), affair.wish().commit_timeout, reached.user.as_deref());
    let settling = async || settle(&reached.session, user, &left, (patience, time), affair.log).await;
    patience.insist(settling).await
}

/// What a run that died has left pending in the places of this one is no state to come back to.
fn inherited(situation: &Situation, places: &[String], lefts: &[Left]) -> Option<Undo> {
    let ours = situation.own_changes().len() > situation.own_changes_beside(places).len();
    (ours && !lefts.contains(&Left::ForAPerson)).then_some(Undo::Inherited)
}

async fn walk(
    application: &mut Application<'_>,
    done: &mut Done<'_>,
    reached: &Reached,
    affair: &mut Affair<'_>,
    watch: &mut Stopwatch,
) -> Result<(), (Stop, Aftermath)> {
    let scope = done.parts.iter().find_map(|part| part.plan.commit());
    // Nothing was changed yet.
    let decided = identity::decide(reached, done, affair, scope.unwrap_or(CommitScope::Nothing)).await;
    let decided = decided.map_err(|failure| (failure.into(), Aftermath::PutBack))?;
    for (at, part) in done.parts.iter_mut().enumerate() {
        let made = application.make(part, watch).await;
        made.map_err(|failure| (Stop::of(at)(failure), Aftermath::PutBack))?;
    }
    let Some(scope) = scope else { return Ok(()) };
    still_active(reached).await.map_err(|failure| (failure.into(), Aftermath::PutBack))?;
    watch.begin(Phase::Commit);
    let accepted = identity::accept(reached, affair, decided).await;
    accepted.map_err(|failure| (failure.into(), Aftermath::PutBack))?;
    let goals: Vec<Goal> = done.parts.iter().map(goal).collect();
    let description = affair.description();
    let wanted = Wanted { scope, description, goals: &goals, time: affair.wish().commit_timeout };
    let committed = application.commit(&wanted, &mut affair.ledger).await;
    committed.map_err(|(failure, aftermath)| (failure.into(), aftermath))?;
    done.committed = true;
    Ok(())
}

/// A pair may have changed its roles since it was looked at.
async fn still_active(reached: &Reached) -> Result<(), Failure> {
    if reached.role == Role::Alone {
        return Ok(());
    }
    let state = reached.session.ha_state().await.map_err(Failure::while_doing(Doing::Committing))?;
    pair::choose(&[Member { device: reached.target.device.clone(), state: Ok(state) }])?;
    Ok(())
}

fn goal(part: &Part<'_>) -> Goal {
    let (wish, place) = (Box::new(part.wish.clone()), part.observed.place.clone());
    Goal::Runs { wish, place, wanted: part.bundle.fingerprint() }
}

/// After a failure: the candidate configuration as it was found, where that can be had.
async fn take_back(
    stop: Stop,
    aftermath: Aftermath,
    before: &Before<'_>,
    application: &Application<'_>,
    reached: &Reached,
    affair: &mut Affair<'_>,
) -> Stop {
    if aftermath == Aftermath::LeaveAlone {
        affair.log.error(
            "the commit may still come to its end, so nothing was put back: see the device's task manager",
        );
    } else if before.put_back(application.session, &application.undo, affair.log).await {
        affair.ledger.each(|record| record.touches.clear());
        identity::forget(reached, affair);
        return stop;
    }
    // Nobody goes on from a candidate configuration that is half changed.
    Stop { at: None, ..stop }
}

async fn verify(reached: &Reached, affair: &mut Affair<'_>, done: &mut Done<'_>) {
    let at = affair.ledger.records().now();
    for (number, part) in done.parts.iter().enumerate() {
        let verified = goal(part).verify(&reached.session, affair.patience()).await;
        if let (Ok(()), Some(record)) = (&verified, affair.ledger.entry(number)) {
            record.touches.clear();
            record.made.retain(|made| !part.deleted.contains(&made.object));
            if !part.plan.steps.is_empty() {
                let fingerprint = part.bundle.fingerprint();
                record.note_made(Made { object: part.wish.object.clone(), fingerprint, at });
            }
        }
        done.unproven[number] = verified.err();
    }
}
