//! A Debian that is booted: systemd is its first process, and its root lies over the base image.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pki::{self, CertificateSpec, Issued, KeyKind};
use crate::programs;

/// The longest that a command in the machine may take, and that anything is waited for.
pub const TIMEOUT: Duration = Duration::from_secs(120);
/// A look costs next to nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// How a command ended.
#[derive(Debug)]
#[expect(dead_code, reason = "what was run is printed when it ended otherwise")]
pub struct Ended {
    pub words: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "no '{text}' in {self:#?}");
        self
    }
}

/// A command that runs in the machine while something else is looked at.
pub struct Running {
    words: String,
    child: Child,
    streams: [File; 2],
}

impl Running {
    fn start(mut command: Command, words: String) -> Self {
        // Files, not pipes: a daemon that inherits a pipe would keep it open.
        let streams = [0, 1].map(|_| tempfile::tempfile().unwrap());
        let stream = |at: usize| Stdio::from(streams[at].try_clone().unwrap());
        let child = command.stdin(Stdio::null()).stdout(stream(0)).stderr(stream(1)).spawn().unwrap();
        Self { words, child, streams }
    }

    #[track_caller]
    pub fn end(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if begun.elapsed() < TIMEOUT + TIMEOUT => std::thread::sleep(PAUSE / 5),
                None => {
                    self.child.kill().unwrap();
                    self.child.wait().unwrap();
                    let printed = self.printed();
                    panic!("'{}' did not end: {printed:?}", self.words);
                }
            }
        };
        let [stdout, stderr] = self.printed();
        Ended { words: self.words, code: status.code(), stdout, stderr }
    }

    fn printed(&mut self) -> [String; 2] {
        use std::io::{Read as _, Seek as _};
        [0, 1].map(|at| {
            let mut bytes = Vec::new();
            self.streams[at].rewind().unwrap();
            self.streams[at].read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
}

/// Runs a command of this side.
#[track_caller]
pub fn here(words: &[&str]) -> Ended {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    Running::start(command, words.join(" ")).end()
}

/// Looks again and again until it is so.
#[track_caller]
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_within(TIMEOUT, what, is_so);
}

#[track_caller]
pub fn until_within(retry_policy: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < retry_policy,
            "waited in vain for {} s until {what}",
            retry_policy.as_secs()
        );
        std::thread::sleep(PAUSE);
    }
}

pub struct Machine {
    root: PathBuf,
    console: PathBuf,
    spawned: Option<(Child, u32)>,
}

impl Machine {
    /// Lays a root over the base image, and makes it a client of the IPA domain of this authority.
    pub fn install(folder: &Path, network: &Path, authority: &Issued) -> Self {
        let run = folder.join("run");
        let root = run.join("root");
        let parts = ["root", "upper", "work"].map(|name| run.join(name));
        for part in &parts {
            std::fs::create_dir_all(part).unwrap();
        }
        let [_, upper, work] = parts.each_ref().map(|part| part.display().to_string());
        let layers = format!("lowerdir={}/base,upperdir={upper},workdir={work}", folder.display());
        let mounted = here(&["mount", "-t", "overlay", "overlay", "-o", &layers, root.to_str().unwrap()]);
        if mounted.code != Some(0) {
            // Not on every file system can one lie over another.
            let base = folder.join("base/.").display().to_string();
            here(&["cp", "-a", "--reflink=auto", &base, root.to_str().unwrap()]).exits(0);
        }
        std::os::unix::fs::symlink(network, run.join("network")).unwrap();
        let machine = Self { console: run.join("console"), root, spawned: None };
        machine.join_domain(authority);
        machine
    }

    fn join_domain(&self, authority: &Issued) {
        std::fs::create_dir_all(self.path("/srv/ipa")).unwrap();
        let name = "ipa.ipa.test";
        let server = authority.issue(&CertificateSpec::named(name).san(name).key(KeyKind::P256));
        server.write(&self.path("/srv/ipa"), "server");
        authority.write(&self.path("/srv/ipa"), "ca");
        self.write("/srv/ipa/answer", include_str!("ipa/answer"), 0o755);
        self.write("/srv/ipa/site.conf", include_str!("ipa/site.conf"), 0o644);
        self.write("/srv/ipa/setup", include_str!("ipa/setup"), 0o755);
        here(&["chroot", self.root.to_str().unwrap(), "/srv/ipa/setup"]).exits(0);
    }

