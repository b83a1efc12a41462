//! `action=multi-config`: several changes in one request.

use super::change::{Order, change};
use crate::{
    api::{
        call::Call,
        reply::{Reply, success},
    },
    config::Scope,
    device::Device,
    refusal::Refusal,
    xml::{Element, Style, document, parse},
};

/// Carries them out in their order and ends at the first that is refused. In strict mode the caller's own pending
/// changes are thrown away first, as documented, and nothing remains of a request that was not carried out whole.
pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    if !device.settings.multi_config {
        return Err(Refusal::code(14, "multi-config is not enabled (request multi-config enabled)"));
    }
    let element = call.request.required("element", "configuring")?;
    let request = parse(element).map_err(|broken| Refusal::code(18, broken.to_string()))?;
    if request.name != "multi-configure-request" {
        return Err(Refusal::code(17, format!(" {} is unexpected", request.name)));
    }
    let owner = &call.session.administrator;
    let strict = call.request.param("strict-transactional") == Some("yes");
    if strict {
        if device.jobs.open().next().is_some() {
            return Err(Refusal::line("A commit is in progress."));
        }
        device.config.revert(&Scope { administrators: Some(vec![owner.clone()]), ..Scope::default() });
    }
    let before = device.config.clone();
    let mut replies = Vec::new();
    let mut failed = None;
    for part in &request.children {
        let content: String = part.children.iter().map(|child| document(child, Style::Usual)).collect();
        let order = Order {
            action: &part.name,
            xpath: part.get("xpath").unwrap_or_default(),
            element: Some(content.as_str()).filter(|content| !content.is_empty()),
            newname: part.get("newname"),
            from: part.get("from"),
            place: part.get("where"),
            dst: part.get("dst"),
        };
        let reply = match order.action {
            "set" | "edit" | "delete" | "rename" | "clone" | "move" => change(device, owner, &order),
            other => Err(Refusal::code(17, format!(" multi-configure-request -> {other} is unexpected"))),
        };
        let envelope = match reply {
            Ok(Reply::Xml(envelope)) => envelope,
            Ok(_) => success(),
            Err(refusal) => {
                let envelope = refusal.envelope();
                failed = Some(envelope.get("code").unwrap_or("12").to_owned());
                envelope
            }
        };
        let id = part.get("id").map(str::to_owned);
        replies.push(match id {
            Some(id) => envelope.attribute("id", id),
            None => envelope,
        });
        if failed.is_some() {
            break;
        }
    }
    let (status, code) = match failed {
        Some(code) => ("error", code),
        None => ("success", "20".to_owned()),
    };
    if strict && status == "error" {
        device.config = before;
    }
    let envelope = Element::new("response").attribute("status", status).attribute("code", code);
    Ok(Reply::Xml(envelope.with(replies)))
}
