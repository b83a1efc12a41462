//! `pan_instcert`: put an issued certificate on devices.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use super::arguments::{self, UsageError};
use super::dry_run::Planned;
use super::installer::{Arguments, NAME};
use super::live::Screen;
use super::told::{Told, last_phases};
use super::{at_once, claims, dry_run, end_table, interrupted, report, sandbox, signals, unresolved};
use crate::delivery::DeliveryError;
use crate::delivery::engine::{DeliveryEngine, Selection, Turn, run_id};
use crate::delivery::gate::Gate;
use crate::delivery::notifier::Notifier;
use crate::delivery::{InstallSpec, InstallationStore, Queue, not_over};
use crate::error::Exit;
use crate::host::log::Log;
use crate::host::worker;
use crate::install::problem::Problem;
use crate::install::result::{Outcome, RunResult};
use crate::settings::config::{Config, Notify};
use crate::settings::resolve::Prepared;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let arguments: Arguments = match arguments::parse(argv.clone()) {
        Ok(arguments) => arguments,
        Err(not_read) => {
            if let arguments::NotRead::Refused(exit, what) = &not_read {
                unresolved::record(&argv, *exit, what);
            }
            return not_read.into();
        }
    };
    let exit = deliver(&arguments, &argv);
    and_run(&arguments);
    exit
}

fn deliver(arguments: &Arguments, argv: &[OsString]) -> ExitCode {
    let attended = unresolved::is_attended() && !arguments.queue;
    let requests = match arguments.requests(&arguments.place.state_dir, Path::new(""), attended) {
        Ok(requests) => requests,
        Err(error) => {
            let exit = arguments::refuse(NAME, &error);
            unresolved::record(argv, error.exit(), &error.to_string());
            return exit;
        }
    };
    match run(arguments, requests) {
        Ok(exit) => exit.into(),
        Err(error) => arguments::refuse(NAME, &error),
    }
}

/// The other program's command, however ours ended: to it a new certificate is a new certificate.
fn and_run(arguments: &Arguments) {
    let Some(command) = arguments.and_run.as_deref().filter(|_| !arguments.dry_run) else { return };
    let mut words = shlex::split(command).unwrap_or_default().into_iter();
    let Some(program) = words.next() else { return };
    let mut further = std::process::Command::new(program);
    // certmonger waits for us, and not for it.
    further.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let began = further.spawn().map(drop);
    if let Err(error) = began {
        let what = format!("the further command could not be run ({error}): {command}");
        report::problem(NAME, &what, None);
        if let Ok(log) = arguments.place.open_log() {
            log.run(&run_id(), false).error(&what);
        }
    }
}

fn run(arguments: &Arguments, requests: Vec<(InstallSpec, Prepared)>) -> Result<Exit, UsageError> {
    let state_dir = &arguments.place.state_dir;
    let (mut specs, prepared): (Vec<InstallSpec>, Vec<Prepared>) = requests.into_iter().unzip();
    let runtime = arguments::event_loop()?;
    if arguments.dry_run || unresolved::is_attended() {
        // What nobody sees is recorded: all that can be done of it is done, and 'status' tells the rest.
        let wanted: Vec<_> = specs.iter().map(|spec| (spec.key(), spec.profiles.as_slice())).collect();
        let wanted = wanted.iter().map(|(key, profiles)| (key, *profiles));
        claims::check(NAME, wanted, state_dir, arguments.certificate.take_over)?;
    }
    if arguments.dry_run {
        let config = Config::load(arguments.place.config.as_deref())?;
        return Ok(runtime.block_on(dry_run(arguments, (&specs, &prepared), &config)));
    }
    check_worker(arguments, &specs, &prepared)?;
    let put = Queue::below(state_dir).put(&mut specs);
    put.map_err(|error| UsageError::State(Box::new(error.into())))?;
    if arguments.queue {
        return Ok(tell_queued(arguments, &specs));
    }
    let config = Config::load(arguments.place.config.as_deref())?;
    let log = arguments.place.open_log()?;
    let screen = Screen::new(Some(specs.len()), arguments.place.verbose);
    let stopped = |signal| interrupted::tell(NAME, state_dir, &screen, &specs, signal);
    let wanted = specs.iter().zip(prepared);
    let told = signals::run(runtime, install(arguments, wanted, &config, (&log, &screen)), stopped);
    let each: Vec<Exit> = told.iter().map(Told::exit).collect();
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::Json::of(&arguments.certificate.common_name.to_ascii_lowercase(), exit.code(), &told)
            .print(NAME);
    } else {
        end_table::print(&told);
    }
    Ok(exit)
}

/// What the worker could not deliver is refused where somebody can change it, and only told where nobody is there:
/// what certmonger hands over is recorded.
fn check_worker(
    arguments: &Arguments,
    specs: &[InstallSpec],
    prepared: &[Prepared],
) -> Result<(), UsageError> {
    if !worker::is_enabled(&arguments.place.state_dir) {
        return Ok(());
    }
    let config = Config::load(arguments.place.config.as_deref())?;
    let mut each = specs.iter().zip(prepared);
    let Some(what) = each.find_map(|(spec, prepared)| sandbox::closed(spec, prepared, &config)) else {
        return Ok(());
    };
    let refused = sandbox::refused(&what);
    if arguments.queue && unresolved::is_attended() {
        return Err(refused);
    }
    report::problem(NAME, &format!("WARNING: {refused}"), refused.advice().as_deref());
    if let Ok(log) = arguments.place.open_log() {
        log.run(&run_id(), true).error(&format!("{refused}. {}", refused.advice().unwrap_or_default()));
    }
    Ok(())
}

