//! Help, version, and which options there are.

use std::process::{Command, Stdio};

use clap::CommandFactory as _;

use crate::common::world::Ended;
use crate::line::{BOTH, Getcert, Instcert, Program, Quiet};

const CODES: [&str; 17] =
    ["0", "1", "2", "4", "5", "6", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"];

/// The device options, which both programs have.
const DEVICE: [&str; 36] = [
    "--delegated",
    "--served",
    "--vsys",
    "-c",
    "--common-name",
    "-n",
    "--cert-name",
    "-Y",
    "-k",
    "--key-file",
    "-p",
    "--profile",
    "-s",
    "--secondary-profile",
    "-C",
    "-K",
    "--session-bus",
    "--format",
    "--pkcs12",
    "--chain",
    "--exportable",
    "--ca-file",
    "--pin",
    "--insecure",
    "--commit",
    "--commit-timeout",
    "--config",
    "--log-file",
    "--state-dir",
    "--suffix",
    "--keep",
    "--where-used",
    "--vsys",
    "--ha-peer",
    "--served",
    "-v",
];
const OF_GETCERT: [&str; 15] = [
    "-S",
    "--service",
    "-T",
    "--cert-profile",
    "-G",
    "--key-type",
    "-b",
    "--key-bits",
    "--san",
    "--ip",
    "--ca",
    "--timeout",
    "--rekey",
    "--resubmit",
    "-V",
];
const OF_INSTCERT: [&str; 8] =
    ["-b", "--blind", "--queue", "--force", "--dry-run", "--concurrency", "--json", "-V"];

fn named(help: &str, option: &str) -> bool {
    let mut words = help.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words.any(|word| word == option)
}

fn options_of(program: Program) -> Vec<&'static str> {
    let own: &[&str] = if program == Getcert { &OF_GETCERT } else { &OF_INSTCERT };
    [&DEVICE, own].concat()
}

#[test]
fn help_ends_well_and_tells_every_option_and_every_exit_code() {
    let quiet = Quiet::new();
    for program in BOTH {
        for option in ["--help", "-h"] {
            // Even where nothing else is given, or what is given is bad.
            for line in [quiet.line(program), quiet.line(program).without("-c").devices::<&str>(&[])] {
                let ended = line.plus(&[option]).run().exits(0);
                assert_eq!(ended.stderr, "");
                if option == "-h" {
                    assert!(!ended.stdout.contains("Exit codes:"), "{program:?}: {}", ended.stdout);
                    assert!(ended.stdout.contains(" --help, man "), "{program:?}: {}", ended.stdout);
                    continue;
                }
                all_codes_end(&ended.stdout);
                for wanted in options_of(program) {
                    assert!(named(&ended.stdout, wanted), "{program:?} {option} lacks {wanted}");
                }
                let headings = ["Certificate", "Device", "Trust", "Commit", "Delivery", "Output", "Examples"];
                for heading in headings {
                    assert!(ended.stdout.contains(&format!("\n{heading}:\n")), "{program:?} lacks {heading}");
                }
                let options =
                    ended.stdout.split_once("\nOptions:\n").unwrap().1.split("\n\n").collect::<Vec<_>>();
                let headless = options.iter().take_while(|part| !part.starts_with("Certificate:")).count();
                assert_eq!(headless, 2, "only help and version are under no heading: {options:#?}");
            }
        }
    }
    quiet.assert_untouched(&"help");
}

/// The exit codes are the end of the help, behind three examples.
fn all_codes_end(help: &str) {
    let codes = help.split_once("Exit codes:").expect("a table of exit codes").1;
    for code in CODES {
        let row = |line: &str| line.trim_start().starts_with(&format!("{code}  "));
        assert!(codes.lines().any(row), "{code} is missing: {codes}");
    }
    assert!(codes.lines().skip(1).all(|line| line.starts_with("  ")), "something comes after them: {codes}");
    if let Some((_, examples)) = help.split_once("Examples:\n") {
        let examples = examples.split("\n\n").next().unwrap();
        assert_eq!(examples.lines().filter(|line| line.starts_with("  # ")).count(), 3, "{examples}");
    }
}

#[test]
fn the_short_help_of_each_program_fits_a_screen() {
    let programs = [
        env!("CARGO_BIN_EXE_pan_getcert"),
        env!("CARGO_BIN_EXE_pan_instcert"),
        env!("CARGO_BIN_EXE_pan_certctl"),
    ];
    for program in programs {
        for (option, most) in [("-h", 24), ("--help", usize::MAX)] {
            let line = format!("stty rows 24 cols 80; '{program}' {option}");
            let mut command = Command::new("timeout");
            command.args(["30", "script", "-qec", &line, "/dev/null"]).env_clear().stdin(Stdio::null());
            command.env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
            let shown = Ended::of(&mut command).exits(0).stdout.replace('\r', "");
            let shown = console::strip_ansi_codes(&shown).into_owned();
            assert!(shown.lines().count() <= most, "{} lines: {shown}", shown.lines().count());
            // Examples are copied from the screen: they stay in one piece.
            let is_example = |line: &&str| line.starts_with("  pan_");
            for line in shown.lines().filter(|line| !is_example(line)) {
                assert!(line.chars().count() <= 80, "{program} {option}: {line}");
            }
        }
    }
}

