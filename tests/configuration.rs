//! The example configuration file against the programs that read it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use pancert::settings::config::Config;

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/pan_getcert.toml");
    std::fs::read_to_string(path).unwrap()
}

/// Settings are written `#key = …`, words `# …`.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn load(text: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(Some(file.path())).map_err(|error| error.to_string())
}

#[test]
fn the_example_sets_nothing_and_with_every_line_uncommented_all_of_it_is_valid() {
    let config = load(&example()).unwrap();
    assert_eq!(config.devices().count(), 0);
    let config = load(&uncommented(&example())).unwrap();
    let devices: Vec<String> = config.devices().map(ToString::to_string).collect();
    let panoramas = ["panorama.example.com", "panorama-2.example.com", "panorama-3.example.com"];
    assert_eq!(
        devices,
        [&["fw1.example.com", "fw2.example.com", "lab.example.com"][..], &panoramas].concat()
    );
}

/// The keys that the program itself names where it meets one that it does not know.
fn known(table: &str) -> BTreeSet<String> {
    let error = load(&format!("{table}\nno-such-key-anywhere = 1\n")).unwrap_err();
    let list = error.split_once("known here: ").expect(&error).1.lines().next().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_that_the_program_knows_is_in_the_example() {
    let example: toml::Table = uncommented(&example()).parse().unwrap();
    let keys = |table: &toml::Table| table.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(known(""), keys(&example));
    for (name, value) in &example {
        let tables: Vec<&toml::Table> = match (name.as_str(), value) {
            ("device" | "target" | "group", toml::Value::Table(devices)) => {
                devices.values().map(|device| device.as_table().unwrap()).collect()
            }
            (_, toml::Value::Table(table)) => vec![table],
            _ => continue,
        };
        let path = match name.as_str() {
            "device" | "target" | "group" => format!("[{name}.x]"),
            _ => format!("[{name}]"),
        };
        let mut together: BTreeSet<String> = tables.into_iter().flat_map(keys).collect();
        if name == "target" {
            // All that is explained for a device.
            together.extend(known("[device.x]"));
        }
        assert_eq!(known(&path), together, "{path}");
    }
}

#[test]
fn every_key_of_a_device_is_an_option_of_both_programs() {
    for program in [env!("CARGO_BIN_EXE_pan_getcert"), env!("CARGO_BIN_EXE_pan_instcert")] {
        let output = Command::new(program).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let words: BTreeSet<&str> = help.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
        // When it is delivered is no matter of the command: --now is.
        let times = ["window", "window-override", "jitter"];
        for key in known("[device.x]").into_iter().filter(|key| !times.contains(&key.as_str())) {
            assert!(words.contains(format!("--{key}").as_str()), "{program} has no --{key}");
        }
    }
}

#[test]
fn every_line_of_the_example_is_explained() {
    let mut before = String::new();
    for line in example().lines() {
        let key = line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic));
        if key.is_some() {
            assert!(before.starts_with("# ") && before.ends_with(['.', ']']), "{line} is not explained");
        }
        before = line.to_owned();
    }
}
