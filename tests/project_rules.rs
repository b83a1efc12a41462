//! The rules of the house: what a reader may rely on without looking, held by a machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[path = "project_rules/circles.rs"]
mod circles;
#[path = "project_rules/licences.rs"]
mod licences;
#[path = "project_rules/ports.rs"]
mod ports;
#[path = "project_rules/version.rs"]
mod version;
#[path = "project_rules/voice.rs"]
mod voice;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = read(&path);
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 3, "{folder} has few files");
    found.sort();
    found
}

/// All that is built and not a test.
fn all_sources() -> Vec<(PathBuf, String)> {
    [sources("src"), sources("panos-xmlapi/src"), sources("panos-sim/src"), sources("manual/src")].concat()
}

/// The locked packages as this machine builds them, and how they depend on each other outside of tests.
struct Locked {
    packages: BTreeMap<String, Value>,
    needs: BTreeMap<String, BTreeSet<String>>,
    host: String,
}

impl Locked {
    fn read() -> Self {
        let output = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let rustc = output("rustc", &["-vV"]);
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        let arguments = ["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform"];
        let metadata = output(env!("CARGO"), &[&arguments[..], &[&host]].concat());
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let packages = metadata["packages"].as_array().unwrap();
        let packages = packages.iter().map(|package| (id(&package["id"]), package.clone())).collect();
        let outside_of_tests = |dependency: &&Value| {
            dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] != "dev")
        };
        let needs = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
            let dependencies = node["deps"].as_array().unwrap().iter().filter(outside_of_tests);
            (id(&node["id"]), dependencies.map(|dependency| id(&dependency["pkg"])).collect())
        });
        Self { packages, needs: needs.collect(), host }
    }

    fn id(&self, name: &str) -> String {
        let ours = |package: &Value| package["name"] == name && package["source"].is_null();
        self.packages.iter().find(|(_, package)| ours(package)).unwrap().0.clone()
    }

    /// All that comes with a package, itself not counted.
    fn below(&self, id: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id.to_owned()];
        while let Some(next) = waiting.pop() {
            waiting.extend(self.needs[&next].iter().filter(|id| seen.insert((*id).clone())).cloned());
        }
        seen
    }

    fn name(&self, id: &str) -> String {
        self.packages[id]["name"].as_str().unwrap().to_owned()
    }
}

/// `1.89` and `1.89.0` as numbers.
fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

#[test]
fn no_dependency_demands_a_newer_rust_than_cargo_toml_states() {
    let locked = Locked::read();
    let ours = locked.id("pan_getcert");
    let stated = locked.packages[&ours]["rust_version"].as_str().unwrap().to_owned();
    let all =
        [ours, locked.id("panos-sim"), locked.id("manual")].into_iter().flat_map(|id| locked.below(&id));
    let demands: Vec<(Vec<u32>, String)> = all
        .filter_map(|id| Some((version(locked.packages[&id]["rust_version"].as_str()?), locked.name(&id))))
        .collect();
    assert!(demands.len() > 50, "few dependencies say what they demand: {}", demands.len());
    let (most, who) = demands.into_iter().max().unwrap();
    assert!(most <= version(&stated), "{who} demands Rust {most:?}, Cargo.toml states {stated}");
}

/// The rows of the table under a heading of docs/dependencies.md: crate and count.
fn documented(text: &str, heading: &str) -> BTreeMap<String, usize> {
    let part = text.split("\n## ").find(|part| part.starts_with(&format!("{heading}\n"))).expect(heading);
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(cells.len() == 5 && cells.iter().take(4).all(|cell| !cell.is_empty()), "{row}");
        (cells[0].trim_end_matches('`').to_owned(), cells[2].parse().unwrap())
    });
    rows.collect()
}

#[test]
fn every_direct_dependency_is_documented_and_nothing_else() {
    let locked = Locked::read();
    let text = read("docs/dependencies.md");
    for package in ["pan_getcert", "panos-xmlapi", "panos-sim", "manual"] {
        let id = locked.id(package);
        let documented = documented(&text, package);
        let dependencies = locked.packages[&id]["dependencies"].as_array().unwrap();
        let outside_of_tests = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
        let direct: BTreeSet<&str> = outside_of_tests.map(|found| found["name"].as_str().unwrap()).collect();
        let direct: BTreeSet<&str> = direct.into_iter().filter(|name| *name != "pan_getcert").collect();
        let rows: BTreeSet<&str> = documented.keys().map(String::as_str).collect();
        assert_eq!(rows, direct, "docs/dependencies.md, {package}");
        if locked.host == "x86_64-unknown-linux-gnu" {
            let counts: BTreeMap<String, usize> = locked.needs[&id]
                .iter()
                .map(|id| (locked.name(id), locked.below(id).len()))
                .filter(|(name, _)| name != "pan_getcert")
                .collect();
            assert_eq!(
                documented, counts,
                "docs/dependencies.md, {package}: left is documented, right is so"
            );
            let all = locked.below(&id).len();
            assert!(package != "pan_getcert" || text.contains(&format!("{all} in all")), "{all} in all");
        }
    }
}

