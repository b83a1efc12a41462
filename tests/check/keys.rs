//! Making a key and recording a fingerprint.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use panos_sim::{Administrator, Fault, Matcher, What, When};

use crate::common::world::{Ended, everything_below};
use crate::support::{Desk, KEY, PASSWORD, USER};

fn with_input(mut command: Command, input: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn keygen(support: &Desk, more: &[&str], input: &str) -> Ended {
    let target = support.target();
    with_input(support.command(&[&["pan_certctl", "keygen", &target, "-l", USER], more].concat()), input)
}

fn key_file(support: &Desk) -> String {
    std::fs::read_to_string(support.path("etc/ipa/.panrc")).unwrap()
}

#[test]
fn a_key_is_made_tried_and_bound_to_the_device_and_the_password_is_nowhere() {
    let support = Desk::new();
    let ended = keygen(&support, &[], "secret\n").exits(0);
    assert!(ended.stdout.contains("accepts the new API key of 'cert-deploy'"), "{ended:#?}");
    let text = key_file(&support);
    assert!(text.contains("hostname%fw1-example-com=fw1.example.com") && !text.contains(KEY), "{text}");
    assert_eq!(support.usual().code, 0);
    let everything =
        everything_below(&support.path("etc")) + &everything_below(&support.path("lib")) + &ended.stdout;
    // The record of the simulator has it in the body only.
    assert!(!everything.contains(PASSWORD), "the password was kept");
    assert!(support.device.requests().iter().all(|request| !request.query.contains(PASSWORD)));
}

#[test]
fn the_old_key_stays_until_the_new_one_is_proven() {
    let support = Desk::new();
    let before = key_file(&support);
    keygen(&support, &[], "wrong\n").exits(17).says("no key was written");
    keygen(&support, &[], "\n").exits(1).says("no password");
    keygen(&support, &[], "").exits(1).says("no password");
    assert_eq!(key_file(&support), before);
    // A key that is made, and then refused.
    support.device.inject(Fault::new(When::request(Matcher::typed("op")), What::Forbidden));
    keygen(&support, &[], "secret\n").exits(17);
    assert_eq!(key_file(&support), before);
}

#[test]
fn nothing_is_sent_to_a_device_that_is_not_trusted() {
    let support = Desk::new();
    support.remove("lib/pan_getcert/known_devices");
    keygen(&support, &[], "secret\n").exits(16).says("nothing was sent").says("pan_certctl pin");
    // That is known before a password is asked for.
    keygen(&support, &[], "").exits(16).says("nothing was sent");
    assert!(support.device.requests().is_empty());
}

#[test]
fn a_key_file_that_can_not_be_written_is_known_before_the_password_is_asked_for() {
    let support = Desk::new();
    keygen(&support, &["-k", "/etc/none/.panrc"], "secret\n").exits(5).says("mkdir");
    support.write("etc/ipa/.panrc", "api_key=x\n", 0o644);
    keygen(&support, &[], "secret\n").exits(5).says("chmod 600");
    assert!(support.device.requests().is_empty());
}

#[test]
fn keys_that_end_are_told_ahead() {
    let support = Desk::with(|settings| settings.api_key_lifetime = Some(Duration::from_secs(90 * 86_400)));
    keygen(&support, &[], "secret")
        .exits(0)
        .says("lets API keys expire after 90 days")
        .says("run this command again");
    let told = keygen(&support, &["--json"], "secret").exits(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["expires"].is_string() && told["administrator"] == USER, "{told}");
}

#[test]
fn an_administrator_without_rights_gets_a_key_and_is_told() {
    let support = Desk::with(|settings| {
        let nobody = Administrator::with_rights("nobody", PASSWORD, panos_sim::Rights::default());
        settings.administrators.push(nobody);
    });
    let target = support.target();
    let command = support.command(&["pan_certctl", "keygen", &target, "-l", "nobody"]);
    with_input(command, "secret\n").exits(0).says("lacks the XML API right").says("pan_certctl check");
}

fn pin(support: &Desk, input: &str) -> Ended {
    with_input(support.command(&["pan_certctl", "pin", &support.target()]), input)
}

fn known(support: &Desk) -> String {
    std::fs::read_to_string(support.path("lib/pan_getcert/known_devices")).unwrap_or_default()
}

#[test]
fn a_fingerprint_is_shown_and_recorded_after_a_yes_only() {
    let support = Desk::new();
    support.remove("lib/pan_getcert/known_devices");
    let print = support.device.certificate_fingerprint();
    let pairs: Vec<String> =
        print.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    for no in ["", "no\n", "yess\n"] {
        pin(&support, no).exits(16).says(&pairs.join(":")).says("nothing was recorded");
        assert_eq!(known(&support), "");
    }
    pin(&support, "yes\n").exits(0).says("now trusted");
    assert_eq!(known(&support), format!("{} {print}\n", support.target()));
    pin(&support, "").exits(0).says("already");
    // No key, no password: only whoever answers there was asked for the version.
    assert!(support.device.requests().iter().all(|request| request.r#type.as_deref() == Some("version")));
}

#[test]
fn another_certificate_is_told_beside_the_old_one() {
    let support = Desk::new();
    support.pin(&"ab".repeat(32));
    pin(&support, "n\n").exits(16).says("Previously trusted certificate: SHA-256 AB:AB");
    pin(&support, "y\n").exits(0);
    assert_eq!(support.usual().code, 0);
}

#[test]
fn what_is_no_device_is_not_pinned() {
    let support = Desk::new();
    let service = format!("fw1.example.com:{}", support.device.service_address().port());
    for target in [&service, "fw1.example.com:1", "fw7.example.com"] {
        with_input(support.command(&["pan_certctl", "pin", target]), "yes\n").exits(4);
    }
    with_input(support.command(&["pan_certctl", "pin", "a b"]), "yes\n").exits(4);
}

#[test]
fn several_devices_are_pinned_and_get_a_key_by_one_command_and_one_is_unpinned() {
    let support = Desk::new();
    support.remove("lib/pan_getcert/known_devices");
    let second = panos_sim::Simulator::start(crate::common::world::settings()).unwrap();
    let (first, second) = (support.target(), format!("localhost:{}", second.address().port()));
    let known = || std::fs::read_to_string(support.path("lib/pan_getcert/known_devices")).unwrap_or_default();
    // One question for each: the second one is refused.
    let pin = |answers: &str| with_input(support.command(&["pan_certctl", "pin", &first, &second]), answers);
    pin("y\nn\n").exits(20);
    assert!(known().contains(&first) && !known().contains(&second), "{}", known());
    // One that is not trusted gets nothing, and the other one its key, for one password.
    let keygen =
        || with_input(support.command(&["pan_certctl", "keygen", &first, &second, "-l", USER]), "secret\n");
    let ended = keygen().exits(20).says("nothing was sent");
    assert!(ended.stdout.contains(&format!("{first}: accepts the new API key")), "{ended:#?}");
    pin("y\n").exits(0);
    let words = ["pan_certctl", "unpin", &first, "fw9.example.com"];
    Ended::of(&mut support.command(&words)).exits(1).says("nothing matches fw9.example.com");
    assert!(known().contains(&first), "a misspelt name changes nothing");
    let listed = |device: &str| {
        let ended = Ended::of(&mut support.command(&["pan_certctl", "list-devices", "--json"])).exits(0);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let devices = told["devices"].as_array().unwrap().clone();
        let one = devices.iter().find(|one| one["device"] == device).cloned();
        one.map(|one| (one["trusted_by"].as_str().unwrap().to_owned(), one["has_key"].as_bool()))
    };
    assert_eq!(listed(&first), Some(("pin".to_owned(), Some(true))));
    Ended::of(&mut support.command(&words[..3]))
        .exits(0)
        .says("no longer trusted by a certificate of its own");
    assert!(!known().contains(&first) && known().contains(&second), "{}", known());
    let kept = listed("fw1.example.com");
    assert_eq!(kept, Some(("CA".to_owned(), Some(true))), "the key file names it still, without its port");
}
