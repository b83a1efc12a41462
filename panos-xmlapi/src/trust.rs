//! Whom we talk to: the device's own HTTPS certificate, judged inside the handshake.
//!
//! The judgement is OpenSSL's (chain, dates, name, purpose) or a comparison of fingerprints; rustls
//! carries the connection. Because it happens in the handshake, not one byte of a request, and so no
//! byte of an API key, reaches a server that was not accepted, on each new connection again.

mod authorities;
mod ca_file;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::X509;
use openssl::x509::store::X509Store;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, PeerMisbehaved, SignatureScheme};

pub use authorities::BadAuthority;
use authorities::{store, verify};
pub use ca_file::{CaFile, CaFileReader, MAX_CA_FILE_BYTES};

use super::address::Host;
use super::fingerprint::Fingerprint;
use super::redact::Redactor;

/// How a device's HTTPS certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// By the system's CAs and the CAs (or single certificates) in these files; the name has to match.
    Authorities {
        /// PEM files, each with at least one certificate.
        files: Vec<CaFile>,
    },
    /// Exactly the certificates with these fingerprints, whatever their name, dates and issuer.
    Pinned(Vec<Fingerprint>),
    /// Not at all.
    AnyCertificate,
}

impl Trust {
    /// Looks whether everything named here can be read, without talking to anybody.
    ///
    /// # Errors
    /// A file that can't be used.
    pub fn check(&self, host: &Host) -> Result<(), BadAuthority> {
        match self {
            Self::Authorities { files } => store(files, host).map(drop),
            Self::Pinned(_) | Self::AnyCertificate => Ok(()),
        }
    }
}

/// Why a device was not believed to be the one we meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
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
    #[error("its HTTPS certificate has the fingerprint {}, pinned is {}", .seen.colons(), list(.pinned))]
    OtherThanPinned {
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

impl Rejection {
    /// Without the secrets that the certificate's names may repeat.
    pub(super) fn cleaned(self, redactor: &Redactor) -> Self {
        match self {
            Self::Unverified { subject, seen, verdict } => {
                Self::Unverified { subject: redactor.clean(subject), seen, verdict: redactor.clean(verdict) }
            }
            Self::Unusable(why) => Self::Unusable(redactor.clean(why)),
            other @ Self::OtherThanPinned { .. } => other,
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
pub(super) struct Judge {
    trust: Prepared,
    algorithms: WebPkiSupportedAlgorithms,
    memory: Mutex<Memory>,
}

/// What changes during a session.
#[derive(Default)]
struct Memory {
    /// Accepted as well, whatever the trust says.
    also: Vec<Fingerprint>,
    /// The leaf of the latest handshake that was accepted and signed with its key.
    seen: Option<Fingerprint>,
}

enum Prepared {
    Authorities(Box<X509Store>),
    Pinned(Vec<Fingerprint>),
    AnyCertificate,
}

impl Judge {
    pub(super) fn new(
        trust: &Trust,
        host: &Host,
        provider: &CryptoProvider,
    ) -> Result<Arc<Self>, BadAuthority> {
        let trust = match trust {
            Trust::Authorities { files } => Prepared::Authorities(Box::new(store(files, host)?)),
            Trust::Pinned(pins) => Prepared::Pinned(pins.clone()),
            Trust::AnyCertificate => Prepared::AnyCertificate,
        };
        let algorithms = provider.signature_verification_algorithms;
        Ok(Arc::new(Self { trust, algorithms, memory: Mutex::default() }))
    }

    /// From now on this very certificate is accepted as well.
    pub(super) fn also_accept(&self, certificate: Fingerprint) {
        let mut memory = self.memory();
        if !memory.also.contains(&certificate) {
            memory.also.push(certificate);
        }
    }

    /// The leaf of the latest handshake that was accepted.
    pub(super) fn seen(&self) -> Option<Fingerprint> {
        self.memory().seen
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handshake is signed with the key of a certificate that was accepted before.
    fn remember(&self, leaf: &[u8]) {
        self.memory().seen = Some(Fingerprint::of_der(leaf));
    }

    fn judge(&self, leaf: &[u8], others: &[CertificateDer<'_>]) -> Result<(), Rejection> {
        let seen = Fingerprint::of_der(leaf);
        let also = self.memory().also.clone();
        match &self.trust {
            _ if also.contains(&seen) => {}
            Prepared::AnyCertificate => {}
            Prepared::Pinned(pins) if pins.contains(&seen) => {}
            Prepared::Pinned(pins) => {
                return Err(Rejection::OtherThanPinned { seen, pinned: [pins.as_slice(), &also].concat() });
            }
            Prepared::Authorities(store) => verify(store, leaf, others, seen)?,
        }
        check_key(leaf)
    }
}

/// PAN-OS may present an X.509 v1 certificate, which webpki does not parse: so only the public key
/// is taken from the certificate (by OpenSSL), and webpki checks the signature against that key.
fn public_key(leaf: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, rustls::Error> {
    X509::from_der(leaf)
        .and_then(|leaf| leaf.public_key())
        .and_then(|key| key.public_key_to_der())
        .map(SubjectPublicKeyInfoDer::from)
        .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// Whether the handshake's signature could be checked at all with the certificate's key; else that
/// check would fail with words that accuse the device.
fn check_key(leaf: &[u8]) -> Result<(), Rejection> {
    let unusable = |error: openssl::error::ErrorStack| Rejection::Unusable(error.to_string());
    let key = X509::from_der(leaf).and_then(|leaf| leaf.public_key()).map_err(unusable)?;
    let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
    let (fits, kind) = match key.id() {
        Id::RSA => ((2048..=8192).contains(&key.bits()), format!("RSA of {} bits", key.bits())),
        Id::EC => {
            let name = curve.and_then(|nid| nid.short_name().ok()).unwrap_or("of its own");
            let fits = matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1));
            (fits, format!("EC on the curve {name}"))
        }
        Id::ED25519 => (true, String::new()),
        _ => (false, "of another kind".to_owned()),
    };
    if fits {
        return Ok(());
    }
    Err(Rejection::Unusable(format!(
        "its key is {kind}; RSA of 2048 to 8192 bits, EC on P-256 or P-384 and Ed25519 are supported"
    )))
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(leaf, others).map(|()| ServerCertVerified::assertion()).map_err(|rejection| {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = public_key(leaf)?;
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
                self.remember(leaf);
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
        let valid =
            verify_tls13_signature_with_raw_key(message, &public_key(leaf)?, signed, &self.algorithms)?;
        self.remember(leaf);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
