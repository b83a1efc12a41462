//! HTTPS to one device: deadlines that a slow drip can't stretch, a bound on what is read, no redirects,
//! no proxy, one connection kept open where the device allows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONNECTION, DATE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, redirect};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::error::Error;
use super::large_answers::{self, Turn};
use super::operation::Operation;
use super::redact::Redactor;
use super::tls;
use super::trust::{CertificateVerifier, IdentityError, Trust};

/// How many connections are kept for the next request: the vendor advises against more to one device.
const MAX_CONNECTIONS: usize = 5;

/// How long a device may take, and how much it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Name lookup, TCP and TLS handshake.
    pub connect_timeout: Duration,
    /// The longest pause between two pieces of an answer.
    pub idle_timeout: Duration,
    /// One request with its whole answer.
    pub request_timeout: Duration,
    /// Bytes of one answer.
    pub max_reply_bytes: usize,
    /// What is taken for a second where a job is waited for.
    pub poll_unit: Duration,
    /// The `User-Agent` header: who asks, for the device's own logs.
    pub user_agent: &'static str,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(120),
            max_reply_bytes: 8 * 1024 * 1024,
            poll_unit: Duration::from_secs(1),
            user_agent: concat!("panos-xmlapi/", env!("CARGO_PKG_VERSION")),
        }
    }
}

/// How long a connection is kept open on which nothing is asked. It has the last request in its buffers, and so the API
/// key: questions that follow each other use it again, and in a pause of any kind it is gone.
const KEPT_OPEN: Duration = Duration::from_millis(200);

/// An answer: its HTTP status and body.
pub(super) struct Answer {
    pub(super) status: u16,
    /// When the device's web server says that it answered.
    pub(super) date: Option<DateTime<Utc>>,
    pub(super) body: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct Transport {
    client: Client,
    url: String,
    options: ClientOptions,
    verifier: Arc<CertificateVerifier>,
    no_certificate: Arc<NoCertificate>,
    key: Option<Arc<SecretString>>,
    redactor: Arc<Redactor>,
    /// How far the device's clock was ahead of this machine's by its latest answer that told the time.
    clock_ahead: Arc<Mutex<Option<TimeDelta>>>,
}

impl Transport {
    pub(super) fn options(&self) -> &ClientOptions {
        &self.options
    }

    pub(super) fn new(
        address: &Address,
        trust: &Trust,
        key: Option<&SecretString>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
        let provider = Arc::new(tls::provider());
        let verifier =
            CertificateVerifier::new(trust, address.host(), &provider).map_err(|error| setup(&error))?;
        let no_certificate = Arc::new(NoCertificate::default());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::clone(&no_certificate) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would not show the certificate again: each connection is judged afresh.
        config.resumption = rustls::client::Resumption::disabled();
        let redactor = Arc::new(Redactor::default());
        if let Some(key) = key {
            HeaderValue::from_str(key.expose_secret())
                .map_err(|_| Error::Setup("the API key contains invalid characters".to_owned()))?;
            redactor.add_shared("API key", key.expose_secret());
        }
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .user_agent(options.user_agent)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.idle_timeout)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .https_only(true)
            .pool_max_idle_per_host(MAX_CONNECTIONS)
            .pool_idle_timeout(KEPT_OPEN)
            .build()
            .map_err(|error| setup(&error.without_url()))?;
        let url = format!("https://{}:{}/api/", address.host(), address.port());
        let key = key.cloned().map(Arc::new);
        Ok(Self {
            client,
            url,
            options,
            verifier,
            no_certificate,
            key,
            redactor,
            clock_ahead: Arc::default(),
        })
    }

    /// The verifier of this transport's handshakes.
    pub(super) fn verifier(&self) -> &CertificateVerifier {
        &self.verifier
    }

    /// A POST to the API, its fields in the body. It gets the key when it is sent, so that one that waits has none.
    pub(super) fn post(&self) -> RequestBuilder {
        self.client.post(&self.url)
    }

