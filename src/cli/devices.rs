//! Which places are meant: devices that were named, targets of the configuration file, and the members of its groups.

use clap::Args;
use panos_xmlapi::Address;

use super::arguments::UsageError;
use crate::delivery::InstallationKey;
use crate::settings::SettingsError;
use crate::settings::config::Config;
use crate::settings::destination::Destination;
use crate::settings::resolve;
use crate::text::{escape_control, some_or_none};

/// Devices by name, by target and by group.
#[derive(Debug, Clone, Default, Args)]
pub struct DeviceList {
    /// The devices and targets of a group in the configuration file (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    pub group: Vec<String>,

    /// A target in the configuration file: a device, a place on it, profiles (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    pub target: Vec<String>,

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required_unless_present_any = ["group", "target"], hide_short_help = true)]
    pub devices: Vec<String>,
}

impl DeviceList {
    /// The places, each once: the devices that were named first.
    ///
    /// # Errors
    /// A name that is not valid; a target or group that the configuration file does not have.
    pub fn all(&self, config: &Config) -> Result<Vec<Destination>, UsageError> {
        let named = resolve::devices(&self.devices)?;
        let mut places: Vec<Destination> = named.into_iter().map(Destination::from).collect();
        for name in &self.target {
            let target = config.target(name).ok_or_else(|| resolve::unknown_target(name, config))?;
            add(&mut places, &target);
        }
        for name in &self.group {
            let members = config.group(name).ok_or_else(|| unknown(name, config))?;
            members.iter().for_each(|member| add(&mut places, member));
        }
        Ok(places)
    }

    /// The devices of all these places, each once.
    ///
    /// # Errors
    /// As [`DeviceList::all`].
    pub fn all_devices(&self, config: &Config) -> Result<Vec<Address>, UsageError> {
        let mut devices: Vec<Address> = Vec::new();
        for place in self.all(config)? {
            if !devices.contains(&place.device) {
                devices.push(place.device);
            }
        }
        Ok(devices)
    }

    /// The words that mean the same places, and whichever belong to the groups later on.
    ///
    /// # Errors
    /// A name that is not valid.
    pub fn words(&self) -> Result<Vec<String>, UsageError> {
        let groups = self.group.iter().map(|name| format!("--group={name}"));
        let targets = self.target.iter().map(|name| format!("--target={name}"));
        let devices = resolve::devices(&self.devices)?;
        Ok(groups.chain(targets).chain(devices.iter().map(Address::to_string)).collect())
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.group.is_empty() && self.target.is_empty() && self.devices.is_empty()
    }
}

fn add(places: &mut Vec<Destination>, place: &Destination) {
    if !places.contains(place) {
        places.push(place.clone());
    }
}

/// One installation is asked for once: two names for the same place would each have its own settings for it.
///
/// # Errors
/// The first two names for the same place.
pub fn check_distinct<'p>(
    places: impl Iterator<Item = (&'p Destination, &'p InstallationKey)>,
) -> Result<(), UsageError> {
    let mut seen: Vec<(&Destination, &InstallationKey)> = Vec::new();
    for (place, key) in places {
        if let Some((other, _)) = seen.iter().find(|(_, before)| *before == key) {
            let what = format!(
                "{other} and {place} are the same place, {} of {}: name one of them, or give them another 'vsys'",
                key.location, key.device
            );
            return Err(SettingsError::Value(what).into());
        }
        seen.push((place, key));
    }
    Ok(())
}

fn unknown(name: &str, config: &Config) -> UsageError {
    let known = some_or_none(&config.groups().collect::<Vec<_>>());
    let name = escape_control(name);
    UsageError::Other(format!("--group: the configuration file has no group '{name}'; it has {known}"))
}
