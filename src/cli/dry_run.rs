//! How a plan is told: to a person, or as JSON. Nothing of it was done.

use panos_xmlapi::{Address, NextIdentity, SystemInfo};
use serde_json::{Value, json};

use super::report;
use crate::delivery::{DeliveryError, Installation, InstallationKey, InstallationStore};
use crate::error::Exit;
use crate::install::apply::PlannedInstall;
use crate::install::assess::{self, Assessment, Item};
use crate::install::connect::reach;
use crate::install::contest::Known;
use crate::install::error::BatchError;
use crate::install::location;
use crate::install::management;
use crate::install::plan::{Plan, Step, pending_notes};
use crate::install::problem::Problem;
use crate::install::request::{CommitScope, InstallRequest};
use crate::install::result::LastRun;
use crate::install::state::{CurrentInstall, DeviceState};
use crate::install::suitable;
use crate::settings::resolve::Prepared;

/// A device that was looked at, and what would be done there.
pub struct DryRun {
    device: Address,
    system: SystemInfo,
    situation: DeviceState,
    observed: CurrentInstall,
    plan: Plan,
    notes: Vec<String>,
}

/// Looks at the device and decides. Nothing is changed, here or there.
///
/// # Errors
/// Files that can't be used; no key, no device, no trust; a plan that can't be made.
pub async fn look(prepared: &Prepared, records: &InstallationStore) -> Result<DryRun, Problem> {
    let bundle = prepared.bundle.as_ref().map_err(Problem::from)?;
    let wish = &prepared.wish;
    let record = records.read(&key_of(wish)).map_err(|error| Problem::from(&DeliveryError::from(error)))?;
    let known = record.as_ref().map(known_of).unwrap_or_default();
    let made = record.map(|record| record.created_objects).unwrap_or_default();
    let devices: Vec<&Address> =
        std::iter::once(&wish.target).chain(&wish.peer).map(|one| &one.device).collect();
    let next = records.next_identities(&devices);
    dry_run(Item { wish, bundle, made }, &known, &next).await.map_err(|stop| Problem::from(&stop.failure))
}

/// The pending changes that an installation goes on from.
fn known_of(record: &Installation) -> Known {
    Known {
        awaiting_commit: record.last_run() == LastRun::AwaitingCommit,
        changes: record.uncommitted_changes.clone(),
    }
}

async fn dry_run(item: Item<'_>, known: &Known, next: &[NextIdentity]) -> Result<DryRun, BatchError> {
    let wish = item.wish;
    let reached = reach(wish, next).await?;
    let wants = [item];
    let Assessment { mut situation, mut parts, places, contested } =
        assess::look(&reached, &wants, known).await?;
    situation.fetch_administrator(&reached.session).await?;
    let warning = management::examine(&reached, &parts, &situation, wish.commit, &wish.patience).await?;
    let PlannedInstall { observed, plan, .. } = parts.remove(0);
    let mut notes = [reached.notes, plan.notes.clone(), warning.into_iter().collect()].concat();
    let overridden = suitable::overridden(&reached.session, &observed.place, &wish.profiles).await;
    notes.extend(overridden.into_iter().map(|text| format!("WARNING: {text}")));
    if !plan.steps.is_empty() {
        notes.extend(pending_notes(wish.commit, &situation, &places));
        notes.extend(contested.map(|(_, found)| format!("WARNING: {found}: it would be waited for")));
    }
    Ok(DryRun { device: reached.target.device, system: reached.system, situation, observed, plan, notes })
}

fn key_of(wish: &InstallRequest) -> InstallationKey {
    InstallationKey {
        device: wish.target.device.clone(),
        location: location::of_vsys(wish.vsys.as_ref()),
        name: wish.base_name.clone(),
    }
}

/// One device's plan for a person.
pub fn tell(program: &str, wish: &InstallRequest, looked: Result<&DryRun, &Problem>) {
    match looked {
        Err(found) => {
            report::problem(program, &format!("{}: {found}", wish.target.device), found.advice.as_deref());
        }
        Ok(looked) => {
            report::line(&format!("{}{}:", looked.device, described(&looked.system)));
            if looked.plan.steps.is_empty() {
                report::line("  no changes: this certificate is already installed");
            }
            let steps = looked.plan.steps.iter().flat_map(|step| lines(step, looked));
            steps.chain(looked.notes.iter().cloned()).for_each(|line| report::line(&format!("  {line}")));
        }
    }
}

fn described(system: &SystemInfo) -> String {
    let parts = [&system.model, &system.sw_version];
    let known: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", PAN-OS ")) }
}

fn lines(step: &Step, looked: &DryRun) -> Vec<String> {
    match step {
        Step::Import { object, replaces: false } => vec![format!("upload  {object} (a new object)")],
        Step::Import { object, replaces: true } => {
            let before = looked
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
        Step::Delete(object) => vec![format!("delete  {object}, unless it is still referenced")],
        Step::Commit(CommitScope::Everybody) => vec!["commit  all administrators' changes".to_owned()],
        Step::Commit(_) => {
            let who = looked.situation.administrator.as_deref().unwrap_or("the API administrator");
            vec![format!("commit  only the changes of {who}")]
        }
    }
}

/// All devices' plans as one JSON object.
pub fn json(exit: Exit, looked: &[(&InstallRequest, Result<DryRun, Problem>)]) {
    let devices: Vec<Value> = looked.iter().map(|(wish, looked)| device(wish, looked)).collect();
    report::line(&json!({ "dry_run": true, "exit": exit.code(), "devices": devices }).to_string());
}

fn device(wish: &InstallRequest, looked: &Result<DryRun, Problem>) -> Value {
    match looked {
        Ok(looked) => json!({
            "device": looked.device,
            "model": looked.system.model,
            "version": looked.system.sw_version,
            "steps": looked.plan.steps.iter().map(|step| json_step(step, looked)).collect::<Vec<_>>(),
            "notes": looked.notes,
        }),
        Err(found) => json!({
            "device": wish.target.device,
            "exit": found.exit.code(),
            "problem": found.what,
            "advice": found.advice,
        }),
    }
}

fn json_step(step: &Step, looked: &DryRun) -> Value {
    match step {
        Step::Import { object, replaces } => {
            let before = looked.observed.candidate.fingerprint().filter(|_| *replaces);
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
        Step::Delete(object) => json!({ "do": "delete", "object": object }),
        Step::Commit(CommitScope::Everybody) => json!({ "do": "commit", "administrator": null }),
        Step::Commit(_) => json!({ "do": "commit", "administrator": looked.situation.administrator }),
    }
}
