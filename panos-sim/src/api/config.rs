//! `type=config`.

use super::{
    call::Call,
    reply::{Reply, success},
};
use crate::{
    config,
    device::Device,
    refusal::Refusal,
    xml::{Element, Path, parse_fragment},
};

pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let action = call.request.required("action", "configuring")?;
    let xpath = call.request.param("xpath").unwrap_or_default();
    match action {
        "get" => Ok(get(device, xpath)),
        "show" => show(device, xpath),
        "set" | "edit" | "delete" | "rename" => {
            let path: Path = xpath.parse().map_err(|_| Refusal::code(6, format!("Bad xpath {xpath}")))?;
            change(device, call, action, &path)
        }
        "multi-config" => {
            Err(Refusal::code(14, "multi-config is not enabled (request multi-config enabled)"))
        }
        _ => Err(Refusal::bad_request("Illegal value for parameter action")),
    }
}

/// The candidate, many nodes; what is not there is a success with code 7, a mistyped path too.
fn get(device: &Device, xpath: &str) -> Reply {
    let tree = device.config.marked_candidate();
    let nodes = match xpath.parse::<Path>() {
        Ok(path) => found(&path, &tree),
        Err(_) => Vec::new(),
    };
    let envelope = |code| success().attribute("code", code);
    if nodes.is_empty() {
        return Reply::Xml(envelope("7").child(Element::new("result")));
    }
    let count = nodes.len().to_string();
    let result =
        Element::new("result").attribute("total-count", &count).attribute("count", &count).with(nodes);
    Reply::Xml(envelope("19").child(result))
}

/// The running configuration, one node.
fn show(device: &Device, xpath: &str) -> Result<Reply, Refusal> {
    let missing = || Refusal::line("No such node");
    let path: Path = xpath.parse().map_err(|_| missing())?;
    let mut nodes = found(&path, device.config.running());
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

fn found(path: &Path, tree: &Element) -> Vec<Element> {
    let nodes = path.select(tree);
    if path.names_only {
        let names = nodes.into_iter().filter_map(|node| node.get("name"));
        return names.map(Element::entry).collect();
    }
    nodes.into_iter().cloned().collect()
}

fn change(device: &mut Device, call: &Call<'_>, action: &str, path: &Path) -> Result<Reply, Refusal> {
    let owner = &call.session.administrator;
    device.locks.allow_edit(owner, path)?;
    match action {
        "delete" => {
            let deleted = (device.config).change(owner, |tree| config::delete(tree, path))?;
            if !deleted {
                return Ok(Reply::code(7, "Object doesn't exist"));
            }
        }
        "rename" => {
            let name = call.request.required("newname", "renaming")?;
            (device.config).change(owner, |tree| config::rename(tree, path, name))?;
        }
        _ => {
            let element = call.request.required("element", "configuring")?;
            let elements = parse_fragment(element).map_err(|broken| Refusal::code(18, broken.to_string()))?;
            (device.config).change(owner, |tree| match action {
                "set" => config::set(tree, path, elements),
                _ => config::edit(tree, path, elements),
            })?;
        }
    }
    Ok(Reply::done())
}
