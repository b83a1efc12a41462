//! A small HTTPS client that sees everything: also replies that are none.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use panos_sim::{Administrator, Settings, Simulator};

pub const KEY: &str = "KEY-of-me";

/// Settings with a superuser `me` whose key is [`KEY`], and two profiles.
pub fn settings() -> Settings {
    let mut settings = Settings::default().with_key(Administrator::superuser("me", "secret"), KEY);
    settings.profiles = ["portal", "mgmt"].map(panos_sim::Profile::unbound).into();
    settings.commit_duration = Duration::from_millis(50);
    settings.restart_outage = Duration::from_millis(30);
    settings
}

pub fn start() -> Simulator {
    Simulator::start(settings()).unwrap()
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn has(&self, part: &str) -> &Self {
        assert!(self.text().contains(part), "no {part:?} in {self:?}: {}", self.text());
        self
    }

    /// The job number of an enqueued commit.
    #[track_caller]
    pub fn job(&self) -> u64 {
        let text = self.text();
        let (_, rest) = text.split_once("<job>").expect("no job in the reply");
        rest.split('<').next().unwrap().parse().unwrap()
    }
}

pub fn tls(address: SocketAddr) -> io::Result<SslStream<TcpStream>> {
    // A bare context: the usual connector would read the system's CA certificates each time.
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    let ssl = Ssl::new(&context.build()).unwrap();
    let tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    ssl.connect(tcp).map_err(io::Error::other)
}

/// SHA-256 of the certificate a port shows.
pub fn shown(address: SocketAddr) -> io::Result<String> {
    let stream = tls(address)?;
    let certificate = stream.ssl().peer_certificate().unwrap();
    Ok(super::pki::fingerprint(&certificate))
}

/// Sends these bytes on a connection of their own and reads to its end.
pub fn raw(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = tls(address)?;
    stream.write_all(request)?;
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        // A connection that ends without TLS's goodbye is an end, too.
        Err(error) if !reply.is_empty() && error.kind() != io::ErrorKind::WouldBlock => Ok(reply),
        Err(error) => Err(error),
        Ok(_) => Ok(reply),
    }
}

fn understand(bytes: &[u8]) -> io::Result<Reply> {
    let wrong = || io::Error::other(format!("no HTTP: {:?}", String::from_utf8_lossy(bytes)));
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(wrong)?;
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let status = head.get(9..12).and_then(|s| s.parse().ok()).ok_or_else(wrong)?;
    let body = bytes[at + 4..].to_vec();
    Ok(Reply { status, head, body })
}

pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: fw\r\nConnection: close\r\n");
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    bytes += &format!("Content-Length: {}\r\n\r\n", body.len());
    let reply = raw(address, &[bytes.as_bytes(), body].concat())?;
    understand(&reply)
}

pub fn form(parameters: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    form.finish()
}

pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// POSTs a form with [`KEY`] in the header.
pub fn try_post(device: &Simulator, parameters: &[(&str, &str)]) -> io::Result<Reply> {
    let headers = [("X-PAN-KEY", KEY), FORM];
    let body = form(parameters);
    request(device.address(), "POST", "/api/", &headers, body.as_bytes())
}

#[track_caller]
pub fn post(device: &Simulator, parameters: &[(&str, &str)]) -> Reply {
    try_post(device, parameters).unwrap()
}

pub fn op(device: &Simulator, cmd: &str) -> Reply {
    post(device, &[("type", "op"), ("cmd", cmd)])
}

pub fn config(device: &Simulator, action: &str, xpath: &str, element: &str) -> Reply {
    let parameters = [("type", "config"), ("action", action), ("xpath", xpath), ("element", element)];
    post(device, &parameters)
}

pub const MINE: &str = "<commit><partial><admin><member>me</member></admin></partial></commit>";

pub fn commit(device: &Simulator, cmd: &str) -> Reply {
    post(device, &[("type", "commit"), ("cmd", cmd)])
}

/// Commits, waits, and returns the finished job.
#[track_caller]
pub fn commit_and_wait(device: &Simulator, cmd: &str) -> Reply {
    let job = commit(device, cmd).job();
    assert!(device.wait_idle(Duration::from_secs(5)));
    show_job(device, job)
}

/// Asks for a job until the answer comes: the web server may just restart.
pub fn show_job(device: &Simulator, job: u64) -> Reply {
    let cmd = format!("<show><jobs><id>{job}</id></jobs></show>");
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match try_post(device, &[("type", "op"), ("cmd", &cmd)]) {
            Ok(reply) => return reply,
            Err(error) => assert!(Instant::now() < deadline, "the port stays closed: {error}"),
        }
    }
}

/// Uploads a file.
pub fn import(device: &Simulator, parameters: &[(&str, &str)], file: &[u8]) -> Reply {
    let mut query = vec![("type", "import")];
    query.extend(parameters);
    let boundary = "XbX";
    let body = [
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; ").as_bytes(),
        b"filename=\"upload\"\r\nContent-Type: application/octet-stream\r\n\r\n",
        file,
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let headers = [("X-PAN-KEY", KEY), ("Content-Type", content_type.as_str())];
    let target = format!("/api/?{}", form(&query));
    request(device.address(), "POST", &target, &headers, &body).unwrap()
}

/// Uploads a key pair as PEM.
pub fn import_pair(device: &Simulator, name: &str, pem: &str) -> Reply {
    let parameters =
        [("category", "keypair"), ("format", "pem"), ("certificate-name", name), ("passphrase", "dummy")];
    import(device, &parameters, pem.as_bytes())
}

pub const PORTAL: &str = "/config/shared/ssl-tls-service-profile/entry[@name='portal']";
pub const MGMT_BINDING: &str = "/config/devices/entry[@name='localhost.localdomain']/deviceconfig/system";
