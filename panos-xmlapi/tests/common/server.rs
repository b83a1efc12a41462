//! A scripted HTTPS server: presents what a test says, records what arrives, answers what a test says.
//!
//! One thread per connection; what is still open ends with the client. No test has to sleep: what a
//! connection has seen is known when [`Server::after`] returns.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod identity;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use identity::Identity;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslStream, SslVersion};
use panos_xmlapi::Address;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// The connection's number, from 0.
    pub connection: usize,
    pub method: String,
    /// Path with query.
    pub target: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the server does with a request, one step after the other. When the steps are over, it waits
/// for the next request on the same connection.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// These bytes over and over, one every so often, until the client has had enough.
    Drip(Vec<u8>, Duration),
    /// These bytes over and over, as fast as the client takes them, this many at most.
    Flood(Vec<u8>, usize),
    /// Nothing, until the client closes.
    Silence,
    /// Close, with the TLS library's farewell.
    Close,
}

/// `status` with a body of known length.
pub fn reply(status: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    reply_with(status, &[], body)
}

pub fn reply_with(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    let mut bytes = format!("{head}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// What one connection came to.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    pub handshake: Option<Result<(), String>>,
    /// The handshake took up an earlier session, without a certificate.
    pub resumed: bool,
    /// Decrypted bytes from the client.
    pub received: usize,
    /// Bytes of answers that the client's side took.
    pub sent: usize,
    pub over: bool,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    connections: Vec<Connection>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    stopping: AtomicBool,
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }
}

/// Which TLS versions a server speaks.
#[derive(Debug, Clone, Copy)]
pub enum Tls {
    Any,
    Only(SslVersion),
    /// TLS 1.2 with these cipher suites.
    Suites(&'static str),
    /// Any, with this group for the key exchange.
    Group(&'static str),
}

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;
type Handshake = dyn Fn(usize) -> SslAcceptor + Send + Sync;

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Always the same identity; `script` answers each request.
    pub fn start(
        identity: &Identity,
        script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        // One for all connections, so that a client could resume a session.
        let acceptor = acceptor(identity, Tls::Any);
        Self::start_accepting(Arc::new(move |_| acceptor.clone()), Arc::new(script))
    }

    /// Each connection is accepted by this.
    pub fn start_behind(
        acceptor: SslAcceptor,
        script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::start_accepting(Arc::new(move |_| acceptor.clone()), Arc::new(script))
    }

    /// `handshake` says what each connection is shown.
    pub fn start_with(
        handshake: impl Fn(usize) -> (Identity, Tls) + Send + Sync + 'static,
        script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let handshake = move |number| {
            let (identity, tls) = handshake(number);
            acceptor(&identity, tls)
        };
        Self::start_accepting(Arc::new(handshake), Arc::new(script))
    }

    fn start_accepting(handshake: Arc<Handshake>, script: Arc<Script>) -> Self {
        Self::start_raw(move |number, stream, shared| {
            serve(number, stream, &handshake(number), &*script, shared);
        })
    }

    /// `connection` gets each accepted TCP connection and what to report to.
    fn start_raw(connection: impl Fn(usize, TcpStream, &Shared) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (connection, for_thread) = (Arc::new(connection), shared.clone());
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if for_thread.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, connection, shared) = (stream.unwrap(), connection.clone(), for_thread.clone());
                // Nothing here outlives a test by much, whatever the client does.
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.set_nodelay(true).unwrap();
                shared.note(|seen| seen.connections.push(Connection::default()));
                std::thread::spawn(move || {
                    connection(number, stream, &shared);
                    shared.note(|seen| seen.connections[number].over = true);
                });
            }
        });
        Self { address, shared }
    }

    /// Plain TCP: sends these bytes, then reads until the client closes.
    pub fn start_plain(bytes: &'static [u8]) -> Self {
        Self::start_raw(move |number, mut stream, shared| {
            let _ = stream.write_all(bytes);
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                shared.note(|seen| seen.connections[number].received += length);
            }
        })
    }

    /// Plain TCP: closes what it accepts.
    pub fn start_closing() -> Self {
        Self::start_raw(|_, stream, _| drop(stream))
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// As `127.0.0.1:PORT`.
    pub fn address(&self) -> Address {
        self.address.to_string().parse().unwrap()
    }

    /// As `localhost:PORT`.
    pub fn named(&self) -> Address {
        format!("localhost:{}", self.port()).parse().unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().requests.clone()
    }

    /// The connections so far; those still open are not `over`.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.seen.lock().unwrap().connections.clone()
    }

    /// The connections, once the first `count` of them are over.
    pub fn after(&self, count: usize) -> Vec<Connection> {
        let until = Instant::now() + Duration::from_secs(10);
        let mut seen = self.shared.seen.lock().unwrap();
        while seen.connections.iter().filter(|connection| connection.over).count() < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{count} connections are not over: {:?}", seen.connections);
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
        seen.connections.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn acceptor(identity: &Identity, tls: Tls) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    // Weak keys are what some tests are about.
    builder.set_security_level(0);
    if let Tls::Only(version) = tls {
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
    } else {
        builder.set_min_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        builder.set_max_proto_version(None).unwrap();
    }
    match tls {
        Tls::Suites(list) => {
            builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
            builder.set_cipher_list(&format!("{list}:@SECLEVEL=0")).unwrap();
        }
        Tls::Group(name) => builder.set_groups_list(name).unwrap(),
        Tls::Any | Tls::Only(_) => {}
    }
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    for extra in &identity.chain {
        builder.add_extra_chain_cert(extra.clone()).unwrap();
    }
    builder.build()
}

