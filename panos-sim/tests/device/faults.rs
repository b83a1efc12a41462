//! Misbehaviour, each kind seen from outside.

use std::time::{Duration, Instant};

use panos_sim::{Fault, Matcher, What, When};

use crate::{client::*, pki};

const VERSION: [(&str, &str); 1] = [("type", "version")];
const SET: [(&str, &str); 4] = [
    ("type", "config"),
    ("action", "set"),
    ("xpath", "/config/shared/address/entry[@name='p']"),
    ("element", "<fqdn>p.test</fqdn>"),
];

fn always(what: What) -> Fault {
    Fault::new(When::Always, what)
}

#[test]
fn a_connection_ends_before_or_after_the_effect() {
    let device = start();
    let clean = device.candidate_xml();
    let set = || When::request(Matcher::typed("config").action("set"));
    device.inject(Fault::new(set(), What::Close));
    assert!(try_post(&device, &SET).is_err());
    assert_eq!(device.candidate_xml(), clean);
    device.inject(Fault::new(set(), What::Close).after_effect());
    post(&device, &VERSION).has("success");
    assert!(try_post(&device, &SET).is_err());
    assert!(device.candidate_xml().contains("p.test"));
    let records = device.requests();
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].fault.as_deref(), Some("Close"));
    assert_eq!(records[0].http_status, None);
    assert_eq!(records[1].http_status, Some(200));
}

#[test]
fn a_spoilt_reply_before_the_effect_changes_nothing() {
    let device = start();
    let clean = device.candidate_xml();
    for what in [What::TruncatedXml, What::Drip(Duration::ZERO), What::Status(503)] {
        device.inject(always(what));
        let reply = post(&device, &SET);
        assert!(reply.status == 503 || reply.text().starts_with("<response status=\"success\""));
        assert_eq!(device.candidate_xml(), clean);
    }
    device.inject(always(What::TruncatedXml).after_effect());
    assert!(!post(&device, &SET).text().contains("</response>"));
    assert_ne!(device.candidate_xml(), clean);
}

#[test]
fn replies_of_every_wrong_kind() {
    let device = start();
    let answer = |what: What| {
        device.inject(always(what));
        try_post(&device, &VERSION)
    };
    assert_eq!(answer(What::Status(502)).unwrap().status, 502);
    let forbidden = answer(What::Forbidden).unwrap();
    assert_eq!(forbidden.status, 403);
    forbidden.has("Invalid Credential");
    answer(What::SessionTimedOut).unwrap().has("code=\"22\"");
    answer(What::Html).unwrap().has("<html>");
    let redirect = What::Redirect { status: 307, location: "https://192.0.2.1/api/".into() };
    let reply = answer(redirect).unwrap();
    assert_eq!(reply.status, 307);
    assert!(reply.head.contains("location: https://192.0.2.1/api/"));
    answer(What::DoctypeBomb).unwrap().has("<!DOCTYPE").has("&e9;");
    let huge = answer(What::Huge(10_000_000)).unwrap();
    assert!((9_900_000..10_100_000).contains(&huge.body.len()));
    assert!(huge.body.ends_with(b"</response>"));
    assert!(answer(What::Garbage).is_err());
    let broken = answer(What::TruncatedBody).unwrap();
    assert!(!broken.text().contains("</response>"));
    let body = What::Body { content_type: "application/xml".into(), body: b"<a/>".to_vec() };
    answer(body).unwrap().has("<a/>");
    answer(What::Redirect { status: 302, location: "/x".into() }).unwrap();
    assert_eq!(post(&device, &VERSION).status, 200, "all are spent");
}

#[test]
fn a_drip_takes_its_time() {
    let device = start();
    device.inject(always(What::Drip(Duration::from_millis(1))));
    let start = Instant::now();
    let reply = post(&device, &VERSION);
    let bytes = reply.head.len() + reply.body.len();
    assert!(start.elapsed() >= Duration::from_millis(bytes as u64));
}

