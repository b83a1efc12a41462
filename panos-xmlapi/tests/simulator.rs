//! The client and its examples against a simulated device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, dead_code)]

#[path = "../examples/get_set_commit.rs"]
mod get_set_commit;
#[path = "../examples/import.rs"]
mod import;
#[path = "../examples/keygen.rs"]
mod keygen;

use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Name};
use panos_sim::{PreloadedCertificate, Profile, Pushed, Settings, Simulator};
use panos_xmlapi::secrecy::{ExposeSecret, SecretString};
use panos_xmlapi::{
    Change, ClientOptions, Commit, CommitReply, Element, Error, JobOutcome, Location, Position, Reason,
    Session, Trust, XPath,
};
use tokio::time::Instant;

/// A device with the profiles `portal` and `other`.
fn device() -> Simulator {
    let profiles = vec![Profile::unbound("portal"), Profile::unbound("other")];
    let settings = Settings { profiles, commit_duration: Duration::from_millis(300), ..Settings::default() };
    Simulator::start(settings).unwrap()
}

/// A session with a key that the example has made.
async fn session(device: &Simulator) -> Session {
    let (address, pin) = (device.address().to_string(), device.certificate_fingerprint());
    let key = keygen::keygen(&address, &pin, "admin", "admin").await.unwrap();
    let trust = Trust::Pinned(vec![pin.parse().unwrap()]);
    Session::new(&address.parse().unwrap(), &trust, &key, ClientOptions::default()).unwrap()
}

/// A key and its self-signed certificate, in one PEM file.
fn keypair() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "portal.example.com").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let mut pem = key.private_key_to_pem_pkcs8().unwrap();
    pem.extend(builder.build().to_pem().unwrap());
    pem
}

async fn finished(session: &Session, reply: CommitReply) -> JobOutcome {
    let CommitReply::Job(id) = reply else { panic!("{reply:?}") };
    session.wait_for_job(&id, Instant::now() + Duration::from_secs(30), |_| {}).await
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let device = device();
    let session = session(&device).await;
    let entry = import::import(&session, Location::Shared, "web-1", keypair()).await.unwrap();
    assert_eq!((entry.name.as_str(), entry.has_private_key), ("web-1", true));
    let said = get_set_commit::bind(&session, "portal", "web-1").await.unwrap();
    assert!(said.starts_with("committed by job "), "{said}");
    let bound = session.show(&Location::Shared.profile("portal").unwrap()).await.unwrap().unwrap();
    assert_eq!((bound.name.as_str(), bound.text_of("certificate").as_deref()), ("entry", Some("web-1")));
    assert_eq!(get_set_commit::bind(&session, "portal", "web-1").await.unwrap(), "it has this certificate");
    let missing = get_set_commit::bind(&session, "nonesuch", "web-1").await.unwrap_err();
    assert!(missing.to_string().contains("no such SSL/TLS service profile"), "{missing}");
    assert_eq!(device.commits(), 1);
}

#[tokio::test]
async fn a_key_is_refused_with_a_wrong_password() {
    let device = device();
    let refused =
        keygen::keygen(&device.address().to_string(), &device.certificate_fingerprint(), "admin", "wrong")
            .await;
    assert!(refused.map(|key| key.expose_secret().to_owned()).is_err());
}

#[tokio::test]
async fn an_operational_command_of_the_callers_own_is_answered_as_a_whole() {
    let device = device();
    let session = session(&device).await;
    let info = session.op(&"<show><system><info/></system></show>".parse().unwrap()).await.unwrap();
    let hostname = info.result().and_then(|result| result.at(&["system", "hostname"])).map(Element::text);
    assert_eq!(hostname.as_deref(), Some("fw-sim-1"));
    let refused = session.op(&Element::nested(&["show", "nonesuch"], None)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
}

#[tokio::test]
async fn what_is_no_xml_is_refused_before_it_is_sent() {
    let device = device();
    let session = session(&device).await;
    let before = device.requests().len();
    let path = Location::Shared.profile("portal").unwrap();
    let mut attribute = Element::new("certificate");
    attribute.attributes.push(("a='1' b".to_owned(), "x".to_owned()));
    let deep = (0..200).fold(Element::new("a"), |inner, _| Element::new("a").with(inner));
    for bad in [
        Element::new("a><b"),
        Element::new(""),
        Element::new("a").with(Element::new("b c")),
        Element::new("certificate").with_text("web\u{0}"),
        Element::new("certificate").with_text("web\u{1b}[2J"),
        attribute,
        deep,
    ] {
        let refused = session.set(&path, &bad).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidRequest(_)), "{refused}");
        assert!(matches!(session.op(&bad).await.unwrap_err(), Error::InvalidRequest(_)));
    }
    let large = Element::new("certificate").with_text(&"x".repeat(6_000_000));
    assert!(matches!(session.set(&path, &large).await.unwrap_err(), Error::InvalidRequest(_)));
    assert_eq!(device.requests().len(), before);
}

