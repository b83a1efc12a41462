//! The devices that anything on this machine names: the configuration file, the key files, `known_devices`, records and
//! requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::Utc;
use panos_xmlapi::{Address, Host};

use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::delivery::survey::survey;
use crate::delivery::{DeliveryError, Installation};
use crate::host::keyfile::{self, KeyFile};
use crate::install::known_devices::KnownDevices;
use crate::install::names::CommonName;
use crate::settings::config::Config;
use crate::settings::destination::Destination;

/// Where a device is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// In the configuration file: by itself, as a member of a group, or as a peer.
    pub configured: bool,
    /// In a key file.
    pub key_file: bool,
    /// In `known_devices`.
    pub pinned: bool,
    /// The certificates that are installed there, or are to be.
    pub certificates: BTreeSet<String>,
}

/// A place where a device is named.
enum Source {
    Configured,
    KeyFile,
    Pinned,
    /// As that of the certificate with this name.
    Record(CommonName),
}

/// All devices that are known, in order. Key files that can't be read name none: whoever needs a key says why.
///
/// # Errors
/// A state directory or `known_devices` that can't be read.
pub fn devices(config: &Config, place: &PlaceArguments) -> Result<BTreeMap<Address, Sources>, UsageError> {
    gather(config, place, |known: &mut Sources, source| match source {
        Source::Configured => known.configured = true,
        Source::KeyFile => known.key_file = true,
        Source::Pinned => known.pinned = true,
        Source::Record(certificate) => _ = known.certificates.insert(certificate.to_string()),
    })
}

/// Only their names: there may be very many.
///
/// # Errors
/// As [`devices`].
pub fn names(config: &Config, place: &PlaceArguments) -> Result<impl Iterator<Item = Address>, UsageError> {
    Ok(gather(config, place, |(), _| {})?.into_keys())
}

/// The names of all certificates that are installed, or are to be.
///
/// # Errors
/// A state directory that can't be read.
pub fn certificates(place: &PlaceArguments) -> Result<BTreeSet<String>, UsageError> {
    let mut all = BTreeSet::new();
    each_record(place, |record| {
        let name = record.spec.common_name.as_str();
        if !all.contains(name) {
            all.insert(name.to_owned());
        }
    })?;
    Ok(all)
}

fn each_record(place: &PlaceArguments, mut take: impl FnMut(Installation)) -> Result<(), UsageError> {
    let state = survey(&place.state_dir, Utc::now(), |found| take(found.record));
    state.map_err(|error| UsageError::State(Box::new(DeliveryError::from(error))))?;
    Ok(())
}

/// All devices in order, each with what is made of the places where it is named.
fn gather<Known: Default>(
    config: &Config,
    place: &PlaceArguments,
    note: impl Fn(&mut Known, Source),
) -> Result<BTreeMap<Address, Known>, UsageError> {
    let mut known: BTreeMap<Address, Known> = BTreeMap::new();
    let members = config.groups().filter_map(|name| config.group(name)).flatten();
    let peers = config.devices().filter_map(|device| config.device(device).ha_peer?.parse().ok());
    let targets = config.targets().filter_map(|name| config.target(name));
    let places = targets.chain(members.cloned()).map(|place| place.device);
    for device in config.devices().cloned().chain(places).chain(peers) {
        note(known.entry(device).or_default(), Source::Configured);
    }
    for device in KnownDevices::load(&place.state_dir)?.devices() {
        note(known.entry(device.clone()).or_default(), Source::Pinned);
    }
    each_record(place, |record| {
        let spec = record.spec;
        for device in std::iter::once(spec.device).chain(spec.peer) {
            note(known.entry(device).or_default(), Source::Record(spec.common_name.clone()));
        }
    })?;
    let files = key_files(config);
    let hosts: BTreeSet<Address> =
        files.iter().filter_map(|path| KeyFile::load(path).ok()).flat_map(hosts).collect();
    // A key file names no port: what is known with one is meant.
    let named: BTreeSet<&Host> = hosts.iter().map(Address::host).collect();
    let mut met = BTreeSet::new();
    for (device, sources) in &mut known {
        if named.contains(device.host()) {
            note(sources, Source::KeyFile);
            met.insert(device.host().clone());
        }
    }
    for host in hosts.into_iter().filter(|host| !met.contains(host.host())) {
        note(known.entry(host).or_default(), Source::KeyFile);
    }
    Ok(known)
}

fn hosts(file: KeyFile) -> Vec<Address> {
    file.hosts().filter_map(|host| host.parse().ok()).collect()
}

/// The usual key file, and those that the configuration file names.
fn key_files(config: &Config) -> BTreeSet<PathBuf> {
    let targets = config.targets().filter_map(|name| config.target(name));
    let places = config.devices().cloned().map(Destination::from).chain(targets);
    let named = places.filter_map(|place| config.settings(&place).key_file);
    let named = named.map(|option| keyfile::resolve(Some(&option)));
    named.chain([keyfile::resolve(None)]).collect()
}
