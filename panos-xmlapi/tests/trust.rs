//! Whom a session believes to be its device, and what anybody else gets to see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "common/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use openssl::nid::Nid;
use openssl::ssl::SslVersion;
use panos_xmlapi::{Address, CaFile, ClientOptions, Error, Fingerprint, IdentityError, Session, Trust};
use secrecy::SecretString;
use server::identity::{Identity, Key, Plan};
use server::{Server, Step, Tls, reply};

const KEY: &str = "LUFRPT1invented==";
const SYSTEM: &str =
    "<response status='success'><result><system><hostname>fw-a</hostname></system></result></response>";

fn limits() -> ClientOptions {
    let second = Duration::from_secs(1);
    ClientOptions {
        connect_timeout: second,
        idle_timeout: second,
        request_timeout: second * 2,
        max_reply_bytes: 64 * 1024,
        poll_unit: second,
        ..ClientOptions::default()
    }
}

fn session(address: &Address, trust: &Trust) -> Result<Session, Error> {
    Session::new(address, trust, &SecretString::from(KEY), limits())
}

async fn ask(address: &Address, trust: &Trust) -> Result<(), Error> {
    session(address, trust)?.system_info().await.map(drop)
}

fn device(identity: &Identity) -> Server {
    Server::start(identity, |_| reply("200 OK", SYSTEM))
}

fn pinned(identity: &Identity) -> Trust {
    Trust::Pinned(vec![identity.pin()])
}

#[track_caller]
fn rejection(outcome: Result<(), Error>) -> IdentityError {
    match outcome {
        Err(Error::Identity(rejection)) => rejection,
        other => panic!("{other:?}"),
    }
}

/// Not one byte of a request reached the server.
fn assert_saw_nothing(server: &Server) {
    assert_eq!(server.after(1)[0].received, 0);
    assert!(server.requests().is_empty());
}

/// A CA, and what it says about `localhost`.
fn authority() -> Identity {
    Plan::named("Invented CA").ca().self_signed()
}

fn localhost() -> Plan {
    Plan::named("fw").dns("localhost")
}

// ---- Pins ----

/// The certificates a management interface may show: nothing in them names the device.
fn every_shape() -> Vec<(&'static str, Identity)> {
    let ca = authority();
    let mut sent_along = Plan::named("issued, chain sent").issued_by(&ca);
    sent_along.chain.push(ca.certificate.clone());
    vec![
        ("v1", Plan::named("v1").v1().self_signed()),
        ("v3, no CA", Plan::named("v3").self_signed()),
        ("v3, CA", Plan::named("v3 CA").ca().self_signed()),
        ("issued", Plan::named("issued").issued_by(&ca)),
        ("issued, chain sent", sent_along),
        ("expired", Plan::named("expired").expired().self_signed()),
        ("client only", Plan::named("client").client_only().self_signed()),
        ("RSA 2048", Plan::named("rsa").key(Key::Rsa(2048)).v1().self_signed()),
        ("RSA 3072", Plan::named("rsa").key(Key::Rsa(3072)).ca().self_signed()),
        ("P-384", Plan::named("p384").key(Key::Ec(Nid::SECP384R1)).self_signed()),
        ("P-521", Plan::named("p521").key(Key::Ec(Nid::SECP521R1)).self_signed()),
        ("P-521, by an RSA CA", {
            let ca = Plan::named("RSA CA").ca().key(Key::Rsa(2048)).self_signed();
            Plan::named("p521").key(Key::Ec(Nid::SECP521R1)).issued_by(&ca)
        }),
        ("P-256, by a P-521 CA", {
            let ca = Plan::named("P-521 CA").ca().key(Key::Ec(Nid::SECP521R1)).self_signed();
            Plan::named("p256").issued_by(&ca)
        }),
        ("Ed25519", Plan::named("ed").key(Key::Ed25519).self_signed()),
    ]
}

