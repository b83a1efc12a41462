//! A bundle with its key as PEM; the key is PKCS#8, and encrypted under a passphrase where one is given: PBES2 with PBKDF2,
//! HMAC-SHA-256 and AES-256-CBC.
//!
//! The encryption is written here and not by OpenSSL's writer of keys, which would first make an object of the key in memory that nobody
//! wipes. What is used of OpenSSL derives a key, and encrypts bytes.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::symm::{Cipher, encrypt};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;

use super::bundle::Bundle;
use super::der::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element};
use super::key::{PrivateKey, wiping_the_stack};
use super::pkcs12::{Passphrase, Pkcs12Error};
use super::{SecretBytes, pem};

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const NULL: u8 = 0x05;

/// As for a container: the passphrase is random, so more rounds would add nothing.
const ROUNDS: u16 = 2048;

/// The key, the leaf and the intermediates, in this order. The key is encrypted where there is a passphrase.
///
/// # Errors
/// A system that gives no random bytes, or forbids an algorithm.
pub fn write(
    bundle: &Bundle,
    key: &PrivateKey,
    passphrase: Option<&Passphrase>,
) -> Result<SecretBytes, Pkcs12Error> {
    let key = match passphrase {
        Some(passphrase) => wiping_the_stack(|| block(key.pkcs8(), passphrase))?,
        None => pem::block("PRIVATE KEY", key.pkcs8()),
    };
    let mut certificates = bundle.leaf_pem()?.into_bytes();
    for certificate in bundle.chain() {
        certificates.extend(certificate.to_pem()?);
    }
    // Sized exactly, so that neither growing nor the secret type's boxing leaves a copy of the key.
    let mut pem = Vec::with_capacity(key.len() + certificates.len());
    pem.extend_from_slice(key.as_bytes());
    pem.append(&mut certificates);
    Ok(SecretBytes::from(pem))
}

/// A PKCS#8 key in binary form as an `ENCRYPTED PRIVATE KEY` block.
fn block(pkcs8: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<String>, Pkcs12Error> {
    let (mut salt, mut iv) = ([0_u8; 16], [0_u8; 16]);
    for bytes in [&mut salt, &mut iv] {
        SysRng.try_fill_bytes(bytes).map_err(|_| Pkcs12Error::NoRandomness)?;
    }
    let encrypted = encrypted(pkcs8, passphrase, &salt, &iv).map_err(Pkcs12Error::Encrypt)?;
    let name = |oid: &[u8]| element(OBJECT_IDENTIFIER, &[oid]);
    let rounds = ROUNDS.to_be_bytes();
    let prf = element(SEQUENCE, &[&name(HMAC_SHA256), &element(NULL, &[])]);
    let derivation =
        element(SEQUENCE, &[&element(OCTET_STRING, &[&salt]), &element(INTEGER, &[&rounds]), &prf]);
    let derivation = element(SEQUENCE, &[&name(PBKDF2), &derivation]);
    let scheme = element(SEQUENCE, &[&name(AES_256_CBC), &element(OCTET_STRING, &[&iv])]);
    let algorithm = element(SEQUENCE, &[&name(PBES2), &element(SEQUENCE, &[&derivation, &scheme])]);
    let info = element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[&encrypted])]);
    Ok(pem::block("ENCRYPTED PRIVATE KEY", &info))
}

fn encrypted(pkcs8: &[u8], passphrase: &Passphrase, salt: &[u8], iv: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut key = Zeroizing::new([0_u8; 32]);
    let secret = passphrase.secret().expose_secret().as_bytes();
    pbkdf2_hmac(secret, salt, usize::from(ROUNDS), MessageDigest::sha256(), key.as_mut_slice())?;
    encrypt(Cipher::aes_256_cbc(), key.as_slice(), Some(iv), pkcs8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;
    use crate::certificate::testing::{self, KeyKind};

    #[test]
    fn openssl_reads_it_with_the_passphrase_and_with_no_other() {
        for kind in [KeyKind::P256, KeyKind::Rsa(2048)] {
            let issued = testing::root("Root", kind);
            let key = PKey::private_key_from_pem(issued.key_pem().as_bytes()).unwrap();
            let (passphrase, other) = (Passphrase::random().unwrap(), Passphrase::random().unwrap());
            let block = block(&key.private_key_to_pkcs8().unwrap(), &passphrase).unwrap();
            let read = |with: &Passphrase| {
                PKey::private_key_from_pem_passphrase(
                    block.as_bytes(),
                    with.secret().expose_secret().as_bytes(),
                )
            };
            assert!(read(&passphrase).unwrap().public_eq(&key));
            assert!(read(&other).is_err());
        }
    }
}
