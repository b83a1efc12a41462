//! Which devices are meant: those that were named, and those of groups in the configuration file.

use clap::Args;
use panos_xmlapi::Address;

use super::arguments::UsageError;
use crate::settings::config::Config;
use crate::settings::resolve;
use crate::text::escape_control;

/// Devices by name and by group.
#[derive(Debug, Clone, Default, Args)]
pub struct DeviceList {
    /// The devices of a group in the configuration file (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    pub group: Vec<String>,

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required_unless_present = "group", hide_short_help = true)]
    pub devices: Vec<String>,
}

impl DeviceList {
    /// The devices, each once: those that were named first.
    ///
    /// # Errors
    /// A name that is not valid; a group that the configuration file does not have.
    pub fn all(&self, config: &Config) -> Result<Vec<Address>, UsageError> {
        let mut devices = resolve::devices(&self.devices)?;
        for name in &self.group {
            let members = config.group(name).ok_or_else(|| unknown(name, config))?;
            let new: Vec<Address> =
                members.iter().filter(|member| !devices.contains(member)).cloned().collect();
            devices.extend(new);
        }
        Ok(devices)
    }

    /// The words that mean the same devices, and whichever belong to the groups later on.
    ///
    /// # Errors
    /// A name that is not valid.
    pub fn words(&self) -> Result<Vec<String>, UsageError> {
        let groups = self.group.iter().map(|name| format!("--group={name}"));
        let devices = resolve::devices(&self.devices)?;
        Ok(groups.chain(devices.iter().map(Address::to_string)).collect())
    }
}

fn unknown(name: &str, config: &Config) -> UsageError {
    let known: Vec<&str> = config.groups().collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let name = escape_control(name);
    UsageError::Other(format!("--group: the configuration file has no group '{name}', but {known}"))
}