#[test]
fn silence_lasts() {
    use std::io::{Read, Write};
    let device = start();
    device.inject(always(What::Silence));
    let mut stream = tls(device.address()).unwrap();
    stream.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let body = form(&VERSION);
    let ask = format!("POST /api/ HTTP/1.1\r\nHost: f\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(ask.as_bytes()).unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(device.requests()[0].fault.as_deref(), Some("Silence"));
}

#[test]
fn credentials_are_refused_for_a_while() {
    let device = start();
    device.inject(always(What::InvalidCredentials(Duration::from_millis(200))));
    assert_eq!(post(&device, &VERSION).status, 403);
    let deadline = Instant::now() + Duration::from_secs(5);
    while post(&device, &VERSION).status == 403 {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn the_next_connection_can_see_another_certificate() {
    let device = start();
    let before = shown(device.address()).unwrap();
    device.inject(always(What::SwapCertificate));
    post(&device, &VERSION).has("success");
    let after = shown(device.address()).unwrap();
    assert_ne!(before, after);
    assert_eq!(device.certificate_fingerprint(), after);
    // A commit that is about something else does not bring the old one back.
    post(&device, &SET);
    commit_and_wait(&device, MINE).has("OK");
    assert_eq!(shown(device.address()).unwrap(), after);
    let records = device.connection_records();
    assert_eq!(records[0].application_bytes, 0, "only looked at the certificate");
    assert!(records[1].application_bytes > 0);
}

#[test]
fn jobs_can_vanish_and_their_effect_with_them() {
    let device = start();
    post(&device, &SET);
    device.set_commit_duration(Duration::from_secs(60));
    let job = commit(&device, MINE).job();
    device.inject(always(What::ForgetJobs));
    show_job(&device, job).has("code=\"7\"");
    assert!(device.wait_idle(Duration::from_secs(1)));
    assert!(!device.running_xml().contains("p.test"));
}

#[test]
fn a_restart_takes_the_reply_with_it() {
    let device = start();
    post(&device, &SET);
    let reboot = What::Reboot { outage: Duration::from_millis(50), keeps_candidate: false };
    device.inject(Fault::new(When::request(Matcher::typed("commit")), reboot).after_effect());
    assert!(try_post(&device, &[("type", "commit"), ("cmd", MINE)]).is_err());
    show_job(&device, 1).has("code=\"7\"");
    assert!(device.wait_idle(Duration::from_secs(5)));
    assert_eq!(device.candidate_xml(), device.running_xml());
    assert!(!device.running_xml().contains("p.test"));
}

#[test]
fn a_request_that_meets_a_restart_is_not_carried_out() {
    let device = start();
    let clean = device.candidate_xml();
    let outage = Duration::from_millis(1);
    let reboot = What::Reboot { outage, keeps_candidate: true };
    device.inject(always(reboot));
    assert!(try_post(&device, &SET).is_err());
    assert_eq!(device.candidate_xml(), clean);
}

#[test]
fn a_failover_happens_between_two_calls() {
    let (one, other) = panos_sim::Simulator::pair(settings(), settings()).unwrap();
    one.inject(Fault::new(When::Nth(2), What::Failover));
    let state = "<show><high-availability><state/></high-availability></show>";
    op(&one, state).has("<state>active</state><state-sync>");
    op(&one, state).has("<state>passive</state><state-sync>");
    assert!(other.is_active());
}

#[test]
fn an_import_without_its_reply_is_there() {
    let device = start();
    let made = pki::self_signed("a.test");
    let matcher = Matcher::typed("import").category("keypair");
    device.inject(Fault::new(When::request(matcher), What::Status(500)).after_effect());
    assert_eq!(import_pair(&device, "vpn", &made.pem()).status, 500);
    assert_eq!(device.pending_changes().len(), 1);
}
