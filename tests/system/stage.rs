//! What all scenarios share: the machine, the firewalls, and the report of what was seen of them.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::aftermath::Mark;
use crate::firewall::{Firewall, KEY};
use crate::machine::{Machine, until_within};
use crate::network::{self, FIREWALLS};
use crate::pki::{self, KeyKind};
use crate::{firewall, transcript};

/// The certificate of most scenarios, and a second one.
pub const GP: &str = "gp.ipa.test";
pub const VPN: &str = "vpn.ipa.test";
pub const LOG: &str = "/var/log/pan_instcert.log";

pub struct Stage {
    pub machine: Machine,
    pub firewalls: [Firewall; 2],
    pub folder: PathBuf,
    /// Where this scenario began.
    pub mark: Mark,
    /// What was looked at in this scenario, for the report.
    pub seen: Vec<String>,
    pub rows: Vec<Row>,
    pub begun: Instant,
    /// Whether the package is there and the first certificate delivered.
    is_set: bool,
}

pub struct Row {
    pub scenario: &'static str,
    pub seen: String,
    pub took: Duration,
    pub failure: Option<String>,
}

/// Below the target directory: nothing of it is of use anywhere else.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("system")
}

impl Stage {
    fn build() -> Self {
        assert!(
            std::env::var("PAN_SYSTEM_TEST").is_ok_and(|value| value == "inside"),
            "this test mounts and boots: run it with 'make system-test', which gives it namespaces of its own"
        );
        let (begun, folder) = (Instant::now(), folder());
        let authority = pki::root("IPA.TEST Certificate Authority", KeyKind::Rsa(2048));
        let network = network::lay();
        let mut machine = Machine::install(&folder, &network, &authority);
        let firewalls = FIREWALLS.map(|(name, address)| Firewall::start(name, address, &authority));
        let hostnames: String = FIREWALLS.iter().map(|(name, _)| format!("hostname={name}\n")).collect();
        machine.write("/etc/ipa/.panrc", &format!("api_key={KEY}\n{hostnames}"), 0o600);
        machine.boot();
        let (seen, rows) = (Vec::new(), Vec::new());
        Self { machine, firewalls, folder, mark: Mark::default(), seen, rows, begun, is_set: false }
    }

    /// Installs what is to be tested and asks for the first certificate, as the README says.
    pub fn set(&mut self) {
        if !self.is_set {
            self.set_as_first();
            self.mark = Mark::now(self);
        }
    }

    /// The same as a part of a scenario.
    pub fn set_as_first(&mut self) {
        transcript::play(self);
        self.is_set = true;
    }

    pub fn certificate(&self, name: &str) -> Option<String> {
        firewall::fingerprint_of_pem(&self.machine.read(&format!("/etc/ssl/certs/{name}.crt")))
    }

    /// The record of a certificate on a device.
    pub fn installation(&self, name: &str, device: &str) -> serde_json::Value {
        let path = format!("/var/lib/pan_getcert/installations/{device}/shared/{name}.json");
        serde_json::from_str(&self.machine.read(&path)).unwrap_or_default()
    }

    /// Whether the newest certificate of this name is proven on the device, and nobody works on it any more.
    pub fn is_delivered(&self, name: &str, device: &str) -> bool {
        let (record, newest) = (self.installation(name, device), self.certificate(name));
        let proven = record["verified"]["certificate"]["fingerprint"].as_str().map(str::to_owned);
        newest.is_some() && proven == newest && record["pending_since"].is_null() && !self.is_working()
    }

    /// Whether the worker runs.
    pub fn is_working(&self) -> bool {
        let state = self.machine.run(&["systemctl", "is-active", "pan_certctl-retry.service"]).stdout;
        ["active", "activating", "deactivating"].contains(&state.trim())
    }

    /// Waits until a certificate is another than the one before, and delivered; notes how long that took.
    #[track_caller]
    pub fn renewed(&mut self, name: &str, before: &Option<String>, retry_policy: Duration) {
        let begun = Instant::now();
        let what = format!("{name} is renewed and on fw1; the log: {}", self.machine.read(LOG));
        until_within(retry_policy, &what, || {
            self.certificate(name) != *before && self.is_delivered(name, FIREWALLS[0].0)
        });
        self.see(format!("delivered in {:.1} s", begun.elapsed().as_secs_f64()));
    }

