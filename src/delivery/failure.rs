//! Why something could not be delivered, or not even begun.

use super::error::StoreError;
use super::lock::LockError;
use crate::error::Exit;
use crate::files::instead_of_state_dir;
use crate::install::InstallError;
use crate::install::problem::{Problem, RetryClass};

/// Why a delivery did not end well, or was not begun.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A record can't be kept: then nothing is begun.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device can't be reserved: then nothing is begun.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The record that was just written is gone.
    #[error("the installation record was removed during the run")]
    NoRecord,
    /// The record that somebody has looked at is another one by now.
    #[error("nothing was forgotten: the installation has changed meanwhile")]
    Changed,
    /// The device, or what is to be installed on it.
    #[error(transparent)]
    Install(#[from] InstallError),
}

impl DeliveryError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(_) | Self::Lock(_) | Self::NoRecord | Self::Changed => Exit::Usage,
            Self::Install(error) => error.exit(),
        }
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Store(_) => Some(instead_of_state_dir().to_owned()),
            Self::Lock(error) => Some(error.advice()),
            Self::NoRecord => None,
            Self::Changed => Some("look at it with 'pan_certctl status', and run it again".to_owned()),
            Self::Install(error) => error.advice(),
        }
    }
}

impl From<&DeliveryError> for Problem {
    fn from(error: &DeliveryError) -> Self {
        match error {
            DeliveryError::Install(error) => error.into(),
            _ => Self {
                exit: error.exit(),
                what: error.to_string(),
                advice: error.advice(),
                retry_class: RetryClass::Transient,
            },
        }
    }
}
