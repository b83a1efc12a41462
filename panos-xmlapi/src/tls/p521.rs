//! Elliptic curves by OpenSSL, behind the interfaces of rustls.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::Verifier;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use rustls::{NamedGroup, PeerMisbehaved};

/// ECDSA on one curve with one digest.
#[derive(Debug)]
pub(super) struct Ecdsa {
    curve: Nid,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
}

impl Ecdsa {
    pub(super) const fn new(curve: Nid, key: AlgorithmIdentifier, signature: AlgorithmIdentifier) -> Self {
        Self { curve, key, signature }
    }

    fn digest(&self) -> MessageDigest {
        match self.signature {
            alg_id::ECDSA_SHA256 => MessageDigest::sha256(),
            alg_id::ECDSA_SHA384 => MessageDigest::sha384(),
            _ => MessageDigest::sha512(),
        }
    }

    fn is_signed(&self, point: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let group = EcGroup::from_curve_name(self.curve)?;
        let key = PKey::from_ec_key(public(&group, point)?)?;
        Verifier::new(self.digest(), &key)?.verify_oneshot(signature, message)
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match self.is_signed(public_key, message, signature) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// A point as a key. One that is not on the curve is none.
fn public(group: &EcGroup, point: &[u8]) -> Result<EcKey<openssl::pkey::Public>, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(group, point, &mut context)?;
    let key = EcKey::from_public_key(group, &point)?;
    key.check_key()?;
    Ok(key)
}

/// The key exchange on P-521.
#[derive(Debug)]
pub(super) struct P521;

struct Exchange {
    own: PKey<Private>,
    point: Vec<u8>,
}

impl Exchange {
    fn begin() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::SECP521R1)?;
        let own = EcKey::generate(&group)?;
        let mut context = BigNumContext::new()?;
        let point = own.public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
        Ok(Self { own: PKey::from_ec_key(own)?, point })
    }

    fn secret(&self, theirs: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::SECP521R1)?;
        let theirs = PKey::from_ec_key(public(&group, theirs)?)?;
        let mut context = PkeyCtx::new(&self.own)?;
        context.derive_init()?;
        context.derive_set_peer(&theirs)?;
        let mut secret = Vec::new();
        context.derive_to_vec(&mut secret)?;
        Ok(secret)
    }
}

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let begun = Exchange::begin().map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Box::new(begun))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, rustls::Error> {
        // TLS allows the uncompressed form only.
        let is_whole = theirs.len() == self.point.len() && theirs.first() == Some(&4);
        let secret = is_whole.then(|| self.secret(theirs).ok()).flatten();
        secret.map(SharedSecret::from).ok_or_else(|| PeerMisbehaved::InvalidKeyShare.into())
    }

    fn pub_key(&self) -> &[u8] {
        &self.point
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}
