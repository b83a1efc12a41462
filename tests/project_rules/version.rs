//! One version, wherever it is written.

use std::path::Path;
use std::process::Command;

use super::{read, root};

/// What stands behind a text, up to the first of these characters.
fn behind<'a>(text: &'a str, before: &str, end: &[char]) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split(end).next()
}

/// The version of the workspace: all others are held to it.
fn version() -> String {
    behind(&read("Cargo.toml"), "[workspace.package]\nversion = \"", &['"']).unwrap().to_owned()
}

/// Each place, and the version that it names.
fn places() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |place: &str, version: Option<&str>| {
        found.push((place.to_owned(), version.unwrap_or("none").to_owned()));
    };
    let locked = read("Cargo.lock");
    for member in ["pan_getcert", "panos-xmlapi", "panos-sim", "manual"] {
        let entry = format!("name = \"{member}\"\nversion = \"");
        add(&format!("Cargo.lock, {member}"), behind(&locked, &entry, &['"']));
    }
    add(
        "panos-xmlapi in Cargo.toml",
        behind(&read("Cargo.toml"), "path = \"panos-xmlapi\", version = \"", &['"']),
    );
    add("packaging/deb/changelog", behind(&read("packaging/deb/changelog"), "pan-getcert (", &['-', ')']));
    let page = read("docs/getting-started.md");
    for (before, end) in
        [("/root/pan-getcert_", '-'), ("Unpacking pan-getcert (", '-'), ("Setting up pan-getcert (", '-')]
    {
        add(&format!("docs/getting-started.md, {before}"), behind(&page, before, &[end]));
    }
    let changes = read("CHANGELOG.md");
    let released =
        changes.lines().filter_map(|line| line.strip_prefix("## ")).find(|name| *name != "Unreleased");
    add("CHANGELOG.md", released.and_then(|name| name.split(" - ").next()));
    let programs = Path::new(env!("CARGO_BIN_EXE_pan_certctl"));
    for program in ["pan_getcert", "pan_instcert", "pan_certctl", "panos-sim"] {
        let output = Command::new(programs.with_file_name(program)).arg("--version").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        add(&format!("{program} --version"), said.trim().strip_prefix(&format!("{program} ")));
    }
    found
}

#[test]
fn every_place_names_the_same_version() {
    let version = version();
    let others: Vec<_> = places().into_iter().filter(|(_, found)| *found != version).collect();
    assert!(others.is_empty(), "the version is {version}, but: {others:#?}");
    for member in ["Cargo.toml", "panos-xmlapi/Cargo.toml", "panos-sim/Cargo.toml", "manual/Cargo.toml"] {
        let package = read(member).split_once("[package]\n").unwrap().1.to_owned();
        assert!(package.contains("\nversion.workspace = true\n"), "{member} has a version of its own");
    }
}

/// `Sun, 29 Nov 2026` as `2026-11-29`.
fn plain(date: &str) -> String {
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = date.split_whitespace().collect();
    let month = names.iter().position(|name| *name == words[2]).unwrap() + 1;
    format!("{}-{month:02}-{}", words[3], words[1])
}

#[test]
fn a_release_has_notes_and_one_date() {
    let version = version();
    let changes = read("CHANGELOG.md");
    let day =
        behind(&changes, &format!("\n## {version} - "), &['\n']).expect("no date of the release").to_owned();
    let debian = read("packaging/deb/changelog");
    let signed = behind(&debian, "invalid>  ", &['\n']).unwrap();
    assert_eq!(plain(signed), day, "packaging/deb/changelog and CHANGELOG.md");
    let notes = format!("docs/release-{version}.md");
    assert!(root().join(&notes).is_file(), "{notes} is missing");
    let text = read(&notes);
    assert!(text.starts_with(&format!("# pan_getcert {version}\n")) && text.contains(&day), "{notes}");
    // Whoever upgrades reads this first.
    let section = changes.split_once(&format!("\n## {version} - ")).unwrap().1;
    let first = behind(section, "\n### ", &['\n']).unwrap();
    assert!(first.starts_with("Upgrading from "), "the release begins with '{first}'");
}
