//! A state folder with records made by hand, and the program that shows them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use pancert::delivery::{InstallSpec, Installation, InstallationStore, Queue, Requester};
use pancert::error::Exit;
use pancert::install::names::ProfileName;
use pancert::install::problem::{Problem, RetryClass};
use pancert::install::result::{CertificateFacts, Outcome};
use pancert::settings::options::DeviceOptions;
use pancert::settings::request::InstallOptions;
use panos_xmlapi::{Fingerprint, Location};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::world::Ended;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pan_certctl");

/// The verb with this state folder, as it runs from cron: no terminal, and nothing in the environment.
pub fn command(state: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", PROGRAM, "status", "--state-dir"]).arg(state);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// What `--json` tells.
#[track_caller]
pub fn told(state: &Path, arguments: &[&str]) -> Value {
    let ended = Ended::of(command(state).args(["--json", "--no-certmonger"]).args(arguments));
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["summary"]["exit"].as_i64().map(|code| code as i32), ended.code, "{ended:#?}");
    told
}

/// An order for a certificate that lasts so many days from now on.
pub fn order(name: &str, device: &str, at: DateTime<Utc>, days: i64) -> InstallSpec {
    InstallSpec {
        id: format!("{:x}", at.timestamp_micros()),
        sequence: 0,
        requested_at: at,
        attended: false,
        list: None,
        location: Location::Shared,
        profiles_configured: false,
        requested_by: Requester { uid: 0, sudo_user: None },
        common_name: name.parse().unwrap(),
        name: name.parse().unwrap(),
        device: device.parse().unwrap(),
        peer: None,
        served: Vec::new(),
        files: None,
        profiles: vec![profile(name)],
        certificate: Some(CertificateFacts {
            fingerprint: Fingerprint::of_der(format!("{name} {at}").as_bytes()),
            serial: "1f".to_owned(),
            not_before: Some(at),
            // Somewhat more, so that the days are whole however long the test takes.
            not_after: Utc::now() + TimeDelta::days(days) + TimeDelta::minutes(30),
        }),
        options: InstallOptions {
            cert_dir: "/etc/ssl/certs".into(),
            key_dir: "/etc/ssl/private".into(),
            cert_file: None,
            cert_key: None,
            year: false,
            session_bus: false,
            blind: false,
            force: false,
            take_over: false,
            config: None,
            target: None,
            device: DeviceOptions { profile: Some(profile(name).to_string()), ..DeviceOptions::default() },
        },
    }
}

/// Each certificate has a profile of its own.
pub fn profile(name: &str) -> ProfileName {
    format!("GP {}", name.split('.').next().unwrap()).parse().unwrap()
}

pub fn problem(exit: Exit, what: &str) -> Outcome {
    let advice = Some("Do something about it.".to_owned());
    Outcome::Failed(Problem { exit, what: what.to_owned(), advice, retry_class: RetryClass::Transient })
}

pub fn installed(name: &str) -> Outcome {
    Outcome::Installed { object: name.parse().unwrap(), unchanged: false }
}

pub fn ago(hours: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::hours(hours) - TimeDelta::minutes(1)
}

/// A state folder.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, record: &Installation) -> PathBuf {
        let records = InstallationStore::below(&self.state());
        records.write(record).unwrap();
        records.path(&record.key())
    }

    pub fn queue(&self, order: &InstallSpec) {
        Queue::below(&self.state()).put(&mut [order.clone()]).unwrap();
    }

    /// A certificate that lasts so many days more on its device.
    pub fn installed(&self, name: &str, device: &str, days: i64) -> Installation {
        let mut record = Installation::ingest(order(name, device, ago(48), days), None, ago(48));
        record.begin("00000a", ago(48));
        record.finish(&installed(name), &[profile(name)], &[("connect", 0.012), ("total", 1.5)], 1, ago(48));
        self.write(&record);
        record
    }

    /// A certificate that a device is pending for so many hours, as often tried in vain.
    pub fn pending(&self, name: &str, device: &str, hours: i64, tries: u32, end: &Outcome) -> Installation {
        let mut record = Installation::ingest(order(name, device, ago(hours), 90), None, ago(hours));
        for _ in 0..tries {
            record.begin("00000b", Utc::now());
            record.finish(end, &[], &[("connect", 0.5)], 1, Utc::now());
        }
        self.write(&record);
        record
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.state());
        command.arg("--no-certmonger").args(arguments);
        command
    }

    #[track_caller]
    pub fn exits(&self, code: i32, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments)).exits(code)
    }

    #[track_caller]
    pub fn told(&self, arguments: &[&str]) -> Value {
        told(&self.state(), arguments)
    }

    /// The certificates in the order in which they are shown.
    #[track_caller]
    pub fn names(&self, arguments: &[&str]) -> Vec<String> {
        let told = self.told(arguments);
        let all = told["installations"].as_array().unwrap();
        all.iter().map(|one| one["certificate"].as_str().unwrap().to_owned()).collect()
    }
}
