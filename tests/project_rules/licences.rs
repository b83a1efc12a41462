//! The licences that the packages bring along.

use std::process::Command;

use super::root;

#[test]
fn every_crate_of_the_programs_is_in_the_packages_licences_with_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("THIRD-PARTY");
    let output = Command::new(root().join("scripts/third-party")).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&file).unwrap();
    let line = format!("\n\n{}\n\n", "=".repeat(100));
    let mut parts = text.split(&line);
    let list = parts.next().unwrap();
    // What stands above each text, with line ends where it is long.
    let parts = parts.map(|part| part.split_once(":\n\n").unwrap());
    // A notice is shorter than any licence.
    let licences = parts.filter(|(_, text)| text.split_whitespace().count() > 60);
    let headings: Vec<String> = licences.map(|(heading, _)| heading.replace('\n', " ")).collect();
    // As the programs are built: what only tests or other members of the workspace need is not in them.
    let arguments =
        ["tree", "--locked", "--offline", "-p", "pan_getcert", "-e", "normal", "--prefix", "none"];
    let tree =
        Command::new(env!("CARGO")).args(arguments).args(["--format", "{p}"]).current_dir(root()).output();
    let tree = String::from_utf8(tree.unwrap().stdout).unwrap();
    let ours = format!("({}", root().display());
    let mut seen = std::collections::BTreeSet::new();
    for line in tree.lines().filter(|line| !line.contains(&ours)) {
        let (name, rest) = line.split_once(" v").unwrap();
        let label = format!("{name} {}", rest.split(' ').next().unwrap());
        assert!(
            list.lines().any(|line| line.starts_with(&format!("{label}: "))),
            "{label} is not in the list"
        );
        let has_text = headings.iter().any(|heading| heading.split(", ").any(|name| name == label));
        assert!(has_text, "{label} has no text of a licence");
        seen.insert(label);
    }
    assert!(seen.len() > 100, "{} crates", seen.len());
}
