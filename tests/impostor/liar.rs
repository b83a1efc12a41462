//! The impostor: it shows a certificate, counts what it gets, and tells the client what that would like to hear.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use openssl::ssl::{Ssl, SslContext, SslMethod};

use crate::common::pki::Issued;
use crate::server::identity::Identity;
use crate::server::{Request, Server, Step};

/// A server that relays each request to the device, and turns failures into successes: every commit job has ended
/// well, and what is only in the candidate configuration runs.
pub struct Liar(Server);

impl Liar {
    pub fn showing(issued: &Issued, device: SocketAddr) -> Self {
        let identity =
            Identity { certificate: issued.certificate.clone(), key: issued.key.clone(), chain: Vec::new() };
        Self(Server::start(&identity, move |request| {
            vec![Step::Send(lie(relay(request, device))), Step::Close]
        }))
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.0.port()).into()
    }

    /// How many decrypted bytes it got: any request has the API key in its head.
    pub fn received(&self) -> usize {
        self.0.connections().iter().map(|connection| connection.received).sum()
    }

    /// How many connections were begun with it.
    pub fn connections(&self) -> usize {
        self.0.connections().len()
    }
}

fn relay(request: &Request, device: SocketAddr) -> Vec<u8> {
    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    let Ok(stream) = TcpStream::connect(device) else { return Vec::new() };
    let mut stream = Ssl::new(&context).unwrap().connect(stream).unwrap();
    let body = request.text().replace("action=show", "action=get");
    let kept =
        request.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "content-length" | "connection"));
    let headers: String = kept.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{} {} HTTP/1.1\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        request.method,
        request.target,
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// In words of the same length, so that the head stays right.
fn lie(answer: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(answer).unwrap();
    text.replace("<result>FAIL</result>", "<result>OK</result>  ")
        .replace("<result>PEND</result>", "<result>OK</result>  ")
        .into_bytes()
}
