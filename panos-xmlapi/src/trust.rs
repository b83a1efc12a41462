//! Whom we talk to: the device's own HTTPS certificate, judged inside the handshake.
//!
//! The judgement is OpenSSL's (chain, dates, name, purpose) or a comparison of fingerprints; rustls
//! carries the connection. Because it happens in the handshake, not one byte of a request, and so no
//! byte of an API key, reaches a server that was not accepted, on each new connection again. What OpenSSL has just said of
//! the very same certificates is not calculated a second time; that the device has the key is proven in each handshake.

mod ca_file;
mod ca_store;
mod next;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::x509::X509;
use openssl::x509::store::X509Store;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id,
};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, PeerMisbehaved, SignatureScheme};

pub use ca_file::{CaFile, CaFileReader, MAX_CA_FILE_BYTES};
pub use ca_store::CaFileError;
use ca_store::{store, verify};
pub use next::{ManagementBinding, NextIdentity};

use super::address::Host;
use super::fingerprint::Fingerprint;
use super::redact::Redactor;
use super::tls;

/// How a device's HTTPS certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// By the system's CAs and the CAs (or single certificates) in these files; the name has to match.
    Ca {
        /// PEM files, each with at least one certificate.
        files: Vec<CaFile>,
    },
    /// Exactly the certificates with these fingerprints, whatever their name, dates and issuer.
    Pinned(Vec<Fingerprint>),
    /// Not at all.
    DangerousAcceptAny,
}

impl Trust {
    /// Looks whether everything named here can be read, without talking to anybody.
    ///
    /// # Errors
    /// A file that can't be used.
    pub fn check(&self, host: &Host) -> Result<(), CaFileError> {
        match self {
            Self::Ca { files } => store(files, host).map(drop),
            Self::Pinned(_) | Self::DangerousAcceptAny => Ok(()),
        }
    }
}

/// Why a device was not believed to be the one we meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// OpenSSL's verdict on the chain, the dates, the purpose or the name.
    #[error("its HTTPS certificate (subject '{subject}', SHA-256 {}) was not accepted: {verdict}", .seen.colons())]
    Unverified {
        /// The subject, in one line.
        subject: String,
        /// The fingerprint that was seen.
        seen: Fingerprint,
        /// OpenSSL's words.
        verdict: String,
    },
    /// Another certificate than the pinned one.
    #[error("its HTTPS certificate fingerprint {} does not match the pinned {}", .seen.colons(), list(.pinned))]
    PinMismatch {
        /// The fingerprint that was seen.
        seen: Fingerprint,
        /// What would have been accepted.
        pinned: Vec<Fingerprint>,
    },
    /// The certificate is no X.509, or the handshake was not signed with its key.
    #[error("its HTTPS certificate is not usable: {0}")]
    Unusable(String),
}

fn list(pins: &[Fingerprint]) -> String {
    pins.iter().map(Fingerprint::colons).collect::<Vec<_>>().join(" or ")
}

impl IdentityError {
    /// Without the secrets that the certificate's names may repeat.
    pub(super) fn cleaned(self, redactor: &Redactor) -> Self {
        match self {
            Self::Unverified { subject, seen, verdict } => {
                Self::Unverified { subject: redactor.clean(subject), seen, verdict: redactor.clean(verdict) }
            }
            Self::Unusable(why) => Self::Unusable(redactor.clean(why)),
            other @ Self::PinMismatch { .. } => other,
        }
    }

    /// The judgement that ended a handshake, where one did.
    pub(super) fn behind(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => Some(
                inner.downcast_ref::<Self>().cloned().unwrap_or_else(|| Self::Unusable(inner.to_string())),
            ),
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                Some(Self::Unusable("the handshake is not signed with its key".to_owned()))
            }
            rustls::Error::InvalidCertificate(other) => Some(Self::Unusable(other.to_string())),
            _ => None,
        }
    }
}

/// The judge that rustls asks in each handshake.
pub(super) struct CertificateVerifier {
    trust: PreparedTrust,
    algorithms: WebPkiSupportedAlgorithms,
    state: Mutex<VerifierState>,
}

/// How long a judgement holds for the very same certificates; then their dates are looked at again. In each handshake the
/// device proves anew that it has the key.
const JUDGED_FOR: Duration = Duration::from_secs(60);

/// Certificates that were accepted.
struct Judged {
    leaf: Vec<u8>,
    others: Vec<Vec<u8>>,
    key: SubjectPublicKeyInfoDer<'static>,
    until: Instant,
}

