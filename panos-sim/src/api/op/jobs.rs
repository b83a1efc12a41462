//! Job listings and validation jobs.

use std::time::Instant;

use crate::{
    api::{
        call::Call,
        commit::{scope, validating},
        reply::Reply,
    },
    config::Scope,
    device::{Device, Job},
    refusal::Refusal,
    xml::Element,
};

pub(super) fn show(device: &Device, cmd: &Element, which: &str, now: Instant) -> Result<Reply, Refusal> {
    let jobs = &device.jobs;
    let describe = |job: &Job| job.describe(jobs.position(job.id), now);
    // Newest first.
    let list = |wanted: &dyn Fn(&Job) -> bool| {
        Reply::result(jobs.iter().rev().filter(|job| wanted(job)).map(describe))
    };
    match which {
        "all" => Ok(list(&|_| true)),
        "pending" => Ok(list(&|job| !job.is_finished())),
        "processed" => Ok(list(&Job::is_finished)),
        "id" => {
            let id = cmd.descend(&["jobs", "id"]).map(|id| id.text.trim());
            let id = id.unwrap_or_default();
            id.parse()
                .ok()
                .and_then(|id| jobs.find(id))
                .map(|job| Reply::result([describe(job)]))
                .ok_or_else(|| Refusal::code(7, format!("job {id} not found")))
        }
        other => Err(Refusal::code(17, format!(" show -> jobs -> {other} is unexpected"))),
    }
}

pub(super) fn validate(
    device: &mut Device,
    call: &Call<'_>,
    cmd: &Element,
    which: &str,
) -> Result<Reply, Refusal> {
    let scope = match cmd.find("partial") {
        Some(partial) if which == "partial" => scope(partial)?,
        _ => Scope::default(),
    };
    let id = device.validate(call.session, &scope, call.now);
    Ok(validating(id))
}
