//! The whole client against a device that answers anything: over TLS, so far fewer executions a second than `replies`.
#![no_main]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use libfuzzer_sys::fuzz_target;
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use panos_xmlapi::{
    ClientOptions, Commit, CommitReply, Element, ImportFormat, KeyExport, KeyPairImport, Location, Session,
    Trust,
};
use secrecy::{SecretSlice, SecretString};
use tokio::runtime::{Builder, Runtime};

#[path = "../../tests/common/pki.rs"]
mod pki;

struct Device {
    answer: Arc<Mutex<Vec<u8>>>,
    session: Session,
    runtime: Runtime,
}

static DEVICE: OnceLock<Device> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let status = [200, 400, 403][usize::from(first % 3)];
    let Device { answer, session, runtime } = DEVICE.get_or_init(Device::new);
    let mut whole =
        format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    whole.extend_from_slice(body);
    *answer.lock().expect("the answer") = whole;
    runtime.block_on(ask(session, status == 200, body));
});

async fn ask(session: &Session, well: bool, body: &[u8]) {
    let path = Location::Shared.profiles();
    let element = Element::new("certificate").with_text("c");
    let import = KeyPairImport {
        location: Location::Shared,
        name: "c".into(),
        format: ImportFormat::Pem,
        file: SecretSlice::from(vec![0]),
        passphrase: SecretString::from("invented"),
        key_export: Some(KeyExport::Allowed),
    };
    let text = String::from_utf8_lossy(body);
    // Nothing but a 200 with the word in it is a success.
    let may_succeed = well && text.contains("success");
    for changed in [
        session.set(&path, &element).await,
        session.set_all(&path, &[element.clone(), element.clone()]).await,
        session.edit(&path, &element).await,
        session.revert_changes_of("a").await,
        session.delete(&path).await.map(drop),
        session.import(&import).await.map(drop),
        session.key_lifetime().await.map(drop),
        session.admin_role("a").await.map(drop),
        session.system_info().await.map(drop),
        session.current_administrator().await.map(drop),
        session.ha_state().await.map(drop),
        session.pending_changes().await.map(drop),
        session.config_locks().await.map(drop),
        session.commit_locks().await.map(drop),
        session.jobs().await.map(drop),
        session.job("7").await.map(drop),
    ] {
        match changed {
            Ok(()) => assert!(may_succeed || text.contains("No such node"), "{text}"),
            Err(error) => drop(error.to_string()),
        }
    }
    for node in [session.get(&path).await, session.show(&path).await] {
        assert!(!matches!(node, Ok(Some(_))) || may_succeed, "{text}");
    }
    let commit = Commit::of("a").described("d");
    if let Ok(CommitReply::Job(_)) = session.commit(&commit).await {
        assert!(may_succeed, "{text}");
    }
    if session.export_certificate("c").await.is_ok() {
        assert!(well && text.contains("BEGIN CERTIFICATE"), "{text}");
    }
}

impl Device {
    fn new() -> Self {
        let answer = Arc::new(Mutex::new(Vec::new()));
        let identity = pki::self_signed(&pki::CertificateSpec::named("localhost"));
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("OpenSSL");
        acceptor.set_certificate(&identity.certificate).expect("the certificate");
        acceptor.set_private_key(&identity.key).expect("its key");
        let acceptor = acceptor.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("the port").port();
        let told = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (acceptor, told) = (acceptor.clone(), Arc::clone(&told));
                thread::spawn(move || {
                    stream.set_nodelay(true).expect("a socket");
                    if let Ok(stream) = acceptor.accept(stream) {
                        serve(stream, &told);
                    }
                });
            }
        });
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        let key = SecretString::from("invented");
        let session = Session::new(&address, &Trust::DangerousAcceptAny, &key, ClientOptions::default());
        let runtime = Builder::new_current_thread().enable_all().build();
        Self { answer, session: session.expect("a session"), runtime: runtime.expect("a runtime") }
    }
}

/// Answers each request on a connection with what was told last.
fn serve(mut stream: SslStream<std::net::TcpStream>, told: &Mutex<Vec<u8>>) -> Option<()> {
    let (mut read, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&read[..at]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let end = at + 4 + length.map_or(0, |length| length.trim().parse().unwrap_or(0));
                if read.len() >= end {
                    break end;
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => read.extend_from_slice(&buffer[..count]),
            }
        };
        read.drain(..end);
        let answer = told.lock().ok()?.clone();
        stream.write_all(&answer).ok()?;
    }
}
