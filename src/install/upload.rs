//! In which forms a certificate and its key are uploaded, and in which order.
//!
//! No vendor statement says which forms a release takes. Known are single experiences: containers with legacy algorithms
//! are taken where modern ones were not (2026), PEM with an encrypted key is taken (Infisical), and so is PEM with a
//! plain key and a passphrase that is not needed (acme.sh, certbot). So one after the other is tried, and what a device
//! took at last is tried first the next time.

use serde::{Deserialize, Serialize};

use super::request::{ContainerChoice, Upload};
use crate::certificate::pkcs12::Container;

/// A form of the file that is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadForm {
    /// A PKCS#12 with 3DES and HMAC-SHA-1.
    Pkcs12Legacy,
    /// A PKCS#12 with AES-256 and HMAC-SHA-256.
    Pkcs12Modern,
    /// PEM; the key is encrypted with AES-256 under the passphrase.
    Pem,
    /// PEM; the key is not encrypted, other than by the connection.
    PemPlainKey,
}

use UploadForm::{Pem, PemPlainKey, Pkcs12Legacy, Pkcs12Modern};

impl UploadForm {
    /// The form in words, as in "trying once more …".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Pkcs12Legacy => "with legacy algorithms (3DES, SHA-1)",
            Pkcs12Modern => "with modern algorithms (PBES2, AES-256)",
            Pem => "as PEM",
            PemPlainKey => "as PEM with a key that is not encrypted",
        }
    }

    /// The algorithms, where it is a container.
    #[must_use]
    pub fn container(self) -> Option<Container> {
        match self {
            Pkcs12Legacy => Some(Container::Legacy),
            Pkcs12Modern => Some(Container::Modern),
            Pem | PemPlainKey => None,
        }
    }
}

/// The forms to try, in their order: first what this device took the last time, where the choice is left to this program.
/// With intermediates PEM comes first: PAN-OS may drop what a container holds besides the leaf.
#[must_use]
pub fn forms(upload: Upload, has_chain: bool, taken: Option<UploadForm>) -> Vec<UploadForm> {
    let mut forms = match (upload, has_chain) {
        (Upload::Pkcs12(ContainerChoice::Only(Container::Legacy)), _) => vec![Pkcs12Legacy],
        (Upload::Pkcs12(ContainerChoice::Only(Container::Modern)), _) => vec![Pkcs12Modern],
        (Upload::Pkcs12(ContainerChoice::Auto), _) => vec![Pkcs12Legacy, Pkcs12Modern],
        (Upload::Pem, _) => vec![Pem, PemPlainKey],
        (Upload::Auto, false) => vec![Pkcs12Legacy, Pkcs12Modern, Pem, PemPlainKey],
        (Upload::Auto, true) => vec![Pem, PemPlainKey, Pkcs12Legacy, Pkcs12Modern],
    };
    if let Some(at) = taken.and_then(|taken| forms.iter().position(|form| *form == taken)) {
        forms[..=at].rotate_right(1);
    }
    forms
}
