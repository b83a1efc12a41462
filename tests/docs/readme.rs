//! What the README says of the tests, the machines and the licences is so.

use std::process::Command;

use super::page::Page;
use super::root;

const NUMBERS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];

/// On one line.
fn readme() -> String {
    Page::read("README.md").text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands in a file behind a text, up to one of these characters.
fn behind(file: &str, before: &str, end: &[char]) -> String {
    let text = Page::read(file).text;
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{file} has no '{before}'"));
    rest.split(end).next().unwrap().to_owned()
}

fn number(file: &str, before: &str) -> usize {
    let digits: String = behind(file, before, &['\n']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{file} has no number behind '{before}'"))
}

fn says(told: &str) {
    assert!(readme().contains(told), "the README does not say '{told}'");
}

/// Numbers that it tells of the tests and of the programs are theirs.
#[test]
fn the_numbers_of_the_readme_are_so() {
    let word = |file: &str, before: &str| NUMBERS[number(file, before)];
    let ways = number("tests/common/trouble.rs", "ALL: [Self; ")
        + number("tests/common/trouble.rs", "AFTER_A_DEATH: [Self; ");
    let parts = ["half", "a third", "a quarter", "a fifth", "a sixth"];
    let part = parts[number("tests/matrix.rs", "    break_every(") - 2];
    let rust = behind("Cargo.toml", "rust-version = \"", &['"']);
    says(&format!("breaks every request of a deployment in {ways} ways"));
    says(&format!("(`make test`: {part} of the cases)"));
    says(&format!("renewals on {} firewalls", word("tests/year.rs", "const FIREWALLS: usize = ")));
    says(&format!("with trouble in {} of ten runs", word("tests/year.rs", "const TROUBLED: u32 = ")));
    says(&format!("a Rust toolchain ({rust} or newer"));
    let rights = word("src/cli/certctl/check/rights.rs", "const NEEDED: [Right; ");
    says(&format!("an administrator with {rights} rights of the XML API"));
}

/// What `make test` does of the year, and what only `make year` does.
#[test]
fn the_year_is_one_and_the_suite_runs_a_month_of_it() {
    says("simulates a year of renewals (`make year`; `make test` runs a month of it)");
    let month = behind("tests/year.rs", "fn month_of_renewals", &['}']);
    assert!(month.contains("live(30, "), "{month}");
    let year = Page::read("tests/year.rs").text;
    let (before, rest) = year.split_once("fn in_a_year_with_trouble").unwrap();
    assert!(rest.split('}').next().unwrap().contains("live(365, "), "{rest}");
    assert!(before.rsplit("#[test]").next().unwrap().contains("#[ignore = "), "it is not in make test");
    assert!(behind("Makefile", "\nyear:", &['#']).contains("--test year -- --ignored"));
}

/// The machines are those that `make fresh` makes, with what it gives them; the demo installs what it says.
#[test]
fn the_machines_of_the_readme_are_those_that_are_tried() {
    // Debian 12 and 13, Ubuntu 24.04.
    assert_eq!(behind("scripts/fresh", "[ $# -gt 0 ] || set -- bookworm", &['\n']), " trixie noble");
    says("On a Debian 12 or 13 or an Ubuntu 24.04 with git, a C compiler, make and a Rust toolchain");
    let packages = |what: &str| {
        let list = Command::new(root().join("scripts/install-dependencies")).args(["--list", what]).output();
        let list = String::from_utf8(list.unwrap().stdout).unwrap();
        list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let given = packages("here");
    assert!(["git", "gcc", "make"].iter().all(|name| given.contains(&(*name).to_owned())), "{given:?}");
    says("installs what is missing (certmonger, D-Bus, OpenSSL: as root or through sudo, and it says so)");
    let (demo, build) = (packages("demo"), packages("deb"));
    let own: Vec<&String> = demo.iter().filter(|name| !build.contains(name)).collect();
    assert_eq!(own, ["certmonger", "dbus", "openssl"], "beside what a build needs");
}

#[test]
fn the_licences_are_those_that_are_declared_and_their_texts_are_there() {
    says("Licensed under MIT or Apache-2.0, as you like.");
    assert_eq!(behind("Cargo.toml", "license = \"", &['"']), "MIT OR Apache-2.0");
    for (name, text) in [("LICENSE-MIT", "Permission is hereby granted"), ("LICENSE-APACHE", "Version 2.0")] {
        assert!(Page::read(name).text.contains(text), "{name}");
    }
}

#[test]
fn the_page_for_failures_goes_by_exit_code_and_by_symptom() {
    says("By exit code and by symptom: [docs/operating.md]");
    let headings = Page::read("docs/operating.md").headings();
    assert!(["by-exit-code", "by-symptom"].iter().all(|anchor| headings.contains(*anchor)), "{headings:?}");
}
