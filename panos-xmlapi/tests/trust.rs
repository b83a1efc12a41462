//! Whom a session believes to be its device, and what anybody else gets to see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "trust/authorities.rs"]
mod authorities;
#[path = "trust/pins.rs"]
mod pins;
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

#[track_caller]
fn verdict(outcome: Result<(), Error>) -> String {
    match rejection(outcome) {
        IdentityError::Unverified { verdict, .. } => verdict,
        other => panic!("{other:?}"),
    }
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