#[tokio::test]
async fn a_pinned_certificate_of_any_shape_is_accepted_over_both_tls_versions_and_no_other() {
    let stranger = Plan::named("stranger").self_signed();
    for (shape, identity) in every_shape() {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let shown = identity.clone();
            let start = || {
                let shown = shown.clone();
                Server::start_with(move |_| (shown.clone(), Tls::Only(version)), |_| reply("200 OK", SYSTEM))
            };
            let server = start();
            ask(&server.address(), &pinned(&identity))
                .await
                .unwrap_or_else(|error| panic!("{shape}, {version:?}: {error}"));
            assert_eq!(server.requests().len(), 1);

            let server = start();
            let refused = rejection(ask(&server.address(), &pinned(&stranger)).await);
            let expected = IdentityError::PinMismatch { seen: identity.pin(), pinned: vec![stranger.pin()] };
            assert_eq!(refused, expected, "{shape}, {version:?}");
            assert_saw_nothing(&server);
        }
    }
}

#[tokio::test]
async fn any_of_several_pins_fits_and_no_pin_fits_nothing() {
    let (old, new) = (Plan::named("old").self_signed(), Plan::named("new").self_signed());
    let both = Trust::Pinned(vec![old.pin(), new.pin()]);
    for identity in [&old, &new] {
        ask(&device(identity).address(), &both).await.unwrap();
    }
    let server = device(&old);
    rejection(ask(&server.address(), &Trust::Pinned(Vec::new())).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn a_pin_is_of_the_leaf_and_not_of_what_comes_along() {
    let ca = authority();
    let mut leaf = Plan::named("leaf").issued_by(&ca);
    leaf.chain.push(ca.certificate.clone());
    let server = device(&leaf);
    rejection(ask(&server.address(), &pinned(&ca)).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn the_rejection_shows_both_fingerprints_as_a_person_compares_them() {
    let (shown, meant) = (Plan::named("a").self_signed(), Plan::named("b").self_signed());
    let error = ask(&device(&shown).address(), &pinned(&meant)).await.unwrap_err();
    let expected = format!(
        "its HTTPS certificate fingerprint {} does not match the pinned {}",
        shown.pin().colons(),
        meant.pin().colons()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn keys_that_cannot_be_checked_are_refused_with_their_kind() {
    let weak = Plan::named("weak").key(Key::Rsa(1024)).self_signed();
    for trust in [pinned(&weak), Trust::DangerousAcceptAny] {
        let server = device(&weak);
        let IdentityError::Unusable(why) = rejection(ask(&server.address(), &trust).await) else {
            panic!("another rejection")
        };
        assert!(why.starts_with("its key is RSA of 1024 bits; RSA of 2048"), "{why}");
        assert_saw_nothing(&server);
    }
    // Here the server itself finds no common ground, and hangs up.
    let other = Plan::named("other").key(Key::Ec(Nid::BRAINPOOL_P256R1)).self_signed();
    let server = device(&other);
    let error = ask(&server.address(), &pinned(&other)).await.unwrap_err();
    let Error::Unreachable { cause } = &error else { panic!("{error:?}") };
    assert_eq!(cause, "TLS failed: received fatal alert: HandshakeFailure");
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn a_key_exchange_on_p_521_alone_comes_about() {
    for key in [Key::Ec(Nid::SECP521R1), Key::Rsa(2048)] {
        let identity = Plan::named("fw").key(key).self_signed();
        let shown = identity.clone();
        let server =
            Server::start_with(move |_| (shown.clone(), Tls::Group("P-521")), |_| reply("200 OK", SYSTEM));
        ask(&server.address(), &pinned(&identity)).await.unwrap();
    }
}

#[tokio::test]
async fn each_new_connection_is_judged_again_and_another_certificate_gets_no_byte() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let (right, wrong) = (Plan::named("fw").self_signed(), Plan::named("fw").self_signed());
        let trust = pinned(&right);
        let server = Server::start_with(
            move |number| (if number == 0 { right.clone() } else { wrong.clone() }, Tls::Only(version)),
            |_| {
                let mut steps = reply("200 OK", SYSTEM);
                steps.push(Step::Close);
                steps
            },
        );
        let session = session(&server.address(), &trust).unwrap();
        session.system_info().await.unwrap();
        server.after(1);
        for attempt in 1..4 {
            let refused = rejection(session.system_info().await.map(drop));
            assert!(matches!(refused, IdentityError::PinMismatch { .. }), "{refused:?}");
            assert_eq!(server.after(attempt + 1)[attempt].received, 0);
        }
        assert_eq!(server.requests().len(), 1);
    }
}

/// Where a session is taken up again, no certificate is shown.
#[tokio::test]
async fn no_connection_takes_up_an_earlier_session() {
    let identity = Plan::named("fw").self_signed();
    let server = Server::start(&identity, |_| server::reply_with("200 OK", &["Connection: close"], SYSTEM));
    let session = session(&server.address(), &pinned(&identity)).unwrap();
    for _ in 0..3 {
        session.system_info().await.unwrap();
    }
    let connections = server.connections();
    assert_eq!(connections.len(), 3);
    assert!(connections.iter().all(|connection| !connection.resumed), "{connections:?}");
}

#[tokio::test]
async fn identity_error_is_not_reused_for_later_failures() {
    let (right, wrong) = (Plan::named("fw").self_signed(), Plan::named("fw").self_signed());
    let trust = pinned(&right);
    let server = Server::start_with(
        move |number| (if number == 0 { wrong.clone() } else { right.clone() }, Tls::Any),
        |_| vec![Step::Close],
    );
    let session = session(&server.address(), &trust).unwrap();
    rejection(session.system_info().await.map(drop));
    let error = session.system_info().await.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
}

/// OpenSSL does not take a key that is not the certificate's; rustls does.
fn impostor(identity: &Identity, version: &'static rustls::SupportedProtocolVersion) -> Address {
    let rogue = Plan::named("rogue").self_signed().key;
    let key = rustls::pki_types::PrivateKeyDer::try_from(rogue.private_key_to_pkcs8().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certified = rustls::sign::CertifiedKey::new(
        vec![identity.certificate.to_der().unwrap().into()],
        provider.key_provider.load_private_key(key).unwrap(),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SYSTEM}", SYSTEM.len()).as_bytes(),
        );
    });
    address
}

#[tokio::test]
async fn a_server_that_shows_the_pinned_certificate_without_its_key_is_refused() {
    let identity = Plan::named("fw").self_signed();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for trust in [pinned(&identity), Trust::DangerousAcceptAny] {
            let refused = rejection(ask(&impostor(&identity, version), &trust).await);
            assert_eq!(refused, IdentityError::Unusable("the handshake is not signed with its key".into()));
        }
    }
}

// ---- Authorities ----

/// Folder with one CA file, kept as long as the test.
fn file(pem: &[u8]) -> (tempfile::TempDir, Trust) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    (folder, Trust::Ca { files: vec![path.into()] })
}

#[track_caller]
fn verdict(outcome: Result<(), Error>) -> String {
    match rejection(outcome) {
        IdentityError::Unverified { verdict, .. } => verdict,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_ca_file_with_the_right_name_is_accepted() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for identity in [
        localhost().issued_by(&ca),
        Plan::named("fw").dns("other.example.com").dns("LOCALHOST").issued_by(&ca),
        // Without alternative names, the common name counts.
        Plan::named("localhost").issued_by(&ca),
        localhost().key(Key::Rsa(2048)).issued_by(&ca),
    ] {
        ask(&device(&identity).named(), &trust).await.unwrap();
    }
    let by_address = Plan::named("fw").ip("127.0.0.1").issued_by(&ca);
    ask(&device(&by_address).address(), &trust).await.unwrap();
}

#[tokio::test]
async fn a_wrong_name_is_refused_and_the_server_sees_nothing() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for identity in [
        Plan::named("localhost").dns("fw.example.com").issued_by(&ca),
        Plan::named("fw.localhost").issued_by(&ca),
        Plan::named("x").dns("*").issued_by(&ca),
        Plan::named("x").dns("local*").issued_by(&ca),
        Plan::named("x").ip("127.0.0.1").issued_by(&ca),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.named(), &trust).await), "hostname mismatch");
        assert_saw_nothing(&server);
    }
    for identity in [
        localhost().issued_by(&ca),
        Plan::named("127.0.0.1").issued_by(&ca),
        Plan::named("x").dns("127.0.0.1").issued_by(&ca),
        Plan::named("x").ip("127.0.0.2").issued_by(&ca),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.address(), &trust).await), "IP address mismatch");
        assert_saw_nothing(&server);
    }
}

