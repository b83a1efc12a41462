//! The devices that anything on this machine names: the configuration file, the key files, `known_devices`, records and
//! requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::Utc;
use panos_xmlapi::{Address, Host};

use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::delivery::DeliveryError;
use crate::delivery::survey::survey;
use crate::host::keyfile::{self, KeyFile};
use crate::install::known_devices::KnownDevices;
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

/// All devices that are known, in order. Key files that can't be read name none: whoever needs a key says why.
///
/// # Errors
/// A state directory or `known_devices` that can't be read.
pub fn devices(config: &Config, place: &PlaceArguments) -> Result<BTreeMap<Address, Sources>, UsageError> {
    let mut known: BTreeMap<Address, Sources> = BTreeMap::new();
    let members = config.groups().filter_map(|name| config.group(name)).flatten();
    let peers = config.devices().filter_map(|device| config.device(device).ha_peer?.parse().ok());
    let targets = config.targets().filter_map(|name| config.target(name));
    let places = targets.chain(members.cloned()).map(|place| place.device);
    for device in config.devices().cloned().chain(places).chain(peers) {
        known.entry(device).or_default().configured = true;
    }
    for device in KnownDevices::load(&place.state_dir)?.devices() {
        known.entry(device.clone()).or_default().pinned = true;
    }
    let state = survey(&place.state_dir, Utc::now(), |found| {
        let spec = found.record.spec;
        let certificate = spec.common_name.to_string();
        for device in std::iter::once(spec.device).chain(spec.peer) {
            known.entry(device).or_default().certificates.insert(certificate.clone());
        }
    });
    state.map_err(|error| UsageError::State(Box::new(DeliveryError::from(error))))?;
    let files = key_files(config);
    let hosts: BTreeSet<Address> =
        files.iter().filter_map(|path| KeyFile::load(path).ok()).flat_map(hosts).collect();
    // A key file names no port: what is known with one is meant.
    let named: BTreeSet<&Host> = hosts.iter().map(Address::host).collect();
    let mut met = BTreeSet::new();
    for (device, sources) in &mut known {
        if named.contains(device.host()) {
            sources.key_file = true;
            met.insert(device.host().clone());
        }
    }
    for host in hosts.into_iter().filter(|host| !met.contains(host.host())) {
        known.entry(host).or_default().key_file = true;
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
