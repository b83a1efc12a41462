//! The way from nothing to a delivered certificate, as it is printed: for docs/getting-started.md, and the first scenario.

use std::fmt::Write as _;

use crate::package;
use crate::stage::Stage;

/// What is typed. Each has to end well.
const COMMANDS: [&str; 4] = [
    "pan_certctl check -c gp.ipa.test -p 'GP portal' -s 'GP gateway' fw1.ipa.test",
    "systemctl enable --now pan_certctl-retry.timer pan_certctl-retry.path pan_certctl-verify.timer",
    "pan_getcert -c gp.ipa.test -p 'GP portal' -s 'GP gateway' fw1.ipa.test",
    "pan_certctl status",
];

/// Without what is different each time: numbers, fingerprints, dates; and without how systemd's releases quote paths.
fn plain(text: &str) -> Vec<String> {
    let text = text
        .replace(" '/", " /")
        .replace("' →", " →")
        .replace("'.\n", ".\n")
        .replace(" /usr/lib/systemd/", " /lib/systemd/");
    let word = |word: &str| match word.chars().filter(|c| c.is_ascii_digit()).count() {
        0 => word.to_owned(),
        _ => word.chars().filter(|c| !c.is_ascii_hexdigit() && *c != ':').collect(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    text.trim().lines().map(line).collect()
}

/// Types it all in the machine, and keeps what was printed in `transcript.txt`.
pub fn play(stage: &Stage) {
    let mut text = String::new();
    let mut codes = Vec::new();
    for command in package::install(stage).iter().map(String::as_str).chain(COMMANDS) {
        let ended = stage.machine.sh(&format!("{command} 2>&1"));
        let _ = writeln!(text, "# {command}\n{}", ended.stdout);
        codes.push((command.to_owned(), ended.code));
    }
    std::fs::write(stage.folder.join("transcript.txt"), &text).unwrap();
    let page =
        include_str!("../../docs/getting-started.md").split_once("<!-- transcript: machine -->").unwrap().1;
    let told = page.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    assert_eq!(
        plain(told),
        plain(&text),
        "docs/getting-started.md tells of another way than target/system/transcript.txt"
    );
    for (command, code) in codes {
        assert_eq!(code, Some(0), "'{command}' failed:\n{text}");
    }
}
