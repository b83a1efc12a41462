//! `pan_certctl pin`: trust a device by the certificate it shows, once somebody has compared the fingerprint.

use std::time::Duration;

use clap::Args;
use panos_xmlapi::{Address, Fingerprint, Trust, hello};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::NAME;
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::{question, report};
use crate::delivery::InstallationStore;
use crate::error::Exit;
use crate::install::error::{Activity, InstallError};
use crate::install::known_devices::KnownDevices;
use crate::install::probe::{PeerCertificate, shown};
use crate::install::retry;
use crate::settings::config::Config;
use crate::settings::resolve;

/// How long the device may take to show its certificate.
const TIMEOUT: Duration = Duration::from_secs(10);

const QUESTION: &str = "Compare the fingerprint with the one that a browser shows for the device's own web page.\nTrust this certificate from now on?";

/// Which devices.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct PinArguments {
    /// What was seen and done as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Devices
    #[arg(value_name = "FQDN[:PORT]", required = true)]
    devices: Vec<String>,
}

/// Shows the fingerprint of each device, and records it after a yes.
///
/// # Errors
/// A device name that is not valid; a file of known devices that can't be used.
pub fn run(arguments: &PinArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let devices = resolve::devices(&arguments.devices)?;
    let mut known = KnownDevices::load(&place.state_dir)?;
    let runtime = arguments::event_loop()?;
    let (mut each, mut told) = (Vec::new(), Vec::new());
    for device in &devices {
        let (exit, seen) = pin(device, (arguments.json, place), &mut known, &runtime)?;
        each.push(exit);
        told.extend(seen);
    }
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::json_of_devices(NAME, exit, devices.len(), &told);
    }
    Ok(exit)
}

/// One device; what was seen and done, where there was anything to be seen.
fn pin(
    device: &Address,
    (json, place): (bool, &PlaceArguments),
    known: &mut KnownDevices,
    runtime: &Runtime,
) -> Result<(Exit, Option<Value>), UsageError> {
    let seen = match runtime.block_on(shown(device, TIMEOUT)) {
        Ok(seen) => seen,
        Err(problem) => {
            let advice = "check the name, the port, and that the management interface allows HTTPS from here";
            report::problem(NAME, &problem.to_string(), Some(advice));
            return Ok((Exit::Device, None));
        }
    };
    // A certificate that the device can't sign with, or that belongs to no PAN-OS, is not worth a question.
    let trust = Trust::Pinned(vec![seen.fingerprint]);
    if let Err(error) = runtime.block_on(hello(device, &trust, retry::limits())) {
        let failure = InstallError::during(Activity::Looking)(error);
        report::problem(NAME, &format!("{device}: {failure}"), failure.advice().as_deref());
        return Ok((failure.exit(), None));
    }
    let before = known.pin_of(device);
    let told =
        |recorded: bool| Some(json!({ "device": device, "sha256": seen.fingerprint, "recorded": recorded }));
    tell(device, &seen, json);
    if before == Some(seen.fingerprint) {
        note(json, &format!("{device}: already trusted with this certificate."));
        return Ok((Exit::Done, told(true)));
    }
    if let Some(before) = before {
        let text = format!("Previously trusted certificate: SHA-256 {}.", before.colons());
        note(json, &text);
    }
    let agreed = question::agreed(QUESTION);
    if !agreed.map_err(|error| UsageError::Other(format!("no answer: {error}")))? {
        report::problem(NAME, &format!("{device}: nothing was recorded"), None);
        return Ok((Exit::Identity, told(false)));
    }
    known.remember(device, seen.fingerprint, None, &said(device, place))?;
    let path = known.path().display();
    note(json, &format!("{device}: now trusted with this certificate (saved in {path})."));
    Ok((Exit::Done, told(true)))
}

/// By which certificates installations on this device and the configuration file say that it is recognised: whoever
/// trusts another one now says that it is the same device. What can't be read says nothing.
fn said(device: &Address, place: &PlaceArguments) -> Vec<Fingerprint> {
    let config = Config::load(place.config.as_deref()).map(|config| config.whole_device(device).pin);
    let records = InstallationStore::below(&place.state_dir).of_device(device);
    let records = records.map(|loaded| loaded.records).unwrap_or_default();
    let typed = records.into_iter().map(|record| record.spec.options.device.pin);
    typed.chain(config).flatten().filter_map(|pin| pin.parse().ok()).collect()
}

/// With `--json` nothing but JSON is on standard output.
fn note(json: bool, text: &str) {
    report::result(NAME, json, text);
}

fn tell(device: &Address, seen: &PeerCertificate, json: bool) {
    let PeerCertificate { subject, issuer, not_before, not_after, fingerprint } = seen;
    note(json, &format!("{device} shows this certificate:"));
    for (name, value) in [
        ("subject", subject.clone()),
        ("issuer", issuer.clone()),
        ("valid", format!("{not_before} to {not_after}")),
        ("SHA-256", fingerprint.colons()),
    ] {
        note(json, &format!("  {name:<8} {value}"));
    }
}
