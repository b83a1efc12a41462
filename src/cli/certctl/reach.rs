//! How a device is reached: the options of the verbs that speak to one without installing anything.

use std::path::PathBuf;

use clap::Args;

use crate::settings::options::DeviceOptions;

/// The key, and how the device is trusted.
#[derive(Debug, Clone, Default, Args)]
pub struct ReachOptions {
    /// API key file; a directory means DIR/.panrc, a word without '/' means /etc/ipa/.panrc.EXT
    /// [default: /etc/ipa/.panrc]
    #[arg(short = 'k', long, value_name = "FILE|DIR|EXT", help_heading = "Device", hide_short_help = true)]
    key_file: Option<String>,

    /// Trust this CA for the device's own HTTPS (can be repeated) [default: the system's CAs and /etc/ipa/ca.crt]
    #[arg(long, value_name = "FILE", help_heading = "Trust", hide_short_help = true)]
    ca_file: Vec<PathBuf>,

    /// Trust exactly the device certificate with this fingerprint [default: what 'pan_certctl pin' recorded]
    #[arg(
        long,
        value_name = "SHA256",
        conflicts_with = "ca_file",
        help_heading = "Trust",
        hide_short_help = true
    )]
    pin: Option<String>,

    /// Do NOT verify the device: whoever answers gets the password or the API key
    #[arg(long, conflicts_with_all = ["ca_file", "pin"], help_heading = "Trust", hide_short_help = true)]
    insecure: bool,
}

impl From<&ReachOptions> for DeviceOptions {
    fn from(reach: &ReachOptions) -> Self {
        let ReachOptions { key_file, ca_file, pin, insecure } = reach.clone();
        Self { key_file, ca_file, pin, insecure, ..Self::default() }
    }
}
