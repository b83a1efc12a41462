//! What follows a commit on Panorama: the push to its firewalls, or the news that it is left to a person.

use panos_xmlapi::Fingerprint;

use super::apply::PlannedInstall;
use super::connect::Connection;
use super::error::{Activity, InstallError};
use super::events::{Event, Events};
use super::plan::Reached;
use super::push::{self, Expected, LeftBy, PushGoal, PushPlan, PushState, Pusher, Rebound};
use super::rebound;
use super::request::{CommitScope, InstallRequest};
use super::retry::RetryPolicy;
use super::state::{CurrentInstall, place_of};
use super::take_back::{self, Exceeded};
use super::transaction::{AfterCommit, DeviceResult, Transaction};

/// Decides what is pushed, before anything is changed.
///
/// # Errors
/// A push that can't be as it was asked for.
pub(super) fn plan(part: &PlannedInstall<'_>) -> Result<AfterCommit, InstallError> {
    let plan = push_plan(part.request, &part.observed)?;
    Ok(plan.map_or(AfterCommit::Nothing, AfterCommit::Push))
}

/// What is pushed for a request, or left to a person: whoever leaves the commit to one leaves the push as well.
///
/// # Errors
/// A push that can't be as it was asked for.
pub fn push_plan(
    request: &InstallRequest,
    observed: &CurrentInstall,
) -> Result<Option<PushPlan>, InstallError> {
    let plan = push::of_stacks(&observed.stacks, &observed.place, &request.push)?;
    Ok(plan.map(|plan| match request.commit {
        CommitScope::Nothing => PushPlan { left_by: Some(LeftBy::Commit), ..plan },
        CommitScope::OwnChanges | CommitScope::Everybody => plan,
    }))
}

/// Whether what is committed there has to be pushed.
pub(super) fn is_on_panorama(part: &PlannedInstall<'_>) -> bool {
    part.observed.place.template_entry().is_some()
}

/// Pushes what Panorama runs, and looks at each firewall. What is missing there is why a certificate is not proven.
pub(super) async fn push(
    connection: &Connection,
    done: &mut DeviceResult<'_>,
    transaction: &mut Transaction<'_>,
) {
    let rebound = see_rebound(connection, done, transaction.retry_policy()).await;
    let mut goals = Vec::new();
    for (item, part) in done.parts.iter().enumerate() {
        let AfterCommit::Push(plan) = &done.after[item] else { continue };
        if done.unproven[item].is_some() || part.plan.reached == Reached::Candidate {
            continue;
        }
        let request = part.request;
        let before = transaction.wants[item].push.as_ref().filter(|_| part.plan.is_running());
        let state =
            PushState::planned(plan, part.bundle.fingerprint(), &request.object).going_on_from(before);
        let (object, profiles) = (&request.object, request.profiles.as_slice());
        let of = Expected::Certificate { object, profiles, rebound: &rebound[item] };
        let goal = PushGoal::new(item, &part.observed.place, of, request.push.everybody, state)
            .within(request.push.max_failures);
        goals.push((goal, plan.left_by));
    }
    if goals.is_empty() {
        return;
    }
    let left_by = goals.iter().find_map(|(_, left_by)| *left_by);
    let (left, wanted): (Vec<_>, Vec<_>) = goals.into_iter().partition(|(_, left_by)| left_by.is_some());
    let mut wanted: Vec<PushGoal<'_>> = wanted.into_iter().map(|(goal, _)| goal).collect();
    let mut left: Vec<PushGoal<'_>> = left.into_iter().map(|(goal, _)| goal).collect();
    let mut state = done.state.clone();
    // Without a name nothing but everybody's changes can be pushed: that is for the push to say.
    let _ = state.fetch_administrator(&connection.session).await;
    let pusher = Pusher {
        session: &connection.session,
        system: &connection.system,
        administrator: state.administrator,
        description: transaction.description(),
        time: transaction.request().commit_timeout,
        usual: transaction.usual_push,
        left: transaction.left,
        retry_policy: transaction.retry_policy(),
        events: transaction.events,
    };
    if !left.is_empty() {
        if !done.committed {
            pusher.examine(&mut left).await;
        }
        pusher.note(&left, &mut *transaction.journal);
    }
    if !wanted.is_empty() {
        pusher.push(&mut wanted, done.committed, &mut *transaction.journal).await;
    }
    let mut ends = Vec::new();
    for goal in left {
        if goal.state.is_complete() {
            ends.push((goal.item, AfterCommit::Pushed { now: false }, None));
        } else {
            let by = left_by.unwrap_or(LeftBy::Push).option();
            transaction.events.tell(Event::LeftToPush { by, firewalls: goal.state.open.len() });
            ends.push((goal.item, AfterCommit::LeftToPush, None));
        }
    }
    let mut stopped = Vec::new();
    for goal in wanted {
        if let (Some(limit), AfterCommit::Push(plan)) = (goal.exceeded(), &done.after[goal.item]) {
            stopped.push(Exceeded { item: goal.item, plan: plan.clone(), state: goal.state, limit });
            continue;
        }
        let lack = goal.lack().map(|lack| InstallError::Push(Box::new(lack)));
        ends.push((goal.item, AfterCommit::Pushed { now: goal.was_pushed }, lack));
    }
    for (item, after, lack) in ends {
        done.after[item] = after;
        done.unproven[item] = lack;
    }
    for (item, failure) in take_back::begin(connection, transaction, stopped).await {
        done.after[item] = AfterCommit::Pushed { now: true };
        done.unproven[item] = Some(failure);
    }
}