    /// Where a file of the machine is found from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    pub fn read(&self, inside: &str) -> String {
        std::fs::read_to_string(self.path(inside)).unwrap_or_default()
    }

    pub fn write(&self, inside: &str, text: &str, mode: u32) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if text.starts_with("#!") {
            programs::write(&path, text);
        } else {
            pki::write(&path, text.as_bytes(), mode);
        }
    }

    pub fn copy_in(&self, from: &Path, inside: &str) {
        std::fs::copy(from, self.path(inside)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        std::fs::set_permissions(self.path(inside), std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub fn is_up(&self) -> bool {
        self.spawned.is_some()
    }

    /// Switches the machine on, and returns when it has done all that it does by itself.
    #[track_caller]
    pub fn boot(&mut self) {
        let console = File::options().create(true).append(true).open(&self.console).unwrap();
        let network = std::fs::read_link(self.root.with_file_name("network")).unwrap();
        let mut command = Command::new("systemd-nspawn");
        command.arg("-D").arg(&self.root).arg(format!("--network-namespace-path={}", network.display()));
        command.args(["--register=no", "--keep-unit", "--boot", "--console=pipe", "--quiet"]);
        command.args(["--resolv-conf=off", "--timezone=off", "--link-journal=no"]);
        let out = console.try_clone().unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(out).stderr(console).spawn().unwrap();
        let begun = Instant::now();
        let first = loop {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < TIMEOUT,
                "the machine does not boot: {}",
                std::fs::read_to_string(&self.console).unwrap()
            );
            if let Some(first) = first_process(child.id()) {
                break first;
            }
            std::thread::sleep(PAUSE);
        };
        self.spawned = Some((child, first));
        let mut state = String::new();
        until("the machine is up", || {
            state = self.run(&["systemctl", "is-system-running", "--wait"]).stdout.trim().to_owned();
            ["running", "degraded"].contains(&state.as_str())
        });
        assert_eq!(state, "running", "{}", self.run(&["systemctl", "--failed"]).stdout);
        // nspawn gives it the mode that it has here, whatever that has become.
        self.run(&["chmod", "666", "/dev/null"]).exits(0);
    }

    /// Takes the power away: nothing in the machine has a moment left.
    pub fn cut_power(&mut self) {
        let Some((mut child, first)) = self.spawned.take() else { return };
        let first = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
        rustix::process::kill_process(first, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
    }

    /// Starts a command in the machine, as root.
    pub fn start(&self, words: &[&str]) -> Running {
        let (_, first) = self.spawned.as_ref().expect("the machine is off");
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(first.to_string()).args(["--all", "--"]);
        command.args(["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
        command.args(["HOME=/root", "LANG=C.UTF-8", "TERM=dumb"]).args(words);
        Running::start(command, words.join(" "))
    }

    /// Runs a command in the machine, as root.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ended {
        self.start(words).end()
    }

    /// Runs a line of shell in the machine, as root.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Ended {
        self.run(&["sh", "-c", line])
    }

    pub fn console(&self) -> String {
        std::fs::read_to_string(&self.console).unwrap_or_default()
    }
}

/// The machine's systemd, as soon as it is one: before that, nspawn's child is nspawn itself.
fn first_process(nspawn: u32) -> Option<u32> {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let children = read(format!("/proc/{nspawn}/task/{nspawn}/children"))?;
    let first: u32 = children.split_whitespace().next()?.parse().ok()?;
    let is_first =
        |status: String| status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
    let is_systemd = read(format!("/proc/{first}/comm"))?.trim() == "systemd";
    (is_systemd && is_first(read(format!("/proc/{first}/status"))?)).then_some(first)
}
