//! A bundle as PKCS#12: written, read back by another implementation, compared, and only then handed out.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::x509::X509Ref;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::SecretBytes;
use super::bundle::Bundle;
use crate::fingerprint::Fingerprint;

/// Rounds of key derivation. They slow down who guesses a passphrase a person thought of; ours is random
/// and lives for one upload, so more rounds would cost time, also on the device, and add nothing.
const ROUNDS: u32 = 2048;

/// 30 of 62 letters and digits: 178 bits, and short enough for every PAN-OS release.
const PASSPHRASE_LENGTH: usize = 30;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The algorithms of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// 3DES with HMAC-SHA-1, which every release reads.
    Legacy,
    /// PBES2 with AES-256 and HMAC-SHA-256.
    Modern,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        })
    }
}

/// The passphrase of one container: random, used once, never shown.
#[derive(Debug, Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// A new one from the operating system's generator.
    pub fn random() -> Result<Self, Pkcs12Error> {
        let mut text = String::with_capacity(PASSPHRASE_LENGTH);
        let mut bytes = Zeroizing::new([0_u8; 2 * PASSPHRASE_LENGTH]);
        while text.len() < PASSPHRASE_LENGTH {
            SysRng.try_fill_bytes(bytes.as_mut_slice()).map_err(|_| Pkcs12Error::NoRandomness)?;
            let missing = PASSPHRASE_LENGTH - text.len();
            text.extend(bytes.iter().filter_map(|byte| letter(*byte)).take(missing));
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The passphrase for whoever sends it to the device.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// Bytes that would favour the first letters of the alphabet are thrown away.
fn letter(byte: u8) -> Option<char> {
    let fair = 256 / ALPHABET.len() * ALPHABET.len();
    let index = usize::from(byte);
    (index < fair).then(|| char::from(ALPHABET[index % ALPHABET.len()]))
}

/// Why no container could be made. None of these is the caller's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs12Error {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes for a passphrase")]
    NoRandomness,
    /// The writer refused the bundle.
    #[error("the PKCS#12 container could not be written")]
    Write(#[from] p12_keystore::error::Error),
    /// OpenSSL could not read it back.
    #[error("the PKCS#12 container could not be read back")]
    ReadBack(#[from] ErrorStack),
    /// What was read back is not what was written.
    #[error("the PKCS#12 container was written wrongly: its {0} is not the bundle's")]
    Differs(&'static str),
}

/// Packs a bundle, with its intermediates or without.
pub fn write(
    bundle: &Bundle,
    container: Container,
    passphrase: &Passphrase,
    with_chain: bool,
) -> Result<SecretBytes, Pkcs12Error> {
    let chain = if with_chain { bundle.chain() } else { &[] };
    let key = Zeroizing::new(bundle.key().private_key_to_pkcs8()?);
    let mut certificates = vec![Certificate::from_der(bundle.leaf_der())?];
    for certificate in chain {
        certificates.push(Certificate::from_der(&certificate.to_der()?)?);
    }
    let fingerprint = bundle.fingerprint();
    // The writer keeps its copies of the key in plain memory; they are gone from our side at the end of this
    // function, but not wiped.
    let entry =
        PrivateKeyChain::new(&fingerprint.as_bytes()[..20], PrivateKey::from_der(&key)?, certificates);
    let mut store = KeyStore::new();
    store.add_entry(bundle.common_name(), KeyStoreEntry::PrivateKeyChain(entry));

    let (encryption, mac) = match container {
        Container::Legacy => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
        Container::Modern => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
    };
    let bytes = store
        .writer(passphrase.0.expose_secret())
        .encryption_algorithm(encryption)
        .encryption_iterations(ROUNDS)
        .mac_algorithm(mac)
        .mac_iterations(ROUNDS)
        .write()?;
    check(&bytes, passphrase, &Expected { leaf: bundle.leaf(), key: &key, chain: &digests(chain)? })?;
    Ok(SecretBytes::from(bytes))
}

struct Expected<'a> {
    leaf: &'a X509Ref,
    key: &'a [u8],
    chain: &'a [Fingerprint],
}

/// The writer takes a key that doesn't match and a chain in any order without complaint, so nothing it
/// made is believed before OpenSSL has read the same out of it.
fn check(bytes: &[u8], passphrase: &Passphrase, expected: &Expected<'_>) -> Result<(), Pkcs12Error> {
    let read = Pkcs12::from_der(bytes)?.parse2(passphrase.0.expose_secret())?;
    let key = read.pkey.ok_or(Pkcs12Error::Differs("private key"))?;
    if Zeroizing::new(key.private_key_to_pkcs8()?).as_slice() != expected.key {
        return Err(Pkcs12Error::Differs("private key"));
    }
    let leaf = read.cert.ok_or(Pkcs12Error::Differs("certificate"))?;
    if leaf.to_der()? != expected.leaf.to_der()? {
        return Err(Pkcs12Error::Differs("certificate"));
    }
    let chain: Vec<_> = read.ca.into_iter().flatten().collect();
    let mut found = digests(&chain)?;
    let mut wanted = expected.chain.to_vec();
    // OpenSSL's releases disagree on the order in which they hand the certificates out.
    found.sort_unstable();
    wanted.sort_unstable();
    if found == wanted { Ok(()) } else { Err(Pkcs12Error::Differs("chain")) }
}

fn digests<T: AsRef<X509Ref>>(certificates: &[T]) -> Result<Vec<Fingerprint>, ErrorStack> {
    certificates.iter().map(|certificate| Ok(Fingerprint::of_der(&certificate.as_ref().to_der()?))).collect()
}

#[cfg(test)]
#[path = "pkcs12_tests.rs"]
mod tests;
