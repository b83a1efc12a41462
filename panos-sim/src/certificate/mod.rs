//! X.509 and PKCS#12: what is made, what is read, and how a device keeps it.

mod entry;
mod identity;
mod keyring;
mod make;
mod pkcs12;

pub(crate) use entry::{certificate_entry, certificates_in};
pub(crate) use identity::{Identity, fingerprint};
pub(crate) use keyring::Keyring;
pub(crate) use make::management_identity;
pub(crate) use pkcs12::{Contents, Pkcs12Error, open};
