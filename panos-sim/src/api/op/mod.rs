//! `type=op`: operational commands.

mod changes;
mod ha;
mod info;
mod jobs;
mod locks;
mod panorama;

use super::{call::Call, reply::Reply};
use crate::{
    device::Device,
    refusal::Refusal,
    xml::{Element, parse},
};

pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let cmd = call.request.required("cmd", "running an operational command")?;
    let cmd = parse(cmd).map_err(|broken| Refusal::code(18, broken.to_string()))?;
    let words = words(&cmd);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["show", "system", "info", ..] => Ok(info::system(device, call.now)),
        ["show", "clock", ..] => Ok(info::clock(device)),
        ["show", "chassis-ready", ..] => Ok(info::chassis_ready(device)),
        ["show", "admins", ..] => Ok(info::admins(device, call)),
        ["request", "certificate", "show", ..] => Ok(info::certificates(device)),
        ["show", "jobs", which, ..] => jobs::show(device, &cmd, which, call.now),
        ["validate", which @ ("full" | "partial"), ..] => jobs::validate(device, call, &cmd, which),
        ["check", "full-commit-required", ..] => Ok(Reply::text("no")),
        ["show", "panorama-status", ..] => Ok(info::panorama_status(device)),
        ["check", "pending-changes", ..] => Ok(changes::pending(device)),
        ["show", "config", "list", "changes", ..] => changes::list(device, &cmd),
        ["show", "config", "list", "change-summary", ..] => changes::summary(device, &cmd),
        [
            "show",
            "config",
            which @ ("running"
            | "candidate"
            | "merged"
            | "pushed-template"
            | "effective-running"
            | "effective-running-config"),
            ..,
        ] => changes::show(device, call, &cmd, which),
        ["revert", "config", ..] => changes::revert(device, call, &cmd),
        ["load", "config", "from", ..] => changes::load(device, call, &cmd),
        ["show", kind @ ("config-locks" | "commit-locks"), ..] => locks::show(device, &cmd, kind),
        ["request", kind @ ("config-lock" | "commit-lock"), action @ ("add" | "remove"), ..] => {
            locks::change(device, call, &cmd, kind, action)
        }
        ["show", "devices", which @ ("all" | "connected"), ..] => panorama::devices(device, which),
        ["show", "template-stack", ..] => panorama::stacks(device, &cmd),
        ["show", "templates", ..] => panorama::templates(device, &cmd),
        ["show", "devicegroups", ..] => panorama::groups(device, &cmd),
        ["show", "config", "push-scope", ..] => panorama::push_scope(device, &cmd),
        ["show", "config", "pushed-shared-policy", ..] => changes::pushed_policy(device, &cmd),
        ["request", "restart", "system", ..] => Err(info::restart(device, call.now)),
        ["show", "high-availability", "state", ..] => Ok(ha::state(device)),
        ["request", "high-availability", "sync-to-remote", "running-config", ..] => {
            ha::synchronize(device, call.now)
        }
        ["request", "high-availability", "state", wanted @ ("suspend" | "functional"), ..] => {
            ha::request_state(device, wanted)
        }
        _ => Err(Refusal::code(17, format!(" {} is unexpected", words.join(" -> ")))),
    }
}

/// The command's words: each element's name down the first children.
fn words(cmd: &Element) -> Vec<String> {
    let mut words = vec![cmd.name.clone()];
    let mut element = cmd;
    while let Some(child) = element.children.first() {
        words.push(child.name.clone());
        element = child;
    }
    words
}
