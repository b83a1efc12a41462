//! What is said to whoever interrupts a delivery: what goes on without us, that nothing is lost, and how to look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use panos_xmlapi::Address;

use super::live::{Doing, Screen};
use super::report;
use super::signals::Signal;

use crate::delivery::watch::Awaited;
use crate::delivery::{InstallSpec, Installation, InstallationStore, Queue, State};
use crate::host::worker;
use crate::install::result::LastRun;

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

/// How far a program that asks certmonger has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing was asked yet.
    Nothing,
    /// It is being asked: it may have taken it or not.
    Asking,
    /// It was asked, and goes on by itself.
    Asked,
    /// It has nothing to do with it: the installation was run by ourselves. `goes_on`: as somebody else.
    Installing {
        /// Whether it was not ended with us.
        goes_on: bool,
    },
}

/// The same for whoever asks certmonger, which goes on by itself, and waits.
pub fn asked(program: &str, state_dir: &Path, awaited: &[Awaited], reached: Reached, signal: Signal) {
    let what = match reached {
        Reached::Nothing => "; certmonger was asked for nothing, and no device was changed",
        Reached::Asking => " while certmonger was asked: 'getcert list' says whether it has the request",
        Reached::Asked => "; what certmonger was asked for goes on by itself",
        Reached::Installing { goes_on: true } => {
            "; the installation was begun by sudo, and goes on by itself"
        }
        Reached::Installing { goes_on: false } => "",
    };
    report::problem(program, &format!("ended by {}{what}", signal.name()), None);
    if reached == Reached::Nothing {
        return;
    }
    tell_each(program, state_dir, awaited.iter().map(|awaited| &awaited.key.device).collect(), &[]);
}

/// A device, and what this process does there.
type Active = (Address, Doing);

/// So many devices that nothing was being done on are told of one by one; more of them are counted.
const FEW: usize = 4;

/// A line for each installation on devices that were being worked on; the others are counted where they are many. What
/// to do is said once, below.
fn tell_each(program: &str, state_dir: &Path, asked: Vec<&Address>, active: &[Active]) {
    let records = InstallationStore::below(state_dir);
    let queued = Queue::below(state_dir).all().map(|listing| listing.specs).unwrap_or_default();
    let lines = |device: &Address, doing: Option<&Doing>| -> Vec<Line> {
        let mut all = standing(device, doing, &records);
        // Of an installation that has a line the requests that came later have no other one.
        for spec in queued.iter().map(|queued| &queued.spec).filter(|spec| spec.device == *device) {
            if all.iter().all(|line| line.spec.key() != spec.key()) {
                all.push(Line { spec: spec.clone(), what: NOT_BEGUN.to_owned() });
            }
        }
        all
    };
    let is_active = |device: &Address| active.iter().any(|(other, _)| other == device);
    let others: BTreeSet<&Address> = asked.into_iter().filter(|device| !is_active(device)).collect();
    let mut told: Vec<Line> = active.iter().flat_map(|(device, doing)| lines(device, Some(doing))).collect();
    let others: Vec<Line> = others.into_iter().flat_map(|device| lines(device, None)).collect();
    let specs: Vec<InstallSpec> = told.iter().chain(&others).map(|line| line.spec.clone()).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    match others.len() {
        0..=FEW => told.extend(others),
        _ => others.into_iter().for_each(|line| *counts.entry(line.what).or_default() += 1),
    }
    for Line { spec, what } in told {
        report::problem(program, &format!("{}: {}: {what}", spec.place(), spec.common_name), None);
    }
    for (what, count) in counts {
        report::problem(program, &format!("{count} more: {what}"), None);
    }
    if let Some(first) = specs.first() {
        advise(program, state_dir, first, &specs);
    }
}

/// How to go on, and how to look.
fn advise(program: &str, state_dir: &Path, first: &InstallSpec, specs: &[InstallSpec]) {
    let after = match worker::is_enabled(state_dir) {
        true => "the worker verifies what is pending, or tries it again".to_owned(),
        false => format!("to verify it, or to try it again: pan_certctl retry --now{}", option(state_dir)),
    };
    report::note(program, &after);
    let mut look = "to look: pan_certctl status".to_owned();
    if specs.iter().all(|spec| spec.common_name == first.common_name) {
        look.push_str(&format!(" --cert {}", first.common_name));
    }
    if specs.iter().all(|spec| spec.device == first.device) {
        look.push_str(&format!(" --device {}", first.device));
    }
    report::note(program, &format!("{look}{}", option(state_dir)));
}

/// What is said of one installation.
struct Line {
    spec: InstallSpec,
    what: String,
}

const NOT_BEGUN: &str = "nothing was begun; the installation is recorded as pending";
const PENDING: &str = "the installation is recorded as pending";

/// What is pending for a device, and how it stands; with what the run did that has just been ended, if there was a run.
fn standing(device: &Address, active: Option<&Doing>, records: &InstallationStore) -> Vec<Line> {
    let found = records.of_device(device).map(|found| found.records).unwrap_or_default();
    let pending = found.into_iter().filter(Installation::is_pending);
    pending.map(|record| Line { what: of_record(&record, active), spec: record.spec }).collect()
}

/// The same for whoever only looks at devices.
pub fn only_looked(program: &str, screen: &Screen, signal: Signal) {
    screen.clear();
    report::problem(program, &format!("ended by {}; no device was changed", signal.name()), None);
}

fn of_record(record: &Installation, active: Option<&Doing>) -> String {
    let goes_on = |job: &str| format!("the device goes on with {job} by itself; {PENDING}");
    match (active, &record.job) {
        (Some(Doing::Waits), _) => format!("another process works on the device, and goes on; {PENDING}"),
        (None, _) if matches!(record.state, State::Failed { .. }) => {
            format!("it has failed before; {PENDING}")
        }
        (None, _) if record.last_run() == LastRun::Finished => NOT_BEGUN.to_owned(),
        (Some(Doing::Works { job: Some(job), .. }), _) => goes_on(job),
        (Some(Doing::Works { has_committed: false, .. }), Some(job)) => {
            format!("commit job {job} of an earlier run may go on by itself; {PENDING}")
        }
        (Some(Doing::Works { .. }), Some(job)) => {
            format!("commit job {job} is over, and what the device runs was not verified; {PENDING}")
        }
        (None, Some(job)) => goes_on(&format!("commit job {job}")),
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
