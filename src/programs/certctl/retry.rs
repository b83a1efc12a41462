//! `pan_certctl retry`: deliver what is owed. The worker that systemd starts is this, and nothing else.

use std::path::Path;

use clap::Args;

use super::NAME;
use super::selection::Selection;
use crate::delivery::engine::{Courier, Report, Which};
use crate::delivery::notifier::{News, Notifier};
use crate::delivery::worker::Worker;
use crate::delivery::{End, Queue, RecordError, Records};
use crate::error::Exit;
use crate::install::Failure;
use crate::panos::Address;
use crate::programs::arguments::{self, PlaceArguments, UsageError};
use crate::programs::report::{self, Told};
use crate::settings::config::Config;

/// What is delivered.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct RetryArguments {
    /// Deliver all that is owed, and don't wait until its next try is due
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    selection: Selection,
}

/// Delivers.
///
/// # Errors
/// A device name that is not valid; a configuration, log or state folder that can't be used.
pub fn run(arguments: &RetryArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let only = match arguments.selection.is_narrowed() {
        true => arguments.selection.among(&known(&place.state_dir)?)?,
        false => Vec::new(),
    };
    let config = Config::load(place.config.as_deref())?;
    let log = place.open_log()?;
    let mut courier = Courier::new(&log, &place.state_dir, true);
    courier.notifier = Notifier { settings: config.notify().clone() };
    courier.lock_wait = config.lock_wait();
    let which = if arguments.now { Which::Everything } else { Which::Due };
    let worker = Worker { courier: &courier, which, only, concurrency: arguments.selection.at_once() };
    let json = arguments.selection.json;
    let (reports, troubles) = arguments::event_loop()?.block_on(worker.work(|report| {
        if !json {
            tell(report);
        }
    }));
    for failure in &troubles {
        report::problem(NAME, &failure.to_string(), failure.advice().as_deref());
    }
    let told: Vec<Told> = reports.iter().map(told).collect();
    let each: Vec<Exit> = told.iter().map(Told::exit).chain(troubles.iter().map(Failure::exit)).collect();
    let exit = Exit::of_all(&each);
    if json {
        report::installations(NAME, exit, &told);
    } else if told.is_empty() && troubles.is_empty() && !report::is_journal() {
        report::line(if arguments.now { "Nothing is owed." } else { "Nothing is due." });
    }
    Ok(exit)
}

/// The devices that something is recorded or ordered for.
fn known(state_dir: &Path) -> Result<Vec<Address>, UsageError> {
    let bad = |error: RecordError| UsageError::State(Box::new(error.into()));
    let (queued, _) = Queue::below(state_dir).all().map_err(bad)?;
    let records = Records::below(state_dir).all().map_err(bad)?.records;
    let ordered = queued.into_iter().map(|queued| queued.order.device);
    Ok(ordered.chain(records.into_iter().map(|record| record.order.device)).collect())
}

fn told(report: &Report) -> Told {
    Told::of(&report.record.order, report.outcome.clone())
}

/// In the journal a failure that lasts is told once, and its end once.
fn tell(report: &Report) {
    let failed = matches!(report.outcome.end, End::Failed(_));
    match report.news {
        _ if !report::is_journal() => report::outcome(NAME, &told(report)),
        Some(News::Failure) => report::journal(report::Priority::Error, &told(report)),
        Some(News::Recovered) => report::journal(report::Priority::Notice, &told(report)),
        None if !failed => report::journal(report::Priority::Info, &told(report)),
        None => {}
    }
}
