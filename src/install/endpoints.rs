//! Proof from outside, and what follows from it: what is shown at the endpoints.

use futures_util::future::join_all;
use panos_xmlapi::{Address, Fingerprint};

use super::accepted_forms::AcceptedForms;
use super::after_commit;
use super::apply::PlannedInstall;
use super::connect::Connection;
use super::error::InstallError;
use super::events::{Event, Wait};
use super::give_back::{GiveBack, give_back};
use super::plan::{Reached, Step};
use super::probe::{self, Link, ProbeMismatch, served};
use super::request::InstallRequest;
use super::rollback::Undo;
use super::state::{self, CurrentInstall, DeviceState};
use super::transaction::{AfterCommit, DeviceResult, Transaction};
use super::upload::UploadForm;
use super::verify::ExpectedState;
use super::ways;
use crate::certificate::Bundle;

/// For each part, whether its endpoints shake hands before anything is changed: only then their silence afterwards
/// says something about the new certificate. Asked only where the old one can be given back.
pub(super) async fn answering(parts: &[PlannedInstall<'_>]) -> Vec<Vec<bool>> {
    let looks = parts.iter().map(|part| async move {
        if rollback_steps(part).is_empty() {
            return vec![false; part.request.served.len()];
        }
        join_all(
            part.request.served.iter().map(|endpoint| probe::answers(endpoint, &part.request.common_name)),
        )
        .await
    });
    join_all(looks).await
}

/// How the profiles are given back what they presented before: only where that is an object of its own, and still
/// there.
fn rollback_steps(part: &PlannedInstall<'_>) -> Vec<Undo> {
    // On Panorama giving back means another push, which nobody has asked for.
    if !part.plan.makes_an_object() || after_commit::is_on_panorama(part) {
        return Vec::new();
    }
    let back = ways::way_back(&part.plan, part.bundle.fingerprint(), &part.request.object, None);
    back.map(|back| ways::steps(&back, &part.observed.place)).unwrap_or_default()
}

/// Looks at every endpoint at once until each shows its certificate. Where one that answered before does not, the
/// profiles are given back what they presented before, and that is committed.
pub(super) async fn probe_all(
    connection: &Connection,
    done: &mut DeviceResult<'_>,
    transaction: &mut Transaction<'_>,
) {
    let taken = AcceptedForms::below(transaction.state_dir).of(&connection.target.device);
    let looks =
        done.parts.iter().zip(&done.after).zip(&done.unproven).map(|((part, after), failure)| async move {
            // What the device does not run, or what nobody has committed, is not shown either.
            let is_left = matches!(after, AfterCommit::LeftToPush);
            let nothing_to_see = failure.is_some() || is_left || part.plan.reached == Reached::Candidate;
            if nothing_to_see {
                Vec::new()
            } else {
                look_at_endpoints(part.request, part.bundle, part.sent_as(taken)).await
            }
        });
    let awaited: Vec<Address> =
        done.parts.iter().flat_map(|part| part.request.served.iter().cloned()).collect();
    if !awaited.is_empty() {
        transaction.events.tell(Event::Waiting(Wait::Endpoints(awaited)));
    }
    let seen = join_all(looks).await;
    transaction.events.tell(Event::WaitOver);
    let mut back = Vec::new();
    for (at, endpoints) in seen.into_iter().enumerate() {
        let mut problem = None;
        for (number, endpoint) in endpoints.into_iter().enumerate() {
            match endpoint {
                Ok((shown, remark)) => {
                    transaction.events.tell(Event::Served(shown));
                    remark.iter().for_each(|remark| transaction.events.remark(remark));
                }
                Err(not_served) => {
                    let answered = done.answering.get(at).and_then(|each| each.get(number)).copied();
                    if answered == Some(true) && !back.contains(&at) {
                        back.push(at);
                    }
                    problem.get_or_insert(not_served);
                }
            }
        }
        done.unproven[at] = done.unproven[at]
            .take()
            .or_else(|| problem.map(|problem| InstallError::ProbeMismatch(Box::new(problem))));
    }
    if back.is_empty() {
        return;
    }
    match restore_bindings(connection, done, transaction, &back).await {
        Ok(()) => {
            transaction.events.tell(Event::GivenBack);
            for at in back {
                let turned = |failure| match failure {
                    InstallError::ProbeMismatch(problem) => InstallError::RolledBack(problem),
                    other => other,
                };
                done.unproven[at] = done.unproven[at].take().map(turned);
            }
        }
        Err(failure) => transaction.events.trouble(format!(
            "the profiles could not be bound back to what they presented before: {failure}"
        )),
    }
}

/// What each endpoint shows, in words.
async fn look_at_endpoints(
    request: &InstallRequest,
    bundle: &Bundle,
    form: UploadForm,
) -> Vec<Result<(Address, Option<String>), ProbeMismatch>> {
    let chain = &Link::of_chain(bundle.chain());
    // PAN-OS may drop what a container holds besides the leaf: then it is only told.
    let demanded = if form.container().is_none() { chain.as_slice() } else { &[] };
    let looks = request.served.iter().map(|endpoint| async move {
        let retry_policy = request.retry_policy.served;
        let sent =
            served(endpoint, &request.common_name, bundle.fingerprint(), demanded, retry_policy).await?;
        Ok((endpoint.clone(), remark(endpoint, bundle, chain, &sent)))
    });
    join_all(looks).await
}

/// What clients have to have besides of what an endpoint sends, in words.
fn remark(endpoint: &Address, bundle: &Bundle, chain: &[Link], sent: &[Fingerprint]) -> Option<String> {
    let missing: Vec<Link> = chain.iter().filter(|link| !sent.contains(&link.fingerprint)).cloned().collect();
    if !missing.is_empty() {
        return Some(format!("WARNING: {endpoint} {}", probe::in_words(&missing, sent.len())));
    }
    let is_alone = sent.is_empty() && !bundle.asks_for_chain() && bundle.issuer() != bundle.subject();
    is_alone.then(|| {
        format!(
            "{endpoint} sends only the leaf; missing: {} (issuer), which clients need unless they have it as a root",
            bundle.issuer()
        )
    })
}

async fn restore_bindings(
    connection: &Connection,
    done: &DeviceResult<'_>,
    transaction: &mut Transaction<'_>,
    which: &[usize],
) -> Result<(), InstallError> {
    let parts: Vec<(usize, &PlannedInstall<'_>)> = which.iter().map(|at| (*at, &done.parts[*at])).collect();
    let session = &connection.session;
    transaction.events.tell(Event::GivingBack);
    // As it is now, with the new certificate committed: should this fail too, that is what is come back to.
    let look = DeviceState::look(session, connection.user.clone()).await?;
    let state = DeviceState { changes: look.changes, ..done.state.clone() };
    let mut seen = Vec::new();
    for (_, part) in &parts {
        let candidate = state::candidate(session, &part.observed.place, part.request).await?;
        seen.push((part.request, CurrentInstall { candidate, ..part.observed.clone() }));
    }
    let way = GiveBack {
        steps: parts.iter().map(|(item, part)| (*item, rollback_steps(part))).collect(),
        goals: parts.iter().map(|(_, part)| goal_before(part)).collect(),
        seen: seen.iter().map(|(request, observed)| (*request, observed)).collect(),
    };
    give_back(connection, state, transaction, way).await
}

/// What a part's profiles were bound to before.
fn goal_before(part: &PlannedInstall<'_>) -> ExpectedState {
    let bound = part.plan.steps.iter().flat_map(|step| match step {
        Step::Bind { profiles, .. } => profiles.clone(),
        _ => Vec::new(),
    });
    ExpectedState::Bound { place: part.observed.place.clone(), profiles: bound.collect() }
}
