//! The files a package installs, tried with the real programs that read them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::world::{Ended, NAME, PORTAL, World};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program of the distribution; one that is missing is no reason to pass.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> Ended {
    let found = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(|folder| Path::new(folder).join(program));
    let found = found.iter().find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{program} is missing: run make dependencies"));
    Ended::of(Command::new(found).args(arguments).env("LC_ALL", "C.UTF-8"))
}

/// The real configuration, for a log in a temporary folder.
struct Rotation {
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
}

const LOG: &str = "/var/log/pan_instcert.log";
const OWNER: &str = "create 0640 root adm";

impl Rotation {
    fn of(log: PathBuf) -> Self {
        let text = std::fs::read_to_string(root().join("logrotate/pan_getcert")).unwrap();
        assert!(text.contains(LOG) && text.contains(OWNER), "{text}");
        let text = text.replace(LOG, &format!("\"{}\"", log.display()));
        // Only root can give the new file to somebody else.
        let text =
            if rustix::process::geteuid().is_root() { text } else { text.replace(OWNER, "create 0640") };
        let folder = log.parent().unwrap();
        let rotation =
            Self { config: folder.join("rotation.conf"), state: folder.join("rotation.state"), log };
        common::pki::write(&rotation.config, text.as_bytes(), 0o644);
        rotation
    }

    #[track_caller]
    fn run(&self, options: &[&str]) -> Ended {
        let state = self.state.to_str().unwrap();
        let ended = run("logrotate", &[options, &["-s", state, self.config.to_str().unwrap()]].concat());
        assert!(!ended.stderr.contains("error:"), "{ended:#?}");
        ended.exits(0)
    }

    fn numbered(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}.{ending}", self.log.display()))
    }

    /// The log and all that was rotated, by name.
    fn files(&self) -> Vec<String> {
        let name = self.log.file_name().unwrap().to_str().unwrap();
        let entries = std::fs::read_dir(self.log.parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|found| found.starts_with(name)).collect();
        names.sort();
        names
    }
}

#[test]
fn every_program_is_installed() {
    let ended =
        run("make", &["-C", root().to_str().unwrap(), "--dry-run", "install", "DESTDIR=/nonexistent"]);
    let told = ended.exits(0).stdout.replace("\\\n", " ");
    let programs = told.lines().find(|line| line.contains("/nonexistent/usr/local/bin ")).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("src/bin")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let built = |word: &str| word == format!("target/release/{name}");
        assert!(programs.split_whitespace().any(built), "{name}: {programs}");
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn is_whole_run(lines: &[String]) -> bool {
    lines.first().is_some_and(|line| line.contains("START of pan_instcert."))
        && lines.iter().any(|line| line.contains("END - Finished certificate installation"))
        && lines.last().is_some_and(|line| line.contains("Phase times: "))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_run_that_is_under_way_during_the_rotation_loses_no_line() {
    let world = World::new();
    world.device.set_commit_duration(Duration::from_secs(2));
    let rotation = Rotation::of(world.path("log"));
    let mut command = world.command();
    let running = command.args(["-p", PORTAL]).arg(world.target());
    let running = running.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the commit has begun", || world.log().iter().any(|line| line.starts_with("Starting commit")));
    let before = std::fs::metadata(&rotation.log).unwrap().ino();
    rotation.run(&["--force"]);
    assert_ne!(std::fs::metadata(&rotation.log).unwrap().ino(), before, "a new file");
    assert_eq!(std::fs::metadata(rotation.numbered("1")).unwrap().ino(), before, "not compressed yet");
    assert_eq!(mode(&rotation.log), 0o640);
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");

    let old = std::fs::read_to_string(rotation.numbered("1")).unwrap();
    assert!(is_whole_run(&lines(&old)), "{old}");
    assert_eq!(std::fs::read_to_string(&rotation.log).unwrap(), "", "it all went to the file that was open");

    // The next run writes to the new file, and the next rotation compresses the old one, whole.
    world.install(&["-p", PORTAL]).exits(0);
    let new = std::fs::read_to_string(&rotation.log).unwrap();
    assert!(is_whole_run(&lines(&new)), "{new}");
    rotation.run(&["--force"]);
    assert_eq!(rotation.files(), ["log", "log.1", "log.2.gz"]);
    assert_eq!(std::fs::read_to_string(rotation.numbered("1")).unwrap(), new);
    assert_eq!(run("zcat", &[rotation.numbered("2.gz").to_str().unwrap()]).exits(0).stdout, old);
    for file in ["log", "log.1", "log.2.gz"] {
        assert_eq!(mode(&world.path(file)), 0o640, "{file}");
    }
}

#[test]
fn six_files_are_kept_at_most_and_a_large_log_does_not_wait_for_its_week() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation::of(folder.path().join("log"));
    let fill = |bytes: u64| {
        let file = std::fs::File::create(&rotation.log).unwrap();
        file.set_len(bytes).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o640)).unwrap();
    };
    // What logrotate has never seen it only notes.
    fill(1);
    rotation.run(&[]);
    assert_eq!(rotation.files(), ["log"]);
    fill(50 * 1024 * 1024 - 1);
    rotation.run(&[]);
    assert_eq!(rotation.files(), ["log"], "neither old nor large enough");
    fill(50 * 1024 * 1024 + 1);
    rotation.run(&[]);
    assert_eq!(rotation.files(), ["log", "log.1"]);
    for _ in 0..8 {
        fill(1);
        rotation.run(&["--force"]);
    }
    assert_eq!(rotation.files(), ["log", "log.1", "log.2.gz", "log.3.gz", "log.4.gz", "log.5.gz"]);
}

