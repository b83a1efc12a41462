//! Which devices are meant: those that were named, and those of groups in the configuration file.

use clap::Args;

use super::arguments::BadArguments;
use super::config::Config;
use super::wishes;
use crate::panos::Address;
use crate::text::harmless;

/// Devices by name and by group.
#[derive(Debug, Clone, Default, Args)]
pub struct DeviceList {
    /// The devices of a group in the configuration file; repeatable
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required_unless_present = "group")]
    pub devices: Vec<String>,
}

impl DeviceList {
    /// The devices, each once: those that were named first.
    ///
    /// # Errors
    /// A name that is not valid; a group that the configuration file does not have.
    pub fn all(&self, config: &Config) -> Result<Vec<Address>, BadArguments> {
        let mut devices = wishes::devices(&self.devices)?;
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
    pub fn words(&self) -> Result<Vec<String>, BadArguments> {
        let groups = self.group.iter().map(|name| format!("--group={name}"));
        let devices = wishes::devices(&self.devices)?;
        Ok(groups.chain(devices.iter().map(Address::to_string)).collect())
    }
}

fn unknown(name: &str, config: &Config) -> BadArguments {
    let known: Vec<&str> = config.groups().collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let name = harmless(name);
    BadArguments::Other(format!("--group: the configuration file has no group '{name}', but {known}"))
}