#[tokio::test]
async fn what_is_expired_unknown_or_meant_for_clients_is_refused_in_openssls_words() {
    let ca = authority();
    let (_folder, trust) = file(&ca.pem());
    for (identity, expected) in [
        (localhost().expired().issued_by(&ca), "certificate has expired"),
        (localhost().client_only().issued_by(&ca), "unsuitable certificate purpose"),
        (localhost().issued_by(&authority()), "certificate signature failure"),
        (
            localhost().issued_by(&Plan::named("Other CA").ca().self_signed()),
            "unable to get local issuer certificate",
        ),
        (localhost().self_signed(), "self-signed certificate"),
    ] {
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.named(), &trust).await), expected);
        assert_saw_nothing(&server);
    }
    let weak = Plan::named("Weak CA").ca().key(Key::Rsa(1024)).self_signed();
    let (_folder, trust) = file(&weak.pem());
    let server = device(&localhost().issued_by(&weak));
    assert_eq!(verdict(ask(&server.named(), &trust).await), "CA certificate key too weak");
    let expired = Plan::named("Old CA").ca().expired().self_signed();
    let (_folder, trust) = file(&expired.pem());
    let server = device(&localhost().issued_by(&expired));
    assert_eq!(verdict(ask(&server.named(), &trust).await), "certificate has expired");
}