#[test]
fn each_pre_release_among_the_dependencies_is_named_with_what_is_done_about_it() {
    let locked = Locked::read();
    let text = read("docs/dependencies.md");
    let below = [locked.id("pan_getcert"), locked.id("panos-sim"), locked.id("manual")];
    let below: BTreeSet<String> = below.iter().flat_map(|id| locked.below(id)).collect();
    let mut found = 0;
    for id in below {
        let (name, version) = (locked.name(&id), locked.packages[&id]["version"].as_str().unwrap());
        let release = version.split('+').next().unwrap();
        if release.contains('-') {
            assert!(text.contains(&format!("| `{name}` | {version} |")), "{name} is {version}");
            found += 1;
        }
    }
    assert_eq!(found, text.lines().filter(|line| line.contains("-pre.") && line.starts_with('|')).count());
}

#[test]
fn the_lock_file_is_committed() {
    let ignored = read(".gitignore");
    assert!(!ignored.contains("Cargo.lock") && root().join("Cargo.lock").is_file());
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let tests = ["tests", "panos-xmlapi/tests", "panos-sim/tests"].map(sources).concat();
    for (path, text) in [all_sources(), tests].concat() {
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
}

/// Whether a text has a word, no part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn nothing_is_unsafe_or_left_to_do() {
    for (path, text) in all_sources() {
        for word in ["unsafe", "todo!", "unimplemented!", "dbg!", "FIXME", "XXX"] {
            assert!(!has_word(&text, word), "{} has the word {word}", path.display());
        }
    }
}

/// Names that newcomers could not guess, each with the word that took its place. docs/glossary.md
const GIVEN_UP: [(&str, &str); 17] = [
    ("courier", "delivery engine"),
    ("teller", "notifier"),
    ("affair", "transaction"),
    ("rival", "conflict"),
    ("rivals", "conflicts"),
    ("strand", "fail without a run"),
    ("fate", "status, result"),
    ("inquiry", "lookup"),
    ("rehearsal", "dry run"),
    ("surroundings", "environment"),
    ("floor", "layer"),
    ("cellar", "layer"),
    ("wish", "install request"),
    ("wishes", "install requests"),
    ("situation", "device state"),
    ("patience", "retry policy, timeout"),
    ("insist", "retry"),
];

#[test]
fn words_that_were_given_up_do_not_come_back() {
    let pages = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.chain([root().join("README.md")]).map(|path| (path.clone(), read(path)));
    let texts: Vec<_> =
        [sources("src"), sources("panos-xmlapi/src")].concat().into_iter().chain(pages).collect();
    assert!(texts.len() > 200, "{}", texts.len());
    let parts = |text: &str| -> BTreeSet<String> {
        // The words of a type's name too: `CommitFate` has one.
        let apart: String =
            text.chars().flat_map(|c| c.is_uppercase().then_some(' ').into_iter().chain([c])).collect();
        let words = [text.to_lowercase(), apart.to_lowercase()].concat();
        words.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    assert!(parts("CommitFate, a_rival").is_superset(&["fate".to_owned(), "rival".to_owned()].into()));
    for (path, text) in texts {
        let words = parts(&text);
        for (word, instead) in GIVEN_UP {
            assert!(!words.contains(word), "{} has the word '{word}': it is '{instead}' now", path.display());
        }
    }
}

/// From the top down. What stands in one row knows nothing of its neighbours.
const LAYERS: [&[&str]; 6] = [
    &["cli"],
    &["delivery"],
    &["settings"],
    &["install"],
    &["panos_xmlapi", "certificate", "host"],
    &["error", "files", "Fingerprint", "text"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules that a text names, and the client's crate. Its fingerprints are everybody's.
fn named_modules(text: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, _) in text.match_indices("panos_xmlapi::") {
        let name = text[at..].split_once("::").unwrap().1;
        let is_fingerprint = name.trim_start_matches("Invalid").starts_with("Fingerprint");
        modules.insert(if is_fingerprint { "Fingerprint" } else { "panos_xmlapi" }.to_owned());
    }
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        assert!(!rest.starts_with('{'), "one module a line: {}", rest.lines().next().unwrap());
        modules.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
    }
    modules
}

#[test]
fn modules_use_only_lower_layers() {
    let mut seen = BTreeSet::new();
    for (path, text) in sources("src") {
        let inside = path.strip_prefix("src").unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "bin") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("src/{first} is in no layer"));
        for named in named_modules(&text) {
            let other = layer(&named).unwrap_or_else(|| panic!("{}: crate::{named}", path.display()));
            assert!(named == module || other > own, "{} names crate::{named}", path.display());
            seen.insert((module.to_owned(), named));
        }
    }
    let known = |upper: &str, lower: &str| seen.contains(&(upper.to_owned(), lower.to_owned()));
    let sees = known("cli", "install") && known("install", "panos_xmlapi") && known("host", "Fingerprint");
    assert!(sees, "the check sees nothing: {seen:?}");
}

