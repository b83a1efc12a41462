//! The end of a process, of the room on the disk and of the power, at every step in the state folder and at every
//! request: afterwards every record can be read, the device is as before or as after, the worker completes what is
//! pending, and no commit was made twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::cast_possible_truncation)]

mod common;

#[path = "crash/keys.rs"]
mod keys;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use common::scene::{self, Certificates, Shape, State};
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, NAME, World, print};
use panos_sim::{Fault, What, When};

/// More than processors: a delivery mostly waits for its device.
const WORKERS: usize = 12;

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The process, before this step.
    Killed(u64),
    /// The power, before this step: only what was synced is left.
    PowerCut(u64),
    /// The room on the disk, from this step on.
    FullDisk(u64),
    /// The process, when the device has got this request.
    KilledAtRequest(u64),
}

/// Whether files can be written that have no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drafts {
    Unnamed,
    Named,
}

/// Who delivers: the post-save command in place, or the worker what was put into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    InPlace,
    Worker,
}

/// The library that stands between a program and its state folder. Built once: another test may have loaded it already.
fn disk() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build_disk).clone()
}

fn build_disk() -> PathBuf {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/disk.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&built, &source])
        .arg("-ldl")
        .status();
    assert!(status.unwrap().success());
    built
}

struct Case<'a> {
    world: &'a World,
    drafts: Drafts,
    disk: &'a Path,
    keep: PathBuf,
}

impl Case<'_> {
    fn command(&self, who: Who) -> Command {
        let world = self.world;
        match who {
            Who::InPlace => scene::command(world, Shape::Overwrite),
            Who::Worker => certctl(world, &["retry"]),
        }
    }

    /// The program, with the disk between it and its state.
    fn on_disk(&self, who: Who, at: u64, how: &str) -> Command {
        let mut command = self.command(who);
        // The log is on the same disk.
        command.env("LD_PRELOAD", self.disk).env("CRASH_ROOT", self.world.folder.path());
        if self.drafts == Drafts::Named {
            command.env("CRASH_NAMED", "1");
        }
        command.env("CRASH_KEEP", &self.keep).env("CRASH_AT", at.to_string()).env("CRASH_HOW", how);
        command
    }

    fn steps(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.keep.join("steps")).unwrap_or_default();
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// Lets the state folder be what a power cut leaves: folders as they were when they were synced, files with what
    /// was in them when they were synced.
    fn cut_the_power(&self) {
        let state = self.world.path("state");
        let mut disk = Disk::default();
        disk.read(&state, &self.keep);
        for step in self.steps() {
            disk.take(&step, &self.keep);
        }
        let _ = std::fs::remove_dir_all(&state);
        let entries = disk.synced.get(state.parent().unwrap()).cloned().unwrap_or_default();
        if let Some(Entry::Folder) = entries.get("state") {
            disk.restore(&state);
        }
    }
}

#[derive(Debug, Clone)]
enum Entry {
    Folder,
    /// The contents, if they were ever synced, are in this file.
    File(Option<PathBuf>),
}

/// A folder's entries by their names.
type Entries = BTreeMap<String, Entry>;

/// What is on a disk, and what of it would outlive a power cut.
#[derive(Default)]
struct Disk {
    now: BTreeMap<PathBuf, Entries>,
    synced: BTreeMap<PathBuf, Entries>,
    /// What was synced of files that have no name, by what the system calls them.
    unnamed: BTreeMap<String, Entry>,
}

impl Disk {
    /// What was there before the program began is safe; copies of it were laid aside.
    fn read(&mut self, _state: &Path, keep: &Path) {
        let Ok(before) = std::fs::read_to_string(keep.join("before")) else { return };
        for line in before.lines() {
            let (path, copy) = line.split_once('\t').unwrap();
            let (folder, name) = split(path);
            let entry = if copy.is_empty() { Entry::Folder } else { Entry::File(Some(copy.into())) };
            self.now.entry(folder).or_default().insert(name, entry);
        }
        self.synced = self.now.clone();
    }

