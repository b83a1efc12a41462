//! The private key: read without ever asking anybody for a passphrase, proven to be the leaf's, and gone soon.
//!
//! OpenSSL's own readers of private keys leave the key in memory that they give back unwiped. So the usual kinds are
//! read here, and OpenSSL gets nothing but numbers to calculate with, which it does wipe. Only what is not understood
//! here is left to its readers.

use std::fmt;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::sign::{Signer, Verifier};
use secrecy::zeroize::Zeroizing;

use super::error::{BundleError, Role};
use super::files;
use super::parts::Parts;
use super::pem;

/// A certificate's kind of key and its size in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA with this modulus.
    Rsa(u32),
    /// An elliptic curve of this size.
    Ec(u32),
    /// Any other kind.
    Other(u32),
}

impl KeyAlgorithm {
    pub(super) fn of<T: HasPublic>(key: &PKeyRef<T>) -> Self {
        match key.id() {
            Id::RSA => Self::Rsa(key.bits()),
            Id::EC => Self::Ec(key.bits()),
            _ => Self::Other(key.bits()),
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(bits) => write!(f, "EC {bits}"),
            Self::Other(bits) => write!(f, "another kind, {bits} bits"),
        }
    }
}

/// A private key that was proven to be a certificate's. It is wiped when dropped; have it for as short as possible.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// As PKCS#8 in binary form, not encrypted.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// What work with a key uses of the stack at the most, and more.
const STACK: usize = 256 << 10;

/// Does this, and overwrites what it left on the stack.
pub(super) fn wiping_the_stack<T>(work: impl FnOnce() -> T) -> T {
    let done = below(work);
    overwrite();
    done
}

/// In a frame of its own, so that all that the work uses lies where [`overwrite`] will write.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite() {
    let mut frame = [0_u8; STACK];
    std::hint::black_box(&mut frame);
}

/// Reads a private key in any PEM form; nothing where it is not the one that belongs to this public key, which is given
/// in binary form as well.
pub(super) fn load(
    path: &Path,
    public: &PKeyRef<Public>,
    public_der: &[u8],
) -> Result<Option<PrivateKey>, BundleError> {
    wiping_the_stack(|| {
        let pem = files::read_pem(path, Role::Key)?;
        if !contains(&pem, b"PRIVATE KEY-----") {
            return Err(BundleError::NothingThere { role: Role::Key, path: path.to_owned() });
        }
        let block = pem::first_private_key(&pem);
        let parts = block.as_ref().and_then(|(label, der)| Parts::read(label, der, public_der));
        let pkcs8 = match parts {
            Some(parts) => parts.belong_to(public).then(|| parts.to_pkcs8()),
            None => by_openssl(&pem, path, public)?,
        };
        Ok(pkcs8.map(|pkcs8| PrivateKey { pkcs8 }))
    })
}

/// The same for whatever OpenSSL can read.
fn by_openssl(
    pem: &[u8],
    path: &Path,
    public: &PKeyRef<Public>,
) -> Result<Option<Zeroizing<Vec<u8>>>, BundleError> {
    // Without a callback OpenSSL would ask for the passphrase on the terminal.
    let mut encrypted = false;
    let key = PKey::private_key_from_pem_callback(pem, |_| {
        encrypted = true;
        Err(ErrorStack::get())
    });
    // OpenSSL takes the callback's error for an empty passphrase, and some keys are encrypted with that.
    if encrypted {
        return Err(BundleError::Encrypted { path: path.to_owned() });
    }
    let key = key.map_err(|_| BundleError::Damaged { role: Role::Key, path: path.to_owned() })?;
    if !is_pair(&key, public)? {
        return Ok(None);
    }
    Ok(Some(Zeroizing::new(key.private_key_to_pkcs8()?)))
}

/// Whether what the private key signs is good under the public key.
///
/// The public half that a key file carries may be another key's, so comparing it is not enough.
pub(super) fn is_pair(private: &PKeyRef<Private>, public: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
    if !private.public_eq(public) {
        // A comparison of two kinds of key leaves an error behind that would surface elsewhere.
        ErrorStack::get();
        return Ok(false);
    }
    let probe = b"Does this key belong to this certificate?";
    // The other kinds compute their public half from the private one, so the comparison was enough.
    if !matches!(private.id(), Id::RSA | Id::RSA_PSS | Id::EC | Id::DSA) {
        return Ok(true);
    }
    let digest = MessageDigest::sha256();
    let (mut signer, mut verifier) = (Signer::new(digest, private)?, Verifier::new(digest, public)?);
    let Ok(signature) = signer.sign_oneshot_to_vec(probe) else {
        return Ok(false);
    };
    Ok(verifier.verify_oneshot(&signature, probe).unwrap_or(false))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
