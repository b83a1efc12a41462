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
    // Wherever these tests are built: the rule is looked at, not the machine.
    let arguments = ["--dry-run", "install", "CARGO_TARGET_DIR=target", "DESTDIR=/nonexistent"];
    let ended = run("make", &[&["-C", root().to_str().unwrap()], &arguments[..]].concat());
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

/// The program that the timers start, where it is built.
const CERTCTL: Option<&str> = option_env!("CARGO_BIN_EXE_pan_certctl");

/// All units with the built programs in the place of the installed ones, in a folder of their own.
fn units() -> (tempfile::TempDir, Vec<PathBuf>) {
    let instcert = env!("CARGO_BIN_EXE_pan_instcert");
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for entry in std::fs::read_dir(root().join("systemd")).unwrap() {
        let name = entry.unwrap().file_name();
        let text = std::fs::read_to_string(root().join("systemd").join(&name)).unwrap();
        let text =
            text.replace("ExecStart=/usr/bin/pan_instcert ", &format!("ExecStart={instcert} ")).replace(
                "ExecStart=/usr/bin/pan_certctl ",
                &format!("ExecStart={} ", CERTCTL.unwrap_or(instcert)),
            );
        assert!(!text.contains("ExecStart=/usr/bin/"), "{text}");
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        units.push(path);
    }
    units.sort();
    (folder, units)
}

