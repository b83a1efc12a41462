//! Settings that can't be used, wherever they were written.

use panos_xmlapi::{InvalidAddress, InvalidFingerprint};

use super::config::ConfigError;
use super::location::InvalidPlace;
use crate::error::Exit;
use crate::install::known_devices::KnownDevicesError;
use crate::install::names::BadName;

/// A setting that can't be used, typed or in the configuration file. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A certificate or object name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The name of an SSL/TLS service profile.
    #[error(transparent)]
    Profile(BadName),
    /// A device.
    #[error(transparent)]
    Device(#[from] InvalidAddress),
    /// A fingerprint.
    #[error("--pin: {0}")]
    Pin(#[from] InvalidFingerprint),
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The devices known from before.
    #[error(transparent)]
    KnownDevices(#[from] KnownDevicesError),
    /// A target of the configuration file that is not there, or not what it was.
    #[error("{0}")]
    Target(String),
    /// More than is delegated to whoever asks.
    #[error("--delegated: {0}")]
    NotDelegated(String),
    /// A place on the device, or what is pushed from there.
    #[error(transparent)]
    Place(#[from] InvalidPlace),
    /// Any other value, or a contradiction.
    #[error("{0}")]
    Value(String),
}

impl SettingsError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Profile(_) => Exit::ProfileName,
            Self::Device(_) => Exit::Device,
            Self::Config(error) => error.exit(),
            Self::Name(_) | Self::Pin(_) | Self::KnownDevices(_) | Self::Target(_) => Exit::Usage,
            Self::NotDelegated(_) | Self::Place(_) | Self::Value(_) => Exit::Usage,
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.advice(),
            Self::KnownDevices(error) => error.advice(),
            Self::Target(_) => Some(
                "put it into the configuration file under [target.NAME], or run the command again with the targets that \
                 are there"
                    .to_owned(),
            ),
            Self::NotDelegated(_) => Some(
                "an administrator of this machine can run it, or allow it: see docs/delegation.md".to_owned(),
            ),
            _ => None,
        }
    }
}
