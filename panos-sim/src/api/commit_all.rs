//! `commit-all`: from a Panorama to its firewalls.

use super::{
    call::Call,
    commit::enqueued,
    reply::{Reply, success},
};
use crate::{
    config::{members, panorama_entry, stacks_with},
    device::{Device, PushOrder, Work},
    refusal::Refusal,
    xml::Element,
};

pub(super) fn answer(device: &mut Device, call: &Call<'_>, cmd: &Element) -> Result<Reply, Refusal> {
    if !device.settings.is_panorama() {
        return Err(Refusal::code(17, " commit-all is unexpected"));
    }
    let target = cmd.children.first().ok_or_else(|| Refusal::code(17, " commit-all is incomplete"))?;
    let mut order = match target.name.as_str() {
        "template-stack" => template(device, target, "template-stack")?,
        "template" => template(device, target, "template")?,
        "shared-policy" => policy(device, target)?,
        // Not a job, and the text stands outside of any result.
        "log-collector-config" => {
            let group = target.text_of("log-collector-group").unwrap_or_default();
            let line = format!("Generated config and committed to connected collectors in group {group}");
            let message = Element::new("msg").child(Element::leaf("line", line));
            return Ok(Reply::Xml(success().child(message)));
        }
        other => return Err(unexpected(other, None)),
    };
    let says = |name: &str| target.find(name).map(|element| element.text.trim() != "no");
    // Without a word the firewall's own pending changes are committed along.
    order.merge = says("merge-with-candidate-cfg").unwrap_or(true);
    order.force = says("force-template-values").unwrap_or(false);
    order.validate_only = says("validate-only").unwrap_or(false);
    order.administrators = target.find("admin").map(|_| members(target, "admin").collect());
    if order.administrators.is_some() {
        allow_selective(device, &order)?;
    }
    let description = target.text_of("description").unwrap_or_default();
    let user = &call.session.administrator;
    let id = device.enqueue(user, "CommitAll", description, Work::Push(Box::new(order)), call.now);
    Ok(enqueued(&format!("Job enqueued with jobid {id}"), id))
}

fn unexpected(word: &str, below: Option<&str>) -> Refusal {
    let path = [Some("commit-all"), below, Some(word)].into_iter().flatten().collect::<Vec<_>>().join(" -> ");
    Refusal::code(17, format!("{path} unexpected here"))
}

fn unknown(kind: &str, name: &str) -> Refusal {
    Refusal::code(17, format!(" commit-all -> {kind} -> name '{name}' is not a valid reference"))
}

fn known(target: &Element, names: &[&str]) -> Result<(), Refusal> {
    let other = target.children.iter().find(|child| !names.contains(&child.name.as_str()));
    other.map_or(Ok(()), |other| Err(unexpected(&other.name, Some(&target.name))))
}

const OPTIONS: [&str; 4] =
    ["description", "merge-with-candidate-cfg", "force-template-values", "validate-only"];

/// A push to a stack, or to all stacks that hold a template.
fn template(device: &Device, target: &Element, kind: &'static str) -> Result<PushOrder, Refusal> {
    let own: &[&str] = if kind == "template" { &["name", "device"] } else { &["name", "device", "admin"] };
    known(target, &[&OPTIONS, own].concat())?;
    let running = device.config.running();
    let name = target.text_of("name").unwrap_or_default().to_owned();
    let at = panorama_entry(kind, &name).first(running).ok_or_else(|| unknown(kind, &name))?;
    let mut serials: Vec<String> = match kind {
        "template" => {
            let stacks = stacks_with(running, &name).into_iter();
            let entries = stacks.filter_map(|stack| panorama_entry("template-stack", &stack).first(running));
            entries.flat_map(|stack| members(stack, "devices").collect::<Vec<_>>()).collect()
        }
        _ => members(at, "devices").collect(),
    };
    let wanted: Vec<String> = members(target, "device").collect();
    serials.retain(|serial| wanted.is_empty() || wanted.contains(serial));
    Ok(PushOrder { kind, name, serials, with_template: true, ..PushOrder::default() })
}

/// A push to a device group.
fn policy(device: &Device, target: &Element) -> Result<PushOrder, Refusal> {
    known(target, &[&OPTIONS[..], &["device-group", "include-template", "admin"]].concat())?;
    let running = device.config.running();
    let mut order = PushOrder { kind: "shared-policy", ..PushOrder::default() };
    let groups = target.find("device-group").map(|list| list.children.as_slice()).unwrap_or_default();
    for group in groups {
        let name = group.get("name").unwrap_or_default();
        let at = panorama_entry("device-group", name)
            .first(running)
            .ok_or_else(|| unknown("device-group", name))?;
        let wanted: Vec<String> = members(group, "devices").collect();
        let serials = members(at, "devices").filter(|serial| wanted.is_empty() || wanted.contains(serial));
        order.serials.extend(serials);
        name.clone_into(&mut order.name);
    }
    // The whole policy may be validated without naming a group.
    if groups.is_empty() {
        let all = crate::config::device_entry();
        let list = ["device-group", "entry"]
            .iter()
            .fold(all, |path, step| path.then(crate::xml::Step::Named((*step).into())));
        order.serials = list
            .select(running)
            .iter()
            .flat_map(|group| members(group, "devices").collect::<Vec<_>>())
            .collect();
    }
    order.with_template = target.text_of("include-template") == Some("yes");
    Ok(order)
}

/// A push of some administrators' changes takes releases that know it, and what the settings say.
fn allow_selective(device: &Device, order: &PushOrder) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::line(format!("Push of selected changes failed: {why}")));
    if !device.settings.is_at_least(10, 2) {
        return Err(unexpected("admin", Some(order.kind)));
    }
    for serial in &order.serials {
        let firewall = device.fleet.devices.get(serial).and_then(|managed| managed.firewall.as_ref());
        let old = firewall.is_some_and(|f| f.device(|device, _| !device.settings.is_at_least(10, 2)));
        if old {
            return refused(&format!("{serial} runs a release before 10.2"));
        }
        if let Some(why) = device.fleet.refuses_selective(serial, device.settings.selective_push) {
            return refused(&format!("{serial}: {why}"));
        }
    }
    Ok(())
}