fn services(units: &[PathBuf]) -> Vec<&PathBuf> {
    let services: Vec<&PathBuf> =
        units.iter().filter(|path| path.extension().is_some_and(|ending| ending == "service")).collect();
    assert_eq!(services.len(), 3, "{units:?}");
    services
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    let (_folder, units) = units();
    let arguments = ["verify", "--man=no", "--recursive-errors=yes"];
    let verify = |path: &Path| run("systemd-analyze", &[&arguments[..], &[path.to_str().unwrap()]].concat());
    for unit in &units {
        let ended = verify(unit).exits(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{}", unit.display());
    }
    // And it would say so if there were one.
    for unit in &units {
        let text = std::fs::read_to_string(unit).unwrap();
        std::fs::write(unit, text.replace("Description=", "Deskription=")).unwrap();
        verify(unit).exits(1);
        std::fs::write(unit, text).unwrap();
    }
}

#[test]
fn the_services_exposure_is_at_most_2() {
    let (_folder, units) = units();
    for unit in services(&units) {
        let unit = unit.to_str().unwrap();
        run("systemd-analyze", &["security", "--offline=true", "--threshold=20", unit]).exits(0);
    }
}

/// The settings of a unit's section.
fn section(text: &str, name: &str) -> Vec<String> {
    let after = text.split_once(&format!("[{name}]\n")).map(|(_, after)| after).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn all_services_live_in_one_sandbox_and_write_only_their_log_and_their_state() {
    let (_folder, units) = units();
    // What each says for itself is how it is started and ended, and what of it the journal gets.
    let own = [
        "Type=",
        "EnvironmentFile=",
        "ExecStart=",
        "Timeout",
        "KillMode=",
        "SuccessExitStatus=",
        "SyslogLevel=",
        "LogLevelMax=",
    ];
    let sandboxes = services(&units).into_iter().map(|unit| {
        let mut lines = section(&std::fs::read_to_string(unit).unwrap(), "Service");
        lines.retain(|line| !own.iter().any(|setting| line.starts_with(setting)));
        lines
    });
    let sandboxes: Vec<Vec<String>> = sandboxes.collect();
    assert!(sandboxes.iter().all(|sandbox| *sandbox == sandboxes[0]), "{sandboxes:#?}");
    let has = |line: &str| sandboxes[0].iter().filter(|found| *found == line).count() == 1;
    let log = Path::new(LOG).parent().unwrap().display();
    for line in [
        "LimitCORE=0",
        "ProtectSystem=strict",
        "StateDirectory=pan_getcert",
        &format!("ReadWritePaths={log}"),
    ] {
        assert!(has(line), "no {line}");
    }
}

#[test]
fn a_delivery_has_the_time_of_a_long_commit_and_ends_cleanly() {
    let retry = section(
        &std::fs::read_to_string(root().join("systemd/pan_certctl-retry.service")).unwrap(),
        "Service",
    );
    let hours = retry.iter().find_map(|line| line.strip_prefix("TimeoutStartSec=")?.strip_suffix('h'));
    // Half an hour each for the upload's lock, the binding's lock and the commit itself.
    assert!(hours.unwrap().parse::<u32>().unwrap() >= 2);
    for line in ["KillMode=mixed", "SuccessExitStatus=2 4 5 6 10 11 12 13 14 15 16 17 18 19 20 SIGTERM"] {
        assert!(retry.iter().any(|found| found == line), "no {line}");
    }
}

#[test]
fn what_waits_for_a_change_window_is_no_failed_unit() {
    let unit = std::fs::read_to_string(root().join("systemd/pan_instcert@.service")).unwrap();
    assert!(section(&unit, "Service").contains(&"SuccessExitStatus=21".to_owned()));
}

#[test]
fn timers_and_paths_can_be_enabled_and_services_are_started_by_them() {
    let (_folder, units) = units();
    for unit in units {
        let text = std::fs::read_to_string(&unit).unwrap();
        let wanted_by = section(&text, "Install");
        match unit.extension().unwrap().to_str().unwrap() {
            "service" => assert!(wanted_by.is_empty(), "{text}"),
            "timer" => {
                assert_eq!(wanted_by, ["WantedBy=timers.target"]);
                let timer = section(&text, "Timer");
                assert!(timer.contains(&"Persistent=true".to_owned()), "{text}");
                assert!(timer.iter().any(|line| line.starts_with("RandomizedDelaySec=")), "{text}");
                assert!(unit.with_extension("service").exists(), "{}", unit.display());
            }
            "path" => {
                assert_eq!(wanted_by, ["WantedBy=paths.target"]);
                assert_eq!(section(&text, "Path"), ["PathChanged=/var/lib/pan_getcert/queue"]);
                assert!(unit.with_extension("service").exists(), "{}", unit.display());
            }
            other => panic!("{other}"),
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            assert!(!entry.file_type().unwrap().is_symlink(), "enabled: {:?}", entry.path());
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}

#[test]
fn without_a_manual_the_programs_can_be_installed_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_pan_instcert")).parent().unwrap();
    let (built, destination) =
        (format!("BUILT={}", built.display()), format!("DESTDIR={}", folder.path().display()));
    let install = |manual: &str| {
        run("make", &["-C", root().to_str().unwrap(), "install", &built, &destination, manual])
    };
    install("MANUAL=").exits(0);
    assert!(folder.path().join("usr/local/bin/pan_getcert").exists());
    assert!(!folder.path().join("usr/local/share").exists());
    let ended = install("MANUAL=/nonexistent");
    assert!(ended.stderr.contains("make manual"), "{ended:#?}");
}

#[test]
fn make_install_puts_everything_in_its_place_and_enables_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_pan_instcert")).parent().unwrap();
    let manual = tempfile::tempdir().unwrap();
    let writer = built.join("manual");
    assert!(writer.exists(), "{} is missing: run make test", writer.display());
    Ended::of(Command::new(writer).arg(manual.path())).exits(0);
    let to = |name: &str, value: &Path| format!("{name}={}", value.display());
    let arguments = [
        to("BUILT", built),
        to("MANUAL", manual.path()),
        to("DESTDIR", folder.path()),
        to("PREFIX", Path::new("/opt/pan")),
    ];
    let arguments: Vec<&str> = ["-C", root().to_str().unwrap(), "install"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    run("make", &arguments).exits(0);

    let files = files_below(folder.path());
    let names = |below: &str| -> Vec<String> {
        let found = std::fs::read_dir(root().join(below)).unwrap();
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let programs =
        names("src/bin").into_iter().map(|file| format!("opt/pan/bin/{}", &file[..file.len() - 3]));
    let units = names("systemd").into_iter().map(|unit| format!("opt/pan/lib/systemd/system/{unit}"));
    let shared = files_below(manual.path());
    assert!(shared.len() >= 16, "{shared:?}");
    let shared = shared.iter().map(|file| file.strip_prefix(manual.path()).unwrap().to_str().unwrap());
    let mut expected: Vec<PathBuf> = programs
        .chain(units)
        .chain(shared.map(|file| format!("opt/pan/share/{file}")))
        .chain(["etc/logrotate.d/pan_getcert".to_owned()])
        .map(|name| folder.path().join(name))
        .collect();
    expected.sort();
    assert_eq!(files, expected);
    for file in files {
        let is_program = file.parent().unwrap().ends_with("bin");
        assert_eq!(mode(&file), if is_program { 0o755 } else { 0o644 }, "{}", file.display());
        let text = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text[..text.len().min(10_000)]);
        for start in text.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            assert!(start.starts_with("/opt/pan/bin/pan_"), "{start}");
        }
    }
}

/// What a service starts.
fn start_of(name: &str) -> String {
    let (folder, _) = units();
    let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
    text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap().to_owned()
}

#[test]
fn what_the_timers_start_is_understood() {
    let Some(program) = CERTCTL else { return };
    for unit in ["pan_certctl-retry.service", "pan_certctl-verify.service"] {
        let start = start_of(unit);
        let arguments = start.strip_prefix(program).unwrap().split_whitespace();
        Ended::of(Command::new(program).args(arguments).arg("--help")).exits(0);
    }
}

#[test]
fn every_option_in_the_unit_is_one_of_the_program() {
    let start = start_of(UNIT);
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

#[test]
fn the_packages_tell_of_scripts_that_are_found_first() {
    // The loop itself, with a directory in the place of /usr/local.
    for script in ["packaging/deb/postinst", "packaging/rpm/post"] {
        let text = std::fs::read_to_string(root().join(script)).unwrap();
        let begin = text.find("for old in ").expect(script);
        let part = &text[begin..];
        let part = &part[..part.find("done").unwrap() + 4];
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().display().to_string();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        let part = part.replace("/usr/local", &local);
        let told = || run("sh", &["-ec", &part]).exits(0).stderr;
        assert_eq!(told(), "", "{script}");
        let old = folder.path().join("bin/pan_getcert");
        std::fs::write(&old, "#!/bin/bash\n").unwrap();
        assert!(told().contains(&format!("mv {0} {0}.old", old.display())), "{script}");
        std::fs::remove_file(&old).unwrap();
        std::os::unix::fs::symlink("/usr/bin/true", &old).unwrap();
        assert_eq!(told(), "", "{script}: a link is what the page says to make");
    }
}

#[test]
fn bash_completes_what_is_known_and_files_only_where_a_file_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let manual = Path::new(env!("CARGO_BIN_EXE_pan_certctl")).with_file_name("manual");
    run(manual.to_str().unwrap(), &[folder.path().to_str().unwrap()]).exits(0);
    let completions = folder.path().join("bash-completion/completions");
    let line = |words: &str| {
        let script = format!(
            "pan_certctl() {{ case $3 in devices) echo fw1.example.com;; certificates) echo gp.example.com;; \
             groups) echo vpn;; targets) echo portal-2;; profiles) echo 'GP portal'; echo 'GP gateway';; esac; }}\n\
             cd /etc; . {0}/pan_certctl; . {0}/pan_getcert; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _$COMP_WORDS $COMP_WORDS \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s|' \"${{COMPREPLY[@]}}\"",
            completions.display()
        );
        run("bash", &["-c", &script]).exits(0).stdout
    };
    assert_eq!(line("pan_certctl check -p G"), "GP\\ portal|GP\\ gateway|");
    assert_eq!(line("pan_certctl check --group ''"), "vpn|");
    assert_eq!(line("pan_getcert -c gp.example.com --target ''"), "portal-2|");
    assert_eq!(line("pan_certctl show g"), "gp.example.com|");
    assert_eq!(line("pan_certctl unpin fw"), "fw1.example.com|");
    assert_eq!(line("pan_getcert -c gp.example.com fw"), "fw1.example.com|");
    assert_eq!(line("pan_getcert --san ''"), "|");
    assert!(line("pan_getcert --config /etc/pass").contains("/etc/passwd|"));
}
