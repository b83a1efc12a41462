//! A template or template stack of a Panorama: whether it is there, whose objects win, and which firewalls it reaches.

use panos_xmlapi::{Location, Session, StackDevice, TemplateStack};

use super::CheckTarget;
use super::finding::CheckResult;
use crate::cli::firewalls::stands_to_stack;
use crate::error::Exit;
use crate::install::templates::{self, Wanted};
use crate::settings::location;
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
    let wanted =
        Wanted { object: subject.object.as_ref(), profiles: &subject.profiles, stacks: &push.stacks };
    let mut findings: Vec<CheckResult> = match templates::look(session, wanted, place).await {
        Ok(found) => {
            let told = found.notes.iter().map(|note| match note.strip_prefix("WARNING: ") {
                Some(warning) => CheckResult::warning(CHECK, warning),
                None => CheckResult::ok(CHECK, note.trim_start_matches("Note: ")),
            });
            std::iter::once(CheckResult::ok(CHECK, format!("{place} is there"))).chain(told).collect()
        }
        Err(failure) => return vec![CheckResult::of_failure(CHECK, &failure)],
    };
    let told = match session.template_stack_status().await {
        Ok(told) => told,
        Err(error) => {
            findings.push(CheckResult::warning(CHECK, format!("its stacks can't be read: {error}")));
            return findings;
        }
    };
    let stacks: Vec<&TemplateStack> =
        told.iter().filter(|stack| place.is_in_stack(&stack.name, &stack.templates)).collect();
    if stacks.is_empty() {
        let finding = CheckResult::warning(CHECK, "no template stack holds it: nothing can be pushed");
        findings.push(finding.advise("add it to a template stack (Panorama > Templates), and commit"));
    }
    findings.extend(stacks.into_iter().flat_map(reached));
    findings
}

/// What the firewalls of a stack last got: those that are as they should be together, and each other one for itself.
fn reached(stack: &TemplateStack) -> Vec<CheckResult> {
    if stack.devices.is_empty() {
        let text = format!("the template stack '{}' has no firewalls", stack.name);
        return vec![CheckResult::warning(CHECK, text)];
    }
    let (fine, others): (Vec<&StackDevice>, Vec<&StackDevice>) =
        stack.devices.iter().partition(|device| device.is_connected() && device.is_in_sync());
    let mut findings = Vec::new();
    if !fine.is_empty() {
        let serials: Vec<String> = fine.iter().map(|device| device.serial.clone()).collect();
        let firewalls = if serials.len() == 1 { "firewall" } else { "firewalls" };
        let text = format!(
            "the template stack '{}' reaches {} connected {firewalls}, in sync: {}",
            stack.name,
            serials.len(),
            some_of(&serials, ", ")
        );
        findings.push(CheckResult::ok(CHECK, text));
    }
    findings.extend(others.into_iter().map(|device| {
        let stands = stands_to_stack(device);
        let text = format!("{} in the template stack '{}': {stands}", device.serial, stack.name);
        CheckResult::warning(CHECK, text)
    }));
    findings
}
