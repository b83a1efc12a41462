//! What is typed for a certificate that is tracked already.

use std::net::IpAddr;

use openssl::pkey::Id;
use pancert::host::certmonger::Phase;

use super::Scene;
use crate::common::authority;
use crate::common::world::PORTAL;

/// The DNS names and addresses of what was issued last.
fn names(scene: &Scene) -> (Vec<String>, Vec<IpAddr>) {
    let issued = scene.issued();
    let names = issued.subject_alt_names().unwrap();
    let dns = names.iter().filter_map(|name| name.dnsname().map(str::to_owned)).collect();
    let address = |bytes: &[u8]| IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap());
    (dns, names.iter().filter_map(|name| name.ipaddress().map(address)).collect())
}

#[tokio::test]
async fn what_differs_is_said_and_nothing_changed_until_a_new_certificate_is_asked_for() {
    let scene = Scene::new().await;
    let typed = [
        "-p",
        PORTAL,
        "--san",
        "a.example.com",
        "--ip",
        "192.0.2.1",
        "-T",
        "gpServer",
        "-G",
        "ec",
        "-b",
        "256",
    ];
    scene.first(&typed).exits(0);
    let (before, command) = (scene.issued(), scene.tracked().await.post_save.unwrap());
    // The same, and less: what is not typed stays, the CA included.
    scene.first(&typed).exits(0).says("no new certificate was requested").says("FINISHED: ");
    scene.ask(&["-p", PORTAL]).exits(0).says("no new certificate was requested").says("FINISHED: ");
    scene.ask(&["-p", PORTAL, "--san", "A.example.com", "-b", "256", "-G", "ECDSA"]).exits(0);
    let unchanged = scene.tracked().await.post_save.unwrap();
    for (typed, said, option) in [
        (
            &["--san", "b.example.com"][..],
            "names: tracked a.example.com, gp.example.com, typed b.example.com, gp.example.com",
            "--resubmit",
        ),
        (&["--ip", "192.0.2.7"], "addresses: tracked 192.0.2.1, typed 192.0.2.7", "--resubmit"),
        (&["-T", "other"], "certificate profile: tracked gpServer, typed other", "--resubmit"),
        (&["--ca", "local"], "CA: tracked stand-in, typed local", "--resubmit"),
        (&["-G", "rsa"], "key type: tracked EC, typed RSA", "--rekey"),
        (&["-G", "ec", "-b", "384"], "key size: tracked 256, typed 384", "--rekey"),
        (&["-G", "rsa", "--resubmit"], "key type: tracked EC, typed RSA", "--rekey"),
    ] {
        let ended = scene.ask(&[&["-s", PORTAL, "-p", "GP gateway"][..], typed].concat()).exits(1).says(said);
        assert!(ended.stderr.contains(&format!("\n  pan_getcert {option} -c gp.example.com ")), "{ended:#?}");
        assert!(ended.stderr.contains("'GP gateway'"), "{ended:#?}");
    }
    assert_eq!(scene.issued(), before);
    assert_eq!(scene.tracked().await.post_save.unwrap(), unchanged);
    assert_ne!(command, "", "{unchanged}");
    assert_eq!(scene.authority.submitted().len(), 1);

    let changed = ["-p", PORTAL, "--san", "b.example.com", "--ip", "192.0.2.7", "-T", "other"];
    let ended = scene.ask(&[&changed[..], &["--resubmit"]].concat()).exits(0).says("FINISHED: ");
    ended.says("Changed in the request: certificate profile: tracked gpServer, typed other");
    let dns = vec!["gp.example.com".to_owned(), "b.example.com".to_owned()];
    assert_eq!(names(&scene), (dns.clone(), vec![IpAddr::from([192, 0, 2, 7])]));
    let submitted = scene.authority.submitted().pop().unwrap();
    assert!(submitted.starts_with("other|"), "{submitted}");
    assert!(scene.is_served());
    // What was handed over is what is tracked from now on, and less is the same again.
    scene.ask(&changed).exits(0).says("no new certificate was requested");
    scene.ask(&["-p", PORTAL, "--rekey", "-G", "ec", "-b", "384"]).exits(0).says("FINISHED: ");
    assert_eq!(scene.issued().public_key().unwrap().bits(), 384);
    assert_eq!(names(&scene).0, dns);
    scene.ask(&["-p", PORTAL, "--resubmit", "--ca", "local"]).exits(0).says("FINISHED: ");
    assert_eq!(scene.tracked().await.ca.as_deref(), Some("local"));
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_mistake_in_the_first_request_is_corrected_by_typing_it_right() {
    let scene = Scene::new().await;
    scene.authority.answers(authority::ALL[1]);
    scene.first(&["-p", PORTAL, "--san", "vpn.exmaple.com", "-T", "gpSrever", "-G", "ec"]).exits(10);
    scene.authority.grants();
    let ended = scene.ask(&["-p", PORTAL, "--san", "vpn.example.com", "-T", "gpServer", "-G", "rsa"]);
    ended.exits(0).says("certificate profile: tracked gpSrever, typed gpServer").says("FINISHED: ");
    assert_eq!(names(&scene).0, ["gp.example.com", "vpn.example.com"]);
    assert_eq!(scene.issued().public_key().unwrap().id(), Id::RSA);
    assert!(scene.authority.submitted().pop().unwrap().starts_with("gpServer|"));
    assert!(scene.is_served());
}

#[tokio::test]
async fn a_request_that_is_being_worked_on_is_waited_for_and_not_submitted_twice() {
    let scene = Scene::new().await;
    scene.authority.takes(1);
    let first = scene.start(&["-p", PORTAL]);
    scene.until_submitted().await;
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    let first = Scene::end(first);
    first.exits(0).says("FINISHED: ");
    assert_eq!(scene.authority.submitted().len(), 1);
}

#[tokio::test]
async fn another_service_or_subject_than_the_tracked_one_is_said() {
    let scene = Scene::new().await;
    let getcert = scene.bus.run("getcert", Some(authority::NAME));
    let mut request = scene.bus.new_request(None);
    request.subject = "CN=another.example.com".to_owned();
    request.dns = vec!["gp.example.com".to_owned()];
    request.principal = Some("ldap/gp.example.com@EXAMPLE.COM".to_owned());
    getcert.request(&request).await.unwrap();
    scene.bus.until_phase(Phase::Done).await;
    let ended = scene.ask(&["-p", PORTAL, "-S", "HTTP"]).exits(1);
    assert!(
        ended.stderr.contains("principal: tracked ldap/gp.example.com, typed HTTP/gp.example.com"),
        "{ended:#?}"
    );
    assert!(
        ended.stderr.contains("subject: tracked CN=another.example.com, typed CN=gp.example.com"),
        "{ended:#?}"
    );
    let ended = scene.ask(&["-p", PORTAL, "-S", "ldap", "--resubmit"]);
    // What Kerberos' realm is, this machine does not know.
    assert!(!ended.stdout.contains("Changed in the request: principal"), "{ended:#?}");
    scene.ask(&["-p", PORTAL, "--resubmit"]).exits(0).says("FINISHED: ");
    assert_eq!(scene.tracked().await.subject.as_deref(), Some("CN=gp.example.com"));
    assert!(scene.authority.submitted().pop().unwrap().contains("ldap/gp.example.com"));
}
