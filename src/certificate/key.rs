//! The private key: read without ever asking anybody for a passphrase, and proven to be the leaf's.

use std::fmt;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::sign::{Signer, Verifier};

use super::error::{BundleError, Role};
use super::files;

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

/// Reads a private key in any PEM form.
pub(super) fn load(path: &Path) -> Result<PKey<Private>, BundleError> {
    let pem = files::read_pem(path, Role::Key)?;
    if !contains(&pem, b"PRIVATE KEY-----") {
        return Err(BundleError::NothingThere { role: Role::Key, path: path.to_owned() });
    }
    // Without a callback OpenSSL would ask for the passphrase on the terminal.
    let mut encrypted = false;
    let key = PKey::private_key_from_pem_callback(&pem, |_| {
        encrypted = true;
        Err(ErrorStack::get())
    });
    // OpenSSL takes the callback's error for an empty passphrase, and some keys are encrypted with that.
    if encrypted {
        return Err(BundleError::Encrypted { path: path.to_owned() });
    }
    key.map_err(|_| BundleError::Damaged { role: Role::Key, path: path.to_owned() })
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{KeyKind, write};
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::symm::Cipher;

    fn loaded(pem: &[u8]) -> Result<PKey<Private>, BundleError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write(&path, pem, 0o600);
        load(&path)
    }

    fn public(key: &PKey<Private>) -> PKey<Public> {
        PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap()
    }

    #[test]
    fn every_usual_form_of_a_key_is_read() {
        let rsa = KeyKind::Rsa(2048).generate();
        let ec = KeyKind::P256.generate();
        let sec1 = ec.ec_key().unwrap().private_key_to_pem().unwrap();
        // openssl ecparam -genkey puts the parameters, the object identifier of the curve, before the key.
        let parameters = openssl::base64::encode_block(PRIME256V1);
        let with_parameters = [
            format!("-----BEGIN EC PARAMETERS-----\n{parameters}\n-----END EC PARAMETERS-----\n")
                .into_bytes(),
            sec1.clone(),
        ];
        for (pem, key) in [
            (rsa.rsa().unwrap().private_key_to_pem().unwrap(), &rsa),
            (rsa.private_key_to_pem_pkcs8().unwrap(), &rsa),
            (sec1, &ec),
            (with_parameters.concat(), &ec),
            (ec.private_key_to_pem_pkcs8().unwrap(), &ec),
        ] {
            assert!(loaded(&pem).unwrap().public_eq(key), "{}", String::from_utf8_lossy(&pem[..30]));
        }
    }

    const PRIME256V1: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

    #[test]
    fn an_encrypted_key_is_an_error_and_not_a_question_on_the_terminal() {
        let key = KeyKind::Rsa(2048).generate();
        let pkcs8 = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret").unwrap();
        let old = key.rsa().unwrap().private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"secret").unwrap();
        let empty = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"").unwrap();
        for pem in [pkcs8, old, empty] {
            assert!(matches!(loaded(&pem), Err(BundleError::Encrypted { .. })));
        }
    }

    #[test]
    fn a_certificate_or_rubbish_in_place_of_the_key_is_named_as_such() {
        let certificate = crate::certificate::testing::self_signed(&Default::default()).certificate_pem();
        assert!(matches!(
            loaded(certificate.as_bytes()),
            Err(BundleError::NothingThere { role: Role::Key, .. })
        ));
        let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(loaded(damaged.as_bytes()), Err(BundleError::Damaged { role: Role::Key, .. })));
        let der = KeyKind::P256.generate().private_key_to_der().unwrap();
        assert!(matches!(loaded(&[0x30, 0x82, 1, 2, 3]), Err(BundleError::Der { role: Role::Key, .. })));
        assert!(loaded(&der).is_err());
        assert!(matches!(loaded(b"\0\x01binary"), Err(BundleError::NotPem { role: Role::Key, .. })));
        assert!(matches!(loaded(b" \n"), Err(BundleError::Empty { role: Role::Key, .. })));
    }

    #[test]
    fn a_key_is_a_pair_with_its_own_public_half_only() {
        for kind in [KeyKind::Rsa(2048), KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
            let (key, other) = (kind.generate(), kind.generate());
            assert!(is_pair(&key, &public(&key)).unwrap(), "{kind:?}");
            assert!(!is_pair(&key, &public(&other)).unwrap(), "{kind:?}");
        }
        assert!(!is_pair(&KeyKind::P256.generate(), &public(&KeyKind::Ed25519.generate())).unwrap());
    }

    #[test]
    fn a_key_file_that_carries_another_keys_public_half_is_found_out() {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let own = KeyKind::P256.generate().ec_key().unwrap();
        let forged =
            EcKey::from_private_components(&group, &BigNum::from_u32(7).unwrap(), own.public_key()).unwrap();
        let forged = PKey::from_ec_key(forged).unwrap();
        let public = PKey::from_ec_key(own).unwrap();
        assert!(forged.public_eq(&public));
        let public = PKey::public_key_from_der(&public.public_key_to_der().unwrap()).unwrap();
        assert!(!is_pair(&forged, &public).unwrap());
    }
}
