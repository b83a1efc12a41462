#![allow(clippy::unwrap_used)]

use super::*;
use crate::certificate::testing::{KeyKind, write};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::symm::Cipher;

/// What is read of a file, where it is the other half of this key's public one.
fn loaded_for(pem: &[u8], owner: &PKey<Private>) -> Result<Option<PrivateKey>, BundleError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    write(&path, pem, 0o600);
    let public = public(owner);
    load(&path, &public, &public.public_key_to_der().unwrap())
}

fn loaded(pem: &[u8]) -> Result<Option<PrivateKey>, BundleError> {
    loaded_for(pem, &KeyKind::P256.generate())
}

fn read_here(pem: &[u8], owner: &PKey<Private>) -> bool {
    let (label, der) = pem::first_private_key(pem).unwrap();
    Parts::read(&label, &der, &owner.public_key_to_der().unwrap()).is_some()
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
        format!("-----BEGIN EC PARAMETERS-----\n{parameters}\n-----END EC PARAMETERS-----\n").into_bytes(),
        sec1.clone(),
    ];
    for (pem, key) in [
        (rsa.rsa().unwrap().private_key_to_pem().unwrap(), &rsa),
        (rsa.private_key_to_pem_pkcs8().unwrap(), &rsa),
        (sec1, &ec),
        (with_parameters.concat(), &ec),
        (ec.private_key_to_pem_pkcs8().unwrap(), &ec),
    ] {
        let form = String::from_utf8_lossy(&pem[..30]);
        assert!(read_here(&pem, key), "left to OpenSSL: {form}");
        let read = loaded_for(&pem, key).unwrap().unwrap();
        assert_eq!(read.pkcs8(), key.private_key_to_pkcs8().unwrap(), "{form}");
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
    assert!(matches!(loaded(certificate.as_bytes()), Err(BundleError::NothingThere { role: Role::Key, .. })));
    let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(loaded(damaged.as_bytes()), Err(BundleError::Damaged { role: Role::Key, .. })));
    let der = KeyKind::P256.generate().private_key_to_der().unwrap();
    assert!(matches!(loaded(&[0x30, 0x82, 1, 2, 3]), Err(BundleError::Der { role: Role::Key, .. })));
    assert!(loaded(&der).is_err());
    assert!(matches!(loaded(b"\0\x01binary"), Err(BundleError::NotPem { role: Role::Key, .. })));
    assert!(matches!(loaded(b" \n"), Err(BundleError::Empty { role: Role::Key, .. })));
}

/// What is read here, and what is left to OpenSSL, agree.
fn both(pem: &[u8], owner: &PKey<Private>) -> Option<Vec<u8>> {
    let path = Path::new("a.key");
    let by_openssl = by_openssl(pem, path, &public(owner)).unwrap().map(|key| key.to_vec());
    let here = loaded_for(pem, owner).unwrap().map(|key| key.pkcs8().to_vec());
    assert_eq!(here, by_openssl);
    here
}

#[test]
fn a_key_is_a_pair_with_its_own_public_half_only() {
    for kind in [KeyKind::Rsa(2048), KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        let (key, other) = (kind.generate(), kind.generate());
        let pem = key.private_key_to_pem_pkcs8().unwrap();
        assert!(read_here(&pem, &key) && read_here(&pem, &other), "{kind:?}");
        assert_eq!(both(&pem, &key), Some(key.private_key_to_pkcs8().unwrap()), "{kind:?}");
        assert_eq!(both(&pem, &other), None, "{kind:?}");
    }
    let pem = KeyKind::P256.generate().private_key_to_pem_pkcs8().unwrap();
    for other in [KeyKind::Ed25519, KeyKind::P384, KeyKind::Rsa(2048)] {
        assert_eq!(both(&pem, &other.generate()), None);
    }
}

#[test]
fn an_rsa_key_with_one_wrong_number_is_none() {
    let key = KeyKind::Rsa(2048).generate();
    let rsa = key.rsa().unwrap();
    let der = rsa.private_key_to_der().unwrap();
    let whole = |number: &openssl::bn::BigNumRef| number.to_vec();
    let numbers = [
        whole(rsa.n()),
        whole(rsa.d()),
        whole(rsa.p().unwrap()),
        whole(rsa.q().unwrap()),
        whole(rsa.dmp1().unwrap()),
        whole(rsa.dmq1().unwrap()),
        whole(rsa.iqmp().unwrap()),
    ];
    for number in numbers {
        let at = der.windows(number.len()).position(|window| window == number).unwrap();
        let mut wrong = der.clone();
        wrong[at + number.len() / 2] ^= 1;
        let pem = pem::block("RSA PRIVATE KEY", &wrong);
        assert!(read_here(pem.as_bytes(), &key));
        assert!(loaded_for(pem.as_bytes(), &key).unwrap().is_none());
    }
    // Exponents that fit each other, and not the public one.
    let more = |number: &openssl::bn::BigNumRef| {
        let mut number = number.to_owned().unwrap();
        number.add_word(2).unwrap();
        number
    };
    let part = |number: Option<&openssl::bn::BigNumRef>| number.unwrap().to_owned().unwrap();
    let (n, e) = (rsa.n().to_owned().unwrap(), rsa.e().to_owned().unwrap());
    let wrong = openssl::rsa::Rsa::from_private_components(
        n,
        e,
        more(rsa.d()),
        part(rsa.p()),
        part(rsa.q()),
        more(rsa.dmp1().unwrap()),
        more(rsa.dmq1().unwrap()),
        part(rsa.iqmp()),
    );
    let pem = pem::block("RSA PRIVATE KEY", &wrong.unwrap().private_key_to_der().unwrap());
    assert!(read_here(pem.as_bytes(), &key));
    assert!(loaded_for(pem.as_bytes(), &key).unwrap().is_none());
}

#[test]
fn a_key_file_that_carries_another_keys_public_half_is_found_out() {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let own = KeyKind::P256.generate().ec_key().unwrap();
    let forged =
        EcKey::from_private_components(&group, &BigNum::from_u32(7).unwrap(), own.public_key()).unwrap();
    let forged = PKey::from_ec_key(forged).unwrap();
    let own = PKey::from_ec_key(own).unwrap();
    assert!(forged.public_eq(&own));
    assert_eq!(both(&forged.private_key_to_pem_pkcs8().unwrap(), &own), None);
}