impl Judged {
    /// Whether the judgement is one on these very certificates, and holds.
    fn covers(&self, leaf: &[u8], others: &[CertificateDer<'_>]) -> bool {
        self.leaf == leaf
            && self.others.iter().map(Vec::as_slice).eq(others.iter().map(|other| &**other))
            && Instant::now() < self.until
    }
}

/// What changes during a session.
#[derive(Default)]
struct VerifierState {
    /// What was accepted last.
    judged: Option<Judged>,
    /// Accepted besides the pins. Where an authority is trusted, nothing ever is.
    extra_pins: Vec<Fingerprint>,
    /// The leaf of the latest handshake that was accepted and signed with its key.
    seen: Option<Seen>,
}

/// What a device has shown in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) certificate: Fingerprint,
    /// SHA-256 over the public key, by which a key pair is recognised in any certificate.
    pub(super) key: Fingerprint,
}

enum PreparedTrust {
    Ca(Box<X509Store>),
    Pinned(Vec<Fingerprint>),
    DangerousAcceptAny,
}

impl CertificateVerifier {
    pub(super) fn new(
        trust: &Trust,
        host: &Host,
        provider: &CryptoProvider,
    ) -> Result<Arc<Self>, CaFileError> {
        let trust = match trust {
            Trust::Ca { files } => PreparedTrust::Ca(Box::new(store(files, host)?)),
            Trust::Pinned(pins) => PreparedTrust::Pinned(pins.clone()),
            Trust::DangerousAcceptAny => PreparedTrust::DangerousAcceptAny,
        };
        let algorithms = provider.signature_verification_algorithms;
        Ok(Arc::new(Self { trust, algorithms, state: Mutex::default() }))
    }

    /// From now on this very certificate is accepted besides the pins.
    pub(super) fn add_pin(&self, certificate: Fingerprint) {
        let mut state = self.state();
        if matches!(self.trust, PreparedTrust::Pinned(_)) && !state.extra_pins.contains(&certificate) {
            state.extra_pins.push(certificate);
        }
    }

    /// Whether anything is accepted besides the trust.
    pub(super) fn accepts_more(&self) -> bool {
        !self.state().extra_pins.is_empty()
    }

    /// The leaf of the latest handshake that was accepted.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.state().seen
    }

    fn state(&self) -> MutexGuard<'_, VerifierState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handshake is signed with the key of a certificate that was accepted before.
    fn remember(&self, leaf: &[u8], key: &SubjectPublicKeyInfoDer<'_>) {
        let (certificate, key) = (Fingerprint::of_der(leaf), Fingerprint::of_der(key));
        self.state().seen = Some(Seen { certificate, key });
    }

    /// Whether a device that shows this could be accepted: by an authority, or for its key where its fingerprint can
    /// be told.
    pub(super) fn would_accept(
        &self,
        leaf: &[u8],
        others: &[CertificateDer<'_>],
    ) -> Result<(), IdentityError> {
        match &self.trust {
            PreparedTrust::Ca(_) => self.check(leaf, others).map(drop),
            PreparedTrust::Pinned(_) | PreparedTrust::DangerousAcceptAny => {
                let leaf = X509::from_der(leaf).map_err(unusable)?;
                tls::check_key(&leaf).map_err(IdentityError::Unusable)
            }
        }
    }

    /// The judgement, in full.
    fn check(&self, leaf: &[u8], others: &[CertificateDer<'_>]) -> Result<Judged, IdentityError> {
        let seen = Fingerprint::of_der(leaf);
        let extra_pins = self.state().extra_pins.clone();
        let mut until = Instant::now() + JUDGED_FOR;
        let read = || X509::from_der(leaf).map_err(unusable);
        let certificate = match &self.trust {
            PreparedTrust::DangerousAcceptAny => read()?,
            PreparedTrust::Pinned(pins) if pins.contains(&seen) || extra_pins.contains(&seen) => read()?,
            PreparedTrust::Pinned(pins) => {
                return Err(IdentityError::PinMismatch {
                    seen,
                    pinned: [pins.as_slice(), &extra_pins].concat(),
                });
            }
            PreparedTrust::Ca(store) => {
                let certificate = read()?;
                let time_left = verify(store, &certificate, others, seen)?;
                until = until.min(Instant::now() + time_left);
                certificate
            }
        };
        // Whether the handshake's signature could be checked at all with the certificate's key.
        tls::check_key(&certificate).map_err(IdentityError::Unusable)?;
        let key = key_of(&certificate, leaf).map_err(unusable)?;
        let others = others.iter().map(|other| other.to_vec()).collect();
        Ok(Judged { leaf: leaf.to_vec(), others, key, until })
    }

    /// PAN-OS may present an X.509 v1 certificate, which webpki does not parse: so only the public key
    /// is taken from the certificate, and webpki checks the signature against that key.
    fn public_key(&self, leaf: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, rustls::Error> {
        if let Some(judged) = self.state().judged.as_ref().filter(|judged| judged.leaf == leaf) {
            return Ok(judged.key.clone());
        }
        X509::from_der(leaf)
            .and_then(|certificate| key_of(&certificate, leaf))
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))
    }
}

