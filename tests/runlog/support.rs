//! A folder with logs, and the program that reads them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::world::Ended;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pan_certctl");

/// The verb with this log, as it runs from cron: no terminal, and nothing in the environment.
pub fn command(log: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", PROGRAM, "log", "--log-file"]).arg(log);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// The runs that `--json` tells.
#[track_caller]
pub fn runs_of(log: &Path, arguments: &[&str]) -> Vec<Value> {
    let ended = Ended::of(command(log).arg("--json").args(arguments)).exits(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    told["runs"].as_array().unwrap().clone()
}

/// A run in a word or two: certificates, device, result.
pub fn in_short(run: &Value) -> String {
    let names: Vec<&str> =
        run["certificates"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let device = run["device"].as_str().unwrap_or("-");
    format!("{} {device} {}", names.join("+"), run["result"].as_str().unwrap())
}

/// Logs made by hand.
pub struct Shelf {
    pub folder: TempDir,
}

impl Shelf {
    /// With a log of this content.
    pub fn with(content: impl AsRef<[u8]>) -> Self {
        let support = Self { folder: TempDir::new().unwrap() };
        std::fs::write(support.log(), content).unwrap();
        support
    }

    pub fn log(&self) -> PathBuf {
        self.path("pan_instcert.log")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    pub fn runs(&self, arguments: &[&str]) -> Vec<Value> {
        runs_of(&self.log(), arguments)
    }

    #[track_caller]
    pub fn in_short(&self, arguments: &[&str]) -> Vec<String> {
        self.runs(arguments).iter().map(in_short).collect()
    }

    #[track_caller]
    pub fn shows(&self, arguments: &[&str]) -> Ended {
        Ended::of(command(&self.log()).args(arguments)).exits(0)
    }
}

/// Lines with a time: `05:00:01 TEXT` on the day that most of these tests play on.
pub fn lines(texts: &[&str]) -> String {
    let line = |text: &&str| {
        let (time, text) = text.split_once(' ').unwrap();
        format!("[2026-11-22 {time}+00:00]: {text}\n")
    };
    texts.iter().map(line).collect()
}

/// A whole run that took so many seconds, at a time like `2026-11-22 05:00:00`.
pub fn run(time: &str, name: &str, device: &str, seconds: f64) -> String {
    let texts = [
        "START of pan_instcert.".to_owned(),
        format!("Certificate Common Name: {name}"),
        format!("END - Finished certificate installation to: {device}"),
        times(seconds),
    ];
    texts.map(|text| format!("[{time}+00:00]: {text}\n")).concat()
}

/// A whole run that failed.
pub fn failed(time: &str, name: &str, device: &str, problem: &str) -> String {
    let texts = [
        "START of pan_instcert.".to_owned(),
        format!("Certificate Common Name: {name}"),
        format!("ERROR: {device}: {problem}"),
        format!("ERROR: {device}: what to do about it"),
        times(1.5),
    ];
    texts.map(|text| format!("[{time}+00:00]: {text}\n")).concat()
}

fn times(seconds: f64) -> String {
    format!(
        "Phase times: connect 0.010 s, check 0.020 s, import 0.030 s, bind 0.040 s, commit 0.050 s, verify 0.060 s, total {seconds:.3} s"
    )
}
