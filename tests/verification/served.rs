//! What an endpoint is seen to show, and how long that is looked for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use openssl::ssl::{NameType, SslAcceptor, SslMethod};
use pancert::install::probe::{Link, ProbeMismatch, Seen, served};
use panos_sim::{Profile, Simulator};
use panos_xmlapi::{Address, Fingerprint, Location};

use crate::common::pki::{self, Issued, KeyKind};
use crate::common::world::{NAME, NOBODY, PORTAL, settings};
use crate::device::{binding, commit, preloaded, print, service, session, start, upload};
use crate::server::identity::Plan;
use crate::server::{Server, Tls, reply};

/// A firewall that serves this certificate with this chain.
fn serving(issued: &Issued, chain: &[&Issued]) -> Simulator {
    let mut settings = settings();
    settings.certificates.push(preloaded("gp", issued, chain));
    settings.profiles = vec![Profile::bound(PORTAL, "gp")];
    start(settings)
}

async fn look(
    endpoint: &Address,
    wanted: Fingerprint,
    chain: &[Link],
    timeout: Duration,
) -> Result<(), ProbeMismatch> {
    served(endpoint, &NAME.parse().unwrap(), wanted, chain, timeout).await.map(drop)
}

async fn glance(endpoint: &Address, wanted: Fingerprint) -> Result<(), ProbeMismatch> {
    look(endpoint, wanted, &[], Duration::ZERO).await
}

#[tokio::test]
async fn the_leaf_has_to_be_the_very_one_and_what_is_seen_instead_is_told() {
    let issued = pki::self_signed(&pki::CertificateSpec::named(NAME));
    let device = serving(&issued, &[]);
    glance(&service(&device), print(&issued)).await.unwrap();
    // Same name, same dates, another certificate.
    let other = pki::self_signed(&pki::CertificateSpec::named(NAME));
    let refused = glance(&service(&device), print(&other)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} shows another certificate: 'CN={NAME}', valid until {}, SHA-256 {}",
            service(&device),
            issued.certificate.not_after(),
            print(&issued)
        )
    );
}

#[tokio::test]
async fn the_intermediates_that_are_wanted_have_to_be_sent() {
    let root = pki::root("Example CA", KeyKind::P256);
    let (one, two) =
        (root.intermediate("Issuing CA 1", KeyKind::P256), root.intermediate("Issuing CA 2", KeyKind::P256));
    let issued = one.issue(&pki::CertificateSpec::named(NAME));
    let device = serving(&issued, &[&one]);
    let at = service(&device);
    let leaf = print(&issued);
    let chain = Link::of_chain(&[one.certificate.clone(), two.certificate.clone()]);
    look(&at, leaf, &chain[..1], Duration::ZERO).await.unwrap();
    let refused = look(&at, leaf, &chain, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.seen, Seen::Incomplete { missing: vec![chain[1].clone()], sent: 1 });
    let words = "sends 1 besides the leaf, and not the whole chain; missing: CN=Issuing CA 2";
    assert!(refused.to_string().ends_with(words), "{refused}");
    // A leaf is no intermediate, were it sent twice.
    let itself = Link::of_chain(std::slice::from_ref(&issued.certificate));
    let refused = look(&at, leaf, &itself, Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.seen, Seen::Incomplete { missing: itself, sent: 1 });
}

#[tokio::test]
async fn it_is_looked_again_until_the_certificate_is_there() {
    let device = serving(&pki::self_signed(&pki::CertificateSpec::named("old.example.com")), &[]);
    let new = pki::self_signed(&pki::CertificateSpec::named(NAME));
    let (at, wanted) = (service(&device), print(&new));
    assert!(glance(&at, wanted).await.is_err());
    let timeout = Duration::from_secs(60);
    let renewal = async {
        let session = session(&device);
        session.import(&upload("new", &new)).await.unwrap();
        session.set_all(&Location::Shared.profiles(), &[binding(PORTAL, "new")]).await.unwrap();
        commit(&session).await;
    };
    let begun = Instant::now();
    let (seen, ()) = tokio::join!(look(&at, wanted, &[], timeout), renewal);
    seen.unwrap();
    assert!(begun.elapsed() < timeout / 2);
}

#[tokio::test]
async fn closed_port_is_reported_after_the_timeout() {
    let at: Address = NOBODY.parse().unwrap();
    let (begun, timeout) = (Instant::now(), Duration::from_millis(700));
    let refused = look(&at, Fingerprint::of_der(b""), &[], timeout).await.unwrap_err();
    assert!(refused.to_string().contains("shows no certificate: Connection refused"), "{refused}");
    assert!((timeout..timeout + Duration::from_secs(5)).contains(&begun.elapsed()));
    let nowhere = "does-not-exist.invalid".parse().unwrap();
    let refused = glance(&nowhere, Fingerprint::of_der(b"")).await.unwrap_err();
    assert!(matches!(refused.seen, Seen::Nothing { shown: None, .. }), "{refused}");
}

/// A server that does this with its one connection.
fn server(does: impl FnOnce(TcpStream) + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string().parse().unwrap();
    std::thread::spawn(move || does(listener.accept().unwrap().0));
    at
}

#[tokio::test]
async fn a_server_that_is_silent_drips_or_closes_is_not_waited_for_longer_than_one_look() {
    let silent = |mut stream: TcpStream| drop(stream.read_to_end(&mut Vec::new()));
    let dripping = |mut stream: TcpStream| {
        // The head of a TLS record of 16 KiB, and then byte after byte of it.
        let mut next = Some(&[22, 3, 3, 0x40, 0][..]);
        while stream.write_all(next.take().unwrap_or(&[2])).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    for (at, words) in [
        (server(silent), "the TLS handshake timed out"),
        (server(dripping), "the TLS handshake timed out"),
        (server(drop), "shows no certificate: "),
    ] {
        let begun = Instant::now();
        let refused = glance(&at, Fingerprint::of_der(b"")).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{words}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_told() {
    let server = Server::start_plain(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let refused = glance(&server.address(), Fingerprint::of_der(b"")).await.unwrap_err();
    let Seen::Nothing { cause, shown: None } = refused.seen else { panic!("{refused}") };
    assert_eq!(cause, "the TLS handshake fails: wrong version number");
}

#[tokio::test]
async fn the_name_is_asked_for_and_not_one_byte_is_sent_besides() {
    let issued = pki::self_signed(&pki::CertificateSpec::named(NAME));
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&issued.certificate).unwrap();
    acceptor.set_private_key(&issued.key).unwrap();
    let (tell, told) = mpsc::channel();
    let at = server(move |stream| {
        let mut stream = acceptor.build().accept(stream).unwrap();
        let name = stream.ssl().servername(NameType::HOST_NAME).map(str::to_owned);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        tell.send((name, rest)).unwrap();
    });
    glance(&at, print(&issued)).await.unwrap();
    assert_eq!(told.recv().unwrap(), (Some(NAME.to_owned()), Vec::new()));
}

#[tokio::test]
async fn a_certificate_of_any_shape_and_version_of_tls_is_looked_at() {
    use openssl::ssl::SslVersion;
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for shape in [Plan::named("v1").v1(), Plan::named("past").expired(), Plan::named("c").client_only()] {
            let identity = shape.self_signed();
            let shown = identity.clone();
            let show = move |_| (shown.clone(), Tls::Only(version));
            let server = Server::start_with(show, |_| reply("200 OK", ""));
            glance(&server.address(), identity.pin()).await.unwrap();
        }
    }
}
