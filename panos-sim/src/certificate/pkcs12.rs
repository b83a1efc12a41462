//! Opening PKCS#12 containers, and telling which algorithms protect them.

use std::sync::OnceLock;

use openssl::{
    pkcs12::Pkcs12,
    pkey::{PKey, Private},
    provider::Provider,
    x509::X509,
};

/// Why a container cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pkcs12Error {
    /// No PKCS#12, or with ciphers that the device does not know.
    Unreadable,
    /// The passphrase is not the container's.
    Passphrase,
}

/// Opens a container: its certificates, leaf first, and its key. With `legacy_only`, whatever is not protected the PKCS#12 v1 way (3DES or
/// RC2, SHA-1 MAC) is unreadable.
pub(super) fn open(
    der: &[u8],
    passphrase: &str,
    legacy_only: bool,
) -> Result<(Vec<X509>, Option<PKey<Private>>), Pkcs12Error> {
    load_old_ciphers();
    let container = Pkcs12::from_der(der).map_err(|_| Pkcs12Error::Unreadable)?;
    if legacy_only && !is_legacy(der) {
        return Err(Pkcs12Error::Unreadable);
    }
    let parsed = container.parse2(passphrase).map_err(|errors| {
        let mac = errors.errors().iter().any(|e| e.reason().is_some_and(|r| r.contains("mac verify")));
        if mac { Pkcs12Error::Passphrase } else { Pkcs12Error::Unreadable }
    })?;
    let mut certificates: Vec<X509> = parsed.cert.into_iter().collect();
    certificates.extend(parsed.ca.into_iter().flatten());
    Ok((certificates, parsed.pkey))
}

/// RC2-40, the certificates' cipher of old containers, is in OpenSSL's legacy provider. Where that
/// is not installed such containers stay unreadable.
fn load_old_ciphers() {
    static LEGACY: OnceLock<Option<Provider>> = OnceLock::new();
    LEGACY.get_or_init(|| Provider::try_load(None, "legacy", true).ok());
}

/// 1.2.840.113549.1.5.13, PBES2: the modern way.
const PBES2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// 1.3.14.3.2.26, SHA-1: in a container without PBES2 it can only be the MAC's digest.
const SHA1: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];

fn is_legacy(der: &[u8]) -> bool {
    let mut identifiers = Vec::new();
    object_identifiers(der, 0, &mut identifiers);
    identifiers.contains(&SHA1.as_slice()) && !identifiers.contains(&PBES2.as_slice())
}

/// Collects the object identifiers of a DER structure, looking into octet strings that hold DER
/// again; what is encrypted does not.
fn object_identifiers<'a>(mut der: &'a [u8], depth: usize, found: &mut Vec<&'a [u8]>) {
    while let Some((tag, content, rest)) = take(der) {
        match tag {
            0x06 => found.push(content),
            0x04 if content.first() != Some(&0x30) => {}
            0x04 => object_identifiers(content, depth + 1, found),
            tag if tag & 0x20 != 0 && depth < 32 => object_identifiers(content, depth + 1, found),
            _ => {}
        }
        der = rest;
    }
}

/// Takes one tag, its content, and what follows; `None` at the end or where it is no DER.
fn take(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        let bytes = rest.get(..count).filter(|b| !b.is_empty() && b.len() <= 4)?;
        length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = &rest[count..];
    }
    let content = rest.get(..length)?;
    Some((tag, content, &rest[length..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use openssl::{hash::MessageDigest, nid::Nid};

    use super::*;

    fn container(modern: bool) -> Vec<u8> {
        let mut builder = Pkcs12::builder();
        let key = PKey::from_ec_key(
            openssl::ec::EcKey::generate(
                &openssl::ec::EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap(),
            )
            .unwrap(),
        )
        .unwrap();
        builder.name("a").pkey(&key);
        if !modern {
            let triple_des = Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC;
            builder.key_algorithm(triple_des).cert_algorithm(triple_des).mac_md(MessageDigest::sha1());
        }
        builder.build2("secret").unwrap().to_der().unwrap()
    }

    #[test]
    fn tells_old_containers_from_new_ones() {
        assert!(is_legacy(&container(false)));
        assert!(!is_legacy(&container(true)));
        assert!(!is_legacy(b"\x30\x84\xff\xff\xff\xff"));
    }

    #[test]
    fn tells_a_wrong_passphrase_from_a_wrong_file() {
        let error = |der: &[u8], pass, legacy| open(der, pass, legacy).err();
        assert_eq!(error(&container(true), "secret", false), None);
        assert_eq!(error(&container(true), "no", false), Some(Pkcs12Error::Passphrase));
        assert_eq!(error(&container(true), "secret", true), Some(Pkcs12Error::Unreadable));
        assert_eq!(error(b"-----BEGIN", "secret", false), Some(Pkcs12Error::Unreadable));
    }
}
