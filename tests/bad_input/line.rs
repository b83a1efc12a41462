//! Command lines that are right but for one thing, and a world that notices when something is done all the same.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::world::{Ended, NAME, World, everything_below};
use crate::common::{pki, programs};

/// Seconds after which a program counts as hanging; all of these end within a fraction of one.
const TIMEOUT: &str = "30";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Getcert,
    Instcert,
}

pub use Program::{Getcert, Instcert};

pub const BOTH: [Program; 2] = [Getcert, Instcert];

impl Program {
    pub fn path(self) -> &'static Path {
        Path::new(match self {
            Getcert => env!("CARGO_BIN_EXE_pan_getcert"),
            Instcert => env!("CARGO_BIN_EXE_pan_instcert"),
        })
    }
}

/// A world whose device and certmonger are not to be troubled.
pub struct Quiet {
    pub world: World,
    before: String,
}

impl Quiet {
    pub fn new() -> Self {
        Self::of(World::new())
    }

    pub fn of(world: World) -> Self {
        let bin = world.path("bin");
        std::fs::create_dir(&bin).unwrap();
        let asked = world.path("asked");
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\" >>'{}'\nexit 1\n", asked.display());
        for name in ["getcert", "ipa-getcert", "ipa", "sudo"] {
            programs::write(&bin.join(name), &script);
        }
        let before = world.device.candidate_xml();
        Self { world, before }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// A file in the world's folder with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::remove_file(&path).ok();
        pki::write(&path, content.as_ref(), 0o600);
        path
    }

    /// A good line for this program.
    pub fn line(&self, program: Program) -> Line<'_> {
        let folder = self.world.folder.path().as_os_str();
        let mut options: Vec<(String, OsString)> = Vec::new();
        let mut add = |name: &str, value: &OsStr| options.push((name.to_owned(), value.to_owned()));
        add("-c", NAME.as_ref());
        add("-C", folder);
        add("-K", folder);
        add("-k", self.path(".panrc").as_os_str());
        add("--pin", self.world.device.certificate_fingerprint().as_ref());
        add("--log-file", self.path("log").as_os_str());
        add("--state-dir", self.path("state").as_os_str());
        let more = match program {
            Getcert => vec!["--session-bus".into(), "--ca".into(), "local".into()],
            Instcert => vec!["-b".into()],
        };
        Line {
            quiet: self,
            program,
            options,
            more,
            devices: vec![self.world.target().into()],
            wrapper: vec![],
        }
    }

    /// What the stand-ins for certmonger's programs were asked, if anything.
    pub fn asked(&self) -> Option<String> {
        std::fs::read_to_string(self.path("asked")).ok()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    #[track_caller]
    pub fn assert_untouched(&self, what: &dyn std::fmt::Debug) {
        assert_eq!(self.world.device.requests(), [], "a request after {what:?}");
        self.assert_unchanged(what);
    }

    /// The device may have been looked at, no more.
    #[track_caller]
    pub fn assert_unchanged(&self, what: &dyn std::fmt::Debug) {
        for request in self.world.device.requests() {
            let only_looks = match request.r#type.as_deref() {
                Some("op") => request.cmd.as_deref().is_some_and(|cmd| cmd.starts_with("<show>")),
                Some("config") => matches!(request.action.as_deref(), Some("get" | "show")),
                _ => false,
            };
            assert!(only_looks, "{request:?} after {what:?}");
        }
        assert_eq!(self.asked(), None, "certmonger was asked after {what:?}");
        assert_eq!(self.world.device.candidate_xml(), self.before, "{what:?}");
        assert_no_success(&self.path("state"), &self.log(), what);
    }
}

#[track_caller]
pub fn assert_no_success(state: &Path, log: &str, what: &dyn std::fmt::Debug) {
    let records = if state.is_dir() { everything_below(state) } else { String::new() };
    assert!(!records.contains("installed"), "a record of success after {what:?}: {records}");
    let says = |words: &str| log.lines().any(|line| line.contains(&format!("]: {words}")));
    assert!(!says("END - ") && !says("commit: success"), "{what:?}: {log}");
    assert!(!log.contains("Usage:"), "usage in the log after {what:?}: {log}");
}

/// A command line under construction.
#[derive(Clone)]
pub struct Line<'a> {
    quiet: &'a Quiet,
    program: Program,
    options: Vec<(String, OsString)>,
    more: Vec<OsString>,
    devices: Vec<OsString>,
    wrapper: Vec<OsString>,
}

impl Line<'_> {
    /// With this value of an option instead of the good one, or beside the others.
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self = self.without(name);
        self.options.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self
    }

    pub fn plus<T: AsRef<OsStr>>(mut self, words: &[T]) -> Self {
        self.more.extend(words.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    pub fn devices<T: AsRef<OsStr>>(mut self, devices: &[T]) -> Self {
        self.devices = devices.iter().map(|device| device.as_ref().to_owned()).collect();
        self
    }

    /// Run by these words.
    pub fn through<T: AsRef<OsStr>>(mut self, wrapper: &[T]) -> Self {
        self.wrapper = wrapper.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    fn arguments(&self) -> Vec<OsString> {
        let pairs = self.options.iter().flat_map(|(name, value)| [OsString::from(name), value.clone()]);
        pairs.chain(self.more.iter().cloned()).chain(self.devices.iter().cloned()).collect()
    }

    fn command(&self) -> Command {
        let mut words = self.wrapper.clone();
        if self.wrapper.is_empty() {
            words.push(self.program.path().into());
        }
        words.extend(self.arguments());
        let mut command = Command::new("timeout");
        command.arg(TIMEOUT).args(words);
        let path = format!("{}:/usr/bin:/bin", self.quiet.path("bin").display());
        command.env_clear().env("PATH", path).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    pub fn run(&self) -> Ended {
        Ended::of(&mut self.command())
    }

    /// Ends with this code and these words, and nothing was done.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) -> Ended {
        let ended = self.refused_unchanged(code, words);
        self.quiet.assert_untouched(&(self.program, self.arguments(), &ended));
        ended
    }

    /// Ends with this code and these words; the device may have been looked at, no more.
    #[track_caller]
    pub fn refused_unchanged(&self, code: i32, words: &[&str]) -> Ended {
        let ended = self.run();
        let arguments = self.arguments();
        let told = (self.program, &arguments, &ended);
        assert_eq!(ended.code, Some(code), "{told:#?}");
        for word in words {
            assert!(ended.stderr.contains(word), "no '{word}' in {told:#?}");
        }
        assert_eq!(ended.stdout, "", "{told:#?}");
        let escape_control = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
        assert!(escape_control(&ended.stderr), "control characters: {told:#?}");
        assert!(!ended.stderr.contains("panicked"), "{told:#?}");
        self.quiet.assert_unchanged(&told);
        ended
    }
}

/// A folder that everybody can search, with both programs in it; for running them as somebody else.
pub fn open_folder_with_programs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for program in BOTH {
        let name = program.path().file_name().unwrap();
        let there = folder.path().join(name);
        programs::place(program.path(), &there);
    }
    folder
}

/// What runs a program as somebody who may read nothing here; nothing where that is so already.
pub fn as_nobody(program: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if rustix::process::geteuid().is_root() {
        words.extend(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(OsString::from));
    }
    words.push(program.into());
    words
}
