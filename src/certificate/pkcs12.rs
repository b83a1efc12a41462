//! A bundle with its key as PKCS#12: written, read back, compared, and only then handed out.
//!
//! OpenSSL's reader leaves the key that it reads in memory which it does not wipe. So it reads what the writer makes of
//! a stand-in for the key, with the very same certificates and algorithms; the container with the real key is read
//! back by the writer's own reader.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Ref};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive, PrivateKeyChain,
};
use panos_xmlapi::Fingerprint;
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::SecretBytes;
use super::bundle::Bundle;
use super::key::{PrivateKey, wiping_the_stack};
use super::recent::Recent;

/// Rounds of key derivation. They slow down who guesses a passphrase a person thought of; ours is random
/// and lives for one file, so more rounds would cost time, also on the device, and add nothing.
const ROUNDS: u32 = 2048;
/// Those of the container that only OpenSSL's reader gets, with a key that is nobody's. Each of a container's three
/// derivations is done by its writer and by its reader, and they are most of what an upload costs this machine. How many
/// rounds there are does not change what is read. OpenSSL in FIPS mode wants a thousand, of what it does at all.
const ROUNDS_OF_STAND_IN: u32 = 1000;
const ROUNDS_OF_LEGACY_STAND_IN: u32 = 1;

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

/// The passphrase of one container: random, for no other one, never shown.
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
    /// The key could not be encrypted.
    #[error("the private key could not be encrypted")]
    Encrypt(#[source] ErrorStack),
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

/// Packs a bundle and its key, with the intermediates or without.
pub fn write(
    bundle: &Bundle,
    key: &PrivateKey,
    container: Container,
    passphrase: &Passphrase,
    with_chain: bool,
) -> Result<SecretBytes, Pkcs12Error> {
    let chain = if with_chain { bundle.chain() } else { &[] };
    let mut certificates = vec![bundle.leaf_der().to_vec()];
    for certificate in chain {
        certificates.push(certificate.to_der()?);
    }
    let contents = Contents { name: bundle.common_name(), certificates: &certificates };
    wiping_the_stack(|| {
        contents.try_with_openssl(container)?;
        let written = contents.write(key.pkcs8(), (container, ROUNDS), passphrase)?;
        contents.read_back(&written, key.pkcs8(), passphrase)?;
        Ok(SecretBytes::from(written))
    })
}

/// What OpenSSL has read in this process: with the same certificates and algorithms it reads the next one as well, so for
/// hundreds of devices it is asked once. SHA-256 over what does not depend on the key.
static READ: Recent<16> = Recent::new();

/// A key that is nobody's.
fn stand_in() -> Result<Vec<u8>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)?.private_key_to_pkcs8()
}

/// What is in a container besides the key.
struct Contents<'a> {
    name: &'a str,
    /// The leaf first.
    certificates: &'a [Vec<u8>],
}

impl Contents<'_> {
    /// Lets OpenSSL read what the writer makes of a stand-in for the key.
    fn try_with_openssl(&self, container: Container) -> Result<(), Pkcs12Error> {
        let mut same = format!("{container} {}\n", self.name);
        self.digests().iter().for_each(|digest| same.push_str(&digest.to_string()));
        let same = Fingerprint::of_der(same.as_bytes());
        if READ.contains(&same) {
            return Ok(());
        }
        let (stand_in, passphrase) = (stand_in()?, Passphrase::random()?);
        let rounds = match container {
            Container::Legacy => ROUNDS_OF_LEGACY_STAND_IN,
            Container::Modern => ROUNDS_OF_STAND_IN,
        };
        let written = self.write(&stand_in, (container, rounds), &passphrase)?;
        self.read_by_openssl(&written, &stand_in, &passphrase)?;
        READ.add(same);
        Ok(())
    }

    fn write(
        &self,
        key: &[u8],
        (container, rounds): (Container, u32),
        passphrase: &Passphrase,
    ) -> Result<Vec<u8>, Pkcs12Error> {
        let certificates = self.certificates.iter().map(|der| Certificate::from_der(der));
        let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
        let id = self.digests().first().map(|leaf| leaf.as_bytes()[..20].to_vec()).unwrap_or_default();
        let entry = PrivateKeyChain::new(id, p12_keystore::PrivateKey::from_der(key)?, certificates);
        let mut store = KeyStore::new();
        store.add_entry(self.name, KeyStoreEntry::PrivateKeyChain(entry));
        let (encryption, mac) = match container {
            Container::Legacy => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
            Container::Modern => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
        };
        let writer = store
            .writer(passphrase.0.expose_secret())
            .encryption_algorithm(encryption)
            .encryption_iterations(rounds)
            .mac_algorithm(mac)
            .mac_iterations(rounds);
        Ok(writer.write()?)
    }

    /// The writer takes a key that doesn't match and a chain in any order without complaint, so nothing it made is
    /// believed before the same has been read out of it.
    fn read_back(&self, written: &[u8], key: &[u8], passphrase: &Passphrase) -> Result<(), Pkcs12Error> {
        let read = Pkcs12Archive::from_pkcs12(written, passphrase.0.expose_secret())?;
        let [found] = read.keys.as_slice() else { return Err(Pkcs12Error::Differs("private key")) };
        if found.key.as_der() != key {
            return Err(Pkcs12Error::Differs("private key"));
        }
        // What has the key's mark is the leaf.
        let mark = found.local_key_id.as_ref().map(AsRef::as_ref);
        let mut leaves = read.certs.iter().filter(|found| found.local_key_id.as_deref() == mark);
        let leaf = leaves.next().filter(|_| mark.is_some() && leaves.next().is_none());
        if leaf.map(|leaf| leaf.cert.as_der()) != self.certificates.first().map(Vec::as_slice) {
            return Err(Pkcs12Error::Differs("certificate"));
        }
        self.compare(read.certs.iter().map(|found| Fingerprint::of_der(found.cert.as_der())).collect())
    }

    /// To OpenSSL the leaf is a certificate like the others, because the stand-in is not its key.
    fn read_by_openssl(
        &self,
        written: &[u8],
        stand_in: &[u8],
        passphrase: &Passphrase,
    ) -> Result<(), Pkcs12Error> {
        let read = Pkcs12::from_der(written)?.parse2(passphrase.0.expose_secret())?;
        let key = read.pkey.ok_or(Pkcs12Error::Differs("private key"))?;
        if key.private_key_to_pkcs8()? != stand_in {
            return Err(Pkcs12Error::Differs("private key"));
        }
        let certificates: Vec<X509> = read.cert.into_iter().chain(read.ca.into_iter().flatten()).collect();
        self.compare(digests(&certificates)?)
    }

    /// OpenSSL's releases disagree on the order in which they hand the certificates out.
    fn compare(&self, mut found: Vec<Fingerprint>) -> Result<(), Pkcs12Error> {
        let mut wanted = self.digests();
        found.sort_unstable();
        wanted.sort_unstable();
        if found == wanted { Ok(()) } else { Err(Pkcs12Error::Differs("chain")) }
    }

    fn digests(&self) -> Vec<Fingerprint> {
        self.certificates.iter().map(|der| Fingerprint::of_der(der)).collect()
    }
}

fn digests<T: AsRef<X509Ref>>(certificates: &[T]) -> Result<Vec<Fingerprint>, ErrorStack> {
    certificates.iter().map(|certificate| Ok(Fingerprint::of_der(&certificate.as_ref().to_der()?))).collect()
}

#[cfg(test)]
#[path = "pkcs12_tests.rs"]
mod tests;
