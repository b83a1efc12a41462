//! Key material: what certmonger or another client left in files, proven to belong together.
//!
//! [`Source`] finds the files, [`Bundle`] reads them and refuses whatever does not fit together, and
//! [`pkcs12`] packs a bundle with its key for a device. Nothing here talks to anybody, and no private key can be
//! printed. A bundle does not keep its key: [`Bundle::key`] reads it again where a form is made of it, and it is wiped
//! as soon as that is done.

mod bundle;
mod chain;
mod der;
mod error;
mod files;
mod fingerprint;
mod held;
mod key;
mod name;
mod parts;
mod pem;
pub mod pem_keypair;
pub mod pkcs12;
mod recent;
mod remarks;
mod seen;
mod validity;

pub use bundle::Bundle;
pub use error::{BundleError, Role};
pub use files::{Place, Source};
pub use fingerprint::{NoCertificate, end_of_pem, fingerprint_of_pem};
pub use held::HeldCertificate;
pub use key::{KeyAlgorithm, PrivateKey};
pub(crate) use name::{issuer as issuer_of, subject as subject_of};
pub use pkcs12::{Container, Passphrase, Pkcs12Error};
pub use remarks::Remark;
pub use seen::{SeenCertificate, key_algorithm_of_pem};

/// Bytes that must not be printed and are wiped when dropped: a private key, or a container holding one.
pub type SecretBytes = secrecy::SecretSlice<u8>;

// The one PKI of all tests, here and in tests/.
#[cfg(test)]
#[path = "../../tests/common/pki.rs"]
mod testing;
