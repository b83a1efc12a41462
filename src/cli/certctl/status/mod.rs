//! `pan_certctl status`: what is installed where, what is pending, and whether somebody has to look after it.

mod certmonger;
mod found;
mod installation;
mod json;
mod prometheus;
pub mod show;
mod summary;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{Local, TimeDelta, Utc};
use clap::Args;
use panos_xmlapi::Address;

use self::certmonger::{Standings, Unrecorded};
use self::found::{Filter, Found};
use self::installation::{Limits, Row, Shared};
use self::summary::Summary;
use super::selection::nothing_matches;
use super::{NAME, terminal};
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::report;
use crate::delivery::{InstallSpec, UnresolvedSpec};
use crate::error::Exit;
use crate::files;

/// Which installations, how they are judged, and how they are shown.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct StatusArguments {
    /// Only this certificate, by its common name
    #[arg(short = 'c', long = "cert", value_name = "NAME")]
    cert: Option<String>,

    /// Only this device; without a port, on any port
    #[arg(long, value_name = "FQDN[:PORT]")]
    device: Option<String>,

    /// The exit code tells of what is pending for longer: 24h, 3d
    #[arg(long, alias = "owed-for", value_name = "TIME", default_value = "24h")]
    pending_for: Span,

    /// The exit code tells of what expires within this time on its device: 36h, 14d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    expires_in: Span,

    /// Don't ask certmonger whether it renews the certificates; only root asks it
    #[arg(long)]
    no_certmonger: bool,

    /// Ask the certmonger on the session bus
    #[arg(long, conflicts_with = "no_certmonger")]
    session_bus: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// Write metrics into this file instead of showing a table: for node_exporter's textfile collector, which
    /// reads NAME.prom
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "device"])]
    prometheus: Option<PathBuf>,
}

/// A length of time, and how somebody has typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    length: TimeDelta,
    text: String,
}

