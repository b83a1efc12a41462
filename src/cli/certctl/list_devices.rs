//! `pan_certctl list-devices`: all devices that are known here, and what there is for each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::Utc;
use clap::{Args, ValueEnum};
use panos_xmlapi::Address;
use serde::{Serialize, Serializer};

use super::NAME;
use super::known::{self, Sources};
use super::terminal::{self, Columns, Severity};
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::report;
use crate::delivery::survey::survey;
use crate::error::Exit;
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::install::known_devices::KnownDevices;
use crate::settings::config::Config;
use crate::settings::destination::Destination;

/// How it is shown.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct ListDevicesArguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,

    /// Only names, one a line: what the shells' completion offers
    #[arg(long, value_name = "WHAT", conflicts_with = "json", hide = true)]
    names: Option<Names>,
}

/// What a completion offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Names {
    Devices,
    Certificates,
    Groups,
    Targets,
    Profiles,
}

/// Everything of this kind that is known here, each once.
fn names(wanted: Names, config: &Config, place: &PlaceArguments) -> Result<BTreeSet<String>, UsageError> {
    Ok(match wanted {
        Names::Devices => known::names(config, place)?.map(|device| device.to_string()).collect(),
        Names::Certificates => known::certificates(place)?,
        Names::Targets => config.targets().map(str::to_owned).collect(),
        Names::Groups => config.groups().map(str::to_owned).collect(),
        Names::Profiles => {
            let targets = config.targets().filter_map(|name| config.target(name));
            let places = config.devices().cloned().map(Destination::from).chain(targets);
            let configured = places.map(|place| config.settings(&place));
            let configured = configured.flat_map(|options| [options.profile, options.secondary_profile]);
            let mut all: BTreeSet<String> = configured.flatten().collect();
            // Where records can't be read there is less to offer.
            let _ = survey(&place.state_dir, Utc::now(), |found| {
                all.extend(found.record.profiles().into_iter().map(String::from));
            });
            all
        }
    })
}

/// What there is for a device on this machine.
struct Row {
    device: Address,
    sources: Sources,
    /// Whether there is an API key for it; nothing where that can't be told.
    has_key: Option<bool>,
    /// How its own certificate is judged.
    trust: &'static str,
}

/// Lists them. No device is spoken to.
///
/// # Errors
/// A configuration, state directory or `known_devices` that can't be read.
pub fn run(arguments: &ListDevicesArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let config = Config::load(place.config.as_deref())?;
    if let Some(wanted) = arguments.names {
        names(wanted, &config, place)?.iter().for_each(|name| report::line(name));
        return Ok(Exit::Done);
    }
    let pins = KnownDevices::load(&place.state_dir)?;
    // Nearly all devices have one file.
    let mut key_files: BTreeMap<PathBuf, Result<KeyFile, KeyFileError>> = BTreeMap::new();
    let rows: Vec<Row> = known::devices(&config, place)?
        .into_iter()
        .map(|(device, sources)| {
            let options = config.whole_device(&device);
            let trust = match options {
                _ if options.insecure => "nothing",
                _ if options.pin.is_some() || pins.pin_of(&device).is_some() => "pin",
                _ => "CA",
            };
            let path = keyfile::resolve(options.key_file.as_deref());
            let file = key_files.entry(path).or_insert_with_key(|path| KeyFile::load(path));
            let has_key = match file {
                Ok(keys) => Some(keys.key_for(&device.host().to_string()).is_ok()),
                Err(KeyFileError::Missing { .. }) => Some(false),
                Err(_) => None,
            };
            Row { device, sources, has_key, trust }
        })
        .collect();
    if arguments.json {
        report::json_stream(NAME, &Told { devices: &rows });
    } else if rows.is_empty() {
        report::line("No device is known here yet.");
    } else {
        print(&rows);
    }
    Ok(Exit::Done)
}

fn print(rows: &[Row]) {
    let cells = |row: &Row| {
        let key = match row.has_key {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unreadable",
        };
        let configured = if row.sources.configured { "yes" } else { "-" };
        vec![row.device.to_string(), configured.to_owned(), key.to_owned(), row.trust.to_owned()]
    };
    let headings = ["device", "configured", "API key", "trusted by"];
    let columns = Columns::new(&headings, 4, "certificates", rows.iter().map(cells));
    let line = |row: &Row| {
        let certificates: Vec<&str> = row.sources.certificates.iter().map(String::as_str).collect();
        let certificates = if certificates.is_empty() { "-".to_owned() } else { certificates.join(", ") };
        let mood = if row.has_key == Some(true) { Severity::Plain } else { Severity::Odd };
        columns.line(&cells(row), &certificates, mood)
    };
    terminal::print(std::iter::once(columns.heading()).chain(rows.iter().map(line)));
}

/// All of them as JSON, in the order of the names.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(serialize_with = "each")]
    devices: &'a [Row],
}

#[derive(Serialize)]
struct JsonRow<'a> {
    certificates: &'a BTreeSet<String>,
    configured: bool,
    device: &'a Address,
    has_key: Option<bool>,
    in_key_file: bool,
    pinned: bool,
    trusted_by: &'static str,
}

fn each<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| JsonRow {
        certificates: &row.sources.certificates,
        configured: row.sources.configured,
        device: &row.device,
        has_key: row.has_key,
        in_key_file: row.sources.key_file,
        pinned: row.sources.pinned,
        trusted_by: row.trust,
    }))
}
