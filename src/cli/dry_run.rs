//! How a plan is told: to a person, or as JSON. Nothing of it was done.

use std::num::NonZeroU32;
use std::path::Path;

use chrono::Utc;
use panos_xmlapi::{Address, NextIdentity, SystemInfo};
use serde_json::{Value, json};

use super::at_once;
use super::report::{self, JsonHold};
use crate::delivery::hold::Hold;
use crate::delivery::{
    DeliveryError, InstallSpec, Installation, InstallationKey, InstallationStore, foresee,
};
use crate::error::Exit;
use crate::install::after_commit;
use crate::install::apply::PlannedInstall;
use crate::install::assess::{self, Assessment, Item};
use crate::install::connect::reach;
use crate::install::contest::Known;
use crate::install::error::BatchError;
use crate::install::events::Events;
use crate::install::issuers::{FormerIssuer, Issuer};
use crate::install::management;
use crate::install::plan::{Plan, Reached, Step, pending_notes};
use crate::install::problem::Problem;
use crate::install::push::{LeftToPush, PushPlan, StackPlan, WayBack};
use crate::install::request::{CommitScope, InstallRequest};
use crate::install::result::LastRun;
use crate::install::state::{CurrentInstall, DeviceState};
use crate::install::suitable;
use crate::install::ways;
use crate::settings::resolve::Prepared;

/// A device that was looked at, and what would be done there.
pub struct DryRun {
    device: Address,
    system: SystemInfo,
    state: DeviceState,
    observed: CurrentInstall,
    plan: Plan,
    push: Option<PushPlan>,
    /// What a push that fails on too many firewalls leads back to.
    back: Option<WayBack>,
    notes: Vec<String>,
}

/// Looks at the device and decides. Nothing is changed, here or there.
///
/// # Errors
/// Files that can't be used; no key, no device, no trust; a plan that can't be made.
async fn look(prepared: &Prepared, records: &InstallationStore) -> Result<DryRun, Problem> {
    let bundle = prepared.bundle.as_ref().map_err(Problem::from)?;
    let request = &prepared.request;
    let record =
        records.read(&key_of(request)).map_err(|error| Problem::from(&DeliveryError::from(error)))?;
    let known = record.as_ref().map(known_of).unwrap_or_default();
    let others = records.of_device(&request.target.device).map(|known| known.records).unwrap_or_default();
    let others = others.iter().filter(|other| other.key() != key_of(request));
    let left: Vec<LeftToPush> = others.filter_map(Installation::left_to_push).collect();
    let (made, issuers, back) = record
        .map(|record| (record.created_objects, record.created_issuers, record.way_back))
        .unwrap_or_default();
    let devices: Vec<&Address> =
        std::iter::once(&request.target).chain(&request.peer).map(|one| &one.device).collect();
    let next = records.next_identities(&devices);
    dry_run(Item { request, bundle, made, issuers, push: None, back }, (&known, &left), &next)
        .await
        .map_err(|stop| Problem::from(&stop.failure))
}

/// The pending changes that an installation goes on from.
fn known_of(record: &Installation) -> Known {
    Known {
        awaiting_commit: record.last_run() == LastRun::AwaitingCommit,
        changes: record.uncommitted_changes.clone(),
    }
}

async fn dry_run(
    item: Item<'_>,
    (known, left): (&Known, &[LeftToPush]),
    next: &[NextIdentity],
) -> Result<DryRun, BatchError> {
    let request = item.request;
    let connection = reach(request, next).await?;
    let (certificate, before) = (item.bundle.fingerprint(), item.back.clone());
    let wants = [item];
    let Assessment { mut state, mut parts, places, contested } =
        assess::look(&connection, &wants, known, &Events::unheard()).await?;
    state.fetch_administrator(&connection.session).await?;
    let warning =
        management::examine(&connection, &parts, &state, request.commit, &request.retry_policy).await?;
    let PlannedInstall { observed, plan, .. } = parts.remove(0);
    let back = ways::way_back(&plan, certificate, &request.object, before.as_ref());
    let push = after_commit::push_plan(request, &observed)?;
    let mut notes = [connection.notes, plan.notes.clone(), warning.into_iter().collect()].concat();
    let overridden = suitable::overridden(&connection.session, &observed.place, &request.profiles).await;
    notes.extend(overridden.into_iter().map(|text| format!("WARNING: {text}")));
    if !plan.steps.is_empty() {
        notes.extend(pending_notes(request, &state, &places));
        let pushed = push.iter().filter(|plan| plan.left_by.is_none()).flat_map(|plan| &plan.stacks);
        let carried = pushed.flat_map(|stack| left.iter().filter_map(|left| left.carried_by(&stack.name)));
        notes.extend(carried.map(|carried| format!("WARNING: {carried}")));
        notes.extend(contested.map(|(_, found)| format!("WARNING: {found}: it would be waited for")));
    }
    Ok(DryRun {
        device: connection.target.device,
        system: connection.system,
        state,
        observed,
        plan,
        push,
        back,
        notes,
    })
}

