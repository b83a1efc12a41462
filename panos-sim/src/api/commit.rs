//! `type=commit`, and the scope that commits, validations and reverts share.

use super::{
    call::Call,
    reply::{Reply, success},
};
use crate::{
    config::Scope,
    device::{Commission, CommitAnswer, Device},
    refusal::Refusal,
    xml::{Element, parse},
};

pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let cmd = call.request.required("cmd", "committing")?;
    let cmd = parse(cmd).map_err(|broken| Refusal::code(18, broken.to_string()))?;
    if cmd.name == "commit-all" {
        return super::commit_all::answer(device, call, &cmd);
    }
    if cmd.name != "commit" {
        return Err(Refusal::code(17, format!(" {} is not supported by this simulated device", cmd.name)));
    }
    if let Some(validate) = cmd.find("validate") {
        let wanted = commission(validate)?;
        return Ok(validating(device.validate(call.session, &wanted.scope, call.now)));
    }
    let wanted = commission(&cmd)?;
    let answer = device.commit(call.session, &wanted, call.now)?;
    Ok(match answer {
        CommitAnswer::Enqueued(id) => enqueued(&format!("Commit job enqueued with jobid {id}"), id),
        CommitAnswer::NoChanges => Reply::code(19, "There are no changes to commit."),
        CommitAnswer::SameAsBefore => Reply::code(
            13,
            "The result of this commit would be the same as the previous commit queued/processed. \
             No edits have been made between these subsequent commits. Please check the previous \
             commit status. If still needed, use commit force instead.",
        ),
    })
}

/// The reply to a validation.
pub(super) fn validating(id: u64) -> Reply {
    enqueued(&format!("Validate job enqueued with jobid {id}"), id)
}

/// The reply that names a job.
pub(super) fn enqueued(text: &str, id: u64) -> Reply {
    let result = Element::new("result")
        .child(Element::new("msg").child(Element::leaf("line", text)))
        .child(Element::leaf("job", id.to_string()));
    Reply::Xml(success().attribute("code", "19").child(result))
}

fn commission(commit: &Element) -> Result<Commission, Refusal> {
    let force = commit.find("force");
    let partial = commit.find("partial").or_else(|| force.and_then(|force| force.find("partial")));
    let description = commit
        .text_of("description")
        .or_else(|| partial.and_then(|partial| partial.text_of("description")))
        .unwrap_or_default();
    let known = ["force", "partial", "description"];
    if let Some(other) = commit.children.iter().find(|c| !known.contains(&c.name.as_str())) {
        return Err(Refusal::code(17, format!(" commit -> {} unexpected here", other.name)));
    }
    Ok(Commission {
        scope: partial.map(scope).transpose()?.unwrap_or_default(),
        force: force.is_some(),
        description: description.to_owned(),
    })
}

/// What a `partial` element leaves in.
pub(super) fn scope(partial: &Element) -> Result<Scope, Refusal> {
    let mut scope = Scope::default();
    for part in &partial.children {
        let members = || -> Vec<String> {
            let members = part.children.iter().filter(|m| m.name == "member");
            members.map(|m| m.text.trim().to_owned()).collect()
        };
        match part.name.as_str() {
            "description" => {}
            "admin" => scope.administrators = Some(members()),
            "vsys" => scope.vsys = Some(members()),
            "no-vsys" => scope.vsys = Some(Vec::new()),
            "template" => scope.templates = Some(members()),
            "no-template" => scope.templates = Some(Vec::new()),
            "template-stack" => scope.stacks = Some(members()),
            "no-template-stack" => scope.stacks = Some(Vec::new()),
            // There is nothing of the kind here.
            "device-group" | "no-device-group" | "log-collector" | "no-log-collector" | "log-collector-group"
            | "no-log-collector-group" | "wildfire-appliance" | "no-wildfire-appliance"
            | "wildfire-appliance-cluster" | "no-wildfire-appliance-cluster" => {}
            "device-and-network" | "shared-object" | "policy-and-objects"
                // pan-os-python sends the element without the word.
                if ["", "excluded"].contains(&part.text.trim()) =>
            {
                scope.excluded.push(part.name.clone());
            }
            other => {
                return Err(Refusal::code(
                    17,
                    format!(" commit -> partial -> {other} unexpected here"),
                ));
            }
        }
    }
    Ok(scope)
}
