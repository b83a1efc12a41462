//! Proof from outside: what an endpoint shows to whoever connects to it.
//!
//! A TLS handshake is the only proof that certificate and key fit and that the service took them. Any
//! certificate is accepted for looking, and not one byte is sent besides the handshake.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use openssl::pkey::Id;
use openssl::ssl::{ErrorCode, HandshakeError, SslConnector, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509Ref};
use panos_xmlapi::{Address, Fingerprint, Host};

use super::names::CommonName;
use crate::certificate::{issuer_of, subject_of};

mod timed;

use timed::DeadlineStream;

/// All curves that a server's key may be on.
const GROUPS: &str =
    "X25519:P-256:P-384:P-521:X448:secp256k1:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1";
/// How long one look may take where there is time.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How long one look may take at least, however little time is left.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
/// The pause after the first look; each pause is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An endpoint does not show the certificate it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} {seen}")]
pub struct ProbeMismatch {
    /// Where.
    pub endpoint: Address,
    /// What was seen there at last.
    pub seen: Seen,
}

/// What was seen instead of the wanted certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// No handshake came to its end.
    Nothing {
        /// Why, in the system's words.
        cause: String,
        /// The certificate that was shown before it failed.
        shown: Option<Box<PeerCertificate>>,
    },
    /// Another certificate.
    Other(Box<PeerCertificate>),
    /// The right certificate, but without these intermediates, which clients need to believe it.
    Incomplete {
        /// Those that were not sent, from the issuer of the certificate upwards.
        missing: Vec<Link>,
        /// How many were sent, needed or not.
        sent: usize,
    },
}

/// An intermediate certificate that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// `CN=…, O=…`, safe to print.
    pub subject: String,
    /// Whether it has issued the certificate itself.
    pub is_issuer: bool,
}

impl Link {
    /// Those of a chain, from the issuer of the certificate upwards.
    #[must_use]
    pub fn of_chain(chain: &[X509]) -> Vec<Self> {
        let link = |(at, certificate): (usize, &X509)| {
            let fingerprint = Fingerprint::of_der(&certificate.to_der().ok()?);
            Some(Self { fingerprint, subject: subject_of(certificate), is_issuer: at == 0 })
        };
        chain.iter().enumerate().filter_map(link).collect()
    }
}

/// What is sent and what is missing, as in "sends only the leaf; missing: CN=… (issuer)".
#[must_use]
pub fn in_words(missing: &[Link], sent: usize) -> String {
    let names = missing
        .iter()
        .map(|link| format!("{}{}", link.subject, if link.is_issuer { " (issuer)" } else { "" }));
    let names = names.collect::<Vec<_>>().join("; ");
    match sent {
        0 => format!("sends only the leaf; missing: {names}"),
        sent => format!("sends {sent} besides the leaf, and not the whole chain; missing: {names}"),
    }
}

/// A certificate, as far as a person needs to recognise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// `CN=…, O=…`, safe to print.
    pub subject: String,
    /// Who has issued it, written in the same way.
    pub issuer: String,
    /// Its beginning, as OpenSSL writes it.
    pub not_before: String,
    /// Its end, as OpenSSL writes it: `May  9 19:24:08 2025 GMT`.
    pub not_after: String,
}

impl fmt::Display for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}', valid until {}, SHA-256 {}", self.subject, self.not_after, self.fingerprint)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { cause, shown: None } => write!(f, "shows no certificate: {cause}"),
            Self::Nothing { cause, shown: Some(shown) } => {
                write!(f, "shows the certificate {shown}, but then {cause}")
            }
            Self::Other(shown) => write!(f, "shows another certificate: {shown}"),
            Self::Incomplete { missing, sent } => {
                write!(f, "shows the new certificate, but {}", in_words(missing, *sent))
            }
        }
    }
}

