//! Key material: what certmonger or another client left in files, proven to belong together.
//!
//! [`Source`] finds the files, [`Bundle`] reads them and refuses whatever does not fit together, and
//! [`pkcs12`] packs a bundle for a device. Nothing here talks to anybody, and no private key can be
//! printed: it lives in OpenSSL's own memory or in `secrecy` types, which are wiped when dropped.

mod bundle;
mod chain;
mod error;
mod files;
mod fingerprint;
mod key;
mod name;
mod pem;
pub mod pkcs12;
mod seen;

pub use bundle::Bundle;
pub use error::{BundleError, Role};
pub use files::Source;
pub use fingerprint::{NoCertificate, fingerprint_of_pem};
pub use key::KeyAlgorithm;
pub(crate) use name::{issuer as issuer_of, subject as subject_of};
pub use pkcs12::{Container, Passphrase, Pkcs12Error};
pub use seen::SeenCertificate;

/// Bytes that must not be printed and are wiped when dropped: a private key, or a container holding one.
pub type SecretBytes = secrecy::SecretSlice<u8>;

// The one PKI of all tests, here and in tests/.
#[cfg(test)]
#[path = "../../tests/common/pki.rs"]
mod testing;
