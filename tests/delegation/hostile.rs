//! Whatever else is typed behind the rule's first word gains no file, no command and nobody else's trust.

use std::collections::BTreeMap;
use std::process::Command;

use crate::common::world::PORTAL;
use crate::sandbox::{GETCERT, INSTCERT, Sandbox};

/// The options of a program from its help, so that a new one is tried here as well: whether it takes a value.
fn options(program: &str) -> BTreeMap<String, bool> {
    let output = Command::new(program).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let rows = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let rows = rows.filter_map(|line| line.split_once("--"));
    let options: BTreeMap<String, bool> = rows
        .map(|(_, rest)| {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
            let valued = rest[name.len()..].starts_with(" <");
            (name, valued)
        })
        .filter(|(name, _)| name != "help" && name != "version")
        .collect();
    assert!(options.len() > 20 && options["pin"] && !options["insecure"], "{options:?}");
    options
}

/// What is delegated as such: without a value, or with an honest one.
const HONEST: [&str; 21] = [
    "delegated",
    "common-name",
    "cert-name",
    "year",
    "group",
    "target",
    "suffix",
    "profile",
    "secondary-profile",
    "service",
    "cert-profile",
    "key-type",
    "key-bits",
    "san",
    "ip",
    "timeout",
    "rekey",
    "resubmit",
    "dry-run",
    "json",
    "verbose",
];

#[test]
fn no_option_with_a_hostile_value_gains_anything() {
    let Some(sandbox) = Sandbox::new("profile = 'GP portal'") else { return };
    let device = sandbox.world.target();
    let (victim, other) = (sandbox.path("etc/ipa/.panrc").display().to_string(), sandbox.other());
    let created = sandbox.path("created").display().to_string();
    let hostile = [
        victim.as_str(),
        created.as_str(),
        other.as_str(),
        "../../../../etc/shadow",
        "--insecure",
        "-K/tmp",
        "a\nEND - Finished",
        "$(touch /tmp/pan-delegated)",
        "x; id",
        "\u{1b}[2J",
    ];
    let before = sandbox.snapshot();
    for program in [GETCERT, INSTCERT] {
        for (name, valued) in options(program) {
            for value in hostile {
                let joined = format!("--{name}={value}");
                let lines: &[&[&str]] = &[&[&joined], &[&format!("--{name}"), value]];
                // A flag takes no value: the word behind it would be another device.
                for words in lines.iter().take(if valued { 2 } else { 1 }) {
                    let ended = sandbox.delegated(program, &[*words, &[&device]].concat());
                    let told = (program, words, &ended);
                    assert!(matches!(ended.code, Some(1 | 2 | 4 | 6)), "{told:#?}");
                    assert!(sandbox.snapshot() == before, "something changed: {told:#?}");
                    sandbox.assert_silence(&told);
                    assert!(
                        !ended.stderr.contains("panicked") && !ended.stderr.contains('\u{1b}'),
                        "{told:#?}"
                    );
                }
            }
        }
    }
    assert!(!std::path::Path::new("/tmp/pan-delegated").exists());
}

#[test]
fn what_is_not_delegated_is_refused_even_with_an_honest_value() {
    let Some(sandbox) = Sandbox::new("profile = 'GP portal'") else { return };
    let device = sandbox.world.target();
    let before = sandbox.snapshot();
    // Whatever an option is for, one of these is a value that it takes.
    let honest =
        ["/etc/hosts", "1", "vsys1", "fw2.example.com", "pem", "auto", "partial", "IPA", &"ab".repeat(32)];
    let mut refused = 0;
    for program in [GETCERT, INSTCERT] {
        for (name, valued) in
            options(program).into_iter().filter(|(name, _)| !HONEST.contains(&name.as_str()))
        {
            let lines: Vec<String> = match valued {
                true => honest.iter().map(|value| format!("--{name}={value}")).collect(),
                false => vec![format!("--{name}")],
            };
            let says = format!("--delegated: --{name} is not allowed");
            let ends: Vec<_> =
                lines.iter().map(|word| sandbox.delegated(program, &[word, &device])).collect();
            assert!(ends.iter().all(|ended| ended.code == Some(1)), "{name}: {ends:#?}");
            assert!(ends.iter().any(|ended| ended.stderr.contains(&says)), "{name}: {ends:#?}");
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
    assert!(sandbox.snapshot() == before);
    sandbox.assert_silence(&"options that are not delegated");
}

#[test]
fn the_first_word_can_be_neither_stretched_nor_taken_back() {
    let Some(sandbox) = Sandbox::new("profile = 'GP portal'") else { return };
    let device = sandbox.world.target();
    let before = sandbox.snapshot();
    let name = crate::common::world::NAME;
    for program in [GETCERT, INSTCERT] {
        for words in [
            // sudo compares the words joined by blanks: one word with a blank passes its rule.
            &["--delegated --insecure", "-c", name, &device][..],
            &["--delegated ", "--insecure", "-c", name, &device],
            // Twice is the same as once.
            &["--delegated", "--delegated", "-c", name, "--insecure", &device],
            &["--delegated", "--no-delegated", "-c", name, &device],
            &["--delegated", "--delegated=false", "-c", name, &device],
            &["--delegated", "--", "-c", name, "--insecure", &device],
            &["--delegated", "-c", name, "-vk/etc/hosts", &device],
            &["--delegated", "-c", name, "--insec", &device],
            &["--delegated", "@/etc/hosts"],
            &["--delegated", ""],
            &["--delegated"],
        ] {
            let ended = sandbox.run(program, words).unwrap();
            assert!(matches!(ended.code, Some(1 | 4)), "{words:?} {ended:#?}");
            assert!(sandbox.snapshot() == before, "something changed: {words:?} {ended:#?}");
            sandbox.assert_silence(&words);
        }
    }
}

#[test]
fn without_the_first_word_everything_is_as_it_was() {
    let Some(sandbox) = Sandbox::new("") else { return };
    let words = ["-c", crate::common::world::NAME, "-p", PORTAL, "-b", "--force", &sandbox.world.target()];
    sandbox.run(INSTCERT, &words).unwrap().exits(0);
}
