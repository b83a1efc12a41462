//! What is in a file that was uploaded.

use std::{cell::RefCell, rc::Rc};

use openssl::{
    pkey::{PKey, Private},
    x509::X509,
};

use super::{
    PrivateKey,
    pkcs12::{Pkcs12Error, open},
    recent::{Recent, digest},
};

/// What was in a file. It stays with the thread that read it.
pub(crate) struct Contents {
    /// Leaf first.
    pub(crate) certificates: Vec<X509>,
    pub(crate) key: Option<PrivateKey>,
    /// Whether the key is the leaf's.
    pub(crate) fits: bool,
}

thread_local! {
    /// The last few files that this thread has read, each by its bytes, its passphrase, and how it was read. An `Rc` can't
    /// become part of a device, which other threads may touch.
    static READ: RefCell<Recent<Rc<Contents>>> = const { RefCell::new(Recent::new(8)) };
}

/// Reads a PKCS#12 container. With `legacy_only`, whatever is not protected the PKCS#12 v1 way is unreadable.
pub(crate) fn read_pkcs12(
    file: &[u8],
    passphrase: &str,
    legacy_only: bool,
) -> Result<Rc<Contents>, Pkcs12Error> {
    let way: &[u8] = if legacy_only { b"legacy" } else { b"pkcs12" };
    READ.with_borrow_mut(|read| {
        read.get_or(digest([way, file, passphrase.as_bytes()]), || {
            let (certificates, key) = open(file, passphrase, legacy_only)?;
            Ok(Rc::new(Contents::new(certificates, key)))
        })
    })
}

/// Reads a PEM file; what is not there or can't be read is not in it.
pub(crate) fn read_pem(file: &[u8], passphrase: &str) -> Rc<Contents> {
    let contents = READ.with_borrow_mut(|read| {
        read.get_or(digest([b"pem", file, passphrase.as_bytes()]), || {
            let certificates = X509::stack_from_pem(file).unwrap_or_default();
            Ok::<_, std::convert::Infallible>(Rc::new(Contents::new(
                certificates,
                key_in_pem(file, passphrase),
            )))
        })
    });
    contents.unwrap_or_else(|never| match never {})
}

fn key_in_pem(file: &[u8], passphrase: &str) -> Option<PKey<Private>> {
    // An unencrypted key never asks; the passphrase sent along with it is a dummy then.
    let key = PKey::private_key_from_pem_callback(file, |buffer| {
        let bytes = passphrase.as_bytes();
        let room = buffer.get_mut(..bytes.len());
        Ok(room.map_or(0, |room| {
            room.copy_from_slice(bytes);
            bytes.len()
        }))
    });
    key.ok()
}

impl Contents {
    fn new(certificates: Vec<X509>, key: Option<PKey<Private>>) -> Self {
        let public = certificates.first().and_then(|leaf| leaf.public_key().ok());
        let fits = public.zip(key.as_ref()).is_some_and(|(public, key)| public.public_eq(key));
        Self { certificates, key: key.and_then(|key| PrivateKey::of(&key).ok()), fits }
    }
}
