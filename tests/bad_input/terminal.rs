//! What came from an argument or a device neither steers a terminal nor forges a line.

use std::process::{Command, Stdio};

use panos_sim::{Fault, Matcher, What, When};

use crate::common::world::{Ended, NAME, PORTAL};
use crate::line::{BOTH, Instcert, Program, Quiet};

/// Runs on a terminal, which clap and others treat otherwise than a pipe.
fn on_a_terminal(quiet: &Quiet, program: Program, words: &str) -> Ended {
    let line = format!("'{}' {words}", program.path().display());
    let mut command = Command::new("timeout");
    command.args(["30", "script", "-qec", &line, "/dev/null"]);
    command.env("TERM", "xterm").env("SHELL", "/bin/sh").current_dir(quiet.world.folder.path());
    Ended::of(command.stdin(Stdio::null()))
}

#[test]
fn an_argument_with_control_characters_does_not_reach_a_terminal() {
    let quiet = Quiet::new();
    let nasty = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}";
    for program in BOTH {
        for (words, code) in [
            (format!("-c '{nasty}' fw1"), 1),
            (format!("-c {NAME} -n 'a{nasty}' fw1"), 1),
            (format!("-c {NAME} -p 'a{nasty}' fw1"), 2),
            (format!("-c {NAME} 'fw1{nasty}'"), 4),
            (format!("-c {NAME} '--x{nasty}' fw1"), 1),
            (format!("-c {NAME} --commit '{nasty}' fw1"), 1),
            (format!("-c {NAME} --commit-timeout '{nasty}' fw1"), 1),
            (format!("-c {NAME} --pin '{nasty}' fw1"), 1),
            (format!("-c {NAME} --insecure -k './{nasty}' fw1"), 5),
            (format!("-c {NAME} --config './{nasty}' fw1"), 1),
            (format!("-c {NAME} --ca-file './{nasty}' -k ./.panrc fw1"), 1),
        ] {
            let places = "--log-file ./log --state-dir ./state -C . -K .";
            let blind = if program == Instcert { "-b" } else { "" };
            let ended = on_a_terminal(&quiet, program, &format!("{blind} {places} {words}")).exits(code);
            for part in ["\u{1b}[2J", "\u{7}", "\u{9b}", "\u{202e}"] {
                assert!(!ended.stdout.contains(part), "{program:?} {words:?}: {ended:#?}");
            }
        }
    }
    quiet.assert_untouched(&"control characters");
}

#[test]
fn the_words_of_a_device_forge_no_line_and_steer_no_terminal() {
    let quiet = Quiet::new();
    let words = "no&#10;[2026-01-01 00:00:00+00:00]: END - Finished certificate installation to: fw&#13;\
                 &#x9b;2J&#x202e;x&#x7f;";
    let body = format!("<response status=\"error\" code=\"12\"><msg><line>{words}</line></msg></response>");
    let what = What::Body { content_type: "application/xml".into(), body: body.into() };
    for json in [false, true] {
        let fault = Fault::new(When::request(Matcher::typed("import")), what.clone()).times(4);
        quiet.world.device.inject(fault);
        let line = quiet.line(Instcert).plus(&["-p", PORTAL, "-vv"]);
        let ended = if json { line.plus(&["--json"]).run() } else { line.run() }.exits(12);
        for text in [&ended.stdout, &ended.stderr, &quiet.log()] {
            let harmful = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!text.contains(harmful), "{text:?}");
            let forged = |line: &str| line.trim_start().starts_with("[2026-01-01");
            assert!(!text.lines().any(forged), "{text}");
        }
        if json {
            let told: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
            let problem = told["devices"][0]["problem"].as_str().unwrap();
            assert!(problem.contains("END - Finished"), "{problem}");
            assert_eq!(ended.stdout.lines().count(), 1);
        }
    }
    for line in quiet.log().lines() {
        let (time, _) = line.split_once("]: ").expect(line);
        assert!(chrono::DateTime::parse_from_str(&time[1..], "%Y-%m-%d %H:%M:%S%:z").is_ok(), "{line}");
    }
    assert_eq!(quiet.world.device.candidate_xml(), quiet.world.device.running_xml());
}

#[test]
fn a_line_of_the_log_is_at_most_4_kib_whatever_a_device_says() {
    let quiet = Quiet::new();
    let long = "x&#10;".repeat(100_000);
    let body = format!("<response status=\"error\" code=\"12\"><msg><line>{long}</line></msg></response>");
    let what = What::Body { content_type: "application/xml".into(), body: body.into() };
    quiet.world.device.inject(Fault::new(When::request(Matcher::typed("import")), what).times(2));
    quiet.line(Instcert).plus(&["-p", PORTAL, "--format", "pkcs12"]).run().exits(12);
    assert!(quiet.log().lines().all(|line| line.len() < 4096));
    assert!(quiet.log().lines().any(|line| line.contains("ERROR: ")));
}

#[test]
fn usage_never_goes_into_the_log_and_what_nobody_sees_refused_is_one_line() {
    let quiet = Quiet::new();
    for program in BOTH {
        quiet.line(program).plus(&["--no-such-option"]).refused(1, &["Usage: "]);
    }
    // certmonger asks only once: what it hands over and can't be done is noted.
    let log = quiet.log();
    assert!(log.lines().count() == 1 && log.contains("--no-such-option") && !log.contains("Usage"), "{log}");
}
