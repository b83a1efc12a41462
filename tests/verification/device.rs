//! A session with a simulated device, and what an administrator may do to it.

use std::time::Duration;

use panos_sim::{PreloadedCertificate, Settings, Simulator};
use panos_xmlapi::{
    Address, ClientOptions, Commit, CommitReply, Element, Fingerprint, ImportFormat, KeyExport,
    KeyPairImport, Location, Session, Trust,
};
use secrecy::{SecretSlice, SecretString};

use crate::common::pki::Issued;
use crate::common::world::KEY;

pub fn start(settings: Settings) -> Simulator {
    Simulator::start(settings).unwrap()
}

pub fn address(device: &Simulator) -> Address {
    device.address().to_string().parse().unwrap()
}

/// Where the device serves over TLS.
pub fn service(device: &Simulator) -> Address {
    device.service_address().to_string().parse().unwrap()
}

/// A session that trusts just the certificate the device shows now.
pub fn session(device: &Simulator) -> Session {
    session_trusting(device, &Trust::Pinned(vec![shown(device)]))
}

pub fn session_trusting(device: &Simulator, trust: &Trust) -> Session {
    Session::new(&address(device), trust, &SecretString::from(KEY), limits()).unwrap()
}

pub fn limits() -> ClientOptions {
    let most = Duration::from_secs(20);
    ClientOptions {
        connect_timeout: most,
        idle_timeout: most,
        request_timeout: most,
        ..ClientOptions::default()
    }
}

/// The certificate the device's management port shows now.
pub fn shown(device: &Simulator) -> Fingerprint {
    device.certificate_fingerprint().parse().unwrap()
}

pub fn print(issued: &Issued) -> Fingerprint {
    Fingerprint::of_der(&issued.certificate.to_der().unwrap())
}

/// A certificate that is on the device from the start.
pub fn preloaded(name: &str, issued: &Issued, chain: &[&Issued]) -> PreloadedCertificate {
    let chain: String = chain.iter().map(|issued| issued.certificate_pem()).collect();
    PreloadedCertificate {
        name: name.into(),
        certificate: issued.certificate_pem() + &chain,
        key: Some(issued.key_pem()),
        vsys: None,
    }
}

/// An upload of this certificate with its key.
pub fn upload(name: &str, issued: &Issued) -> KeyPairImport {
    let pem = issued.key_pem() + &issued.certificate_pem();
    KeyPairImport {
        location: Location::Shared,
        name: name.into(),
        format: ImportFormat::Pem,
        file: SecretSlice::from(pem.into_bytes()),
        passphrase: SecretString::from("none"),
        key_export: Some(KeyExport::Blocked),
    }
}

/// `<entry name="NAME"><certificate>OBJECT</certificate></entry>`
pub fn binding(profile: &str, object: &str) -> Element {
    let mut entry = Element::new("entry").with(Element::new("certificate").with_text(object));
    entry.attributes.push(("name".into(), profile.into()));
    entry
}

/// Commits everything; the job's number.
pub async fn commit(session: &Session) -> String {
    let commit = Commit::full().described("a test");
    match session.commit(&commit).await.unwrap() {
        CommitReply::Job(id) => id,
        nothing => panic!("{nothing:?}"),
    }
}
