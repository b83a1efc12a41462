//! How a plan is told: to a person, or as JSON. Nothing of it was done.

use serde_json::{Value, json};

use super::report;
use crate::error::Exit;
use crate::install::Failure;
use crate::install::deliver::Looked;
use crate::install::observe::Observed;
use crate::install::plan::{Plan, Step};
use crate::install::request::{CommitScope, Wish};

/// One device's plan for a person.
pub fn tell(program: &str, wish: &Wish, looked: Result<&Looked, &Failure>) {
    match looked {
        Err(failure) => {
            report::problem(program, &format!("{}: {failure}", wish.device), failure.advice().as_deref());
        }
        Ok(Looked { observed, plan, .. }) => {
            report::line(&format!("{}{}:", wish.device, described(observed)));
            if plan.steps.is_empty() {
                report::line("  nothing to do, it runs this very certificate already");
            }
            plan.steps
                .iter()
                .flat_map(|step| lines(step, observed))
                .for_each(|line| report::line(&format!("  {line}")));
            plan.notes.iter().for_each(|note| report::line(&format!("  {note}")));
        }
    }
}

fn described(observed: &Observed) -> String {
    let parts = [&observed.system.model, &observed.system.sw_version];
    let known: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", PAN-OS ")) }
}

fn lines(step: &Step, observed: &Observed) -> Vec<String> {
    match step {
        Step::Import { object, replaces: false } => vec![format!("upload  {object} (a new object)")],
        Step::Import { object, replaces: true } => {
            let before = observed
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
        Step::Delete(object) => vec![format!("delete  {object}, unless something refers to it")],
        Step::Commit(CommitScope::Everybody) => vec!["commit  everybody's changes".to_owned()],
        Step::Commit(_) => {
            let who = observed.administrator.as_deref().unwrap_or("the API administrator");
            vec![format!("commit  only the changes of {who}")]
        }
    }
}

/// All devices' plans as one JSON object.
pub fn json(exit: Exit, looked: &[(Wish, Result<Looked, Failure>)]) {
    let devices: Vec<Value> = looked.iter().map(|(wish, looked)| device(wish, looked)).collect();
    report::line(&json!({ "dry_run": true, "exit": exit.code(), "devices": devices }).to_string());
}

fn device(wish: &Wish, looked: &Result<Looked, Failure>) -> Value {
    let name = wish.device.to_string();
    match looked {
        Ok(Looked { observed, plan: Plan { steps, notes }, .. }) => json!({
            "device": name,
            "model": observed.system.model,
            "version": observed.system.sw_version,
            "steps": steps.iter().map(|step| json_step(step, observed)).collect::<Vec<_>>(),
            "notes": notes,
        }),
        Err(failure) => json!({
            "device": name,
            "exit": failure.exit().code(),
            "problem": failure.to_string(),
            "advice": failure.advice(),
        }),
    }
}

fn json_step(step: &Step, observed: &Observed) -> Value {
    match step {
        Step::Import { object, replaces } => {
            let before = observed.candidate.fingerprint().filter(|_| *replaces);
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
        Step::Commit(_) => json!({ "do": "commit", "administrator": observed.administrator }),
    }
}
