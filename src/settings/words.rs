//! What the installer was called with, read again from an order.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::certificate::CertificateArguments;
use super::config::Config;
use super::error::SettingsError;
use super::options::DeviceOptions;
use super::resolve::{self, CertmongerBus, Named, Prepared};
use crate::install::request::Existing;
use crate::panos::Address;

/// Everything that is asked for of a device, besides which one.
#[derive(Debug, Clone)]
pub struct InstallOptions {
    /// The certificate.
    pub certificate: CertificateArguments,
    /// How it gets onto a device.
    pub device: DeviceOptions,
    /// The configuration file that was named.
    pub config: Option<PathBuf>,
    /// Whether certmonger is not asked for the certificate's status.
    pub blind: bool,
    /// Whether it is imported and committed although the device has this certificate already.
    pub force: bool,
}

/// The words of an order.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    device: DeviceOptions,
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(short = 'b', long)]
    blind: bool,
    #[arg(long)]
    force: bool,
    #[arg(required = true)]
    devices: Vec<String>,
}

impl InstallOptions {
    /// Reads the words of an order again.
    ///
    /// # Errors
    /// Words that are not understood.
    pub fn of_words(words: &[String]) -> Result<Self, String> {
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let Line { certificate, device, config, blind, force, devices: _ } = line;
        Ok(Self { certificate, device, config, blind, force })
    }

    /// Everything that is wanted of one device, with the configuration of this moment.
    ///
    /// # Errors
    /// An option that is not valid, typed or in the configuration file.
    pub fn prepare_for(&self, device: &Address, state_dir: &Path) -> Result<Prepared, SettingsError> {
        let config = Config::load(self.config.as_deref())?;
        self.prepare(&Named::of(&self.certificate)?, &config, device, state_dir)
    }

    /// The same, with names and configuration that were read before.
    ///
    /// # Errors
    /// As [`InstallOptions::prepare_for`].
    pub fn prepare(
        &self,
        named: &Named,
        config: &Config,
        device: &Address,
        state_dir: &Path,
    ) -> Result<Prepared, SettingsError> {
        let existing = if self.force { Existing::Replace } else { Existing::Keep };
        let prepared =
            resolve::prepare(named, &self.certificate, &self.device, config, existing, device, state_dir)?;
        let bus = if self.certificate.session_bus { CertmongerBus::Session } else { CertmongerBus::System };
        Ok(Prepared { certmonger: (!self.blind).then_some(bus), ..prepared })
    }
}
