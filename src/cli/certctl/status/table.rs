//! The installations as a table, or one below the other where a table has no room.

use chrono::{DateTime, Local, Utc};

use super::installation::{Expiry, Fault, InstallState, Limits, Row};
use crate::cli::certctl::terminal::{self, Columns, Line};
use crate::cli::certctl::when::in_short;

/// The most that is shown of a problem, in columns: JSON has all of it.
const PROBLEM: usize = 100;
/// The most that is shown of names, in columns.
const NAMES: usize = 60;
/// Less than this for how it stands, in columns, and it says nothing.
const STANDS: usize = 20;
/// How far what belongs to an installation stands to the right of its first line.
const INDENT: &str = "  ";
/// A terminal of no more columns has none to spare.
const NARROW: usize = 20;

/// Prints them for a terminal of this width, or for a pipe. Each line is made when it is printed.
pub(super) fn print(all: &[Row], limits: &Limits, width: Option<usize>) {
    // Two columns are saved where nothing is pending.
    let pending = all.iter().any(|one| one.is_pending);
    let mut headings = vec!["certificate", "device", "profiles", "installed until", "runs"];
    headings.extend(pending.then_some(["pending for", "next try"]).into_iter().flatten());
    let cells = |one: &Row| {
        let mut cells =
            vec![certificate(one), device(one), profiles(one), until(one, limits), runs(one).to_owned()];
        cells
            .extend(pending.then(|| [pending_for(one, limits), next_try(one, limits)]).into_iter().flatten());
        cells
    };
    let columns = Columns::new(&headings, headings.len(), "how it stands", all.iter().map(cells));
    if let Some(width) = width {
        let longest = all.iter().map(|one| stands(one, limits).chars().count()).max().unwrap_or(0);
        if columns.width() + longest.min(STANDS) > width {
            terminal::print(all.iter().flat_map(|one| card(one, limits, width)));
            return;
        }
    }
    let rows = all.iter().flat_map(|one| {
        let mood = one.mood(limits);
        let row = columns.line(&cells(one), &stands(one, limits), mood);
        let more = certmonger(one).into_iter().chain(faults(one)).chain(firewalls(one));
        let more: Vec<Line> = more.map(|said| Line { text: format!("{INDENT}{said}"), mood }).collect();
        std::iter::once(row).chain(more)
    });
    terminal::print(std::iter::once(columns.heading()).chain(rows));
}

/// One installation in lines of its own.
fn card(one: &Row, limits: &Limits, width: usize) -> Vec<Line> {
    let first = format!("{} on {}", certificate(one), device(one));
    let installed =
        one.installed_until().map(|_| format!("until {}, runs {}", until(one, limits), runs(one)));
    let pending = one
        .is_pending
        .then(|| format!("pending for {}, next try: {}", pending_for(one, limits), next_try(one, limits)));
    let profiles = format!("profiles: {}", profiles(one));
    let parts = [installed, pending, Some(profiles), Some(stands(one, limits)), certmonger(one)];
    let parts: Vec<String> = parts.into_iter().flatten().chain(faults(one)).chain(firewalls(one)).collect();
    let indent = if width > NARROW { INDENT } else { "" };
    let mut lines = terminal::wrapped(&first, width);
    for part in &parts {
        let wrapped = terminal::wrapped(part, width - indent.len());
        lines.extend(wrapped.iter().map(|line| format!("{indent}{line}")));
    }
    lines.into_iter().map(|text| Line { text, mood: one.mood(limits) }).collect()
}

fn certificate(one: &Row) -> String {
    let (name, object) = (&*one.common_name, &*one.object);
    let whole = if name == object { name.to_owned() } else { format!("{name} ({object})") };
    terminal::shortened(&whole, NAMES)
}

fn device(one: &Row) -> String {
    terminal::shortened(one.place(), NAMES)
}

/// The profiles that are to present it.
fn profiles(one: &Row) -> String {
    let names: Vec<String> = one.profiles.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] if one.is_where_used => "where used".to_owned(),
        [] => "-".to_owned(),
        names => terminal::shortened(&names.join(", "), NAMES),
    }
}