/// What each part has rebound besides the named profiles. Where that can't be learnt, nothing of it is proven.
async fn see_rebound(
    connection: &Connection,
    done: &mut DeviceResult<'_>,
    retry_policy: &RetryPolicy,
) -> Vec<Vec<Rebound>> {
    let mut all = Vec::new();
    for (part, unproven) in done.parts.iter().zip(&mut done.unproven) {
        if unproven.is_some() || part.plan.reached == Reached::Candidate {
            all.push(Vec::new());
            continue;
        }
        let (place, stacks) = (&part.observed.place, part.observed.stacks.as_slice());
        let ask = async || rebound::look(&connection.session, place, part.request, stacks).await;
        let found = retry_policy.retry(ask).await;
        all.push(found.unwrap_or_else(|failure| {
            *unproven = Some(failure);
            Vec::new()
        }));
    }
    all
}

/// How it stands with the firewalls.
#[derive(Debug, Default)]
pub struct OnFirewalls {
    /// What they lack of what Panorama runs, in words.
    pub lack: Option<String>,
    /// Each of them; nothing where none is to have it, or where Panorama could not be asked about them.
    pub state: Option<PushState>,
}

/// What the firewalls lack of what Panorama runs. One that is away now and was seen to have it before is not missed.
///
/// # Errors
/// A push that can't be as it is configured; a Panorama that fails or refuses.
pub async fn examine(
    connection: &Connection,
    request: &InstallRequest,
    wanted: Fingerprint,
    before: Option<&PushState>,
) -> Result<OnFirewalls, InstallError> {
    let place = place_of(request, &connection.system);
    if place.template_entry().is_none() {
        return Ok(OnFirewalls::default());
    }
    let looking = InstallError::during(Activity::Looking);
    let stacks = connection.session.template_stacks().await.map_err(looking)?;
    let Some(plan) = push::of_stacks(&stacks, &place, &request.push)? else {
        return Ok(OnFirewalls::default());
    };
    let state = PushState::planned(&plan, wanted, &request.object);
    let rebound = rebound::look(&connection.session, &place, request, &stacks).await?;
    let (object, profiles) = (&request.object, request.profiles.as_slice());
    let of = Expected::Certificate { object, profiles, rebound: &rebound };
    let mut goals = [PushGoal::new(0, &place, of, request.push.everybody, state)];
    let events = Events::unheard();
    let pusher = Pusher {
        session: &connection.session,
        system: &connection.system,
        administrator: None,
        description: String::new(),
        time: request.commit_timeout,
        usual: None,
        left: &[],
        retry_policy: &request.retry_policy,
        events: &events,
    };
    pusher.examine(&mut goals).await;
    let [mut goal] = goals;
    if let Some(before) = before {
        goal.state.excuse_absent(before);
    }
    let lack = goal.lack();
    let is_asked = lack.as_ref().is_none_or(|lack| lack.troubles.is_empty());
    let state = is_asked.then(|| goal.state.kept());
    Ok(OnFirewalls { lack: lack.map(|lack| lack.to_string()), state })
}
