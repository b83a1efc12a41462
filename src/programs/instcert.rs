//! `pan_instcert`: put an issued certificate on devices.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::Utc;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::arguments::{self, UsageError};
use super::installer::{Arguments, NAME};
use super::{rehearsal, report};
use crate::delivery::engine::{self, Courier, Which};
use crate::delivery::notifier::Notifier;
use crate::delivery::{Asker, End, Order, Queue, Records};
use crate::error::Exit;
use crate::host::log::Log;
use crate::host::worker;
use crate::install::Failure;
use crate::install::deliver::{self, Outcome};
use crate::install::problem::Problem;
use crate::panos::Address;
use crate::settings::SettingsError;
use crate::settings::config::{Config, Notify};
use crate::settings::delegation::Asked;
use crate::settings::resolve::{Named, Prepared};
use report::Told;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    arguments::run(NAME, run)
}

fn run(arguments: &Arguments) -> Result<Exit, UsageError> {
    let named = Named::of(&arguments.certificate)?;
    let state_dir = &arguments.place.state_dir;
    let config = Config::load(arguments.place.config.as_deref())?;
    let devices = arguments.list.all(&config)?;
    if arguments.certificate.delegated {
        let asked = Asked { named: &named, devices: &devices, typed: &arguments.device, further: Vec::new() };
        asked.check(&config)?;
    }
    // Every device's wish is checked before the first one is begun.
    let options = arguments.options();
    let prepare = |device: &Address| options.prepare(&named, &config, device, state_dir);
    let prepared: Vec<Prepared> = devices.iter().map(prepare).collect::<Result<_, SettingsError>>()?;
    let runtime = arguments::event_loop()?;
    if arguments.dry_run {
        let records = Records::below(state_dir);
        return Ok(runtime.block_on(rehearse(arguments, prepared, &records)));
    }
    let orders: Vec<Order> =
        prepared.iter().map(|prepared| order(arguments, prepared)).collect::<Result<_, _>>()?;
    let put = orders.iter().try_for_each(|order| Queue::below(state_dir).put(order));
    put.map_err(|error| UsageError::State(Box::new(error.into())))?;
    if arguments.queue {
        return Ok(tell_queued(arguments, &orders));
    }
    let log = arguments.place.open_log()?;
    let told = runtime.block_on(install(arguments, orders.into_iter().zip(prepared), &config, &log));
    let each: Vec<Exit> = told.iter().map(Told::exit).collect();
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::Json::of(named.common_name.as_str(), exit.code(), &told).print();
    }
    Ok(exit)
}

/// What is written before anything else is done.
fn order(
    arguments: &Arguments,
    Prepared { wish, bundle, files, .. }: &Prepared,
) -> Result<Order, UsageError> {
    Ok(Order {
        id: format!("{:016x}", rand::random::<u64>()),
        at: Utc::now(),
        by: Asker {
            uid: rustix::process::getuid().as_raw(),
            sudo_user: std::env::var("SUDO_USER").ok().map(|user| user.chars().take(64).collect()),
        },
        common_name: wish.common_name.clone(),
        name: wish.base_name.clone(),
        device: wish.target.device.clone(),
        peer: wish.peer.as_ref().map(|peer| peer.device.clone()),
        profiles: wish.profiles.clone(),
        certificate: bundle.as_ref().ok().and_then(|bundle| deliver::facts(bundle).ok()),
        served: wish.served.clone(),
        files: files.clone(),
        words: arguments.words_for(&wish.target.device)?,
    })
}

fn tell_queued(arguments: &Arguments, orders: &[Order]) -> Exit {
    let told: Vec<Told> = orders.iter().map(Told::queued).collect();
    if arguments.json {
        report::Json::of(&arguments.certificate.common_name, Exit::Done.code(), &told).print();
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
    let patience = if worker::is_enabled(state_dir) { config.notify().patience } else { 1 };
    Notifier { settings: Notify { command, patience } }
}

async fn install(
    arguments: &Arguments,
    wanted: impl ExactSizeIterator<Item = (Order, Prepared)>,
    config: &Config,
    log: &Log,
) -> Vec<Told> {
    let state_dir = arguments.place.state_dir.as_path();
    let mut courier = Courier::new(log, state_dir, wanted.len() > 1);
    courier.notifier = notifier(config, state_dir);
    courier.lock_wait = config.lock_wait();
    let courier = &courier;
    let runs = wanted.map(|(order, prepared)| async move {
        courier.keep(&order, prepared).await;
        let told = served(courier, &order, state_dir).await;
        if !arguments.json {
            report::outcome(NAME, &told);
        }
        told
    });
    stream::iter(runs).buffered(usize::from(arguments.concurrency)).collect().await
}

/// Delivers to the order's device, or finds that somebody else has done it meanwhile.
async fn served(courier: &Courier<'_>, order: &Order, state_dir: &Path) -> Told {
    let own = |other: &Order| other.name == order.name;
    let outcome = match courier.serve(&order.device, Which::Owed).await {
        Ok(reports) => match reports.into_iter().find(|report| own(&report.record.order)) {
            Some(report) => report.outcome,
            None => match Records::below(state_dir).read(&order.device, &order.name) {
                Ok(Some(record)) => Outcome { end: engine::told_by(&record), phases: Vec::new() },
                Ok(None) => lost(&Failure::NoRecord),
                Err(error) => lost(&error.into()),
            },
        },
        Err(failure) => lost(&failure),
    };
    Told::of(order, outcome)
}

fn lost(failure: &Failure) -> Outcome {
    Outcome { end: End::Failed(Problem::from(failure)), phases: Vec::new() }
}

/// Looks and decides, for each device, and tells what would be done.
async fn rehearse(arguments: &Arguments, prepared: Vec<Prepared>, records: &Records) -> Exit {
    let looks = prepared.iter().map(|prepared| async move {
        let looked = rehearsal::look(prepared, records).await;
        (&prepared.wish, looked)
    });
    let looked: Vec<_> = stream::iter(looks).buffered(usize::from(arguments.concurrency)).collect().await;
    let exits =
        looked.iter().map(|(_, looked)| looked.as_ref().err().map_or(Exit::Done, |problem| problem.exit));
    let exit = Exit::of_all(&exits.collect::<Vec<_>>());
    if arguments.json {
        rehearsal::json(exit, &looked);
    } else {
        looked.iter().for_each(|(wish, looked)| rehearsal::tell(NAME, wish, looked.as_ref()));
    }
    exit
}
