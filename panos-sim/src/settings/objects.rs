//! Certificates and profiles that are there from the start.

use serde::{Deserialize, Serialize};

/// The certificate the management interface shows by itself. PEM text can be given inline or as
/// the path of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
#[non_exhaustive]
pub enum ManagementCertificate {
    /// Self-signed, X.509 v3, marked as a CA.
    #[default]
    SelfSigned,
    /// Self-signed, X.509 v3, `CA:FALSE`.
    SelfSignedLeaf,
    /// Self-signed, X.509 v1, which has no extensions at all.
    SelfSignedV1,
    /// Made at start and issued by this CA.
    Issued {
        /// DNS name or IP address it is for (subject and SAN).
        name: String,
        /// The CA's certificate.
        ca_certificate: String,
        /// The CA's private key.
        ca_key: String,
    },
    /// Exactly this one.
    Given {
        /// Leaf, then intermediates.
        certificate: String,
        /// The leaf's private key, unencrypted.
        key: String,
    },
}

/// An SSL/TLS service profile.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Name of the certificate it is bound to; a profile without one serves nothing.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Virtual system it belongs to; `None` is shared.
    #[serde(default)]
    pub vsys: Option<String>,
}

impl Profile {
    /// A shared profile bound to nothing.
    pub fn unbound(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A shared profile bound to a certificate.
    pub fn bound(name: &str, certificate: &str) -> Self {
        Self { name: name.into(), certificate: Some(certificate.into()), vsys: None }
    }
}

/// A certificate that is there when the device starts. PEM text inline or the path of a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreloadedCertificate {
    /// Name of the object.
    pub name: String,
    /// Leaf, then intermediates.
    pub certificate: String,
    /// The private key; `None` for a certificate without one.
    #[serde(default)]
    pub key: Option<String>,
    /// Virtual system it belongs to; `None` is shared.
    #[serde(default)]
    pub vsys: Option<String>,
}