#[test]
fn a_log_that_is_missing_or_empty_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation::of(folder.path().join("log"));
    rotation.run(&["--force"]);
    assert!(rotation.files().is_empty());
    std::fs::write(&rotation.log, "").unwrap();
    rotation.run(&["--force"]);
    assert_eq!(rotation.files(), ["log"]);
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const UNIT: &str = "pan_instcert@.service";

/// The unit with the built program in the place of the installed one, in a folder of its own.
fn unit() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("systemd").join(UNIT)).unwrap();
    let installed = "/usr/bin/pan_instcert";
    assert!(text.contains(&format!("ExecStart={installed} ")), "{text}");
    let path = folder.path().join(UNIT);
    std::fs::write(&path, text.replace(installed, env!("CARGO_BIN_EXE_pan_instcert"))).unwrap();
    (folder, path)
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    let (_folder, unit) = unit();
    let arguments = ["verify", "--man=no", "--recursive-errors=yes"];
    let verify = |path: &Path| run("systemd-analyze", &[&arguments[..], &[path.to_str().unwrap()]].concat());
    let ended = verify(&unit).exits(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    // And it would say so if there were one.
    let text = std::fs::read_to_string(&unit).unwrap();
    std::fs::write(&unit, text.replace("ProtectSystem=", "ProtectSistem=")).unwrap();
    verify(&unit).exits(1);
}

#[test]
fn the_units_exposure_is_at_most_2() {
    let (_folder, unit) = unit();
    let unit = unit.to_str().unwrap();
    run("systemd-analyze", &["security", "--offline=true", "--threshold=20", unit]).exits(0);
}

#[test]
fn every_option_in_the_unit_is_one_of_the_program() {
    let (_folder, unit) = unit();
    let text = std::fs::read_to_string(unit).unwrap();
    let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let world = World::new();
    let words = start.replace("%i", NAME).replace("$DEVICES", &world.target());
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg("-b").env_clear();
    for (option, value) in [("-C", world.folder.path()), ("-K", world.folder.path())] {
        command.arg(option).arg(value);
    }
    command.arg("-k").arg(world.path(".panrc")).args(["--pin", &world.device.certificate_fingerprint()]);
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    Ended::of(&mut command).exits(0);
}
