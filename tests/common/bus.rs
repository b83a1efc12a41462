//! A message bus and a certmonger of their own, in a temporary folder; the machine's own are not touched.

use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pancert::host::certmonger::{Getcert, KeyType, NewRequest, Phase, Tracked};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub const NAME: &str = "gp.example.com";
const DEADLINE: Duration = Duration::from_secs(60);

/// A message bus without activation, and perhaps a certmonger on it.
pub struct Bus {
    pub folder: TempDir,
    children: Vec<Child>,
}

impl Bus {
    /// Starts the bus alone.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\
             <busconfig><type>session</type><listen>{}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
            address(&folder)
        );
        let file = folder.path().join("bus.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", file.display())).args(["--nofork", "--print-address"]);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut daemon = spawned.expect("dbus-daemon is missing: run make dependencies");
        // The bus prints its address when it is ready for calls.
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "dbus-daemon printed {line:?}");
        Self { folder, children: vec![daemon] }
    }

    /// Starts the bus and a certmonger on it.
    pub async fn with_certmonger() -> Self {
        let mut bus = Self::start();
        let mut certmonger = Command::new(certmonger_program());
        certmonger
            .arg("-n")
            .env("HOME", bus.folder.path())
            .env("DBUS_SESSION_BUS_ADDRESS", address(&bus.folder));
        certmonger.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        bus.children.push(certmonger.spawn().unwrap());
        let getcert = bus.getcert();
        until("certmonger answers", || async { getcert.list().await.ok() }).await;
        bus
    }

    pub fn getcert(&self) -> Getcert {
        self.run("getcert", Some("local"))
    }

    pub fn run(&self, program: &str, ca: Option<&str>) -> Getcert {
        let bus = format!("DBUS_SESSION_BUS_ADDRESS={}", address(&self.folder));
        Getcert::new(["env", &bus, program], ca).on_session_bus(true)
    }

    pub fn address(&self) -> String {
        address(&self.folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn new_request(&self, post_save: Option<String>) -> NewRequest {
        NewRequest {
            subject: format!("CN={NAME}"),
            principal: Some(format!("HTTP/{NAME}@EXAMPLE.COM")),
            certificate: self.path("gp.example.com.crt"),
            key: self.path("gp.example.com.key"),
            dns: vec![NAME.to_owned(), "vpn.example.com".to_owned()],
            ip_addresses: vec![],
            profile: None,
            key_type: Some(KeyType::Ec),
            key_bits: Some(256),
            post_save,
        }
    }

    /// A program that writes the arguments after its first to the file named by the first, in one go.
    pub fn recorder(&self) -> PathBuf {
        self.script(
            "recorder",
            "for word; do printf '%s\\0' \"$word\"; done > \"$file.new\"; mv \"$file.new\" \"$file\"",
        )
    }

    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        super::programs::write(&path, &format!("#!/bin/sh\nfile=$1; shift\n{body}\n"));
        path
    }

    pub async fn until_phase(&self, phase: Phase) -> Tracked {
        let (getcert, file) = (self.getcert(), self.path("gp.example.com.crt"));
        let what = format!("the request is {phase:?}");
        until(&what, || async {
            getcert.tracked(&file).await.unwrap().filter(|request| request.phase() == phase)
        })
        .await
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // certmonger first: it ends its own helpers when it is asked to end.
        for child in self.children.iter_mut().rev() {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

/// The bus's address.
pub fn address(folder: &TempDir) -> String {
    format!("unix:path={}", folder.path().join("bus").display())
}

fn certmonger_program() -> &'static Path {
    let places = ["/usr/lib/certmonger/certmonger-session", "/usr/libexec/certmonger/certmonger-session"];
    let found = places.into_iter().map(Path::new).find(|path| path.exists());
    found.expect("certmonger is missing: run make dependencies")
}

/// Asks again and again, a little later each time, until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn recorded(file: &Path) -> Vec<String> {
    let bytes = until("the post-save command has run", || async { std::fs::read(file).ok() }).await;
    let text = String::from_utf8(bytes).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}
