//! What is tested is what is installed: the package, and a later one with the same in it.

use std::path::PathBuf;

use crate::machine::{Machine, here};
use crate::stage::{Stage, folder};

/// The package that `make deb` has made.
fn built() -> PathBuf {
    let debian = folder().with_file_name("debian");
    let entries =
        std::fs::read_dir(&debian).unwrap_or_else(|_| panic!("no {}: run make deb", debian.display()));
    let packages = entries.map(|entry| entry.unwrap().path());
    let mut packages: Vec<PathBuf> =
        packages.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect();
    // What an older version left there is older.
    packages.sort_by_key(|path| path.metadata().unwrap().modified().unwrap());
    packages.pop().unwrap_or_else(|| panic!("no package in {}: run make deb", debian.display()))
}

/// Brings it into the machine; what has to be typed there.
pub fn install(stage: &Stage) -> Vec<String> {
    let package = built();
    let name = package.file_name().unwrap().to_str().unwrap().to_owned();
    stage.machine.copy_in(&package, &format!("/root/{name}"));
    vec![format!("dpkg -i /root/{name}")]
}

/// Brings a later version into the machine; where it lies there.
pub fn later(machine: &Machine) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let (tree, package) = (scratch.path().join("tree"), scratch.path().join("later.deb"));
    here(&["dpkg-deb", "-R", built().to_str().unwrap(), tree.to_str().unwrap()]).exits(0);
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let text: String = text
        .lines()
        .map(|line| match line.strip_prefix("Version: ") {
            Some(version) => format!("Version: {version}+later\n"),
            None => format!("{line}\n"),
        })
        .collect();
    std::fs::write(&control, text).unwrap();
    here(&["dpkg-deb", "-Znone", "-b", tree.to_str().unwrap(), package.to_str().unwrap()]).exits(0);
    machine.copy_in(&package, "/root/later.deb");
    "/root/later.deb".to_owned()
}
