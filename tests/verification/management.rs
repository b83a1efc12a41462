//! A commit that gives the management interface another certificate, seen through a pinned session.

use std::time::Duration;

use panos_sim::{Fault, Profile, Simulator, What, When};
use panos_xmlapi::{Error, Fingerprint, IdentityError, JobOutcome, Location, Session, Trust};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::common::pki::{self, Issued};
use crate::common::world::{KEY, settings};
use crate::device::{binding, commit, limits, preloaded, print, session, shown, start, upload};
use crate::server::identity::{Identity, Plan};
use crate::server::{Server, Step, Tls, reply};

const MANAGEMENT: &str = "management";

/// A firewall whose management interface is bound to a profile, and the certificate it shows.
fn firewall() -> (Simulator, Issued) {
    let old = pki::self_signed(&pki::CertificateSpec::named("old.example.com"));
    let mut settings = settings();
    settings.certificates.push(preloaded("old", &old, &[]));
    settings.profiles.push(Profile::bound(MANAGEMENT, "old"));
    settings.management_profile = Some(MANAGEMENT.into());
    (start(settings), old)
}

/// Binds the management profile to a new certificate and commits; the new certificate, and the job.
async fn rebind(session: &Session) -> (Fingerprint, String) {
    let new = pki::self_signed(&pki::CertificateSpec::named("new.example.com"));
    session.import(&upload("new", &new)).await.unwrap();
    session.set_all(&Location::Shared.profiles(), &[binding(MANAGEMENT, "new")]).await.unwrap();
    (print(&new), commit(session).await)
}

async fn wait(session: &Session, job: &str) -> JobOutcome {
    session.wait_for_job(job, Instant::now() + Duration::from_secs(30), |_| {}).await
}

#[track_caller]
fn refused(end: JobOutcome) -> Fingerprint {
    match end {
        JobOutcome::Unavailable(Error::Identity(IdentityError::PinMismatch { seen, .. })) => seen,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_wait_survives_the_restart_of_the_port_with_the_very_certificate_that_was_committed() {
    let (device, old) = firewall();
    let session = session(&device);
    assert_eq!(session.peer_fingerprint(), None);
    let binding = session.management_binding().await.unwrap();
    let (new, job) = rebind(&session).await;
    assert_eq!(session.peer_fingerprint(), Some(print(&old)));
    assert_eq!(binding.next(new).before(), print(&old));
    session.add_pin(&binding.next(new));
    let end = wait(&session, &job).await;
    assert!(matches!(end, JobOutcome::Done(_)), "{end:?}");
    assert_eq!(session.peer_fingerprint(), Some(new));
    assert_eq!(shown(&device), new);
    assert!(device.connections() > 1, "the port was never restarted");
}

#[tokio::test]
async fn the_new_certificate_is_refused_where_nobody_said_that_it_comes() {
    let (device, old) = firewall();
    let session = session(&device);
    let (new, job) = rebind(&session).await;
    assert_eq!(refused(wait(&session, &job).await), new);
    assert_eq!(session.peer_fingerprint(), Some(print(&old)), "a handshake that was refused counts as seen");
}

#[tokio::test]
async fn a_third_certificate_is_refused_all_the_same() {
    let (device, old) = firewall();
    let session = session(&device);
    let binding = session.management_binding().await.unwrap();
    let (new, job) = rebind(&session).await;
    session.add_pin(&binding.next(new));
    assert!(matches!(wait(&session, &job).await, JobOutcome::Done(_)));
    device.inject(Fault::new(When::Always, What::SwapCertificate));
    session.job(&job).await.unwrap();
    let third = refused(wait(&session, &job).await);
    assert!(third != new && third != print(&old));
}

/// A server that shows one certificate after the other, each for one request, and uses no profile.
fn showing(identities: Vec<Identity>) -> Server {
    let show = move |number: usize| (identities[number % identities.len()].clone(), Tls::Any);
    Server::start_with(show, move |request| {
        let result = match request.text().contains("type=config") {
            true => String::new(),
            false => "<system><hostname>fw</hostname></system>".to_owned(),
        };
        let text = format!("<response status='success'><result>{result}</result></response>");
        [reply("200 OK", text), vec![Step::Close]].concat()
    })
}

fn open(server: &Server, trust: &Trust) -> Session {
    Session::new(&server.address(), trust, &SecretString::from(KEY), limits()).unwrap()
}

#[tokio::test]
async fn besides_a_pin_the_certificate_that_was_decided_on_is_accepted_and_no_other_one() {
    let old = Plan::named("fw").self_signed();
    let (new, stranger) = (Plan::named("new").v1().self_signed(), Plan::named("stranger").self_signed());
    let server =
        showing(vec![old.clone(), old.clone(), new.clone(), new.clone(), old.clone(), stranger.clone()]);
    let session = open(&server, &Trust::Pinned(vec![old.pin()]));
    let ask = async || session.system_info().await.map(drop);
    let next = session.management_binding().await.unwrap().next(new.pin());
    assert!(matches!(ask().await, Err(Error::Identity(_))));
    assert_eq!(session.peer_fingerprint(), Some(old.pin()));
    session.add_pin(&next);
    ask().await.unwrap();
    assert_eq!(session.peer_fingerprint(), Some(new.pin()));
    ask().await.unwrap();
    assert_eq!(session.peer_fingerprint(), Some(old.pin()));
    assert!(matches!(ask().await, Err(Error::Identity(_))));
    let server = showing(vec![stranger.clone()]);
    let other = open(&server, &Trust::Pinned(vec![old.pin()]));
    other.add_pin(&next);
    assert!(!other.accepts_more(), "what was decided for one device is accepted for another one");
    let Err(Error::Identity(refusal)) = other.system_info().await else { panic!() };
    assert!(refusal.to_string().contains(&stranger.pin().colons()), "{refusal}");
}

#[tokio::test]
async fn whoever_accepts_more_than_its_trust_can_decide_nothing_more() {
    let (old, new) = (Plan::named("fw").self_signed(), Plan::named("new").self_signed());
    let server = showing(vec![old.clone()]);
    let session = open(&server, &Trust::Pinned(vec![old.pin()]));
    let next = session.management_binding().await.unwrap().next(new.pin());
    session.management_binding().await.unwrap();
    session.add_pin(&next);
    assert!(matches!(session.management_binding().await, Err(Error::Setup(_))));
}

#[tokio::test]
async fn where_an_authority_is_trusted_nothing_is_accepted_besides() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Plan::named("Invented CA").ca().self_signed();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let trusted = Plan::named("fw").ip("127.0.0.1").issued_by(&authority);
    let new = Plan::named("new").self_signed();
    let server = showing(vec![trusted.clone(), trusted.clone(), new.clone()]);
    let session = open(&server, &Trust::Ca { files: vec![file.into()] });
    let next = session.management_binding().await.unwrap().next(new.pin());
    session.add_pin(&next);
    assert!(!session.accepts_more());
    assert!(matches!(session.system_info().await, Err(Error::Identity(_))));
    assert_eq!(session.peer_fingerprint(), Some(trusted.pin()));
}
