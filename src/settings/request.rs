//! What the installer was asked for, besides names and devices: it is stored, and means the same later on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::certificate::{CertificateArguments, FileArguments};
use super::error::SettingsError;
use super::options::{DeviceOptions, absolute};
use crate::certificate::{BundleError, Place, Source};
use crate::install::names::CommonName;

/// Everything that is asked for, besides the certificate's names and the device. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallOptions {
    /// The directory of the certificate's file.
    pub cert_dir: PathBuf,
    /// The directory of the key's file.
    pub key_dir: PathBuf,
    /// The certificate's file, where it was named: no other one is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// The key's file, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_key: Option<PathBuf>,
    /// Whether the object's name gets the year of the day of installation.
    #[serde(default)]
    pub year: bool,
    /// Whether the certmonger that is asked is on the session bus.
    #[serde(default)]
    pub session_bus: bool,
    /// Whether certmonger is not asked for the certificate's status.
    #[serde(default)]
    pub blind: bool,
    /// Whether it is imported and committed although the device has this certificate already.
    #[serde(default)]
    pub force: bool,
    /// Whether profiles may be taken that another installation claims.
    #[serde(default, skip_serializing_if = "is_not_set")]
    pub take_over: bool,
    /// The configuration file that was named.
    pub config: Option<PathBuf>,
    /// The target of the configuration file that was named: its settings of the delivery's own day count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How it gets onto the device, as far as it was typed.
    pub device: DeviceOptions,
}

/// Then it is not stored: a version that does not know it reads the rest.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_not_set(option: &bool) -> bool {
    !option
}

impl InstallOptions {
    /// What was typed in a directory (an empty path is the current one), to be completed by the caller.
    ///
    /// # Errors
    /// A path that can't be made absolute or is no text.
    pub fn of(
        certificate: &CertificateArguments,
        files: &FileArguments,
        device: &DeviceOptions,
        config: Option<&PathBuf>,
        from: &Path,
    ) -> Result<Self, SettingsError> {
        let path =
            |path: &PathBuf| absolute(&from.join(path)).map(PathBuf::from).map_err(SettingsError::Value);
        Ok(Self {
            cert_dir: path(&certificate.cert_dir)?,
            key_dir: path(&certificate.key_dir)?,
            cert_file: files.cert_file.as_ref().map(path).transpose()?,
            cert_key: files.cert_key.as_ref().map(path).transpose()?,
            year: certificate.year,
            session_bus: certificate.session_bus,
            blind: false,
            force: false,
            take_over: certificate.take_over,
            config: config.map(path).transpose()?,
            target: None,
            device: device.absolute(from).map_err(SettingsError::Value)?,
        })
    }

    /// Finds the certificate, its key and its chain.
    ///
    /// # Errors
    /// A file that is not there.
    pub fn source(&self, common_name: &CommonName) -> Result<Source, BundleError> {
        let certificate = Place::of(self.cert_file.as_ref(), &self.cert_dir);
        let key = Place::of(self.cert_key.as_ref(), &self.key_dir);
        Source::find(common_name.as_str(), certificate, key)
    }

    /// The files that the certificate may be in, as certmonger would know it.
    #[must_use]
    pub fn certificate_files(&self, common_name: &CommonName) -> Vec<PathBuf> {
        match &self.cert_file {
            Some(file) => vec![file.clone()],
            None => Source::certificates(common_name.as_str(), &self.cert_dir).to_vec(),
        }
    }
}