#[test]
fn what_is_copied_from_the_help_of_pan_getcert_leaves_no_profile_out() {
    let help = Ended::of(Command::new(env!("CARGO_BIN_EXE_pan_getcert")).arg("--help")).exits(0).stdout;
    let examples = help.lines().filter(|line| line.starts_with("  pan_getcert "));
    // The profiles that are named are the whole list.
    let examples: Vec<&str> = examples.inspect(|line| assert!(line.contains(" -p "), "{line}")).collect();
    assert_eq!(examples.len(), 3);
}

#[test]
fn every_verb_stands_in_its_group() {
    let help = certctl(&["-h"]).exits(0).stdout;
    let group = |name: &str, next: &str| {
        let rest = help.split_once(&format!("\n{name}")).unwrap().1;
        rest.split_once(next).unwrap().0.to_owned()
    };
    let groups = [
        (
            "Before",
            "\nDaily",
            &["check", "pin", "unpin", "keygen", "enroll", "adopt", "prove", "list-devices"][..],
        ),
        ("Daily", "\nActing", &["status", "show", "log", "inventory"]),
        ("Acting", "\n\n", &["renew", "retry", "verify", "forget"]),
    ];
    let mut all = Vec::new();
    for (name, next, verbs) in groups {
        let text = group(name, next);
        for verb in verbs {
            assert!(named(&text, verb), "{verb} is not in {name}: {help}");
            all.push((*verb).to_owned());
        }
    }
    // And there are no others: clap names the one that is meant.
    let completions = pancert::cli::certctl::Arguments::command();
    let mut there: Vec<String> =
        completions.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    there.sort();
    all.sort();
    assert_eq!(there, all);
}

#[test]
fn the_version_is_told_without_anything_else() {
    let quiet = Quiet::new();
    for (program, name) in [(Getcert, "pan_getcert"), (Instcert, "pan_instcert")] {
        for option in ["--version", "-V"] {
            let ended = quiet.line(program).without("-c").plus(&[option]).run().exits(0);
            assert_eq!(ended.stdout, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        }
    }
    quiet.assert_untouched(&"version");
}

#[test]
fn a_closed_standard_output_is_no_reason_to_fail_or_to_panic() {
    let quiet = Quiet::new();
    let line = |words: &str| ["sh", "-c", words].map(str::to_owned);
    for program in BOTH {
        let there = program.path().display();
        let help = line(&format!("'{there}' --help >&-; echo $? >&2"));
        let ended = quiet.line(program).without("-c").devices::<&str>(&[]).through(&help).run();
        assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    }
    let there = Instcert.path().display();
    let install = line(&format!("exec '{there}' \"$@\" >&- 2>&-"));
    let words: Vec<String> = install.into_iter().chain(["sh".to_owned()]).collect();
    quiet.line(Instcert).through(&words).run().exits(0);
    assert!(quiet.log().contains("END - "));
}

/// `pan_certctl` itself and each of its verbs: the options that it has.
const CERTCTL: [(&[&str], &[&str]); 3] = [
    (&[], &["log", "status", "help"]),
    (
        &["log"],
        &["-n", "--last", "--cert", "--device", "--since", "--until", "--failed", "--chart", "--json"],
    ),
    (
        &["status"],
        &[
            "-c",
            "--cert",
            "--device",
            "--pending-for",
            "--expires-in",
            "--no-certmonger",
            "--session-bus",
            "--json",
            "--prometheus",
        ],
    ),
];

fn certctl(words: &[&str]) -> Ended {
    Ended::of(Command::new(env!("CARGO_BIN_EXE_pan_certctl")).args(words).env_clear())
}

#[test]
fn the_help_of_pan_certctl_and_of_each_verb_tells_every_option_and_every_exit_code() {
    for (verb, own) in CERTCTL {
        for option in ["--help", "-h"] {
            let ended = certctl(&[verb, &[option]].concat()).exits(0);
            assert_eq!(ended.stderr, "");
            if option == "-h" {
                assert!(!ended.stdout.contains("Exit codes:"), "{verb:?}: {}", ended.stdout);
                continue;
            }
            all_codes_end(&ended.stdout);
            let everywhere = ["--config", "--log-file", "--state-dir", "-v", "-h", "-V"];
            for wanted in own.iter().chain(&everywhere) {
                assert!(named(&ended.stdout, wanted), "{verb:?} {option} lacks {wanted}");
            }
        }
        for option in ["--version", "-V"] {
            let told = certctl(&[verb, &[option]].concat()).exits(0).stdout;
            assert!(told.starts_with("pan_certctl"), "{told}");
            assert!(told.ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION"))), "{told}");
        }
    }
}

#[test]
fn the_places_are_understood_before_and_behind_a_verb() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    std::fs::write(&log, "").unwrap();
    let places = ["--log-file", log.to_str().unwrap(), "--state-dir", "/nonexistent", "-v"];
    for words in [[&places[..], &["log"]].concat(), [&["log"], &places[..]].concat()] {
        let ended = certctl(&words).exits(0);
        assert!(
            ended.stderr.contains("pan_certctl: read ") && ended.stdout.contains("No matching runs"),
            "{ended:#?}"
        );
    }
}

#[test]
fn a_verb_is_needed_and_has_to_be_one() {
    for (words, says) in [
        (&[][..], "Usage: pan_certctl"),
        (&["lgo"], "unrecognized subcommand 'lgo'"),
        (&["l\u{1b}[2J"], "unrecognized subcommand 'l\\u{1b}[2J'"),
        (&["--no-such-option"], "unexpected argument"),
    ] {
        let ended = certctl(words).exits(1);
        assert!(ended.stderr.contains(says) && ended.stdout.is_empty(), "{ended:#?}");
    }
}
