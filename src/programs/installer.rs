//! The words of `pan_instcert`: typed by a person, written into a post-save command, and read again from a record.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::arguments::{self, PlaceArguments, UsageError};
use super::devices::DeviceList;
use crate::panos::Address;
use crate::settings::certificate::CertificateArguments;
use crate::settings::options::{DeviceOptions, absolute};
use crate::settings::words::InstallOptions;

/// The program's name.
pub const NAME: &str = "pan_instcert";

/// Put an issued certificate on Palo Alto Networks devices, bind it, commit, and prove that they run it.
///
/// certmonger calls this as a post-save command; it can be run by hand just as well.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = arguments::exit_code_help(), max_term_width = 100)]
pub struct Arguments {
    /// The certificate.
    #[command(flatten)]
    pub certificate: CertificateArguments,
    /// How it gets onto a device.
    #[command(flatten)]
    pub device: DeviceOptions,
    /// Where things are.
    #[command(flatten)]
    pub place: PlaceArguments,

    /// Don't ask certmonger for the certificate's status
    #[arg(short = 'b', long)]
    pub blind: bool,

    /// Write the installation record and return; the worker delivers
    #[arg(long, conflicts_with_all = ["dry_run", "concurrency"])]
    pub queue: bool,

    /// Import and commit although the device has this certificate already
    #[arg(long)]
    force: bool,

    /// Print the plan, change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Devices worked on at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,

    /// The result as one JSON object on standard output
    #[arg(long)]
    pub json: bool,

    /// Which devices.
    #[command(flatten)]
    pub list: DeviceList,
}

impl Arguments {
    /// Reads the words of a record again.
    ///
    /// # Errors
    /// Words that are not understood.
    pub fn of_words(words: &[String]) -> Result<Self, String> {
        let all = std::iter::once(NAME).chain(words.iter().map(String::as_str));
        Self::try_parse_from(all).map_err(|error| error.to_string())
    }

    /// What is asked for, besides the devices.
    #[must_use]
    pub fn options(&self) -> InstallOptions {
        InstallOptions {
            certificate: self.certificate.clone(),
            device: self.device.clone(),
            config: self.place.config.clone(),
            blind: self.blind,
            force: self.force,
        }
    }

    /// The words that have the same effect again for one device.
    ///
    /// # Errors
    /// A path that can't be written down.
    pub fn words_for(&self, device: &Address) -> Result<Vec<String>, UsageError> {
        let config = self.place.config.as_ref();
        let mut words = words(&self.certificate, &self.device, config).map_err(UsageError::Other)?;
        words.extend(self.blind.then(|| "--blind".to_owned()));
        words.extend(self.force.then(|| "--force".to_owned()));
        words.push(device.to_string());
        Ok(words)
    }
}

/// The devices and groups that a post-save command of ours names, as its words; none in any other command.
#[must_use]
pub fn devices_in(post_save: &str) -> Vec<String> {
    let words = shlex::split(post_save).unwrap_or_default();
    let is_ours = words.first().is_some_and(|program| Path::new(program).ends_with(NAME));
    let arguments = words.get(1..).filter(|_| is_ours).and_then(|words| Arguments::of_words(words).ok());
    arguments.and_then(|arguments| arguments.list.words().ok()).unwrap_or_default()
}

/// The words with which the installer does the same again, all but the devices. They are no secret.
///
/// # Errors
/// A path that can't be made absolute or is no text.
pub fn words(
    certificate: &CertificateArguments,
    device: &DeviceOptions,
    config: Option<&PathBuf>,
) -> Result<Vec<String>, String> {
    let mut words = vec!["-c".to_owned(), certificate.common_name.to_ascii_lowercase()];
    if let Some(name) = &certificate.cert_name {
        words.extend(["-n".to_owned(), name.clone()]);
    }
    words.extend(certificate.year.then(|| "-Y".to_owned()));
    words.push(format!("--cert-dir={}", absolute(&certificate.cert_dir)?));
    words.push(format!("--key-dir={}", absolute(&certificate.key_dir)?));
    words.extend(certificate.session_bus.then(|| "--session-bus".to_owned()));
    words.extend(device.to_arguments()?);
    if let Some(config) = config {
        words.push(format!("--config={}", absolute(config)?));
    }
    Ok(words)
}