fn key_of(request: &InstallRequest) -> InstallationKey {
    InstallationKey {
        device: request.target.device.clone(),
        location: request.location.clone(),
        name: request.base_name.clone(),
    }
}

/// What was found at one place, and what a delivery there would wait for.
pub struct Planned<'p> {
    /// What is asked for.
    pub request: &'p InstallRequest,
    /// What would be done, or why that can't be told.
    pub assessed: Result<DryRun, Problem>,
    /// What would keep it waiting.
    pub hold: Option<Hold>,
}

impl Planned<'_> {
    /// The exit code that it calls for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.assessed.as_ref().err().map_or(Exit::Done, |problem| problem.exit)
    }
}

/// Looks and decides, for each place; with `now` nothing is waited for.
pub async fn plan_all<'p>(
    (specs, prepared): (&[InstallSpec], &'p [Prepared]),
    state_dir: &Path,
    now: bool,
    concurrency: u16,
) -> Vec<Planned<'p>> {
    let records = &InstallationStore::below(state_dir);
    let holds = match now {
        true => vec![None; specs.len()],
        false => foresee(specs, state_dir, Utc::now()),
    };
    let looks = prepared.iter().zip(holds).map(|(prepared, hold)| async move {
        Planned { request: &prepared.request, assessed: look(prepared, records).await, hold }
    });
    at_once::all(looks, concurrency).await
}

/// The plans of all places for a person, and what they would wait for.
pub fn tell_all(program: &str, planned: &[Planned<'_>], most_at_once: Option<NonZeroU32>) {
    planned.iter().for_each(|planned| tell(program, planned));
    if let Some(most) = most_at_once.filter(|most| planned.len() > most.get() as usize) {
        let devices = if most.get() == 1 { "device at most is" } else { "devices at most are" };
        report::line(&format!("{most} {devices} changed at the same time (max_commits)."));
    }
    if planned.iter().any(|planned| planned.hold.is_some()) {
        report::note(program, "what waits is delivered by the worker then; to deliver it at once, add --now");
    }
}

/// One device's plan for a person.
fn tell(program: &str, planned: &Planned<'_>) {
    match &planned.assessed {
        Err(found) => {
            let device = &planned.request.target.device;
            report::problem(program, &format!("{device}: {found}"), found.advice.as_deref());
        }
        Ok(assessed) => {
            report::line(&format!("{}{}:", assessed.device, described(&assessed.system)));
            if let Some(hold) = &planned.hold {
                report::line(&format!("  wait    {}", hold.words()));
            }
            let plan = &assessed.plan;
            if plan.is_running() {
                report::line("  no changes: this certificate is already installed");
            } else if plan.steps.is_empty() {
                report::line("  no changes: this certificate is in the candidate configuration already");
            }
            let is_left = plan.reached == Reached::Candidate;
            let left = is_left.then(|| "commit  left to a person (--commit none)".to_owned());
            let steps = plan.steps.iter().flat_map(|step| lines(step, assessed)).chain(left);
            let pushes = assessed.push.iter().flat_map(PushPlan::lines).map(|line| format!("push    {line}"));
            steps
                .chain(pushes)
                .chain(limit(planned.request, assessed))
                .chain(assessed.notes.iter().cloned())
                .for_each(|line| report::line(&format!("  {line}")));
        }
    }
}

/// What becomes of a push that fails on too many firewalls.
fn limit(request: &InstallRequest, assessed: &DryRun) -> Option<String> {
    let (limit, plan) = (request.push.max_failures?, assessed.push.as_ref()?);
    if plan.stacks.is_empty() {
        return None;
    }
    let then = match &assessed.back {
        Some(back) => format!("stop, bind {}, commit, push to those that took the new one", back.in_words()),
        None => "stop; there is nothing to bind back to".to_owned(),
    };
    Some(format!("limit   if it fails on more than {limit} of them: {then}"))
}

fn described(system: &SystemInfo) -> String {
    let parts = [&system.model, &system.sw_version];
    let known: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", PAN-OS ")) }
}

