//! What this client's TLS can speak: all of *ring*, and P-521, which *ring* lacks and OpenSSL has.
//!
//! FreeIPA issues certificates with P-521 keys, and PAN-OS installs them. In TLS 1.2 a server shows one only to a
//! client that names the curve among its groups for the key exchange, so the curve is there for both.

mod p521;

use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::X509Ref;
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{SignatureVerificationAlgorithm, alg_id};
use webpki::ring;

use p521::{Ecdsa, P521};

/// What can be spoken, in words.
const SPOKEN: &str = "RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521 and Ed25519 are supported";
/// The smallest and the largest RSA key.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// *ring*, with P-521 added at the end of each list: it is used where nothing else fits.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.kx_groups.push(&P521);
    provider.signature_verification_algorithms = ALGORITHMS;
    provider
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

static P521_SHA512: Ecdsa = Ecdsa::new(Nid::SECP521R1, alg_id::ECDSA_P521, alg_id::ECDSA_SHA512);
static P521_SHA384: Ecdsa = Ecdsa::new(Nid::SECP521R1, alg_id::ECDSA_P521, alg_id::ECDSA_SHA384);
static P521_SHA256: Ecdsa = Ecdsa::new(Nid::SECP521R1, alg_id::ECDSA_P521, alg_id::ECDSA_SHA256);
static P384_SHA512: Ecdsa = Ecdsa::new(Nid::SECP384R1, alg_id::ECDSA_P384, alg_id::ECDSA_SHA512);
static P256_SHA512: Ecdsa = Ecdsa::new(Nid::X9_62_PRIME256V1, alg_id::ECDSA_P256, alg_id::ECDSA_SHA512);

/// In TLS 1.3 the first of each line is meant; in TLS 1.2 a scheme names the digest, and any curve can stand behind it.
const ALGORITHMS: WebPkiSupportedAlgorithms = {
    static ALL: &[Algorithm] = &[
        ring::ECDSA_P256_SHA256,
        ring::ECDSA_P256_SHA384,
        ring::ECDSA_P384_SHA256,
        ring::ECDSA_P384_SHA384,
        &P521_SHA512,
        &P521_SHA384,
        &P521_SHA256,
        &P384_SHA512,
        &P256_SHA512,
        ring::ED25519,
        ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        ring::RSA_PKCS1_2048_8192_SHA256,
        ring::RSA_PKCS1_2048_8192_SHA384,
        ring::RSA_PKCS1_2048_8192_SHA512,
    ];
    static MAPPING: &[(SignatureScheme, &[Algorithm])] = &[
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[ring::ECDSA_P384_SHA384, ring::ECDSA_P256_SHA384, &P521_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256, &P521_SHA256],
        ),
        (SignatureScheme::ED25519, &[ring::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[ring::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[ring::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[ring::RSA_PKCS1_2048_8192_SHA256]),
        (SignatureScheme::ECDSA_NISTP521_SHA512, &[&P521_SHA512, &P384_SHA512, &P256_SHA512]),
    ];
    WebPkiSupportedAlgorithms { all: ALL, mapping: MAPPING }
};

/// Whether a handshake could be checked at all with the certificate's key; else it would fail with words that accuse
/// the device.
///
/// # Errors
/// The kind of key, and what is supported.
pub(super) fn check_key(leaf: &X509Ref) -> Result<(), String> {
    let key = leaf.public_key().map_err(|error| error.to_string())?;
    let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
    let (fits, kind) = match key.id() {
        Id::RSA => (RSA_BITS.contains(&key.bits()), format!("RSA of {} bits", key.bits())),
        Id::EC => {
            let name = curve.and_then(|nid| nid.short_name().ok()).unwrap_or("of its own");
            let fits = matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1));
            (fits, format!("EC on the curve {name}"))
        }
        Id::ED25519 => (true, String::new()),
        Id::ED448 => (false, "Ed448".to_owned()),
        Id::RSA_PSS => (false, "RSA for RSA-PSS only".to_owned()),
        Id::DSA => (false, format!("DSA of {} bits", key.bits())),
        _ => (false, "of another kind".to_owned()),
    };
    if fits { Ok(()) } else { Err(format!("its key is {kind}; {SPOKEN}")) }
}
