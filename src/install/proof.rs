//! Proof from outside, and what follows from it: what is shown at the endpoints.

use futures_util::future::join_all;
use tokio::time::Instant;

use super::affair::{Affair, Done};
use super::apply::{Application, Part};
use super::commit::Wanted;
use super::connect::Reached;
use super::failure::Failure;
use super::observe::{self, Observed, Situation};
use super::plan::Step;
use super::request::{Upload, Wish};
use super::served::{self, NotServed, served};
use super::undo::{Aftermath, Before, Undo, step_by_step};
use super::uses::Use;
use super::verify::Goal;
use crate::certificate::Bundle;
use crate::fingerprint::Fingerprint;

/// For each part, whether its endpoints shake hands before anything is changed: only then their silence afterwards
/// says something about the new certificate. Asked only where the old one can be given back.
pub(super) async fn answering(parts: &[Part<'_>]) -> Vec<Vec<bool>> {
    let looks = parts.iter().map(|part| async move {
        if way_back(part).is_empty() {
            return vec![false; part.wish.served.len()];
        }
        join_all(part.wish.served.iter().map(|endpoint| served::answers(endpoint, &part.wish.common_name)))
            .await
    });
    join_all(looks).await
}

/// How the profiles are given back what they presented before: only where that is an object of its own, and still
/// there.
fn way_back(part: &Part<'_>) -> Vec<Undo> {
    if !part.plan.makes_an_object() {
        return Vec::new();
    }
    let place = &part.observed.place;
    let steps = part.plan.steps.iter().flat_map(|step| match step {
        Step::Bind { profiles, .. } => {
            let back = profiles.iter().filter_map(|(profile, to)| {
                let at = place.profile(profile).ok()?;
                Some(Undo::BindBack { at, profile: profile.clone(), to: to.clone() })
            });
            back.collect()
        }
        Step::Rebind { uses, .. } => uses.iter().cloned().map(Undo::GiveBack).collect(),
        _ => Vec::new(),
    });
    let steps: Vec<Undo> = steps.collect();
    let had_something = |step: &Undo| !matches!(step, Undo::BindBack { to: None, .. });
    if steps.iter().any(had_something) { steps } else { Vec::new() }
}

/// Looks at every endpoint at once until each shows its certificate. Where one that answered before does not, the
/// profiles are given back what they presented before, and that is committed.
pub(super) async fn served_everywhere(reached: &Reached, done: &mut Done<'_>, affair: &mut Affair<'_>) {
    let looks = done.parts.iter().zip(&done.unproven).map(|(part, failure)| async move {
        // What the device does not run, or what nobody has committed, is not shown either.
        let nothing_to_see =
            failure.is_some() || !(part.plan.steps.is_empty() || part.plan.commit().is_some());
        if nothing_to_see { Vec::new() } else { look_at_endpoints(part.wish, part.bundle).await }
    });
    let seen = join_all(looks).await;
    let mut back = Vec::new();
    for (at, endpoints) in seen.into_iter().enumerate() {
        let mut problem = None;
        for (number, endpoint) in endpoints.into_iter().enumerate() {
            match endpoint {
                Ok(shown) => affair.log.say(&format!("Served: {shown} shows the new certificate.")),
                Err(not_served) => {
                    let answered = done.answering.get(at).and_then(|each| each.get(number)).copied();
                    if answered == Some(true) && !back.contains(&at) {
                        back.push(at);
                    }
                    problem.get_or_insert(not_served);
                }
            }
        }
        done.unproven[at] =
            done.unproven[at].take().or_else(|| problem.map(|problem| Failure::NotServed(Box::new(problem))));
    }
    if back.is_empty() {
        return;
    }
    match bind_back(reached, done, affair, &back).await {
        Ok(()) => {
            affair
                .log
                .say("The profiles were bound back to what they presented before, and that was committed.");
            for at in back {
                let turned = |failure| match failure {
                    Failure::NotServed(problem) => Failure::BoundBack(problem),
                    other => other,
                };
                done.unproven[at] = done.unproven[at].take().map(turned);
            }
        }
        Err(failure) => affair
            .log
            .error(&format!("the profiles could not be bound back to what they presented before: {failure}")),
    }
}

async fn look_at_endpoints(wish: &Wish, bundle: &Bundle) -> Vec<Result<crate::panos::Address, NotServed>> {
    let chain: Vec<Fingerprint> = match wish.upload {
        Upload::Pem => bundle
            .chain()
            .iter()
            .filter_map(|link| link.to_der().ok().map(|der| Fingerprint::of_der(&der)))
            .collect(),
        // PAN-OS may drop what a container holds besides the leaf.
        Upload::Pkcs12(_) => Vec::new(),
    };
    let chain = &chain;
    let looks = wish.served.iter().map(|endpoint| async move {
        let patience = wish.patience.served;
        served(endpoint, &wish.common_name, bundle.fingerprint(), chain, patience)
            .await
            .map(|()| endpoint.clone())
    });
    join_all(looks).await
}

async fn bind_back(
    reached: &Reached,
    done: &Done<'_>,
    affair: &mut Affair<'_>,
    which: &[usize],
) -> Result<(), Failure> {
    let parts: Vec<&Part<'_>> = which.iter().map(|at| &done.parts[*at]).collect();
    let (session, wish) = (&reached.session, affair.wish());
    affair.log.say("The new certificate is not served; the profiles are bound back.");
    // As it is now, with the new certificate committed: should this fail too, that is what is come back to.
    let look = Situation::look(session, reached.user.clone()).await?;
    let mut situation = Situation { changes: look.changes, ..done.situation.clone() };
    situation.learn_name(session).await?;
    let (mut places, mut seen) = (Vec::new(), Vec::new());
    for part in &parts {
        places.extend(observe::places_of(part.wish, &reached.system)?);
        let candidate = observe::candidate(session, &part.observed.place, part.wish).await?;
        seen.push((part.wish, Observed { candidate, ..part.observed.clone() }));
    }
    let steps: Vec<Undo> = parts.iter().flat_map(|part| way_back(part)).collect();
    let goals: Vec<Goal> = parts.iter().map(|part| goal_before(part)).collect();
    let mut application = Application {
        session,
        log: affair.log,
        patience: &wish.patience,
        situation,
        undo: parts.iter().flat_map(|part| way_forth(part)).collect(),
        deadline: Instant::now() + wish.commit_timeout,
    };
    let description = format!("{}, taken back", affair.description());
    let wanted = Wanted { scope: wish.commit, description, goals: &goals, time: wish.commit_timeout };
    let committed = match step_by_step(session, &steps).await {
        Ok(()) => application.commit(&wanted, &mut affair.ledger).await,
        Err(failure) => Err((failure, Aftermath::PutBack)),
    };
    if let Err((failure, aftermath)) = committed {
        if aftermath == Aftermath::PutBack {
            let before = Before {
                situation: &application.situation,
                seen: seen.iter().map(|(wish, observed)| (*wish, observed)).collect(),
                places: &places,
                patience: &wish.patience,
                time: wish.commit_timeout,
            };
            before.put_back(session, &application.undo, affair.log).await;
        }
        return Err(failure);
    }
    for goal in &goals {
        goal.verify(session, &wish.patience).await?;
    }
    Ok(())
}

/// What a part's profiles were bound to before.
fn goal_before(part: &Part<'_>) -> Goal {
    let bound = part.plan.steps.iter().flat_map(|step| match step {
        Step::Bind { profiles, .. } => profiles.clone(),
        _ => Vec::new(),
    });
    Goal::Bound { place: part.observed.place.clone(), profiles: bound.collect() }
}

/// The way back, taken back: everything presents the new object again.
fn way_forth(part: &Part<'_>) -> Vec<Undo> {
    let object = part.wish.object.to_string();
    let again = |step| match step {
        Undo::BindBack { at, profile, .. } => Undo::BindBack { at, profile, to: Some(object.clone()) },
        Undo::GiveBack(place) => Undo::GiveBack(Use { from: object.clone(), ..place }),
        other => other,
    };
    way_back(part).into_iter().map(again).collect()
}