fn lines(step: &Step, assessed: &DryRun) -> Vec<String> {
    match step {
        Step::Import { object, replaces: false } => vec![format!("upload  {object} (a new object)")],
        Step::Import { object, replaces: true } => {
            let before = assessed
                .observed
                .candidate
                .fingerprint()
                .map_or_else(|| "unknown".to_owned(), |print| print.to_string());
            vec![format!("upload  {object} (replaces the certificate with the fingerprint {before})")]
        }
        Step::Bind { profiles, to } => {
            let bind = |(profile, from): &(_, Option<String>)| {
                format!("bind    SSL/TLS profile {profile}: {} -> {to}", from.as_deref().unwrap_or("nothing"))
            };
            profiles.iter().map(bind).collect()
        }
        Step::Rebind { uses, to } => {
            uses.iter().map(|place| format!("rebind  {}: {} -> {to}", place.label, place.from)).collect()
        }
        Step::ImportIssuer(issuer) => {
            let Issuer { object, subject, .. } = issuer;
            vec![format!("upload  {object} (a new object for the intermediate certificate {subject})")]
        }
        Step::Delete(object) | Step::DeleteIssuer(FormerIssuer { object, .. }) => {
            vec![format!("delete  {object}, unless it is still referenced")]
        }
        Step::Commit(CommitScope::Everybody) => vec!["commit  all administrators' changes".to_owned()],
        Step::Commit(_) => {
            let who = assessed.state.administrator.as_deref().unwrap_or("the API administrator");
            vec![format!("commit  only the changes of {who}")]
        }
    }
}

/// All devices' plans as one JSON object.
pub fn json(program: &str, exit: Exit, planned: &[Planned<'_>], most_at_once: Option<NonZeroU32>) {
    let devices: Vec<Value> = planned.iter().map(device).collect();
    let told =
        json!({ "dry_run": true, "exit": exit.code(), "max_commits": most_at_once, "devices": devices });
    report::json(program, &told);
}

/// One place's plan as JSON.
pub fn device(planned: &Planned<'_>) -> Value {
    let waits_for = planned.hold.as_ref().map(JsonHold::of);
    match &planned.assessed {
        Ok(assessed) => json!({
            "device": assessed.device,
            "model": assessed.system.model,
            "version": assessed.system.sw_version,
            "waits_for": waits_for,
            "left_to_commit": assessed.plan.reached == Reached::Candidate,
            "steps": assessed.plan.steps.iter().map(|step| json_step(step, assessed)).collect::<Vec<_>>(),
            "push": assessed.push.as_ref().map(json_push),
            "max_failures": planned.request.push.max_failures.map(|limit| limit.to_string()),
            "notes": assessed.notes,
        }),
        Err(found) => json!({
            "device": planned.request.target.device,
            "waits_for": waits_for,
            "exit": found.exit.code(),
            "problem": found.what,
            "advice": found.advice,
        }),
    }
}

fn json_push(push: &PushPlan) -> Value {
    let stack =
        |stack: &StackPlan| json!({ "stack": stack.name, "firewalls": stack.serials, "all": stack.is_whole });
    json!({ "left_to_a_person": push.left_by.is_some(), "stacks": push.stacks.iter().map(stack).collect::<Vec<_>>() })
}

fn json_step(step: &Step, assessed: &DryRun) -> Value {
    match step {
        Step::Import { object, replaces } => {
            let before = assessed.observed.candidate.fingerprint().filter(|_| *replaces);
            json!({ "do": "import", "object": object, "replaces": before })
        }
        Step::Bind { profiles, to } => {
            let bound =
                |(profile, from): &(_, Option<String>)| json!({ "profile": profile, "from": from, "to": to });
            json!({ "do": "bind", "profiles": profiles.iter().map(bound).collect::<Vec<_>>() })
        }
        Step::Rebind { uses, to } => {
            let places =
                uses.iter().map(|place| json!({ "place": place.label, "from": place.from, "to": to }));
            json!({ "do": "rebind", "places": places.collect::<Vec<_>>() })
        }
        Step::ImportIssuer(Issuer { object, subject, fingerprint, .. }) => {
            json!({ "do": "import_issuer", "object": object, "subject": subject, "fingerprint": fingerprint })
        }
        Step::Delete(object) | Step::DeleteIssuer(FormerIssuer { object, .. }) => {
            json!({ "do": "delete", "object": object })
        }
        Step::Commit(CommitScope::Everybody) => json!({ "do": "commit", "administrator": null }),
        Step::Commit(_) => json!({ "do": "commit", "administrator": assessed.state.administrator }),
    }
}
