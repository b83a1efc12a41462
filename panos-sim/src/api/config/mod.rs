//! `type=config`.

mod change;
mod multi;

use super::{
    call::Call,
    reply::{Reply, success},
};
use crate::{
    device::Device,
    refusal::Refusal,
    xml::{BadPath, Element, Path},
};
use change::{Order, change};

/// What `action` may be, as documented.
const ACTIONS: [&str; 13] = [
    "show",
    "get",
    "set",
    "edit",
    "delete",
    "rename",
    "clone",
    "move",
    "override",
    "multi-move",
    "multi-clone",
    "multi-config",
    "complete",
];

pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let action = call.request.required("action", "configuring")?;
    let xpath = call.request.param("xpath").unwrap_or_default();
    match action {
        "get" => get(device, xpath),
        "show" => show(device, xpath),
        "complete" => complete(device, xpath),
        "set" | "edit" | "delete" | "rename" | "clone" | "move" | "override" => {
            let order = Order {
                action,
                xpath,
                element: call.request.param("element"),
                newname: call.request.param("newname"),
                from: call.request.param("from"),
                place: call.request.param("where"),
                dst: call.request.param("dst"),
            };
            change(device, &call.session.administrator, &order)
        }
        "multi-config" => multi::answer(device, call),
        known if ACTIONS.contains(&known) => {
            Err(Refusal::code(17, format!(" {known} is not supported by this simulated device")))
        }
        _ => Err(Refusal::illegal("action", &ACTIONS)),
    }
}

/// A path, in as far as it is one. What stands outside of `/config` is nobody's; what this device does not understand
/// is never taken for something that is not there.
fn path(xpath: &str) -> Result<Option<Path>, Refusal> {
    let parsed = xpath.parse::<Path>();
    let inside = xpath.trim() == "/config" || xpath.trim().starts_with("/config/");
    match parsed {
        Ok(_) | Err(BadPath::Malformed(_)) if !inside => Err(Refusal::unauthorized()),
        Ok(path) => Ok(Some(path)),
        Err(BadPath::Malformed(_)) => Ok(None),
        Err(beyond @ BadPath::Beyond(_)) => Err(Refusal::bad_request(beyond.to_string())),
    }
}

/// The same for a change, which needs one.
fn path_of_change(xpath: &str) -> Result<Path, Refusal> {
    path(xpath)?.ok_or_else(|| Refusal::code(6, format!("Bad xpath {xpath}")))
}

/// The candidate, many nodes; what is not there is a success with code 7, a mistyped path or none too.
fn get(device: &Device, xpath: &str) -> Result<Reply, Refusal> {
    let path = if xpath.is_empty() { None } else { path(xpath)? };
    let nodes = match path {
        Some(path) if path.is_predefined() => found(&path, &device.config.predefined()),
        Some(path) => found(&path, &device.config.marked_candidate()),
        None => Vec::new(),
    };
    let envelope = |code| success().attribute("code", code);
    if nodes.is_empty() {
        return Ok(Reply::Xml(envelope("7").child(Element::new("result"))));
    }
    let count = nodes.len().to_string();
    let result =
        Element::new("result").attribute("total-count", &count).attribute("count", &count).with(nodes);
    Ok(Reply::Xml(envelope("19").child(result)))
}

/// The running configuration, one node; without a path, all of it.
fn show(device: &Device, xpath: &str) -> Result<Reply, Refusal> {
    let missing = || Refusal::line("No such node");
    let path = path(if xpath.is_empty() { "/config" } else { xpath })?.ok_or_else(missing)?;
    let mut nodes = match path.is_predefined() {
        true => found(&path, &device.config.predefined()),
        false => found(&path, device.config.running()),
    };
    match (nodes.pop(), nodes.len()) {
        (Some(node), 0) => Ok(Reply::result([node])),
        (Some(node), _) if path.names_only => {
            nodes.push(node);
            Ok(Reply::result(nodes))
        }
        (Some(_), _) => Err(Refusal::line("xpath does not lead to exactly one node")),
        (None, _) => Err(missing()),
    }
}

/// The names of the entries in a list of the running configuration.
fn complete(device: &Device, xpath: &str) -> Result<Reply, Refusal> {
    let unknown = || Refusal::line("Invalid sequence");
    let path = path(xpath)?.ok_or_else(unknown)?;
    let list = path.first(device.config.running()).ok_or_else(unknown)?;
    let names = list.children.iter().filter_map(|child| child.get("name"));
    let values = names.map(|name| Element::new("completion").attribute("value", name));
    let completions = Element::new("completions").with(values);
    Ok(Reply::Xml(success().attribute("code", "19").child(completions)))
}

fn found(path: &Path, tree: &Element) -> Vec<Element> {
    let nodes = path.select(tree);
    if path.names_only {
        let names = nodes.into_iter().filter_map(|node| node.get("name"));
        return names.map(Element::entry).collect();
    }
    nodes.into_iter().cloned().collect()
}