/// The table of the page names the modules of each row, from the top down, and no other ones.
#[test]
fn the_layers_are_those_of_the_architecture_page() {
    let page = read("docs/architecture.md");
    let part = page.split("\n## Layers\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with('|')).skip(2);
    let told: Vec<BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let modules = cells[1].split('`').skip(1).step_by(2).map(|path| {
                let path = path.trim_end_matches("/src").trim_start_matches("src/");
                path.trim_end_matches(".rs").replace('-', "_")
            });
            modules.chain(cells[1].contains("fingerprints").then(|| "Fingerprint".to_owned())).collect()
        })
        .collect();
    let held: Vec<BTreeSet<String>> =
        LAYERS.iter().map(|row| row.iter().map(|module| (*module).to_owned()).collect()).collect();
    assert_eq!(told, held);
}

#[test]
fn an_installation_tells_events_and_knows_nothing_of_who_reads_them() {
    let mut uses = 0;
    for (path, text) in sources("src/install") {
        for reader in
            ["host::log", "host::runlog", "indicatif", "console", "std::io::stderr", "std::io::stdout"]
        {
            assert!(!text.contains(reader), "{} names {reader}", path.display());
        }
        uses += text.matches("Event::").count();
    }
    assert!(uses > 30, "few events are told: {uses}");
}

#[test]
fn no_two_files_need_each_other() {
    let (circular, arrows) = circles::circles(&sources("src"));
    assert!(arrows > 300, "the check sees little: {arrows}");
    assert!(circular.is_empty(), "{circular:?}");
}

#[test]
fn the_simulator_and_the_client_share_no_code() {
    for (path, text) in sources("panos-sim/src") {
        assert!(!text.contains("pancert") && !text.contains("panos_xmlapi"), "{}", path.display());
    }
    for (path, text) in [sources("src"), sources("panos-xmlapi/src")].concat() {
        assert!(!text.contains("panos_sim"), "{}", path.display());
    }
    let locked = Locked::read();
    assert!(!locked.below(&locked.id("pan_getcert")).contains(&locked.id("panos-sim")));
    assert!(!locked.below(&locked.id("panos-sim")).contains(&locked.id("pan_getcert")));
    assert!(!locked.below(&locked.id("panos-sim")).contains(&locked.id("panos-xmlapi")));
}

#[test]
fn the_client_knows_nothing_of_this_program() {
    for (path, text) in sources("panos-xmlapi/src") {
        for word in ["pancert", "pan_getcert", "pan_instcert", "pan_certctl"] {
            assert!(!has_word(&text, word), "{} has the word {word}", path.display());
        }
    }
    let locked = Locked::read();
    let ours = ["pan_getcert", "panos-sim", "manual"].map(|name| locked.id(name));
    let client = locked.below(&locked.id("panos-xmlapi"));
    assert!(client.len() > 50 && ours.iter().all(|id| !client.contains(id)));
}

#[test]
fn what_writes_the_manual_is_in_no_program() {
    let locked = Locked::read();
    let ours = locked.below(&locked.id("pan_getcert"));
    let names: BTreeSet<String> = ours.iter().map(|id| locked.name(id)).collect();
    for name in ["manual", "clap_complete", "clap_mangen", "roff"] {
        assert!(locked.packages.values().any(|package| package["name"] == name), "{name}");
        assert!(!names.contains(name), "{name}");
    }
}