    fn take(&mut self, step: &[String], keep: &Path) {
        let (folder, name) = split(&step[1]);
        match step[0].as_str() {
            "create" => drop(self.now.entry(folder).or_default().insert(name, Entry::File(None))),
            "mkdir" => drop(self.now.entry(folder).or_default().insert(name, Entry::Folder)),
            "unlink" => drop(self.now.entry(folder).or_default().remove(&name)),
            "sync" if step[1].ends_with(" (deleted)") => {
                let contents = Entry::File(Some(keep.join(&step[2])));
                self.unnamed.insert(step[1].clone(), contents);
            }
            "link" => {
                let entry = self.unnamed.get(&step[1]).cloned().unwrap_or(Entry::File(None));
                let (folder, name) = split(&step[2]);
                self.now.entry(folder).or_default().insert(name, entry);
            }
            "sync" => {
                let contents = Entry::File(Some(keep.join(&step[2])));
                self.now.entry(folder).or_default().insert(name, contents);
            }
            "rename" => {
                let entry = self.now.entry(folder).or_default().remove(&name).unwrap();
                let (folder, name) = split(&step[2]);
                self.now.entry(folder).or_default().insert(name, entry);
            }
            "sync-folder" => {
                let path = PathBuf::from(&step[1]);
                let entries = self.now.get(&path).cloned().unwrap_or_default();
                self.synced.insert(path, entries);
            }
            other => panic!("{other}"),
        }
    }

    fn restore(&self, folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        for (name, entry) in self.synced.get(folder).into_iter().flatten() {
            let path = folder.join(name);
            match entry {
                Entry::Folder => self.restore(&path),
                Entry::File(None) => std::fs::write(path, "").unwrap(),
                Entry::File(Some(contents)) => drop(std::fs::copy(contents, path).unwrap()),
            }
        }
    }
}

fn split(path: &str) -> (PathBuf, String) {
    let path = Path::new(path);
    (path.parent().unwrap().to_owned(), path.file_name().unwrap().to_str().unwrap().to_owned())
}

fn certctl(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.args(arguments).env_clear().env("TZ", "UTC");
    command
}

/// A device with an older certificate, and with the worker an order in the queue.
fn scene_for(certificates: &Certificates, who: Who) -> World {
    let world = certificates.scene(Shape::Overwrite, |_| {});
    if who == Who::Worker {
        Ended::of(scene::command(&world, Shape::Overwrite).arg("--queue")).exits(0);
    }
    world
}

/// Lays aside what is in the state folder.
fn lay_aside(world: &World, keep: &Path) {
    let mut text = format!("{}\t\n", world.path("state").display());
    let (mut folders, mut number) = (vec![world.path("state")], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let copy = keep.join(format!("before-{number}"));
            number += 1;
            if path.is_dir() {
                text += &format!("{}\t\n", path.display());
                folders.push(path);
            } else {
                std::fs::copy(&path, &copy).unwrap();
                text += &format!("{}\t{}\n", path.display(), copy.display());
            }
        }
    }
    if world.path("state").is_dir() {
        std::fs::write(keep.join("before"), text).unwrap();
    }
}

/// What is wrong with a case, if anything.
fn run(certificates: &Certificates, disk: &Path, drafts: Drafts, who: Who, end: End) -> Result<(), String> {
    let world = scene_for(certificates, who);
    let keep = tempfile::TempDir::new().unwrap();
    let case = Case { world: &world, drafts, disk, keep: keep.path().to_owned() };
    lay_aside(&world, keep.path());
    let before = State::of(&world.device);
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    match end {
        End::Killed(at) | End::PowerCut(at) => {
            let status = quiet(&mut case.on_disk(who, at, "kill"));
            if status.success() {
                return Err("it was not killed".to_owned());
            }
            if let End::PowerCut(_) = end {
                case.cut_the_power();
            }
        }
        End::FullDisk(at) => {
            let ended = Ended::of(&mut case.on_disk(who, at, "full"));
            let installed = is_installed(&world);
            if ended.code == Some(0) && !installed {
                return Err(format!("a success that nobody could find out later: {ended:?}"));
            }
            if ended.stderr.is_empty() && ended.code != Some(0) {
                return Err(format!("a failure without words: {ended:?}"));
            }
        }
        End::KilledAtRequest(request) => {
            world.device.inject(Fault::new(When::Nth(request), What::Silence).after_effect());
            let mut command = case.command(who);
            let mut program = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let struck = || {
                let requests = world.device.requests();
                requests.iter().any(|record| record.number == request && record.administrator.is_some())
            };
            let arrived = wait_until(struck);
            program.kill().unwrap();
            program.wait().unwrap();
            world.device.clear_faults();
            if !arrived {
                return Err("the request never came".to_owned());
            }
        }
    }
    world.device.wait_idle(Duration::from_secs(5));
    check(&world, who, certificates, &before)
}

