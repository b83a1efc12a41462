//! The certificate by which a device is recognised from a commit on, where that commit gives its management interface
//! another one.
//!
//! Whoever has the key of a certificate can show it, and a certificate that is installed on several devices has its key
//! on all of them. So a certificate is no identity because it is ours: only because the device itself, while it was
//! still recognised as before, said that its management interface is going to show it. The types hold that: a
//! [`NextIdentity`] is made from a [`ManagementBinding`], which only a session gives that accepts nothing besides its
//! trust; or it is read back from the record of a run that died.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::fingerprint::Fingerprint;

/// Which SSL/TLS service profile the management interface uses, as the device said while it was recognised as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementBinding {
    pub(crate) device: Address,
    pub(crate) shown: Fingerprint,
    /// The profile's name in the running configuration; nothing where the device shows a certificate of its own.
    pub running: Option<String>,
    /// The profile's name in the candidate configuration.
    pub candidate: Option<String>,
}

impl ManagementBinding {
    /// The device is to be recognised by this certificate as well, once a commit has given it to the profile.
    #[must_use]
    pub fn next(&self, certificate: Fingerprint) -> NextIdentity {
        NextIdentity { device: self.device.clone(), certificate, before: self.shown }
    }
}

/// A certificate that a device's management interface shows from a commit on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextIdentity {
    device: Address,
    certificate: Fingerprint,
    before: Fingerprint,
}

impl NextIdentity {
    /// The only device that it is good for.
    #[must_use]
    pub fn device(&self) -> &Address {
        &self.device
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> Fingerprint {
        self.certificate
    }

    /// What the device showed when this was decided.
    #[must_use]
    pub fn before(&self) -> Fingerprint {
        self.before
    }
}
