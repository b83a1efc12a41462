//! X.509 and PKCS#12: what is made, what is read, and how a device keeps it.

mod entry;
mod identity;
mod key;
mod keyring;
mod make;
mod pkcs12;
mod recent;
mod upload;

pub(crate) use entry::{certificate_entry, certificates_in};
pub(crate) use identity::Identity;
pub(crate) use key::PrivateKey;
pub(crate) use keyring::Keyring;
pub(crate) use make::management_identity;
pub(crate) use pkcs12::Pkcs12Error;
pub(crate) use upload::{Contents, read_pem, read_pkcs12};
