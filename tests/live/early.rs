//! What is known of one device is printed while another one still keeps silent.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use panos_sim::{Listening, Simulator};

use crate::common::world::{Ended, PORTAL, World, settings};

/// The lines of a program until one has this text; it runs on then.
fn until(mut command: Command, text: &str) -> Vec<String> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        seen.push(line.unwrap());
        if seen.last().is_some_and(|line| line.contains(text)) {
            break;
        }
    }
    assert!(child.try_wait().unwrap().is_none(), "it was over before {text} was said: {seen:#?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(seen.last().is_some_and(|line| line.contains(text)), "no '{text}' in {seen:#?}");
    seen
}

#[test]
fn verify_and_check_tell_of_a_device_as_soon_as_they_know() {
    let world = World::new();
    let silent = Simulator::start(settings()).unwrap();
    world.install(&["-p", PORTAL]).exits(0);
    let mut other = world.bare_command();
    other.args(["-k", world.path(".panrc").to_str().unwrap(), "-p", PORTAL]);
    other.args(["--pin", &silent.certificate_fingerprint(), &silent.address().to_string()]);
    Ended::of(&mut other).exits(0);
    silent.set_listening(Listening::Silent);
    let certctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.args(words).arg("--state-dir").arg(world.path("state"));
        command.arg("--log-file").arg(world.path("log"));
        command.env_clear();
        command
    };
    let (good, bad) = (world.target(), silent.address().to_string());
    until(certctl(&["verify"]), &format!("{good}: gp.example.com: OK"));
    let keys = world.path(".panrc");
    // The silent one is named first.
    let words = ["check", "-b", "--insecure", "-k", keys.to_str().unwrap(), &bad, &good];
    let seen = until(certctl(&words), "API key");
    assert_eq!(seen.first().map(String::as_str), Some("this machine"), "{seen:#?}");
    assert!(seen.contains(&good) && !seen.contains(&bad), "{seen:#?}");
}
