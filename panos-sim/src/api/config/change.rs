//! The actions that change the candidate.

use super::path_of_change;
use crate::{
    api::reply::Reply,
    config,
    device::Device,
    refusal::Refusal,
    xml::{Element, Step, parse_fragment},
};

/// One change, as its parameters or its attributes in a multi-config request say it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) action: &'a str,
    pub(super) xpath: &'a str,
    pub(super) element: Option<&'a str>,
    pub(super) newname: Option<&'a str>,
    pub(super) from: Option<&'a str>,
    pub(super) place: Option<&'a str>,
    pub(super) dst: Option<&'a str>,
}

impl Order<'_> {
    fn required<'b>(&self, name: &str, value: Option<&'b str>) -> Result<&'b str, Refusal> {
        let doing = match self.action {
            "rename" => "renaming",
            "clone" => "cloning",
            "move" => "moving",
            _ => "configuring",
        };
        value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(name, doing))
    }

    fn elements(&self) -> Result<Vec<Element>, Refusal> {
        let element = self.required("element", self.element)?;
        parse_fragment(element).map_err(|broken| Refusal::code(18, broken.to_string()))
    }
}

/// Carries a change out.
pub(super) fn change(device: &mut Device, owner: &str, order: &Order<'_>) -> Result<Reply, Refusal> {
    let action = order.action;
    let path = path_of_change(order.xpath)?;
    device.locks.allow_edit(owner, &path)?;
    if path.is_predefined() {
        return Err(Refusal::code(12, format!("{path} cannot be changed")));
    }
    let settings = &mut device.config;
    match action {
        "delete" => {
            let local = settings.candidate();
            if path.first(local).is_none()
                && let Some(pushed) = settings.pushed()
            {
                pushed.refuse_if_owned(local, &path, action)?;
            }
            let deleted = settings.change(owner, |tree| config::delete(tree, &path))?;
            if !deleted {
                return Ok(Reply::code(7, "Object doesn't exist"));
            }
        }
        "rename" => {
            let name = order.required("newname", order.newname)?;
            settings.change_own(owner, action, |tree| config::rename(tree, &path, name))?;
        }
        "clone" => {
            let from = path_of_change(order.required("from", order.from)?)?;
            let name = order.required("newname", order.newname)?;
            settings.change_own(owner, action, |tree| config::duplicate(tree, &path, &from, name))?;
        }
        "move" => {
            let place = order.required("where", order.place)?;
            settings.change_own(owner, action, |tree| config::shift(tree, &path, place, order.dst))?;
        }
        "override" => {
            let elements = order.elements()?;
            let pushed = settings.pushed().cloned();
            let overridable = |element: &Element| {
                pushed.as_ref().is_some_and(|p| p.is_object(&path.then(Step::to(element))))
            };
            if !elements.iter().all(overridable) {
                return Err(Refusal::code(13, "Object cannot be overridden"));
            }
            settings.change(owner, |tree| {
                elements.into_iter().try_for_each(|element| {
                    let place = path.then(Step::to(&element));
                    config::edit(tree, &place, vec![element])
                })
            })?;
        }
        // The whole of an object, sent back, is an override of it.
        "edit" if settings.pushed().is_some_and(|pushed| pushed.is_object(&path)) => {
            let elements = order.elements()?;
            settings.change(owner, |tree| config::edit(tree, &path, elements))?;
        }
        "edit" => {
            let elements = order.elements()?;
            settings.change_own(owner, action, |tree| config::edit(tree, &path, elements))?;
        }
        _ => {
            let elements = order.elements()?;
            settings.change_own(owner, action, |tree| config::set(tree, &path, elements))?;
        }
    }
    Ok(Reply::done())
}
