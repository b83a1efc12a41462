//! What is said to whoever interrupts a delivery: what goes on without us, that nothing is lost, and how to look.

use std::path::Path;

use panos_xmlapi::Address;

use super::live::Screen;
use super::report;
use super::signals::Signal;
use crate::delivery::watch::Awaited;
use crate::delivery::{InstallSpec, Installation, InstallationStore, Queue};
use crate::host::worker;

/// Says how each installation stands that was being delivered, or was to be. Read from the records: they are what the
/// next run goes by.
pub fn tell(program: &str, state_dir: &Path, screen: &Screen, asked: &[InstallSpec], signal: Signal) {
    let active = screen.active();
    screen.clear();
    report::problem(program, &format!("ended by {}", signal.name()), None);
    let devices: Vec<&Address> =
        active.iter().map(|(device, _)| device).chain(asked.iter().map(|spec| &spec.device)).collect();
    tell_each(program, state_dir, devices, &active);
}

/// The same for whoever has asked certmonger, which goes on by itself, and waits.
pub fn asked(program: &str, state_dir: &Path, awaited: &[Awaited], signal: Signal) {
    let what = format!("ended by {}; what certmonger was asked for goes on by itself", signal.name());
    report::problem(program, &what, None);
    tell_each(program, state_dir, awaited.iter().map(|awaited| &awaited.key.device).collect(), &[]);
}

/// A device, and its commit job if there is one.
type Active = (Address, Option<String>);

fn tell_each(program: &str, state_dir: &Path, mut devices: Vec<&Address>, active: &[Active]) {
    devices.sort();
    devices.dedup();
    let after = match worker::is_enabled(state_dir) {
        true => "the worker verifies it, or tries it again".to_owned(),
        false => format!("to verify it, or to try it again: pan_certctl retry --now{}", option(state_dir)),
    };
    let queue = Queue::below(state_dir);
    for device in devices {
        let active = active.iter().find(|(other, _)| other == device);
        let records = InstallationStore::below(state_dir).of_device(device);
        let records = records.map(|found| found.records).unwrap_or_default();
        for record in records.iter().filter(|record| record.is_pending()) {
            tell_one(program, &record.spec, &of_record(record, active), &after, state_dir);
        }
        let queued = queue.for_device(device).map(|listing| listing.specs);
        for queued in queued.unwrap_or_default() {
            let what = "nothing was begun; the installation is recorded and pending";
            tell_one(program, &queued.spec, what, &after, state_dir);
        }
    }
}

/// The same for whoever only looks at devices.
pub fn only_looked(program: &str, screen: &Screen, signal: Signal) {
    screen.clear();
    report::problem(program, &format!("ended by {}; no device was changed", signal.name()), None);
}

fn tell_one(program: &str, spec: &InstallSpec, what: &str, after: &str, state_dir: &Path) {
    let (place, name) = (spec.place(), &spec.common_name);
    let look =
        format!("to look: pan_certctl status --cert {name} --device {}{}", spec.device, option(state_dir));
    report::problem(program, &format!("{place}: {name}: {what}"), Some(after));
    report::note(program, &look);
}

fn of_record(record: &Installation, active: Option<&Active>) -> String {
    const PENDING: &str = "the installation is recorded as pending";
    let goes_on = |job: &str| format!("the device goes on with commit job {job} by itself; {PENDING}");
    match (active, &record.job) {
        (Some((_, Some(job))), _) => goes_on(job),
        (Some((_, None)), Some(job)) => {
            format!("commit job {job} is over, and what the device runs was not verified; {PENDING}")
        }
        (None, Some(job)) => goes_on(job),
        (_, None) if !record.uncommitted_paths.is_empty() => {
            format!(
                "what was changed on the device is not committed, and the next run takes it back; {PENDING}"
            )
        }
        (_, None) => format!("nothing was changed on the device; {PENDING}"),
    }
}

/// The state directory, where it is another than the usual one.
fn option(state_dir: &Path) -> String {
    if state_dir == Path::new(worker::STATE_DIR) {
        return String::new();
    }
    let shown = state_dir.display().to_string();
    format!(" --state-dir {}", shlex::try_quote(&shown).unwrap_or_default())
}