fn serve(number: usize, stream: TcpStream, acceptor: &SslAcceptor, script: &Script, shared: &Shared) {
    let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), stream).unwrap();
    let outcome = stream.accept().map_err(|error| error.to_string());
    let accepted = outcome.is_ok();
    let resumed = stream.ssl().session_reused();
    shared.note(|seen| {
        seen.connections[number].handshake = Some(outcome);
        seen.connections[number].resumed = resumed;
    });
    if !accepted {
        return;
    }
    let mut pending = Vec::new();
    while let Some(request) = read_request(number, &mut stream, &mut pending, shared) {
        shared.note(|seen| seen.requests.push(request.clone()));
        for step in script(&request) {
            if !act(number, step, &mut stream, shared) {
                return;
            }
        }
    }
}

/// Whether the connection goes on.
fn act(number: usize, step: Step, stream: &mut SslStream<TcpStream>, shared: &Shared) -> bool {
    let send = |stream: &mut SslStream<TcpStream>, bytes: &[u8]| {
        let sent = stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
        if sent {
            shared.note(|seen| seen.connections[number].sent += bytes.len());
        }
        sent
    };
    match step {
        Step::Send(bytes) => send(stream, &bytes),
        Step::Drip(bytes, every) => {
            for byte in bytes.iter().cycle() {
                if shared.stopping.load(Ordering::SeqCst) || !send(stream, &[*byte]) {
                    return false;
                }
                std::thread::sleep(every);
            }
            true
        }
        Step::Flood(bytes, total) => {
            let mut sent = 0;
            while sent < total {
                if !send(stream, &bytes) {
                    return false;
                }
                sent += bytes.len();
            }
            true
        }
        Step::Silence => {
            let mut buffer = [0; 1024];
            while let Ok(1..) = stream.read(&mut buffer) {}
            false
        }
        Step::Close => {
            let _ = stream.shutdown();
            false
        }
    }
}

/// The next request, or nothing when the client has closed.
fn read_request(
    connection: usize,
    stream: &mut SslStream<TcpStream>,
    pending: &mut Vec<u8>,
    shared: &Shared,
) -> Option<Request> {
    let head_end = loop {
        if let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_more(connection, stream, pending, shared)?;
    };
    let head = String::from_utf8_lossy(&pending[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(key, _)| key == "content-length")
        .map_or(0, |(_, value)| value.parse().expect("a number"));
    while pending.len() < head_end + 4 + length {
        read_more(connection, stream, pending, shared)?;
    }
    let rest = pending.split_off(head_end + 4 + length);
    let body = pending.split_off(head_end + 4);
    *pending = rest;
    Some(Request { connection, method, target, headers, body })
}

fn read_more(
    connection: usize,
    stream: &mut SslStream<TcpStream>,
    pending: &mut Vec<u8>,
    shared: &Shared,
) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => {
                pending.extend_from_slice(&buffer[..length]);
                shared.note(|seen| seen.connections[connection].received += length);
                return Some(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return None,
        }
    }
}
