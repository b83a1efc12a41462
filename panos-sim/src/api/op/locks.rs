//! Listing, taking and giving back locks.

use super::super::{call::Call, reply::Reply};
use crate::{LockKind, device::Device, refusal::Refusal, xml::Element};

fn kind(word: &str) -> LockKind {
    if word.starts_with("config") { LockKind::Config } else { LockKind::Commit }
}

/// A device with several virtual systems wants to be told which.
pub(super) fn show(device: &Device, cmd: &Element, word: &str) -> Result<Reply, Refusal> {
    let vsys = cmd.find(word).and_then(|list| list.text_of("vsys"));
    if device.settings.multi_vsys && vsys.is_none() {
        return Err(Refusal::line("vsys not provided"));
    }
    let wanted = |scope: &str| match vsys {
        None | Some("all") => true,
        Some(one) => scope == one,
    };
    let held = device.locks.iter();
    let entries = held.filter(|lock| lock.kind == kind(word) && wanted(&lock.scope)).map(|lock| {
        let scope = if lock.scope == "shared" { "shared" } else { "vsys" };
        Element::entry(&lock.owner)
            .child(Element::leaf("type", scope))
            .child(Element::leaf("name", &lock.scope))
            .child(Element::leaf("created", &lock.created))
            .child(Element::leaf("last-activity", &lock.created))
            .child(Element::leaf("loggedin", "yes"))
            .child(Element::leaf("comment", &lock.comment).in_cdata())
    });
    Ok(Reply::result([Element::new(word).with(entries)]))
}

pub(super) fn change(
    device: &mut Device,
    call: &Call<'_>,
    cmd: &Element,
    word: &str,
    action: &str,
) -> Result<Reply, Refusal> {
    let me = &call.session.administrator;
    let named = (call.request.param("vsys")).filter(|scope| !scope.is_empty());
    let scope = named.unwrap_or("shared");
    let detail = cmd.descend(&[word, action]);
    let refused = |error: crate::device::LockError| Refusal::line(error.to_string());
    if action == "add" {
        let what = if kind(word) == LockKind::Config { "modify" } else { "commit" };
        let comment = detail.and_then(|add| add.text_of("comment")).filter(|text| !text.is_empty());
        let comment = comment.unwrap_or("(null)");
        (device.locks).take(kind(word), scope, me, comment).map_err(refused)?;
        return Ok(Reply::text(format!(
            "Successfully acquired lock. Other administrators will not be able to {what} configuration until lock is \
             released by {me}."
        )));
    }
    let owner =
        detail.and_then(|remove| remove.text_of("admin")).filter(|name| !name.is_empty()).unwrap_or(me);
    let superuser = call.session.is_superuser();
    if owner != me && !superuser {
        return Err(Refusal::code(15, "only the owner or a superuser can release a lock"));
    }
    // Measured on 12.1.5: the refusal names a virtual system although none was asked for.
    let told = match device.settings.vsys.first() {
        Some(first) if named.is_none() && device.settings.is_at_least(12, 1) => first.as_str(),
        _ => scope,
    };
    let released = (device.locks).release(kind(word), scope, owner, superuser);
    let owner = released.map_err(|error| refused(error.about(scope, told)))?;
    Ok(Reply::text(match kind(word) {
        LockKind::Config => format!("Config lock released for {owner}"),
        LockKind::Commit => format!("Commit lock released for {owner}"),
    }))
}