    /// The request has a copy of the key for as long as it lasts; the only one that stays is this transport's.
    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        let value = self.key.as_ref().and_then(|key| HeaderValue::from_str(key.expose_secret()).ok());
        match value {
            Some(mut value) => {
                value.set_sensitive(true);
                request.header("x-pan-key", value)
            }
            None => request,
        }
    }

    /// How far the device's clock is ahead of this machine's, where it has told the time.
    pub(super) fn clock_ahead(&self) -> Option<TimeDelta> {
        *self.clock_ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is taken out of answers.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// A POST whose `type` stands in the URL, as multipart uploads have it.
    pub(super) fn post_import(&self) -> RequestBuilder {
        self.client.post(format!("{}?type=import", self.url))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// A device may close a kept connection at any time. Where that is seen before a byte of the request
    /// was written, the HTTP library takes a new connection. In the moment between, a question that
    /// changes nothing is put once more; anything else may have taken effect, so the caller has to know.
    pub(super) async fn send(&self, operation: Operation, request: RequestBuilder) -> Result<Answer, Error> {
        // What arrived while this thread was at other work, the end of the connection above all, is seen
        // only when the runtime looks (the first turn) and the connection's own task runs (the second).
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        // Where it is known that a pause follows, no connection is kept at all.
        let request =
            if is_before_a_pause(operation) { request.header(CONNECTION, "close") } else { request };
        let deadline = Instant::now() + self.options.request_timeout;
        let again = if operation.is_read_only() { request.try_clone() } else { None };
        match (self.attempt(operation, self.with_key(request), deadline).await, again) {
            (Err(Error::Interrupted { .. }), Some(again)) => {
                self.attempt(operation, self.with_key(again), deadline).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn attempt(
        &self,
        operation: Operation,
        request: RequestBuilder,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let late = || Error::TimedOut { operation, seconds: self.options.request_timeout.as_secs() };
        let sent = timeout_at(deadline, request.send()).await.map_err(|_| late())?;
        let mut response = sent.map_err(|error| self.explain(operation, error))?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(Error::Status { operation, status });
        }
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|date| date.to_utc());
        if let Some(date) = date {
            let ahead = date.signed_duration_since(Utc::now());
            *self.clock_ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        match (self.read(operation, &mut response, deadline).await, status) {
            (Ok(body), _) if status != 200 && demands_certificate(status, &body) => {
                Err(Error::ClientCertificate)
            }
            (Ok(body), _) => Ok(Answer { status, date, body }),
            (Err(error), 200 | 400 | 403) => Err(error),
            // The status says enough where the rest of the answer can't be had.
            (Err(_), _) => Err(Error::Status { operation, status }),
        }
    }

    async fn read(
        &self,
        operation: Operation,
        response: &mut Response,
        deadline: Instant,
    ) -> Result<Vec<u8>, Error> {
        let late = || Error::TimedOut { operation, seconds: self.options.request_timeout.as_secs() };
        let too_large = || Error::TooLarge { operation, limit: self.options.max_reply_bytes };
        if response.content_length().is_some_and(|length| length > self.options.max_reply_bytes as u64) {
            return Err(too_large());
        }
        // Without room that it does not need, and that of a large one not before its turn.
        let told =
            response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let mut body = Vec::with_capacity(told.min(large_answers::SMALL));
        let (mut deadline, mut turn) = (deadline, None::<Turn>);
        loop {
            let next = turn.as_ref().map_or(deadline, |turn| turn.deadline().min(deadline));
            let chunk = match timeout_at(next, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| self.explain(operation, error))?,
                Err(_) if next < deadline => {
                    turn = None;
                    continue;
                }
                Err(_) => return Err(late()),
            };
            let Some(chunk) = chunk else { break };
            turn = turn.filter(|turn| !turn.is_over());
            if body.len() + chunk.len() > self.options.max_reply_bytes {
                return Err(too_large());
            }
            let was_small = body.len() <= large_answers::SMALL;
            body.extend_from_slice(&chunk);
            if was_small && body.len() > large_answers::SMALL {
                let asked = Instant::now();
                turn = Turn::next().await;
                // The device did not wait: others did.
                deadline += asked.elapsed();
                body.reserve_exact(told.saturating_sub(body.len()));
            }
        }
        // The answer to a key generation holds a key that was not sent; that is taken out before any of it is quoted.
        Ok(if operation == Operation::Keygen { body } else { self.redactor.clean_bytes(body) })
    }

    /// Whether the device ended the handshake because it got no client certificate.
    fn wants_certificate(&self, tls: &rustls::Error) -> bool {
        use rustls::AlertDescription::{
            AccessDenied, BadCertificate, CertificateRequired, CertificateUnknown, HandshakeFailure,
        };
        match tls {
            rustls::Error::AlertReceived(CertificateRequired) => true,
            rustls::Error::AlertReceived(
                HandshakeFailure | BadCertificate | CertificateUnknown | AccessDenied,
            ) => self.no_certificate.asked.load(Ordering::Relaxed),
            _ => false,
        }
    }

    fn explain(&self, operation: Operation, error: reqwest::Error) -> Error {
        let error = error.without_url();
        if error.is_builder() {
            return Error::Setup(innermost(&error).to_string());
        }
        let tls = tls_error(&error);
        if let Some(rejection) = tls.and_then(IdentityError::behind) {
            return Error::Identity(rejection.cleaned(&self.redactor));
        }
        if tls.is_some_and(|tls| self.wants_certificate(tls)) {
            return Error::ClientCertificate;
        }
        let connecting = error.is_connect();
        if error.is_timeout() && !connecting {
            return Error::TimedOut { operation, seconds: self.options.idle_timeout.as_secs() };
        }
        let cause = match (innermost(&error).to_string(), tls) {
            (text, _) if connecting && error.is_timeout() => {
                format!("no answer within {} seconds ({text})", self.options.connect_timeout.as_secs())
            }
            (_, Some(rustls::Error::InvalidMessage(problem))) => {
                format!("it does not speak TLS ({problem:?})")
            }
            (_, Some(tls)) => format!("TLS failed: {tls}"),
            (text, _) if text == "tls handshake eof" => {
                "it closed the connection during the TLS handshake".to_owned()
            }
            (text, _) => text,
        };
        let cause = self.redactor.clean(cause);
        if connecting { Error::Unreachable { cause } } else { Error::Interrupted { operation, cause } }
    }
}

/// A web server that lets nobody in without a client certificate says so on a page of its own.
fn demands_certificate(status: u16, body: &[u8]) -> bool {
    let page = String::from_utf8_lossy(body.get(..4096).unwrap_or(body)).to_ascii_lowercase();
    matches!(status, 495 | 496) || page.contains("no required ssl certificate was sent")
}

/// Has no client certificate, and notes that one was asked for.
#[derive(Debug, Default)]
struct NoCertificate {
    asked: AtomicBool,
}

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Whether a pause follows that may be long: a job was begun, or asked for.
fn is_before_a_pause(operation: Operation) -> bool {
    matches!(operation, Operation::Commit | Operation::Op("show jobs"))
}

/// The outer layers only say that sending failed; the innermost one says why.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// The TLS library's own error, which travels inside an I/O error.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