fn is_installed(world: &World) -> bool {
    record(world).is_some_and(|record| record["state"]["is"] == "installed")
}

fn record(world: &World) -> Option<serde_json::Value> {
    let folder = world.path("state/installations").join(world.target()).join("shared");
    let text = std::fs::read_to_string(folder.join(format!("{NAME}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The worker completes what is left, and that is right.
fn check(world: &World, who: Who, certificates: &Certificates, before: &State) -> Result<(), String> {
    let retry = Ended::of(&mut certctl(world, &["retry", "--now"]));
    let unreadable = common::world::everything_below(world.folder.path());
    let names = names_below(&world.path("state"));
    if names.iter().any(|name| name.contains("unreadable")) {
        return Err(format!("a record was set aside: {unreadable}"));
    }
    if let Some(draft) = names.iter().find(|name| is_draft(name)) {
        return Err(format!("the draft {draft} is left, after another run"));
    }
    let wanted = Some(print(&certificates.new.certificate));
    let recorded = !names_below(&world.path("state/installations")).is_empty();
    if !recorded {
        // It died before it had written down what it was to do: then it has done nothing, and is asked again.
        if who == Who::Worker {
            return Err("the order is lost".to_owned());
        }
        let now = State::of(&world.device);
        if now != *before {
            return Err(format!("done without a record: {}", now.against(before)));
        }
        scene::install(world, Shape::Overwrite);
    } else if retry.code != Some(0) {
        return Err(format!("the worker does not complete it: {retry:?}"));
    }
    if !is_installed(world) || common::world::served(&world.device) != wanted {
        return Err(format!("it is not installed: {:?}, {:?}, {retry:?}", record(world), world.log()));
    }
    if !scene::pending_of(&world.device, ADMINISTRATOR).is_empty()
        || !scene::only_jane_is_pending(&world.device)
    {
        return Err("the candidate configuration is not as it was found".to_owned());
    }
    match world.device.commits() {
        1 => Ok(()),
        commits => Err(format!("{commits} commits: {:#?}", world.log())),
    }
}

fn names_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(names_below(&path));
        } else {
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    names
}

fn is_draft(name: &str) -> bool {
    name.starts_with('.') && name.contains(".draft-")
}

/// How many steps and requests an undisturbed delivery takes.
fn undisturbed(certificates: &Certificates, disk: &Path, drafts: Drafts, who: Who) -> (u64, u64) {
    let world = scene_for(certificates, who);
    world.device.clear_requests();
    let keep = tempfile::TempDir::new().unwrap();
    let case = Case { world: &world, drafts, disk, keep: keep.path().to_owned() };
    // The steps are counted by asking for one more and more until none is left to be killed at.
    Ended::of(&mut case.on_disk(who, 0, "kill")).exits(0);
    let requests = world.device.requests().len() as u64;
    let noted = case.steps().len() as u64;
    assert!(noted > 20 && requests > 10, "{noted} steps, {requests} requests: the library sees nothing");
    let mut steps = noted;
    loop {
        let world = scene_for(certificates, who);
        let keep = tempfile::TempDir::new().unwrap();
        let case = Case { world: &world, drafts, disk, keep: keep.path().to_owned() };
        if case
            .on_disk(who, steps + 1, "kill")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            return (steps, requests);
        }
        steps += 1;
    }
}

#[test]
fn interrupted_install_is_completed_with_one_commit() {
    let (certificates, disk) = (Certificates::issue(), disk());
    let mut cases = Vec::new();
    for who in [Who::InPlace, Who::Worker] {
        let (steps, requests) = undisturbed(&certificates, &disk, Drafts::Unnamed, who);
        for at in 1..=steps {
            let ends = [End::Killed(at), End::PowerCut(at), End::FullDisk(at)];
            cases.extend(ends.map(|end| (Drafts::Unnamed, who, end)));
        }
        cases.extend((1..=requests).map(|at| (Drafts::Unnamed, who, End::KilledAtRequest(at))));
    }
    try_all(&certificates, &disk, &cases);
}

#[test]
fn where_no_file_can_be_without_a_name_it_is_the_same() {
    let (certificates, disk) = (Certificates::issue(), disk());
    let (steps, _) = undisturbed(&certificates, &disk, Drafts::Named, Who::Worker);
    let ends = |at| [End::Killed(at), End::PowerCut(at)].map(|end| (Drafts::Named, Who::Worker, end));
    let cases: Vec<_> = (1..=steps).flat_map(ends).collect();
    try_all(&certificates, &disk, &cases);
}

fn try_all(certificates: &Certificates, disk: &Path, cases: &[(Drafts, Who, End)]) {
    let begun = Instant::now();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((drafts, who, end)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(wrong) = run(certificates, disk, *drafts, *who, *end) {
                        failures.lock().unwrap().push(format!("{drafts:?} / {who:?} / {end:?}: {wrong}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let text = format!(
        "{}\n{} cases, {} failed, {seconds:.1} s\n",
        failures.join("\n"),
        cases.len(),
        failures.len()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{} of {} cases failed, see above", failures.len(), cases.len());
}

/// In a mount namespace of its own: a small disk for the state folder, filled up to some KiB; the installer, room
/// again, and the worker. Prints both exit codes and the record.
const ON_A_SMALL_DISK: &str = r#"
set -u
mount -t tmpfs -o size=256k small "$STATE" || exit 99
dd if=/dev/zero of="$STATE/filling" bs=1k count=$((256 - ROOM)) 2>/dev/null
"$@" >/dev/null 2>"$WORDS"; echo "installer $?"
rm "$STATE/filling"
"$RETRY" --log-file "$LOG" --state-dir "$STATE" retry --now >/dev/null 2>&1; echo "worker $?"
cat "$STATE"/installations/*/*/*.json 2>/dev/null
exit 0
"#;

#[test]
fn on_a_small_disk_that_is_full_nothing_is_lost_and_nothing_is_done_unrecorded() {
    let namespaces = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        // The full disk at every single step is tried above.
        std::io::stderr().write_all(b"left out: no small disk can be mounted here\n").unwrap();
        return;
    }
    let certificates = Certificates::issue();
    let mut recorded = 0;
    for room in [0, 4, 8, 12, 16, 20, 24, 32, 48] {
        let world = certificates.scene(Shape::Overwrite, |_| {});
        let before = State::of(&world.device);
        std::fs::create_dir(world.path("state")).unwrap();
        let installer = scene::command(&world, Shape::Overwrite);
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh"]);
        command.arg(installer.get_program()).args(installer.get_args());
        command.env("STATE", world.path("state")).env("ROOM", room.to_string()).env("LOG", world.path("log"));
        command.env("RETRY", env!("CARGO_BIN_EXE_pan_certctl")).env("WORDS", world.path("words"));
        let ended = Ended::of(&mut command).exits(0);
        let mut lines = ended.stdout.lines();
        let code = lines.next().unwrap().strip_prefix("installer ").unwrap().to_owned();
        let worker = lines.next().unwrap().to_owned();
        let record: String = lines.collect();
        let words = std::fs::read_to_string(world.path("words")).unwrap();
        assert!(code == "0" || words.contains("No space left"), "{room} KiB: {code}: {words}");
        if record.is_empty() {
            assert_eq!((code.as_str(), State::of(&world.device)), ("1", before), "{room} KiB: {words}");
            continue;
        }
        recorded += 1;
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(
            (worker.as_str(), &record["state"]["is"]),
            ("worker 0", &"installed".into()),
            "{room} KiB"
        );
        assert_eq!(world.device.commits(), 1, "{room} KiB");
        let wanted = Some(print(&certificates.new.certificate));
        assert_eq!(common::world::served(&world.device), wanted, "{room} KiB");
    }
    assert!(recorded >= 3, "few were recorded: {recorded}");
}
