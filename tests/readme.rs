//! The README's transcript is what the demo prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

/// What differs from run to run: numbers, the serial number, the date.
fn without_what_varies(text: &str) -> Vec<String> {
    let lines = text.trim().lines().map(|line| match line.split_once('=') {
        Some((name @ ("serial" | "notAfter"), _)) => format!("{name}="),
        _ => {
            let mut plain = String::new();
            for character in line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }) {
                if character != '0' || !plain.ends_with('0') {
                    plain.push(character);
                }
            }
            plain
        }
    });
    lines.collect()
}

#[test]
fn the_transcript_is_what_the_demo_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let transcript = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_pan_getcert")).parent().unwrap();
    // Another package's program: `cargo test --workspace` and `make demo` build it.
    assert!(programs.join("panos-sim").is_file(), "the simulator is not built: run make test");
    let demo = Command::new(root.join("demo/run"))
        .env("CARGO_TARGET_DIR", programs.parent().unwrap())
        .output()
        .unwrap();
    assert!(demo.status.success(), "{demo:?}");
    let printed = String::from_utf8(demo.stdout).unwrap();
    assert_eq!(without_what_varies(&printed), without_what_varies(transcript), "{printed}");
}
