//! Pending changes: whether, which, and back.

use crate::{
    ImportJournal, NothingToRevert,
    api::{call::Call, commit::scope, reply::Reply},
    config::{Scope, Shown, shown},
    device::Device,
    refusal::Refusal,
    xml::{BadPath, Element, Path, Step},
};

pub(super) fn pending(device: &Device) -> Reply {
    let none = device.config.journal().is_empty();
    Reply::text(if none { "no" } else { "yes" })
}

/// The scope of a command that may hold a `partial` element.
fn scope_below(element: Option<&Element>) -> Result<Scope, Refusal> {
    match element.and_then(|element| element.find("partial")) {
        Some(partial) => scope(partial),
        None => Ok(Scope::default()),
    }
}

pub(super) fn list(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    let scope = scope_below(cmd.descend(&["config", "list", "changes"]))?;
    let hidden = device.settings.import_journal == ImportJournal::Nothing;
    let told = device.config.pending(&scope).filter(|change| !(hidden && change.imported));
    let lines = shown(told, device.settings.journal);
    if lines.is_empty() {
        return Ok(Reply::text(""));
    }
    Ok(Reply::result([Element::new("journal").with(lines.iter().map(entry))]))
}

fn entry(change: &Shown) -> Element {
    Element::new("entry")
        .child(Element::leaf("xpath", change.path.to_string()))
        .child(Element::leaf("owner", &change.owner))
        .child(Element::leaf("action", change.action.word()))
        .child(Element::leaf("admin-history", change.history.join(",")))
        .child(Element::leaf("component-type", change.component_type()))
}

/// Who has pending changes.
pub(super) fn summary(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    let scope = scope_below(cmd.descend(&["config", "list", "change-summary"]))?;
    let mut owners: Vec<&str> = (device.config.pending(&scope)).map(|change| change.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let members = owners.iter().map(|owner| Element::leaf("member", *owner));
    let admins = Element::new("admin").with(members);
    Ok(Reply::result([Element::new("summary").child(admins)]))
}

/// Whole configurations. The running one holds nothing that a Panorama pushed.
pub(super) fn show(device: &Device, call: &Call<'_>, cmd: &Element, which: &str) -> Result<Reply, Refusal> {
    let config = &device.config;
    // A part of it, by a path that may leave out where it begins.
    if let Some(xpath) = cmd.descend(&["config", which, "xpath"]).map(|xpath| xpath.text.trim()) {
        let whole = if xpath.starts_with('/') { xpath.to_owned() } else { format!("/config/{xpath}") };
        let path: Path = whole.parse().map_err(|bad: BadPath| Refusal::code(17, bad.to_string()))?;
        let tree = if which == "running" { config.running().clone() } else { config.stamped_candidate() };
        return Ok(Reply::result(path.select(&tree).into_iter().cloned()));
    }
    Ok(match which {
        "running" => Reply::result([config.running().clone()]),
        "candidate" => Reply::result([config.stamped_candidate()]),
        "merged" => {
            let mut merged = config.candidate().clone();
            if let Some(pushed) = config.pushed() {
                pushed.lay_over(&mut merged, false);
            }
            Reply::result([merged])
        }
        "pushed-template" => match config.pushed() {
            Some(pushed) => Reply::result([pushed.told()]),
            None => Reply::text(""),
        },
        _ if !call.session.is_superuser() => {
            return Err(Refusal::superuser());
        }
        // Everything but what is predefined, as measured.
        _ => {
            let mut effective = config.effective(config.running());
            effective.children.retain(|child| child.name != "predefined");
            Reply::result([effective])
        }
    })
}

/// No Panorama pushes policies here, which is told in a plain text; a virtual system that is not there is an error.
pub(super) fn pushed_policy(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    let vsys = cmd.descend(&["config", "pushed-shared-policy", "vsys"]).map(|vsys| vsys.text.trim());
    match vsys {
        Some(name) if !device.settings.vsys.iter().any(|known| known == name) => {
            Err(Refusal::code(17, format!("{name} is invalid vsys")))
        }
        _ => Ok(Reply::text("No shared policy pushed to device")),
    }
}

pub(super) fn revert(device: &mut Device, call: &Call<'_>, cmd: &Element) -> Result<Reply, Refusal> {
    let scope = scope_below(cmd.find("config"))?;
    back(device, call, &scope)
}

/// `load config from running-config.xml` comes to the same as a full revert.
pub(super) fn load(device: &mut Device, call: &Call<'_>, cmd: &Element) -> Result<Reply, Refusal> {
    let name = cmd.descend(&["config", "from"]).map(|from| from.text.trim());
    match name {
        Some("running-config.xml") => back(device, call, &Scope::default()),
        _ => Err(Refusal::line(format!("{} does not exist", name.unwrap_or_default()))),
    }
}

fn back(device: &mut Device, call: &Call<'_>, scope: &Scope) -> Result<Reply, Refusal> {
    // Whatever it touches, a device-wide lock of somebody else forbids it.
    let everything = Path::of(vec![Step::Named("config".into())]);
    (device.locks)
        .allow_edit(&call.session.administrator, &everything)
        .map_err(|_| Refusal::in_result("Failed to revert configuration."))?;
    if device.config.pending(scope).next().is_none() {
        let text = "There are no changes to revert";
        match device.settings.nothing_to_revert {
            NothingToRevert::Done => {}
            NothingToRevert::Told => return Ok(Reply::message(text)),
            NothingToRevert::Refused => return Err(Refusal::line(text)),
        }
    }
    device.config.revert(scope);
    Ok(Reply::message("All changes were reverted from configuration"))
}
