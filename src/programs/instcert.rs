//! `pan_instcert`: put an issued certificate on devices.

use std::process::ExitCode;

use clap::Parser;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::arguments::{self, BadArguments, CertificateArguments, PlaceArguments};
use super::config::Config;
use super::options::DeviceOptions;
use super::wishes::{self, Named, Prepared};
use super::{rehearsal, report};
use crate::error::Exit;
use crate::host::certmonger::{Getcert, GetcertError, Phase};
use crate::host::log::{Log, Verbosity};
use crate::install::Failure;
use crate::install::deliver::{self, Outcome};
use crate::install::record::Records;
use crate::install::request::{Existing, Wish};
use crate::install::stopwatch::Stopwatch;

const NAME: &str = "pan_instcert";

/// Put an issued certificate on Palo Alto Networks devices, bind it, commit, and prove that they run it.
///
/// certmonger calls this as a post-save command; it can be run by hand just as well.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = arguments::exit_code_help(), max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    place: PlaceArguments,

    /// Don't ask certmonger for the certificate's status
    #[arg(short = 'b', long)]
    blind: bool,

    /// Import and commit although the device has this certificate already
    #[arg(long)]
    force: bool,

    /// Print the plan, change nothing
    #[arg(long)]
    dry_run: bool,

    /// Devices worked on at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    /// The result as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Devices
    #[arg(required = true, value_name = "FQDN[:PORT]")]
    devices: Vec<String>,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(error) => arguments::refuse(NAME, &error),
    }
}

fn run(arguments: &Arguments) -> Result<Exit, BadArguments> {
    let named = Named::of(&arguments.certificate)?;
    let prepared = prepare(arguments, &named)?;
    let records = Records::below(&arguments.place.state_dir);
    let runtime = arguments::event_loop()?;
    if arguments.dry_run {
        return Ok(runtime.block_on(rehearse(arguments, prepared, &records)));
    }
    let verbosity = Verbosity::from(arguments.place.verbose);
    let log = Log::open(&arguments.place.log_file, verbosity).map_err(unwritable)?;
    let outcomes = runtime.block_on(install(arguments, prepared, &log, &records));
    let each: Vec<Exit> = outcomes.iter().map(|(_, outcome)| exit_of(outcome)).collect();
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::Json::of(named.common_name.as_str(), exit.code(), &outcomes).print();
    }
    Ok(exit)
}

fn unwritable(error: crate::host::log::LogError) -> BadArguments {
    BadArguments::Other(format!("{error}; run it with sudo, or name another file with --log-file"))
}

/// Every device's wish is checked before the first one is begun.
fn prepare(arguments: &Arguments, named: &Named) -> Result<Vec<Prepared>, BadArguments> {
    let config = Config::load(arguments.place.config.as_deref())?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    let devices = wishes::devices(&arguments.devices)?;
    let prepare = |device| {
        let options = wishes::options_for(&arguments.device, &config, device);
        wishes::prepare(named, &arguments.certificate, &options, existing, device, &arguments.place.state_dir)
    };
    devices.iter().map(prepare).collect()
}

async fn install(
    arguments: &Arguments,
    prepared: Vec<Prepared>,
    log: &Log,
    records: &Records,
) -> Vec<(Wish, Outcome)> {
    let several = prepared.len() > 1;
    let vouched = &ask_certmonger(arguments, &prepared).await;
    let runs = prepared.into_iter().map(|Prepared { wish, bundle, .. }| async move {
        let vouched = |bundle| match vouched {
            Ok(()) => Ok(bundle),
            Err((what, advice)) => Err(Failure::Certmonger { what: what.clone(), advice: advice.clone() }),
        };
        let bundle = bundle.and_then(vouched);
        let log = log.run(&run_id(), several);
        let outcome = deliver::deliver(&wish, bundle, records, &log).await;
        if !arguments.json {
            report::outcome(NAME, &wish, &outcome);
        }
        (wish, outcome)
    });
    stream::iter(runs).buffered(usize::from(arguments.concurrency)).collect().await
}

/// Looks and decides, for each device, and tells what would be done.
async fn rehearse(arguments: &Arguments, prepared: Vec<Prepared>, records: &Records) -> Exit {
    let looks = prepared.into_iter().map(|Prepared { wish, bundle, .. }| async move {
        let looked = match bundle {
            Ok(bundle) => match records.read(&wish.device, &wish.base_name) {
                Ok(record) => {
                    let made = record.map(|record| record.made).unwrap_or_default();
                    deliver::look(&wish, &bundle, &made, &mut Stopwatch::new()).await
                }
                Err(error) => Err(error.into()),
            },
            Err(failure) => Err(failure),
        };
        (wish, looked)
    });
    let looked: Vec<_> = stream::iter(looks).buffered(usize::from(arguments.concurrency)).collect().await;
    let each: Vec<Exit> =
        looked.iter().map(|(_, looked)| looked.as_ref().err().map_or(Exit::Done, Failure::exit)).collect();
    let exit = Exit::of_all(&each);
    if arguments.json {
        rehearsal::json(exit, &looked);
    } else {
        looked.iter().for_each(|(wish, looked)| rehearsal::tell(NAME, wish, looked.as_ref()));
    }
    exit
}

/// Whether certmonger says that the certificate is issued. It says so while its post-save command runs, too.
async fn ask_certmonger(
    arguments: &Arguments,
    prepared: &[Prepared],
) -> Result<(), (String, Option<String>)> {
    const BLIND: &str = "For a certificate that is not certmonger's, or to go on all the same, use -b.";
    let file = match prepared.iter().find_map(|prepared| prepared.certificate.as_ref()) {
        Some(file) if !arguments.blind => file,
        _ => return Ok(()),
    };
    let getcert = Getcert::new(["getcert"], None).on_session_bus(arguments.certificate.session_bus);
    match getcert.status(file).await {
        Ok(status) => match status.phase() {
            Phase::Done | Phase::Saving => Ok(()),
            _ => Err((
                format!("the certificate's state is {}, it is not issued", status.state),
                Some(BLIND.to_owned()),
            )),
        },
        Err(GetcertError::NotTracked) => {
            Err((format!("{} is not tracked", file.display()), Some(BLIND.to_owned())))
        }
        Err(error) => {
            let advice =
                error.advice().map(|advice| format!("{advice}; to go on without certmonger, use -b"));
            Err((error.to_string(), advice.or_else(|| Some(BLIND.to_owned()))))
        }
    }
}

fn exit_of(outcome: &Outcome) -> Exit {
    outcome.result.as_ref().err().map_or(Exit::Done, Failure::exit)
}

/// Six hexadecimal digits: enough to tell the runs of a day apart.
fn run_id() -> String {
    format!("{:06x}", rand::random::<u32>() & 0x00ff_ffff)
}