/// The key as OpenSSL encodes it, which takes it a third of a millisecond; where the certificate has it in that form
/// already, and nearly all have, as it stands there.
fn key_of(certificate: &X509, der: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, ErrorStack> {
    match key_in_usual_form(der) {
        Some(key) => Ok(key),
        None => certificate.public_key()?.public_key_to_der().map(SubjectPublicKeyInfoDer::from),
    }
}

/// Keys whose algorithm and parameters stand there as everybody writes them.
const USUAL: [AlgorithmIdentifier; 5] =
    [alg_id::RSA_ENCRYPTION, alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521, alg_id::ED25519];

fn key_in_usual_form(der: &[u8]) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let der = CertificateDer::from(der);
    let key = webpki::EndEntityCert::try_from(&der).ok()?.subject_public_key_info();
    // SEQUENCE, its length in one byte or in so many more, and in it the algorithm, a short SEQUENCE.
    let further = key.get(1).map(|length| if *length < 0x80 { 0 } else { usize::from(length & 0x7f) })?;
    let algorithm = match key.get(2 + further..)? {
        [0x30, length, rest @ ..] => rest.get(..usize::from(*length))?,
        _ => return None,
    };
    USUAL.iter().any(|usual| **usual == *algorithm).then_some(key)
}

fn unusable(error: ErrorStack) -> IdentityError {
    IdentityError::Unusable(error.to_string())
}

impl fmt::Debug for CertificateVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateVerifier")
    }
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.state().judged.as_ref().is_some_and(|judged| judged.covers(leaf, others)) {
            return Ok(ServerCertVerified::assertion());
        }
        let judged = self.check(leaf, others).map_err(|rejection| {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection))))
        })?;
        self.state().judged = Some(judged);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = self.public_key(leaf)?;
        let entity = webpki::RawPublicKeyEntity::try_from(&key)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        // In TLS 1.2 a scheme names no curve: several algorithms can stand behind it.
        let (_, candidates) = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        candidates
            .iter()
            .find(|algorithm| entity.verify_signature(**algorithm, message, signed.signature()).is_ok())
            .map(|_| {
                self.remember(leaf, &key);
                HandshakeSignatureValid::assertion()
            })
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::BadSignature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = self.public_key(leaf)?;
        let valid = verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)?;
        self.remember(leaf, &key);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{Id, PKey, Private};

    use super::*;

    /// Both ways to a public key give the same, for each kind that has a usual form; and it is that way.
    #[test]
    fn a_key_is_the_same_as_openssl_encodes_it_and_as_it_stands_in_the_certificate() {
        let curve = |nid| {
            let group = openssl::ec::EcGroup::from_curve_name(nid).unwrap();
            PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap()
        };
        let rsa = |bits| PKey::from_rsa(openssl::rsa::Rsa::generate(bits).unwrap()).unwrap();
        let usual = [
            rsa(1024),
            rsa(2048),
            curve(Nid::X9_62_PRIME256V1),
            curve(Nid::SECP384R1),
            curve(Nid::SECP521R1),
            PKey::generate_ed25519().unwrap(),
        ];
        for key in usual {
            let encoded = key.public_key_to_der().unwrap();
            let der = certificate(&key, 2).to_der().unwrap();
            assert_eq!(key_in_usual_form(&der).as_deref(), Some(encoded.as_slice()), "{:?}", key.id());
        }
        // Another curve, an old version that webpki does not read, and what is no certificate.
        for (key, version) in [(curve(Nid::SECP256K1), 2), (rsa(2048), 0)] {
            let certificate = certificate(&key, version);
            let der = certificate.to_der().unwrap();
            assert_eq!(key_in_usual_form(&der), None, "{:?}", key.id());
            assert_eq!(*key_of(&certificate, &der).unwrap(), *key.public_key_to_der().unwrap());
        }
        assert_eq!(key_in_usual_form(b"no certificate"), None);
    }

    fn certificate(key: &PKey<Private>, version: i32) -> X509 {
        let mut builder = X509::builder().unwrap();
        builder.set_version(version).unwrap();
        builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(key).unwrap();
        let digest = if key.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
        builder.sign(key, digest).unwrap();
        builder.build()
    }

    #[test]
    fn a_judgement_holds_for_the_very_same_certificates_and_for_its_time() {
        let der = |byte: u8| CertificateDer::from(vec![byte; 3]);
        let mut judged = Judged {
            leaf: vec![1; 3],
            others: vec![vec![2; 3]],
            key: SubjectPublicKeyInfoDer::from(Vec::new()),
            until: Instant::now() + JUDGED_FOR,
        };
        assert!(judged.covers(&[1; 3], &[der(2)]));
        for others in [vec![], vec![der(3)], vec![der(2), der(2)], vec![der(2), der(3)]] {
            assert!(!judged.covers(&[1; 3], &others), "{others:?}");
        }
        assert!(!judged.covers(&[3; 3], &[der(2)]));
        judged.until = Instant::now();
        assert!(!judged.covers(&[1; 3], &[der(2)]));
    }
}
