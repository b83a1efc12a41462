//! Devices that are not there, are not devices, are somebody else, or answer badly: at the first question and
//! in the middle of the work. Whatever they do, the exit code, the record and the log say what is true.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "bad_devices/answers.rs"]
mod answers;
mod common;
#[path = "bad_devices/identity.rs"]
mod identity;

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::pki;
use common::world::{Ended, GATEWAY, NAME, NOBODY, PORTAL, World, print, settings};
use panos_sim::{Fault, Listening, ManagementCertificate, Matcher, Settings, What, When};

/// The last run's lines in the log.
fn last_run(world: &World) -> Vec<String> {
    let log = world.log();
    let start = log.iter().rposition(|line| line.contains("START of pan_instcert.")).unwrap_or(0);
    log[start..].to_vec()
}

/// Exit code, record and log agree with each other and with what the device serves.
#[track_caller]
fn assert_honest(world: &World, ended: &Ended, target: &str, what: &str) {
    let told = format!("{what}: {ended:#?}\n{:#?}", last_run(world));
    let path =
        world.path("state").join("installations").join(target).join("shared").join(format!("{NAME}.json"));
    let record: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let end = last_run(world).iter().any(|line| line.starts_with("END - "));
    let issued = openssl::x509::X509::from_pem(&std::fs::read(world.path(&format!("{NAME}.crt"))).unwrap());
    if ended.code == Some(0) {
        assert!(end && record["state"]["is"] == "installed", "{told}");
        assert_eq!(world.served(), Some(print(&issued.unwrap())), "{told}");
        return;
    }
    assert!(!end, "{told}");
    assert_eq!(record["state"]["is"], "failed", "{told}");
    assert_eq!(record["state"]["exit"], ended.code.unwrap(), "{told}");
    let mut lines = ended.stderr.lines();
    let problem = lines.next().unwrap_or_default();
    assert!(problem.starts_with(&format!("pan_instcert: {target}: ")), "{told}");
    let advice = lines.next().and_then(|line| line.strip_prefix("pan_instcert: ")).unwrap_or_default();
    assert!(advice.len() > 10, "no advice: {told}");
    let in_log = |words: &str| last_run(world).iter().any(|line| line == &format!("ERROR: {words}"));
    assert!(in_log(problem.trim_start_matches("pan_instcert: ")) && in_log(&format!("{target}: {advice}")));
    assert!(last_run(world).iter().any(|line| line.starts_with("Phase times: ") && !line.contains("-0.0")));
}

/// Fails with this code and these words, honestly.
#[track_caller]
fn fails(world: &World, arguments: &[&str], code: i32, words: &[&str]) -> Ended {
    let ended = world.install(arguments);
    assert_honest(world, &ended, &world.target(), "it fails");
    let mut ended = ended.exits(code);
    for word in words {
        ended = ended.says(word);
    }
    ended
}

#[track_caller]
fn fails_elsewhere(world: &World, target: &str, code: i32, words: &[&str]) {
    let mut ended = Ended::of(world.command().args(["-p", PORTAL, target]));
    assert_honest(world, &ended, target, target);
    ended = ended.exits(code);
    for word in words {
        ended = ended.says(word);
    }
}

const WHERE: &str = "check the name, the port, and that the management interface allows HTTPS from here";

#[test]
fn connection_refused_exits_4() {
    let world = World::new();
    world.device.set_listening(Listening::Refused);
    // Until the port is closed, a connection may still come about; then it is dropped.
    while std::net::TcpStream::connect(world.device.address()).is_ok() {}
    fails(&world, &["-p", PORTAL], 4, &["no connection: ", "refused", WHERE]);
}

#[test]
fn a_name_that_does_not_resolve_is_code_4() {
    fails_elsewhere(&World::new(), "no-such-host.invalid", 4, &["no connection: ", WHERE]);
}

#[test]
fn a_listener_that_never_speaks_tls_is_code_4_within_the_connect_limit() {
    let world = World::new();
    world.device.set_listening(Listening::Silent);
    fails(&world, &["-p", PORTAL], 4, &["no answer within 10 seconds", WHERE]);
}

#[test]
fn a_listener_that_speaks_something_else_than_tls_is_code_4() {
    for greeting in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.write_all(greeting.as_bytes());
            }
        });
        fails_elsewhere(&World::new(), &target, 4, &["no connection: ", WHERE]);
    }
}

#[track_caller]
fn assert_nothing_was_said(world: &World, connections: usize) {
    assert_eq!(world.device.requests(), []);
    let records = world.device.connection_records();
    assert_eq!(records.len(), connections);
    assert!(records.iter().all(|record| record.application_bytes == 0), "{records:?}");
}

#[test]
fn a_refused_key_is_code_17_at_the_first_question_and_in_the_middle() {
    let world = World::new();
    let before = world.device.candidate_xml();
    for matcher in [Matcher::typed("op"), Matcher::typed("import")] {
        world.device.inject(Fault::new(When::request(matcher), What::Forbidden));
        fails(&world, &["-p", PORTAL], 17, &["Invalid Credential", "make a new key"]);
        assert_eq!(world.device.candidate_xml(), before);
    }
}

#[test]
fn mixed_failures_are_reported_per_device_and_exit_20() {
    let world = World::new();
    let stranger = panos_sim::Simulator::start(settings()).unwrap();
    let stranger = stranger.address().to_string();
    let ended = Ended::of(world.command().args(["-p", PORTAL, NOBODY, &stranger]));
    let ended = ended.exits(20).says(&format!("{NOBODY}: no connection"));
    ended.says(&format!("{stranger}: its HTTPS certificate fingerprint"));
    assert_nothing_was_said(&world, 0);
}
