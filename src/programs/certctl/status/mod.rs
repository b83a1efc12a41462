//! `pan_certctl status`: what is installed where, what is owed, and whether somebody has to look after it.

mod certmonger;
mod found;
mod installation;
mod json;
mod prometheus;
mod summary;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{TimeDelta, Utc};
use clap::Args;

use self::found::{Filter, Found};
use self::installation::{Installation, Limits};
use self::summary::Summary;
use super::selection::nothing_matches;
use super::{NAME, screen};
use crate::delivery::Order;
use crate::error::Exit;
use crate::files;
use crate::panos::Address;
use crate::programs::arguments::{PlaceArguments, UsageError};
use crate::programs::report;

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

    /// The exit code tells of what is owed for longer: 24h, 3d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    owed_for: Span,

    /// The exit code tells of what expires within this time on its device: 36h, 14d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    expires_in: Span,

    /// Don't ask certmonger whether it renews the certificates; only root asks it
    #[arg(long)]
    no_certmonger: bool,

    /// Ask the certmonger on the session bus
    #[arg(long, conflicts_with = "no_certmonger")]
    session_bus: bool,

    /// All that is known as one JSON object on standard output
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

/// Shows what is installed and what is owed.
///
/// # Errors
/// A device that is none.
pub fn run(arguments: &StatusArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let device = arguments.device.as_deref().map(str::parse::<Address>).transpose()?;
    let filter = Filter { certificate: arguments.cert.clone(), device };
    let Found { mut installations, troubles } = match found::below(&place.state_dir) {
        Ok(found) => found,
        Err(error) => {
            let advice = "Run it with sudo, or name another folder with --state-dir.";
            report::problem(NAME, &error.to_string(), Some(advice));
            return Ok(Exit::Usage);
        }
    };
    troubles.iter().for_each(|trouble| report::problem(NAME, trouble, None));
    let none_at_all = installations.is_empty() && troubles.is_empty();
    let all: Vec<String> = installations.iter().map(|one| in_short(&one.record.order)).collect();
    installations.retain(|installation| filter.wants(&installation.record.order));
    if let (true, true, Some(wanted)) = (installations.is_empty(), troubles.is_empty(), wanted(arguments)) {
        return Err(nothing_matches(&wanted, all.into_iter()));
    }
    if asks_certmonger(arguments, &installations) {
        let orders = installations.iter().map(|installation| &installation.record.order);
        match certmonger::ask(orders, arguments.session_bus)? {
            Ok(standings) => {
                for (installation, standing) in installations.iter_mut().zip(standings) {
                    installation.certmonger = standing;
                }
            }
            Err(error) => {
                let what = format!("whether certmonger renews the certificates is not known: {error}");
                report::problem(NAME, &what, error.advice().as_deref());
            }
        }
    }
    let limits = Limits {
        now: Utc::now(),
        owed_for: arguments.owed_for.clone(),
        expires_in: arguments.expires_in.clone(),
    };
    installations.sort_by_cached_key(|installation| installation.order_of_attention(&limits));
    let summary = Summary::of(&installations, &limits, troubles.len());
    if arguments.json {
        json::print(&installations, &summary, &limits);
    }
    if let Some(file) = &arguments.prometheus {
        if let Err(error) = write(file, &prometheus::text(&installations, &limits, troubles.len())) {
            report::problem(NAME, &error, None);
            return Ok(Exit::Usage);
        }
    } else if !arguments.json {
        show(&installations, &summary, &limits, none_at_all);
    }
    Ok(summary.exit)
}

fn in_short(order: &Order) -> String {
    format!("{} on {}", order.common_name, order.device)
}

/// The filters as they were typed, if there are any.
fn wanted(arguments: &StatusArguments) -> Option<String> {
    let cert = arguments.cert.as_ref().map(|name| format!("--cert {name}"));
    let device = arguments.device.as_ref().map(|device| format!("--device {device}"));
    let all: Vec<String> = cert.into_iter().chain(device).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// Ordinary users would be refused, and certificates of other clients are no business of certmonger's.
fn asks_certmonger(arguments: &StatusArguments, installations: &[Installation]) -> bool {
    !arguments.no_certmonger
        && (arguments.session_bus || rustix::process::geteuid().is_root())
        && installations.iter().any(|installation| !certmonger::is_blind(&installation.record.order))
}

fn show(installations: &[Installation], summary: &Summary, limits: &Limits, none_at_all: bool) {
    if none_at_all {
        report::line("Nothing is installed from here yet.");
        return;
    }
    let width = screen::width();
    if !installations.is_empty() {
        screen::print(&table::lines(installations, limits, width));
    }
    screen::print(&summary.lines(limits, width));
}

/// Other users, node_exporter among them, may read the file. What is there and no ordinary file, such as
/// `/dev/stdout`, is not replaced by one.
fn write(file: &Path, text: &str) -> Result<(), String> {
    let bad = |reason: &dyn fmt::Display| format!("can't write {}: {reason}", file.display());
    match file.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(bad(&"it is there, and no ordinary file")),
        _ => {}
    }
    files::replace_for_all(file, text.as_bytes()).map_err(|error| bad(&error))
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
