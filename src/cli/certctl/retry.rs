//! `pan_certctl retry`: deliver what is pending. The worker that systemd starts is this, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use panos_xmlapi::Address;

use super::NAME;
use super::selection::Selection;
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::live::Screen;
use crate::cli::report;
use crate::cli::told::{Subject, Told};
use crate::cli::{end_table, interrupted, signals, unresolved};
use crate::delivery::DeliveryError;
use crate::delivery::engine::{self, DeliveryEngine, Report, run_id};
use crate::delivery::gate::Gate;
use crate::delivery::notifier::{News, Notifier};
use crate::delivery::worker::Worker;
use crate::delivery::{InstallationStore, Queue, StoreError};
use crate::error::Exit;
use crate::host::open_files;
use crate::install::result::Outcome;
use crate::settings::config::Config;

/// What is delivered.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct RetryArguments {
    /// Deliver all that is pending, and don't wait until its next try is due
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    selection: Selection,
}

/// Delivers.
///
/// # Errors
/// A device name that is not valid; a configuration, log or state directory that can't be used.
pub fn run(arguments: &RetryArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let only = match arguments.selection.is_narrowed() {
        true => arguments.selection.among(&known(&place.state_dir)?)?,
        false => Vec::new(),
    };
    let config = Config::load(place.config.as_deref())?;
    let log = place.open_log()?;
    let mut engine = DeliveryEngine::new(&log, &place.state_dir, true);
    engine.notifier = Notifier { settings: config.notify().clone() };
    engine.lock_wait = config.lock_wait();
    engine.gate = Gate::of(&config);
    let screen = Screen::new(None, place.verbose);
    engine.watcher = Arc::<Screen>::clone(&screen);
    let which = if arguments.now { engine::Selection::All } else { engine::Selection::Due };
    let unread = unresolved::resolve(&place.state_dir, &log.run(&run_id(), true));
    let at_once = usize::from(arguments.selection.at_once());
    let worker = Worker { engine: &engine, which, only, concurrency: open_files::devices_at_once(at_once) };
    let json = arguments.selection.json;
    let work = worker.work(|report| {
        if !json {
            tell(report);
        }
    });
    let stopped = |signal| interrupted::tell(NAME, &place.state_dir, &screen, &[], signal);
    let (reports, mut troubles) = match report::is_journal() {
        // systemd ends the worker, and says so itself.
        true => arguments::event_loop()?.block_on(work),
        false => signals::run(arguments::event_loop()?, work, stopped),
    };
    troubles.extend(unread.err().map(|error: StoreError| DeliveryError::from(error)));
    for failure in &troubles {
        report::problem(NAME, &failure.to_string(), failure.advice().as_deref());
    }
    let unresolved =
        Queue::below(&place.state_dir).all().map(|listing| listing.unresolved).unwrap_or_default();
    for spec in unresolved.iter().map(|queued| &queued.spec).filter(|_| !report::is_journal()) {
        let what = format!("can't be carried out: pan_instcert {}: {}", spec.argv.join(" "), spec.problem);
        report::problem(NAME, &what, spec.problem.advice.as_deref());
    }
    let told: Vec<Told> = reports.iter().map(told).collect();
    let each = told.iter().map(Told::exit).chain(troubles.iter().map(DeliveryError::exit));
    let each: Vec<Exit> = each.chain(unresolved.iter().map(|queued| queued.spec.problem.exit)).collect();
    let exit = Exit::of_all(&each);
    if report::is_journal() && !json {
        return Ok(exit);
    }
    let left = engine.take_left();
    let taken_back = if arguments.now { 0 } else { left.for_a_person() };
    let waiting = left.all();
    if json {
        report::installations(NAME, exit, &told, &waiting);
        return Ok(exit);
    }
    end_table::print(&told);
    if told.is_empty() && troubles.is_empty() && unresolved.is_empty() {
        report::line(if arguments.now { "Nothing is pending." } else { "Nothing is due." });
    }
    for waiting in &waiting {
        report::line(&format!("  {waiting}"));
    }
    if taken_back > 0 {
        let verb = if taken_back == 1 { "is" } else { "are" };
        report::line(&format!("  {taken_back} {verb} not tried again by itself: its push was taken back"));
    }
    if !waiting.is_empty() || taken_back > 0 {
        report::note(
            NAME,
            "to see which: pan_certctl status; to deliver all of it now: pan_certctl retry --now",
        );
    }
    Ok(exit)
}

/// The devices that something is recorded or ordered for.
fn known(state_dir: &Path) -> Result<Vec<Address>, UsageError> {
    let bad = |error: StoreError| UsageError::State(Box::new(error.into()));
    let queued = Queue::below(state_dir).all().map_err(bad)?.specs;
    let mut devices: BTreeSet<Address> = queued.into_iter().map(|queued| queued.spec.device).collect();
    let records = InstallationStore::below(state_dir);
    records.each(|record| devices.extend([record.spec.device])).map_err(bad)?;
    Ok(devices.into_iter().collect())
}

fn told(report: &Report) -> Told {
    // All that was asked for, not only what was asked for last.
    let about = Subject { profiles: report.record.profiles(), ..Subject::from(&report.record.spec) };
    Told::of(about, report.result.clone()).pushed(report.record.push.as_ref())
}

/// In the journal a failure that lasts is told once, and its end once.
fn tell(report: &Report) {
    let failed = matches!(report.result.outcome, Outcome::Failed(_));
    match report.news {
        _ if !report::is_journal() => report::outcome(NAME, &told(report)),
        Some(News::Failure) => report::journal(report::Priority::Error, &told(report)),
        Some(News::Recovered) => report::journal(report::Priority::Notice, &told(report)),
        None if !failed => report::journal(report::Priority::Notice, &told(report)),
        None => {}
    }
}