fn tell_queued(arguments: &Arguments, specs: &[InstallSpec]) -> Exit {
    let told: Vec<Told> = specs.iter().map(Told::queued).collect();
    if arguments.json {
        report::Json::of(&arguments.certificate.common_name, Exit::Done.code(), &told).print(NAME);
    } else {
        told.iter().for_each(|told| report::outcome(NAME, told));
    }
    Exit::Done
}

/// Where no worker tries again, the first failure is the last one before the next renewal. A person who watches
/// is not told twice.
fn notifier(config: &Config, state_dir: &Path) -> Notifier {
    let watched = std::io::stderr().is_terminal();
    let command = if watched { Vec::new() } else { config.notify().command.clone() };
    let tell_after = if worker::is_enabled(state_dir) { config.notify().tell_after } else { 1 };
    Notifier { settings: Notify { command, tell_after } }
}

async fn install(
    arguments: &Arguments,
    wanted: impl ExactSizeIterator<Item = (&InstallSpec, Prepared)>,
    config: &Config,
    (log, screen): (&Log, &Arc<Screen>),
) -> Vec<Told> {
    let state_dir = arguments.place.state_dir.as_path();
    let mut engine = DeliveryEngine::new(log, state_dir, wanted.len() > 1);
    engine.notifier = notifier(config, state_dir);
    engine.lock_wait = config.lock_wait();
    engine.watcher = Arc::<Screen>::clone(screen);
    engine.gate = Gate::of(config);
    let wanted: Vec<_> = wanted.enumerate().collect();
    if arguments.now {
        engine.gate.now = wanted.iter().map(|(_, (spec, _))| spec.id.clone()).collect();
    }
    let engine = &engine;
    // Others may wait for the canaries.
    let (first, then): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|(_, (spec, _))| config.goes_first(&spec.destination()));
    let mut all = Vec::new();
    for some in [first, then] {
        let runs = some.into_iter().map(|(number, (spec, prepared))| async move {
            let turn = engine.turn().await;
            engine.keep(spec, prepared).await;
            let told = served(engine, spec, turn).await;
            if !arguments.json {
                report::outcome(NAME, &told);
            }
            (number, told)
        });
        all.extend(at_once::all(runs, arguments.concurrency).await);
    }
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, told)| told).collect()
}

/// Delivers what is pending for the device; how this very request ended, whoever delivered it.
async fn served(engine: &DeliveryEngine<'_>, spec: &InstallSpec, turn: Turn) -> Told {
    let reports = match engine.serve_in_turn(&spec.device, Selection::DueOrTransient, turn).await {
        Ok(reports) => reports,
        Err(failure) => return Told::of(spec, lost(&failure)),
    };
    let own = reports.into_iter().find(|report| report.record.key() == spec.key());
    let (record, phases) = match own {
        Some(report) => (Some(report.record), report.result.phases),
        None => match engine.records.read(&spec.key()) {
            Ok(record) => {
                let held = record.as_ref().and_then(|record| engine.hold(record, Selection::DueOrTransient));
                if let Some(hold) = held {
                    return Told::held(spec, hold);
                }
                // Another one's delivery, of which it was a part.
                let phases = record.as_ref().and_then(|record| last_phases(record, spec)).unwrap_or_default();
                (record, phases)
            }
            Err(error) => return Told::of(spec, lost(&error.into())),
        },
    };
    match record.as_ref().and_then(|record| Some((record, record.request(&spec.id)?))) {
        Some((record, request)) => {
            let result = RunResult { outcome: request.outcome(), phases, missing_profiles: Vec::new() };
            Told::of(spec, result).pending(record.is_pending()).pushed(record.push.as_ref())
        }
        // It waits in the queue, for instance because its record is one of a later version.
        None => match engine.queue.for_device(&spec.device) {
            Ok(listing) if listing.specs.iter().any(|queued| queued.spec.id == spec.id) => {
                let problem = waiting(engine.state_dir, spec);
                let run = engine.log.run(&run_id(), engine.several);
                run.error(&format!("{}: {problem}", spec.device));
                let outcome = Outcome::Failed(problem);
                Told::of(spec, RunResult { outcome, phases, missing_profiles: Vec::new() }).pending(true)
            }
            _ => Told::of(spec, lost(&DeliveryError::NoRecord)),
        },
    }
}

/// Why a request stays in the queue.
fn waiting(state_dir: &Path, spec: &InstallSpec) -> Problem {
    let why = InstallationStore::below(state_dir).read(&spec.key()).err();
    match why {
        Some(error) => Problem::from(&DeliveryError::from(error)),
        None => not_over(),
    }
}

fn lost(failure: &DeliveryError) -> RunResult {
    RunResult {
        outcome: Outcome::Failed(Problem::from(failure)),
        phases: Vec::new(),
        missing_profiles: Vec::new(),
    }
}

/// Looks and decides, for each device, and tells what would be done, and what that would wait for.
async fn dry_run(
    arguments: &Arguments,
    (specs, prepared): (&[InstallSpec], &[Prepared]),
    config: &Config,
) -> Exit {
    let Arguments { place, now, concurrency, .. } = arguments;
    let planned = dry_run::plan_all((specs, prepared), &place.state_dir, *now, *concurrency).await;
    let exit = Exit::of_all(&planned.iter().map(Planned::exit).collect::<Vec<_>>());
    match arguments.json {
        true => dry_run::json(NAME, exit, &planned, config.max_commits()),
        false => dry_run::tell_all(NAME, &planned, config.max_commits()),
    }
    exit
}