#[tokio::test]
async fn an_issuer_that_is_no_ca_issues_nothing() {
    let ca = authority();
    let leaf = localhost().issued_by(&ca);
    let mut forged = Plan::named("forged").dns("localhost").issued_by(&leaf);
    forged.chain.push(leaf.certificate.clone());
    let (_folder, trust) = file(&ca.pem());
    let server = device(&forged);
    verdict(ask(&server.named(), &trust).await);
    assert_saw_nothing(&server);
    // Not even where that leaf itself is trusted: only it is.
    let (_folder, trust) = file(&leaf.pem());
    ask(&device(&leaf).named(), &trust).await.unwrap();
    let server = device(&forged);
    verdict(ask(&server.named(), &trust).await);
    assert_saw_nothing(&server);
}

#[tokio::test]
async fn an_intermediate_is_needed_and_may_come_from_the_device_or_the_file() {
    let root = authority();
    let middle = Plan::named("Middle CA").ca().issued_by(&root);
    let alone = localhost().issued_by(&middle);
    let mut whole = alone.clone();
    whole.chain.push(middle.certificate.clone());
    let (_folder, trust) = file(&root.pem());
    ask(&device(&whole).named(), &trust).await.unwrap();
    let server = device(&alone);
    assert_eq!(verdict(ask(&server.named(), &trust).await), "unable to get local issuer certificate");
    assert_saw_nothing(&server);
    let (_folder, trust) = file(&middle.pem());
    ask(&device(&alone).named(), &trust).await.unwrap();
    let (_folder, trust) = file(&[root.pem(), middle.pem()].concat());
    ask(&device(&alone).named(), &trust).await.unwrap();
}