    pub fn see(&mut self, what: impl Into<String>) {
        self.seen.push(what.into());
    }

    /// Leaves what somebody needs who looks for the reason.
    fn keep_logs(&self, scenario: &str, failure: &str) -> PathBuf {
        let folder = self.folder.join("logs").join(scenario);
        std::fs::create_dir_all(&folder).unwrap();
        let keep = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        keep("failure", failure.to_owned());
        keep("console", self.machine.console());
        keep("pan_instcert.log", self.machine.read(LOG));
        keep("apache.log", self.machine.read("/var/log/apache2/error.log"));
        keep("asked", self.machine.read("/srv/ipa/asked"));
        for firewall in &self.firewalls {
            keep(firewall.name, firewall.record());
        }
        if self.machine.is_up() {
            let commands = [
                ("journal", "journalctl --no-pager -o short-precise"),
                ("status", "pan_certctl status"),
                ("status.json", "pan_certctl status --json"),
                ("getcert-list", "getcert list"),
                (
                    "units",
                    "systemctl list-units --all --no-pager; systemctl list-timers --all --no-pager; ps axf",
                ),
                ("records", "find /var/lib/pan_getcert -type f -print -exec cat {} +"),
            ];
            for (name, line) in commands {
                let ended = self.machine.sh(line);
                keep(name, format!("{}{}\nexit: {:?}\n", ended.stdout, ended.stderr, ended.code));
            }
        }
        folder
    }
}

/// The stage, made when the first scenario asks for it.
pub fn with<T>(act: impl FnOnce(&mut Stage) -> T) -> T {
    static STAGE: OnceLock<Mutex<Stage>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| Mutex::new(Stage::build()));
    act(&mut stage.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Runs one scenario, and notes how it went; one that fails is no reason not to try the next one.
pub fn scenario(name: &'static str, play: impl FnOnce(&mut Stage)) {
    let ended = with(|stage| {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            stage.seen.clear();
            if !stage.machine.is_up() {
                stage.machine.boot();
            }
            // What a scenario that failed has told the IPA server.
            for told in ["refuse", "seconds", "faster"] {
                let _ = std::fs::remove_file(stage.machine.path(&format!("/srv/ipa/{told}")));
            }
            for firewall in &stage.firewalls {
                firewall.device.clear_faults();
                firewall.commit_takes(None);
            }
            stage.mark = Mark::now(stage);
            play(stage);
        }));
        let failure = ended.as_ref().err().map(|cause| {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            text.or(cause.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
        });
        if let Some(failure) = &failure {
            let folder = stage.keep_logs(name, failure);
            println!("{name}: FAILED, see {}", folder.display());
        }
        let seen = std::mem::take(&mut stage.seen).join("; ");
        stage.rows.push(Row { scenario: name, seen, took: begun.elapsed(), failure });
        ended
    });
    if let Err(cause) = ended {
        resume_unwind(cause);
    }
}

/// The table of all that was played.
pub fn report(stage: &Stage) -> String {
    let mut text = String::from("\nscenario                          seconds  result  what was seen\n");
    for row in &stage.rows {
        let result = if row.failure.is_some() { "FAILED" } else { "ok" };
        let _ =
            writeln!(text, "{:32} {:8.1}  {result:6}  {}", row.scenario, row.took.as_secs_f64(), row.seen);
        if row.failure.is_some() {
            let folder = stage.folder.join("logs").join(row.scenario);
            let _ = writeln!(text, "{:51}see {}", "", folder.display());
        }
    }
    let failed = stage.rows.iter().filter(|row| row.failure.is_some()).count();
    let seconds = stage.begun.elapsed().as_secs_f64();
    let _ = writeln!(text, "{:32} {seconds:8.1}  {failed} of {} failed", "total", stage.rows.len());
    text
}