/// Looks at an endpoint until it shows this certificate: at once, and then with growing pauses until
/// `timeout` is over. Where `chain` names intermediates, all of them have to be sent as well. What was sent besides the
/// certificate.
///
/// # Errors
/// What was seen at the last look.
pub async fn served(
    endpoint: &Address,
    sni: &CommonName,
    wanted: Fingerprint,
    chain: &[Link],
    timeout: Duration,
) -> Result<Vec<Fingerprint>, ProbeMismatch> {
    let deadline = Instant::now() + timeout;
    let mut pause = FIRST_PAUSE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let until = Instant::now() + left.clamp(SHORTEST_LOOK, LONGEST_LOOK);
        let (place, name) = (endpoint.clone(), sni.clone());
        let handshake = tokio::task::spawn_blocking(move || look(&place, name.as_str(), until)).await;
        let handshake = handshake.unwrap_or_else(|error| Err(nothing(error)));
        let seen = match handshake.map(|shown| shown.compare(wanted, chain)) {
            Ok(Ok(others)) => return Ok(others),
            Ok(Err(seen)) | Err(seen) => seen,
        };
        let now = Instant::now();
        if now >= deadline {
            return Err(ProbeMismatch { endpoint: endpoint.clone(), seen });
        }
        tracing::debug!("{endpoint} {seen}");
        tokio::time::sleep(pause.min(deadline - now)).await;
        pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
    }
}

/// Whether an endpoint finishes a handshake, whatever it shows. One look.
pub async fn answers(endpoint: &Address, sni: &CommonName) -> bool {
    let (place, name, until) = (endpoint.clone(), sni.clone(), Instant::now() + LONGEST_LOOK);
    tokio::task::spawn_blocking(move || look(&place, name.as_str(), until).is_ok()).await.unwrap_or(false)
}

/// What an endpoint shows, whatever that is. One look.
///
/// # Errors
/// No handshake came to its end.
pub async fn shown(endpoint: &Address, timeout: Duration) -> Result<PeerCertificate, ProbeMismatch> {
    let (place, until) = (endpoint.clone(), Instant::now() + timeout);
    let handshake = tokio::task::spawn_blocking(move || look(&place, &place.host().to_string(), until)).await;
    let handshake = handshake.unwrap_or_else(|error| Err(nothing(error)));
    handshake
        .map(|handshake| handshake.leaf)
        .map_err(|seen| ProbeMismatch { endpoint: endpoint.clone(), seen })
}

/// How an endpoint speaks TLS to somebody who takes everything, old protocols and suites included; nothing where it
/// doesn't at all. One look.
pub async fn speaks(endpoint: &Address, timeout: Duration) -> Option<String> {
    let (place, until) = (endpoint.clone(), Instant::now() + timeout);
    let handshake = tokio::task::spawn_blocking(move || look(&place, &place.host().to_string(), until)).await;
    handshake.ok()?.ok().map(|handshake| handshake.way)
}

/// What a handshake showed.
struct Handshake {
    /// The protocol, the cipher suite and the kind of key, in words.
    way: String,
    leaf: PeerCertificate,
    others: Vec<Fingerprint>,
}

impl Handshake {
    /// What was sent besides the certificate, or what is not as it should be.
    fn compare(self, wanted: Fingerprint, chain: &[Link]) -> Result<Vec<Fingerprint>, Seen> {
        if self.leaf.fingerprint != wanted {
            return Err(Seen::Other(Box::new(self.leaf)));
        }
        let missing: Vec<Link> =
            chain.iter().filter(|link| !self.others.contains(&link.fingerprint)).cloned().collect();
        match missing.is_empty() {
            true => Ok(self.others),
            false => Err(Seen::Incomplete { missing, sent: self.others.len() }),
        }
    }
}

fn nothing(cause: impl ToString) -> Seen {
    Seen::Nothing { cause: cause.to_string(), shown: None }
}