#[tokio::test]
async fn a_devices_own_certificate_serves_as_its_ca_file_when_the_name_fits() {
    for plan in
        [localhost(), localhost().ca(), Plan::named("localhost").v1(), localhost().key(Key::Rsa(2048)).ca()]
    {
        let identity = plan.self_signed();
        let (_folder, trust) = file(&identity.pem());
        ask(&device(&identity).named(), &trust).await.unwrap();
        let server = device(&identity);
        assert_eq!(verdict(ask(&server.address(), &trust).await), "IP address mismatch");
        assert_saw_nothing(&server);
    }
}

#[tokio::test]
async fn the_verdict_names_the_certificate_on_one_line() {
    let identity = Plan::named("two\nlines").self_signed();
    let (_folder, trust) = file(&authority().pem());
    let error = ask(&device(&identity).named(), &trust).await.unwrap_err().to_string();
    let expected = format!(
        "its HTTPS certificate (subject 'CN=two\\nlines', SHA-256 {}) was not accepted: self-signed certificate",
        identity.pin().colons()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_ca_file_that_is_missing_empty_or_junk_is_refused_with_its_name() {
    let address: Address = "fw1.example.com".parse().unwrap();
    let setup = |trust: &Trust| match session(&address, trust) {
        Err(Error::Setup(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("accepted"),
    };
    let junk = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = Plan::named("x").self_signed().key.private_key_to_pem_pkcs8().unwrap();
    for content in [b"".as_slice(), b"junk", b"\0\xff", &key] {
        let (folder, trust) = file(content);
        let why = setup(&trust);
        let path = folder.path().join("ca.pem").display().to_string();
        assert_eq!(why, format!("the CA file {path} can't be used: it holds no PEM certificate"));
    }
    // One good certificate does not excuse a bad one beside it.
    for content in [junk.to_vec(), [authority().pem(), junk.to_vec()].concat()] {
        let (_folder, trust) = file(&content);
        assert!(setup(&trust).contains("can't be used"));
    }
    let missing = Trust::Ca { files: vec![CaFile::new("/nonexistent/ca.pem")] };
    assert_eq!(setup(&missing), "the CA file /nonexistent/ca.pem can't be used: there is no such file");
}

/// Run by the next test in a process of its own, whose environment adds CAs.
#[tokio::test]
#[ignore = "a part of the_environment_adds_no_trust"]
async fn asks_the_device_named_in_the_environment() {
    let address: Address = std::env::var("PANOS_TEST_DEVICE").unwrap().parse().unwrap();
    let refused = verdict(ask(&address, &Trust::Ca { files: Vec::new() }).await);
    assert_eq!(refused, "unable to get local issuer certificate");
}

#[test]
fn the_environment_adds_no_trust() {
    let ca = authority();
    let server = device(&localhost().issued_by(&ca));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, ca.pem()).unwrap();
    // As `openssl rehash` would name it.
    let hashed = folder.path().join(format!("{:08x}.0", ca.certificate.subject_name_hash()));
    std::fs::write(&hashed, ca.pem()).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "asks_the_device_named_in_the_environment", "--ignored"])
        .env("PANOS_TEST_DEVICE", server.named().to_string())
        .env("SSL_CERT_FILE", &path)
        .env("SSL_CERT_DIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_saw_nothing(&server);
}

// ---- Anything ----

#[tokio::test]
async fn any_certificate_is_accepted_where_the_administrator_says_so() {
    for (shape, identity) in every_shape() {
        let server = device(&identity);
        ask(&server.address(), &Trust::DangerousAcceptAny)
            .await
            .unwrap_or_else(|error| panic!("{shape}: {error}"));
    }
}

#[test]
fn a_fingerprint_is_that_of_openssl_x509() {
    let identity = Plan::named("fw").self_signed();
    let digest = identity.certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(identity.pin().colons(), pairs.join(":"));
    assert_eq!(pairs.join(":").parse::<Fingerprint>().unwrap(), identity.pin());
}
