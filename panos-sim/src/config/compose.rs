//! What a Panorama's configuration comes to on one firewall.

use super::{Overlay, device_entry};
use crate::xml::{Element, Path, Step};

/// The content of the stack that a firewall is in: the stack's own, then that of its templates, the first of which
/// wins. `None` for a firewall in no stack.
pub(crate) fn compose(tree: &Element, serial: &str) -> Option<Overlay> {
    let stacks = device_entry().then(Step::Named("template-stack".into()));
    let list = stacks.first(tree)?;
    let stack = list.children.iter().find(|stack| members(stack, "devices").any(|name| name == serial))?;
    let name = stack.get("name")?.to_owned();
    let mut content = stack.find("config").cloned().unwrap_or_else(|| Element::new("config"));
    for template in members(stack, "templates") {
        let at = template_entry(&template).then(Step::Named("config".into()));
        if let Some(config) = at.first(tree) {
            Overlay { template: name.clone(), content: config.clone() }.lay_over(&mut content, false);
        }
    }
    Some(Overlay { template: name, content })
}

/// The names in a list of members or entries.
pub(crate) fn members(entry: &Element, list: &str) -> impl Iterator<Item = String> {
    let list = entry.find(list).map(|list| list.children.as_slice()).unwrap_or_default();
    list.iter().map(|child| child.get("name").unwrap_or(child.text.trim()).to_owned())
}

/// The stacks that hold a template.
pub(crate) fn stacks_with(tree: &Element, template: &str) -> Vec<String> {
    let stacks = device_entry().then(Step::Named("template-stack".into())).then(Step::Named("entry".into()));
    let having = stacks.select(tree).into_iter();
    let having = having.filter(|stack| members(stack, "templates").any(|name| name == template));
    having.filter_map(|stack| stack.get("name").map(str::to_owned)).collect()
}

/// `DEV/KIND/entry[@name='NAME']`.
pub(crate) fn panorama_entry(kind: &str, name: &str) -> Path {
    device_entry().then(Step::Named(kind.into())).then(Step::Entry("entry".into(), name.to_owned()))
}

fn template_entry(name: &str) -> Path {
    panorama_entry("template", name)
}
