//! `pan_certctl unpin`: a device is not recognised by a certificate of its own any more, but as any other.

use clap::Args;
use panos_xmlapi::Address;
use serde_json::json;

use super::NAME;
use super::selection::nothing_matches;
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::report;
use crate::error::Exit;
use crate::install::known_devices::KnownDevices;

/// Which devices.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct UnpinArguments {
    /// What was done as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required = true)]
    devices: Vec<String>,
}

/// Takes their lines out of `known_devices`.
///
/// # Errors
/// A name that is not valid, or that is not there: then nothing is changed; a file that can't be used.
pub fn run(arguments: &UnpinArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let devices: Vec<Address> =
        arguments.devices.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let mut known = KnownDevices::load(&place.state_dir)?;
    if let Some(device) = devices.iter().find(|device| known.pin_of(device).is_none()) {
        let there = known.devices().map(ToString::to_string).collect::<Vec<_>>();
        return Err(nothing_matches(&device.to_string(), there.into_iter()));
    }
    for device in &devices {
        known.forget(device)?;
        if !arguments.json {
            report::line(&format!(
                "{device}: no longer trusted by a certificate of its own: its issuing CA has to be trusted."
            ));
        }
    }
    if arguments.json {
        report::json(NAME, &json!({ "unpinned": devices }));
    }
    Ok(Exit::Done)
}
