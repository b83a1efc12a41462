//! Why the certificate that is being installed would lock this program out.

use chrono::{DateTime, Utc};
use panos_xmlapi::IdentityError;

use crate::text::spoken;

/// Why the next connection would fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockOut {
    /// The trust, the name, the purpose, or a kind of key that can't be spoken.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// By the device's clock it is not valid yet.
    #[error(
        "by the device's clock it is {at}, which is behind: the certificate begins to be valid {} later, at {begin}",
        spoken(*.begin - *.at)
    )]
    NotYetValid {
        /// The device's time.
        at: DateTime<Utc>,
        /// The beginning.
        begin: DateTime<Utc>,
    },
    /// By the device's clock it is over.
    #[error(
        "by the device's clock it is {at}, which is ahead: the certificate has expired {} before, at {end}",
        spoken(*.at - *.end)
    )]
    Expired {
        /// The device's time.
        at: DateTime<Utc>,
        /// The end.
        end: DateTime<Utc>,
    },
}

impl LockOut {
    /// The ways out.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Identity(IdentityError::Unusable(_)) => {
                "ask for a certificate with another key (pan_getcert -G, -b, --rekey), give the management interface a profile and a certificate of its own, or use --force, after which this program can't connect any more"
            }
            Self::Identity(_) => {
                "give the management interface a profile and a certificate of its own, name the issuing CA with --ca-file, pin the device (pan_certctl pin), or use --force, after which this program can't connect until one of these is done"
            }
            Self::NotYetValid { .. } | Self::Expired { .. } => {
                "set NTP servers on the device (Device > Setup > Services), or use --force"
            }
        }
    }

    /// Whether it passes when a clock is right.
    #[must_use]
    pub fn is_about_time(&self) -> bool {
        matches!(self, Self::NotYetValid { .. } | Self::Expired { .. })
    }
}
