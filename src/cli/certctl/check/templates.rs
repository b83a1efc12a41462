//! A template or template stack of a Panorama: whether it is there, whose objects win, and which firewalls it reaches.

use panos_xmlapi::{Location, Session, StackDevice, TemplateStack};

use super::CheckTarget;
use super::finding::CheckResult;
use crate::cli::firewalls::stands_to_stack;
use crate::error::Exit;
use crate::install::push::{self, PushPlan, PushPolicy, StackPlan, StacksToPush};
use crate::install::templates::{self, Wanted};
use crate::settings::location;
use crate::settings::options::{CommitOption, DeviceOptions};
use crate::text::some_of;

const CHECK: &str = "template";

/// Looks at all of it; nothing for places without templates.
pub(super) async fn look(session: &Session, subject: &CheckTarget, place: &Location) -> Vec<CheckResult> {
    if place.template_entry().is_none() {
        return Vec::new();
    }
    let failed = |exit: Exit, text: String| vec![CheckResult::failed(CHECK, exit, text)];
    let push = match location::push_by_all(&subject.options) {
        Ok(push) => push,
        Err(invalid) => return failed(Exit::Usage, invalid.to_string()),
    };
    let wanted = Wanted { object: subject.object.as_ref(), profiles: &subject.profiles, push: &push };
    let looked = templates::look(session, wanted, place).await;
    let planned = looked.and_then(|found| Ok((push::of_stacks(&found.stacks, place, &push)?, found)));
    let (plan, mut findings): (Option<PushPlan>, Vec<CheckResult>) = match planned {
        Ok((plan, found)) => {
            let told = found.notes.iter().map(|note| match note.strip_prefix("WARNING: ") {
                Some(warning) => CheckResult::warning(CHECK, warning),
                None => CheckResult::ok(CHECK, note.trim_start_matches("Note: ")),
            });
            let there = std::iter::once(CheckResult::ok(CHECK, format!("{place} is there")));
            (plan, there.chain(told).collect())
        }
        Err(failure) => return vec![CheckResult::of_failure(CHECK, &failure)],
    };
    let stacks = plan.as_ref().map(|plan| plan.stacks.as_slice()).unwrap_or_default();
    if stacks.is_empty() {
        let finding = CheckResult::warning(CHECK, "no template stack holds it: nothing can be pushed");
        findings.push(finding.advise("add it to a template stack (Panorama > Templates), and commit"));
        return findings;
    }
    if let Some(option) = leaves_the_push(&subject.options, &push) {
        let text = format!("the push is left to a person ({option})");
        findings.push(CheckResult::ok(CHECK, text));
    }
    match session.template_stack_status().await {
        Ok(told) => findings.extend(stacks.iter().flat_map(|stack| reached(stack, &told))),
        Err(error) => {
            findings.push(CheckResult::warning(CHECK, format!("its stacks can't be read: {error}")));
        }
    }
    findings
}

/// The option by which nothing is pushed.
fn leaves_the_push(options: &DeviceOptions, push: &PushPolicy) -> Option<&'static str> {
    if options.commit == Some(CommitOption::None) {
        return Some("--commit none");
    }
    (push.stacks == StacksToPush::Nothing).then_some("--push none")
}

/// What those firewalls of a stack that are pushed to last got: those that are as they should be together, and each
/// other one for itself.
fn reached(plan: &StackPlan, told: &[TemplateStack]) -> Vec<CheckResult> {
    let of_stack = told.iter().filter(|stack| stack.name == plan.name).flat_map(|stack| &stack.devices);
    let devices: Vec<&StackDevice> =
        of_stack.filter(|device| plan.serials.contains(&device.serial)).collect();
    if plan.serials.is_empty() {
        let text = format!("the template stack '{}' has no firewalls", plan.name);
        return vec![CheckResult::warning(CHECK, text)];
    }
    let is_told = |serial: &&String| devices.iter().any(|device| device.serial == **serial);
    let untold: Vec<&String> = plan.serials.iter().filter(|serial| !is_told(serial)).collect();
    let (fine, others): (Vec<&StackDevice>, Vec<&StackDevice>) =
        devices.into_iter().partition(|device| device.is_connected() && device.is_in_sync());
    let mut findings = Vec::new();
    if !fine.is_empty() {
        let serials: Vec<String> = fine.iter().map(|device| device.serial.clone()).collect();
        let firewalls = if serials.len() == 1 { "firewall" } else { "firewalls" };
        let text = format!(
            "the template stack '{}' reaches {} connected {firewalls}, in sync: {}",
            plan.name,
            serials.len(),
            some_of(&serials, ", ")
        );
        findings.push(CheckResult::ok(CHECK, text));
    }
    findings.extend(others.into_iter().map(|device| {
        let stands = stands_to_stack(device);
        let text = format!("{} in the template stack '{}': {stands}", device.serial, plan.name);
        CheckResult::warning(CHECK, text)
    }));
    findings.extend(untold.into_iter().map(|serial| {
        let text = format!("{serial} in the template stack '{}': Panorama tells nothing of it", plan.name);
        CheckResult::warning(CHECK, text)
    }));
    findings
}