impl Span {
    fn hours(hours: i64) -> Self {
        Self { length: TimeDelta::hours(hours), text: format!("{hours}h") }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let length = humantime::parse_duration(text).map_err(|_| "write a length of time: 36h, 14d")?;
        let length = TimeDelta::from_std(length).map_err(|_| "that is longer than there are dates")?;
        Ok(Self { length, text: text.to_owned() })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is found beside the installations.
struct Beside {
    /// What was asked for and can't be read as a request yet.
    unresolved: Vec<UnresolvedSpec>,
    /// What certmonger renews for a device, and of which there is no record.
    unrecorded: Vec<Unrecorded>,
    /// What can't be read, in words.
    unreadable: Vec<String>,
}

impl Beside {
    fn is_empty(&self) -> bool {
        self.unresolved.is_empty() && self.unrecorded.is_empty() && self.unreadable.is_empty()
    }
}

/// Shows what is installed and what is pending.
///
/// # Errors
/// A device that is none.
pub fn run(arguments: &StatusArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let device = arguments.device.as_deref().map(str::parse::<Address>).transpose()?;
    let filter = Filter { certificate: arguments.cert.clone(), device };
    let listing = match asks_certmonger(arguments) {
        true => Some(certmonger::list(arguments.session_bus)?),
        false => None,
    };
    let renewed = listing.iter().flatten().flat_map(|listing| certmonger::renewed(listing, &place.state_dir));
    let renewed: Vec<Unrecorded> = renewed.collect();
    // Of all records only whether they are of what certmonger renews; what there is to choose from matters only as long
    // as nothing matches.
    let mut missing: BTreeMap<&Address, BTreeSet<&str>> = BTreeMap::new();
    for one in &renewed {
        missing.entry(&one.device).or_default().insert(&one.common_name);
    }
    let mut there = BTreeSet::new();
    let (mut is_any, mut is_any_wanted, mut is_any_certmongers) = (false, false, false);
    let is_whole = arguments.json || arguments.prometheus.is_some();
    let found = found::below(&place.state_dir, Shared::new(is_whole), |record| {
        let (spec, is_wanted) = (&record.spec, filter.wants(&record.spec));
        is_any = true;
        is_any_certmongers |= !spec.options.blind;
        missing.get_mut(&spec.device).map(|names| names.remove(spec.common_name.as_str()));
        if is_wanted {
            is_any_wanted = true;
            there.clear();
        } else if !is_any_wanted {
            there.insert(in_short(spec));
        }
        is_wanted
    });
    let (mut installations, Found { unresolved, troubles }) = match found {
        Ok(found) => found,
        Err(error) => {
            report::problem(NAME, &error.to_string(), Some(files::instead_of_state_dir()));
            return Ok(Exit::Usage);
        }
    };
    troubles.iter().for_each(|trouble| report::problem(NAME, trouble, None));
    unresolved.iter().for_each(tell_unresolved);
    let mut beside = Beside { unresolved, unrecorded: Vec::new(), unreadable: troubles };
    let mut asked = Ok(());
    match &listing {
        Some(Ok(listing)) => {
            // Certificates of other clients are no business of certmonger's.
            let mut standings = Standings::of(listing);
            for one in installations.iter_mut().filter(|_| is_any_certmongers) {
                one.certmonger = standings.find(&one.files);
            }
        }
        Some(Err(error)) => asked = Err(error),
        None => {}
    }
    let is_missing = |one: &&Unrecorded| {
        missing.get(&one.device).is_some_and(|names| names.contains(one.common_name.as_str()))
            && filter.wants_named(&one.common_name, &one.device)
    };
    beside.unrecorded = renewed.iter().filter(is_missing).cloned().collect();
    beside.unrecorded.iter().for_each(tell_unrecorded);
    let none_at_all = !is_any && beside.is_empty();
    if let (true, true, Some(wanted)) = (installations.is_empty(), beside.is_empty(), wanted(arguments)) {
        return Err(nothing_matches(&wanted, there.into_iter()));
    }
    let is_certmongers = installations.iter().any(|one| !one.files.is_blind);
    if let (Err(error), true) = (asked, is_certmongers) {
        let what = format!("whether certmonger renews the certificates is not known: {error}");
        report::problem(NAME, &what, error.advice().as_deref());
    }
    let limits = Limits {
        now: Utc::now(),
        pending_for: arguments.pending_for.clone(),
        expires_in: arguments.expires_in.clone(),
    };
    installation::sort_by_attention(&mut installations, &limits);
    let summary = Summary::of(&installations, &beside, &limits);
    if arguments.json {
        json::print(&installations, &beside, &summary, &limits);
    }
    if let Some(file) = &arguments.prometheus {
        let metrics = |out: &mut dyn io::Write| prometheus::write(out, &installations, &beside, &limits);
        if let Err(error) = write(file, &metrics) {
            report::problem(NAME, &error, None);
            return Ok(Exit::Usage);
        }
    } else if !arguments.json {
        show(&installations, &summary, &limits, none_at_all);
    }
    Ok(summary.exit)
}

fn in_short(spec: &InstallSpec) -> String {
    format!("{} on {}", spec.common_name, spec.device)
}

/// The filters as they were typed, if there are any.
fn wanted(arguments: &StatusArguments) -> Option<String> {
    let cert = arguments.cert.as_ref().map(|name| format!("--cert {name}"));
    let device = arguments.device.as_ref().map(|device| format!("--device {device}"));
    let all: Vec<String> = cert.into_iter().chain(device).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// What was asked for and can't be read: certmonger does not ask again before the next renewal.
fn tell_unresolved(spec: &UnresolvedSpec) {
    let since = spec.requested_at.with_timezone(&Local).format("%Y-%m-%d %H:%M");
    let what =
        format!("can't be carried out since {since}: pan_instcert {}: {}", spec.argv.join(" "), spec.problem);
    report::problem(NAME, &what, spec.problem.advice.as_deref());
}

/// What certmonger renews and nobody has recorded: its post-save command was not run, or could record nothing.
fn tell_unrecorded(one: &Unrecorded) {
    let Unrecorded { common_name, device, request, not_issued } = one;
    if let Some(why) = not_issued {
        let what =
            format!("{device}: {common_name}: the certificate was never issued (request {request}): {why}");
        let advice = format!(
            "See what helps: pan_certctl check -c {common_name} {device}. Then run pan_getcert again; or, not wanted any more: getcert stop-tracking -i {request}"
        );
        report::problem(NAME, &what, Some(&advice));
        return;
    }
    let what = format!(
        "{device}: {common_name}: certmonger renews it for this device (request {request}), and there is no record of it"
    );
    let advice = format!(
        "run its post-save command by hand: getcert list -i {request}; or leave the device out: pan_getcert with the others"
    );
    report::problem(NAME, &what, Some(&advice));
}

/// Whether certmonger is asked: ordinary users would be refused.
fn asks_certmonger(arguments: &StatusArguments) -> bool {
    !arguments.no_certmonger && (arguments.session_bus || rustix::process::geteuid().is_root())
}

fn show(installations: &[Row], summary: &Summary, limits: &Limits, none_at_all: bool) {
    if none_at_all {
        report::line("No installations yet.");
        return;
    }
    let width = terminal::width();
    if !installations.is_empty() {
        table::print(installations, limits, width);
    }
    terminal::print(summary.lines(limits, width));
}

/// Other users, node_exporter among them, may read the file. What is there and no ordinary file, such as
/// `/dev/stdout`, is not replaced by one.
fn write(file: &Path, text: &dyn Fn(&mut dyn io::Write) -> io::Result<()>) -> Result<(), String> {
    let bad = |reason: &dyn fmt::Display| format!("can't write {}: {reason}", file.display());
    match file.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(bad(&"it is there, and no ordinary file")),
        _ => {}
    }
    files::replace_for_all(file, text).map_err(|error| bad(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_shown_as_they_were_typed() {
        for (text, hours) in [("36h", 36), ("14d", 336), (" 1d 2h ", 26), ("0s", 0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.length.num_hours(), span.to_string().as_str()), (hours, text.trim()));
        }
        for text in ["", "7", "-1d", "soon", "9999999999999y"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
