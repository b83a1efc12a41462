//! `pan_certctl log`: the last runs, from the log.

mod chart;
mod json;
mod table;

use std::path::Path;

use chrono::{DateTime, Utc};
use clap::Args;
use panos_xmlapi::Address;

use super::selection::nothing_matches;
use super::{NAME, terminal, when};
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::report;
use crate::delivery::AtWork;
use crate::error::Exit;
use crate::host::runlog::{self, Filter, Review, ReviewError, Run, RunOutcome, Unended};

/// How many runs are shown unless somebody says otherwise.
const USUAL: u16 = 20;
/// And in a chart, which has room for more.
const USUAL_IN_CHART: u16 = 1000;

/// Which runs, and how they are shown.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct LogArguments {
    /// How many runs, the last ones [default: 20; with --chart 1000]
    #[arg(short = 'n', long = "last", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    last: Option<u16>,

    /// Only runs for this certificate, by its common name
    #[arg(long, value_name = "NAME")]
    cert: Option<String>,

    /// Only runs for this device; without a port, on any port
    #[arg(long, value_name = "FQDN[:PORT]")]
    device: Option<String>,

    /// Only runs that began then or later: 2026-11-22, '2026-11-22 05:00', RFC 3339, or how long ago: 7d, 12h, 30m
    #[arg(long, value_name = "TIME", value_parser = when::since)]
    since: Option<DateTime<Utc>>,

    /// Only runs that began then or earlier; a day is meant to its end
    #[arg(long, value_name = "TIME", value_parser = when::until)]
    until: Option<DateTime<Utc>>,

    /// Only runs that failed
    #[arg(long)]
    failed: bool,

    /// Show as bars how long the runs took
    #[arg(long, conflicts_with = "json")]
    chart: bool,

    /// The runs as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Shows the last runs.
///
/// # Errors
/// A device that is none, times in the wrong order, a log that can't be read.
pub fn run(arguments: &LogArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    if let (Some(since), Some(until)) = (arguments.since, arguments.until)
        && since > until
    {
        return Err(UsageError::Other("--since is later than --until: nothing is between them".to_owned()));
    }
    let device = arguments.device.as_deref().map(str::parse::<Address>).transpose()?;
    let filter = Filter {
        certificate: arguments.cert.clone(),
        device: device.map(|device| device.to_string()),
        since: arguments.since,
        until: arguments.until,
        failed: arguments.failed,
    };
    let usual = if arguments.chart { USUAL_IN_CHART } else { USUAL };
    let most = usize::from(arguments.last.unwrap_or(usual));
    let mut review = match runlog::review(&place.log_file, &filter, most) {
        Ok(review) => review,
        Err(error) => return Ok(unreadable(&error)),
    };
    review.runs.iter_mut().for_each(|run| look_whether_it_runs(run, &place.state_dir));
    if review.runs.is_empty() {
        look_for_the_names(&filter, place)?;
    }
    for missed in &review.missed {
        report::problem(NAME, missed, None);
    }
    if place.verbose > 0 {
        for path in &review.read {
            report::problem(NAME, &format!("read {}", path.display()), None);
        }
    }
    show(arguments, &review);
    Ok(Exit::Done)
}

/// Of a run that wrote no end: whether it still runs, as far as the lock on its device tells.
fn look_whether_it_runs(run: &mut Run, state_dir: &Path) {
    let RunOutcome::NotEnded(unended @ Unended::Unknown) = &mut run.ending else { return };
    let Some(device) = run.device.as_ref().and_then(|device| device.parse().ok()) else { return };
    *unended = match AtWork::on(state_dir, &device) {
        None => Unended::Unknown,
        Some(AtWork::Nobody) => Unended::Killed,
        // Both times are whole seconds, and a device is reserved before its run begins.
        Some(AtWork::Somebody(holder)) => match holder.since {
            Some(since) if since <= run.begun => Unended::Running(holder.process),
            Some(_) => Unended::Killed,
            None => Unended::Unknown,
        },
    };
}

/// Names that stand in no run at all are misspelt. That nothing failed, or not in this time, is no error.
fn look_for_the_names(filter: &Filter, place: &PlaceArguments) -> Result<(), UsageError> {
    let named = Filter {
        certificate: filter.certificate.clone(),
        device: filter.device.clone(),
        ..Filter::default()
    };
    let cert = named.certificate.as_ref().map(|name| format!("--cert {name}"));
    let device = named.device.as_ref().map(|device| format!("--device {device}"));
    let wanted: Vec<String> = cert.into_iter().chain(device).collect();
    let runs = |filter: &Filter, most| runlog::review(&place.log_file, filter, most).map(|found| found.runs);
    if wanted.is_empty() || runs(&named, 1).is_ok_and(|runs| !runs.is_empty()) {
        return Ok(());
    }
    let all = runs(&Filter::default(), usize::from(u16::MAX)).unwrap_or_default();
    let there = all.iter().flat_map(|run| {
        let on = run.device.as_ref().map(|device| format!(" on {device}")).unwrap_or_default();
        run.certificates.iter().map(move |name| format!("{name}{on}"))
    });
    Err(nothing_matches(&wanted.join(" "), there))
}

fn unreadable(error: &ReviewError) -> Exit {
    report::problem(NAME, &error.to_string(), error.advice().as_deref());
    Exit::Usage
}

fn show(arguments: &LogArguments, review: &Review) {
    if arguments.json {
        json::print(&review.runs);
    } else if review.runs.is_empty() {
        let shown = review.read.first().map(|path| path.display().to_string()).unwrap_or_default();
        report::line(&format!("No matching runs in {shown}."));
    } else if arguments.chart {
        terminal::print(chart::lines(&review.runs, terminal::width().unwrap_or(chart::WIDTH)));
    } else {
        terminal::print(table::lines(&review.runs, terminal::width()));
    }
}