fn until(one: &Row, limits: &Limits) -> String {
    let Some(until) = one.installed_until() else { return "-".to_owned() };
    let left = match one.lasts(limits) {
        Expiry::Expired => "expired".to_owned(),
        Expiry::Long | Expiry::NotLong => in_short(until - limits.now),
    };
    format!("{} ({left})", until.with_timezone(&Local).format("%Y-%m-%d"))
}

fn runs(one: &Row) -> &'static str {
    match one.runs_what_is_ordered() {
        // An endpoint that does not show it is a failure, and then it is pending.
        Some(true) if !one.is_pending && one.is_served => "as ordered, served",
        Some(true) => "as ordered",
        Some(false) => "another",
        None if one.proven.is_some() => "unknown",
        None => "-",
    }
}

fn pending_for(one: &Row, limits: &Limits) -> String {
    one.pending_since.map_or("-".to_owned(), |since| in_short(limits.now - since))
}

fn next_try(one: &Row, limits: &Limits) -> String {
    if let Some(hold) = &one.hold {
        return hold.until.map_or("-".to_owned(), |until| format!("in {}", in_short(until - limits.now)));
    }
    match one.next_attempt.filter(|_| one.is_pending) {
        None => "-".to_owned(),
        Some(at) if at <= limits.now => "now".to_owned(),
        Some(at) => format!("in {}", in_short(at - limits.now)),
    }
}

fn stands(one: &Row, limits: &Limits) -> String {
    let problem = one.problem.as_ref().map(|problem| terminal::shortened(&problem.what, PROBLEM));
    let drift = one.drift.as_ref().map(|drift| {
        let (found, what) = (in_short(limits.now - drift.at), terminal::shortened(&drift.what, PROBLEM));
        format!("verify found {found} ago: {what}")
    });
    match one.how {
        InstallState::Installed | InstallState::Adopted if drift.is_some() => drift.unwrap_or_default(),
        InstallState::Installed if one.faults.contains(&Fault::NoProfile) => "not presented".to_owned(),
        InstallState::Installed => match one.lasts(limits) {
            Expiry::Long => "ok".to_owned(),
            Expiry::NotLong => "expires soon".to_owned(),
            Expiry::Expired => "has expired".to_owned(),
        },
        InstallState::Adopted => "adopted, not verified yet".to_owned(),
        InstallState::LeftToCommit => "waiting for manual commit".to_owned(),
        InstallState::LeftToPush => "committed, not pushed: waiting for manual push".to_owned(),
        InstallState::Failed => format!("failed: {}", problem.unwrap_or_default()),
        InstallState::Pending => pending(one, drift, problem, limits.now),
    }
}

fn pending(one: &Row, drift: Option<String>, problem: Option<String>, now: DateTime<Utc>) -> String {
    let failed = match (problem, one.failures) {
        (None, _) => None,
        (Some(problem), 0 | 1) => Some(format!("failed: {problem}")),
        (Some(problem), times) => Some(format!("failed {times} times: {problem}")),
    };
    let at_it = one
        .under_way
        .map(|since| format!("run started {} ago, still running or interrupted", in_short(now - since)));
    let waits = one.hold.as_ref().map(ToString::to_string);
    let queued = one.queued.then(|| "in the queue".to_owned());
    let known = waits.into_iter().chain(queued).chain(at_it).chain(drift).chain(failed);
    let known: Vec<String> = known.collect();
    if known.is_empty() { "not tried yet".to_owned() } else { known.join("; ") }
}

/// Of how many firewalls each has a line: JSON has all.
const FIREWALLS: usize = 20;

/// Each firewall that does not have what Panorama runs.
fn firewalls(one: &Row) -> Vec<String> {
    let Some(push) = &one.push else { return Vec::new() };
    let each = push
        .open
        .iter()
        .take(FIREWALLS)
        .map(|device| terminal::shortened(&format!("firewall {device}"), 2 * PROBLEM));
    let more = push.open.len().saturating_sub(FIREWALLS);
    each.chain((more > 0).then(|| format!("and {more} more firewalls (--json has all)"))).collect()
}

fn faults(one: &Row) -> impl Iterator<Item = String> {
    one.faults.iter().map(ToString::to_string)
}

fn certmonger(one: &Row) -> Option<String> {
    one.certmongers_trouble().map(|said| terminal::shortened(&format!("certmonger: {said}"), 2 * PROBLEM))
}
