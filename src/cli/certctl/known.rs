//! The devices that anything on this machine names: the configuration file, the key files, `known_devices`, records and
//! requests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::Utc;
use panos_xmlapi::Address;

use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::delivery::{DeliveryError, claims};
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
    let state = claims::known(&place.state_dir, Utc::now());
    for record in state.map_err(|error| UsageError::State(Box::new(DeliveryError::from(error))))? {
        let certificate = record.common_name().to_string();
        for device in std::iter::once(&record.spec.device).chain(&record.spec.peer) {
            known.entry(device.clone()).or_default().certificates.insert(certificate.clone());
        }
    }
    for host in key_files(config).iter().filter_map(|path| KeyFile::load(path).ok()).flat_map(hosts) {
        // A key file names no port: what is known with one is meant.
        let same: Vec<Address> =
            known.keys().filter(|device| device.host() == host.host()).cloned().collect();
        let meant = if same.is_empty() { vec![host] } else { same };
        meant.into_iter().for_each(|device| known.entry(device).or_default().key_file = true);
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