#[tokio::test]
async fn entries_are_renamed_cloned_and_listed() {
    let device = device();
    let session = session(&device).await;
    let (profiles, of) = (Location::Shared.profiles(), |name| Location::Shared.profile(name).unwrap());
    session.rename(&of("other"), "inside").await.unwrap();
    session.clone_entry(&profiles, &of("portal"), "outside").await.unwrap();
    let names = |entries: Vec<Element>| -> Vec<String> {
        entries.iter().filter_map(|entry| entry.attribute("name").map(str::to_owned)).collect()
    };
    let mut all = names(session.get_all(&profiles.clone().step("entry")).await.unwrap());
    all.sort();
    assert_eq!(all, ["inside", "outside", "portal"]);
    session.move_entry(&of("outside"), &Position::Top).await.unwrap();
    assert_eq!(names(session.get_all(&profiles.clone().step("entry")).await.unwrap())[0], "outside");
    session.move_entry(&of("outside"), &Position::After("inside".into())).await.unwrap();
    assert_ne!(names(session.get_all(&profiles.step("entry")).await.unwrap())[0], "outside");
    assert_eq!(session.get(&of("other")).await.unwrap(), None);
    assert_eq!(session.get_all(&of("other")).await.unwrap(), []);
    assert!(session.rename(&of("inside"), "portal").await.is_err());
}

#[tokio::test]
async fn several_changes_in_one_request_are_answered_one_by_one() {
    let device = device();
    let session = session(&device).await;
    let of = |name| Location::Shared.profile(name).unwrap();
    let certificate = |name: &str| vec![Element::new("certificate").with_text(name)];
    let changes = [
        Change::Rename(of("other"), "inside".into()),
        Change::Delete(of("portal")),
        Change::Delete(of("inside")),
    ];
    let all = session.multi_config(&changes, false).await.unwrap();
    assert_eq!(all, [Ok(()), Ok(()), Ok(())]);
    assert_eq!(session.get_all(&Location::Shared.profiles().step("entry")).await.unwrap(), []);
    let bad = Change::Set(XPath::absolute("/nonsense"), certificate("x"));
    let changes = [Change::Rename(of("nonesuch"), "x".into()), bad];
    let all = session.multi_config(&changes, false).await.unwrap();
    assert!(!all.is_empty() && all[0].is_err(), "{all:?}");
    assert_eq!(session.multi_config(&[], true).await.unwrap(), []);
}

#[tokio::test]
async fn a_validation_finds_what_a_commit_would_and_commits_nothing() {
    let device = device();
    let session = session(&device).await;
    let commit = Commit::of("admin");
    let good = session.validate(&Commit::full()).await.unwrap();
    assert!(matches!(finished(&session, good).await, JobOutcome::Done(_)));
    let path = Location::Shared.profile("portal").unwrap();
    session.set(&path, &Element::new("certificate").with_text("nonesuch")).await.unwrap();
    match session.validate(&commit).await {
        Ok(reply) => assert!(matches!(finished(&session, reply).await, JobOutcome::Failed(_))),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(device.commits(), 0);
}

#[tokio::test]
async fn what_is_no_serial_number_is_no_target_and_an_upload_has_none() {
    let device = device();
    let session = session(&device).await;
    for bad in ["", "001 002", "001&key=x", "é", &"1".repeat(33)] {
        assert!(matches!(session.redirected_to(bad), Err(Error::InvalidRequest(_))), "{bad}");
    }
    let firewall = session.redirected_to("001900000000003").unwrap();
    assert_eq!((firewall.target(), session.target()), (Some("001900000000003"), None));
    let refused = import::import(&firewall, Location::Shared, "web-1", keypair()).await.unwrap_err();
    assert!(refused.to_string().contains("can't be passed on to 001900000000003"), "{refused}");
    assert!(!device.candidate_xml().contains("web-1"));
    let wrong = Session::new(
        &device.address().to_string().parse().unwrap(),
        &Trust::Pinned(vec![device.certificate_fingerprint().parse().unwrap()]),
        &SecretString::from("wrong"),
        ClientOptions::default(),
    );
    let refused = wrong.unwrap().op(&Element::nested(&["show", "clock"], None)).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(refusal) if refusal.reason == Reason::InvalidKey), "{refused}");
}

#[tokio::test]
async fn the_management_binding_is_the_one_in_effect_whoever_made_it() {
    let bound = |name: &str| format!("<ssl-tls-service-profile>{name}</ssl-tls-service-profile>");
    let system = "/config/devices/entry[@name='localhost.localdomain']/deviceconfig/system";
    for (local, template, pending, (running, candidate)) in [
        (None, None, None, (None, None)),
        (Some("portal"), None, None, (Some("portal"), Some("portal"))),
        (None, Some("portal"), None, (Some("portal"), Some("portal"))),
        // What is local takes the template's place, a change that is not committed as well, once it is.
        (Some("portal"), Some("other"), None, (Some("portal"), Some("portal"))),
        (None, None, Some("other"), (None, Some("other"))),
        (None, Some("portal"), Some("other"), (Some("portal"), Some("other"))),
    ] {
        let what = format!("{local:?} {template:?} {pending:?}");
        let profiles = vec![Profile::bound("portal", "own"), Profile::bound("other", "own")];
        let pem = String::from_utf8(keypair()).unwrap();
        let (certificate, key) = (pem.clone(), Some(pem));
        let certificates = vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }];
        let pushed = Pushed {
            template: "branch-stack".into(),
            management_profile: template.map(str::to_owned),
            ..Pushed::default()
        };
        let pushed = template.is_some().then_some(pushed);
        let management_profile = local.map(str::to_owned);
        let device = Simulator::start(Settings {
            profiles,
            certificates,
            pushed,
            management_profile,
            ..Settings::default()
        })
        .unwrap();
        if let Some(name) = pending {
            device.add_pending_change("jane", system, &bound(name)).unwrap();
        }
        let session = session(&device).await;
        let binding = session.management_binding().await.unwrap();
        assert_eq!(
            (binding.running.as_deref(), binding.candidate.as_deref()),
            (running, candidate),
            "{what}"
        );
        assert_eq!(session.management_profile().await.unwrap().as_deref(), running, "{what}");
    }
}