/// One handshake, over at `until` at the latest.
fn look(endpoint: &Address, sni: &str, until: Instant) -> Result<Handshake, Seen> {
    let stream = DeadlineStream::new(connect(endpoint, until)?, until);
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(nothing)?;
    builder.set_verify(SslVerifyMode::NONE);
    // For looking, old protocols and small keys are good enough: nothing is sent.
    builder.set_min_proto_version(Some(SslVersion::TLS1)).map_err(nothing)?;
    builder.set_cipher_list("ALL:@SECLEVEL=0").map_err(nothing)?;
    // Where OpenSSL knows some of them only, by a policy of the machine's for one, its own list stays.
    builder.set_groups_list(GROUPS).ok();
    let mut configuration = builder.build().configure().map_err(nothing)?;
    configuration.set_verify_hostname(false);
    match configuration.connect(sni, stream) {
        Ok(stream) => seen_in(stream.ssl()).ok_or_else(|| nothing("the server sent no certificate")),
        Err(HandshakeError::SetupFailure(error)) => Err(nothing(error)),
        Err(HandshakeError::Failure(broken) | HandshakeError::WouldBlock(broken)) => Err(Seen::Nothing {
            cause: explain(broken.error(), until),
            shown: seen_in(broken.ssl()).map(|handshake| Box::new(handshake.leaf)),
        }),
    }
}

fn explain(error: &openssl::ssl::Error, until: Instant) -> String {
    let late = error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
    if late || Instant::now() >= until {
        return "the TLS handshake timed out".to_owned();
    }
    match error.io_error() {
        Some(error) => error.to_string(),
        None if matches!(error.code(), ErrorCode::SYSCALL | ErrorCode::ZERO_RETURN) => {
            "it closed the connection during the TLS handshake".to_owned()
        }
        None => {
            let reason = error.ssl_error().and_then(|stack| stack.errors().last()?.reason());
            format!("the TLS handshake fails: {}", reason.unwrap_or("for an unknown reason"))
        }
    }
}

fn seen_in(ssl: &SslRef) -> Option<Handshake> {
    let leaf = ssl.peer_certificate()?;
    let print =
        |certificate: &openssl::x509::X509Ref| certificate.to_der().ok().map(|der| Fingerprint::of_der(&der));
    let others = ssl.peer_cert_chain().into_iter().flatten().skip(1).filter_map(print).collect();
    let suite = ssl.current_cipher().map_or("no cipher suite", |suite| suite.name());
    let way = format!("{} with {suite} and {}", ssl.version_str(), key_of(&leaf));
    let leaf = PeerCertificate {
        fingerprint: print(&leaf)?,
        subject: subject_of(&leaf),
        issuer: issuer_of(&leaf),
        not_before: leaf.not_before().to_string(),
        not_after: leaf.not_after().to_string(),
    };
    Some(Handshake { way, leaf, others })
}

/// The kind of a certificate's key, in words.
fn key_of(leaf: &X509Ref) -> String {
    let Ok(key) = leaf.public_key() else { return "a key of an unknown kind".to_owned() };
    let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
    match (key.id(), curve.and_then(|curve| curve.short_name().ok())) {
        (Id::RSA, _) => format!("an RSA key of {} bits", key.bits()),
        (Id::EC, Some(curve)) => format!("an EC key on the curve {curve}"),
        (Id::RSA_PSS, _) => "a key for RSA-PSS only".to_owned(),
        (Id::DSA, _) => "a DSA key".to_owned(),
        (Id::ED25519, _) => "an Ed25519 key".to_owned(),
        (Id::ED448, _) => "an Ed448 key".to_owned(),
        _ => "a key of an unusual kind".to_owned(),
    }
}

/// A connection to the first of the endpoint's addresses that takes one.
fn connect(endpoint: &Address, until: Instant) -> Result<TcpStream, Seen> {
    let host = match endpoint.host() {
        Host::Name(name) => name.clone(),
        Host::Ip(ip) => ip.to_string(),
    };
    let mut last = nothing("no address was found for this name");
    for address in (host.as_str(), endpoint.port()).to_socket_addrs().map_err(nothing)? {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                last = nothing("the connection timed out");
            }
            Err(error) => last = nothing(error),
        }
    }
    Err(last)
}
