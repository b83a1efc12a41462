//! What `pan_getcert` makes of a request that certmonger has already, and of what a CA answers: with a real certmonger.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

#[path = "tracked/answers.rs"]
mod answers;
#[path = "tracked/before.rs"]
mod before;
#[path = "tracked/files.rs"]
mod files;
#[path = "tracked/freeipa.rs"]
mod freeipa;
#[path = "tracked/interrupted.rs"]
mod interrupted;
#[path = "tracked/places.rs"]
mod places;
#[path = "check/support.rs"]
#[allow(dead_code, unreachable_pub)]
mod support;
#[path = "tracked/typed.rs"]
mod typed;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::authority::{self, Authority};
use common::bus::Bus;
use common::pki;
use common::world::{Ended, KEY, NAME, settings};
use openssl::x509::X509;
use pancert::host::certmonger::Tracked;
use panos_sim::Simulator;

/// A certmonger on a bus of its own with an authority, and a device.
struct Scene {
    bus: Bus,
    authority: Authority,
    device: Simulator,
}

impl Scene {
    async fn new() -> Self {
        let bus = Bus::with_certmonger().await;
        let authority = Authority::add_to(&bus);
        let scene = Self { bus, authority, device: Simulator::start(settings()).unwrap() };
        pki::write(&scene.bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        scene
    }

    /// With the CA named.
    fn first(&self, arguments: &[&str]) -> Ended {
        self.ask(&[&["--ca", authority::NAME], arguments].concat())
    }

    /// The same, running.
    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command();
        command.args(["--ca", authority::NAME]).args(arguments).arg(self.device.address().to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn end(running: Child) -> Ended {
        let Output { status, stdout, stderr } = running.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    async fn until_submitted(&self) {
        let is_submitted = || async { (!self.authority.submitted().is_empty()).then_some(()) };
        common::bus::until("the authority is asked", is_submitted).await;
    }

    /// Without it.
    fn ask(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command();
        if !arguments.contains(&"--timeout") {
            command.args(["--timeout", "60"]);
        }
        Ended::of(command.args(arguments).arg(self.device.address().to_string()))
    }

    fn command(&self) -> Command {
        self.command_in(self.bus.folder.path())
    }

    /// With this folder for certificate and key.
    fn command_in(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        command.args(["-c", NAME, "--session-bus"]);
        command.arg("-k").arg(self.bus.path(".panrc"));
        for option in ["-C", "-K"] {
            command.arg(option).arg(folder);
        }
        command.args(["--pin", &self.device.certificate_fingerprint()]);
        command.arg("--log-file").arg(self.bus.path("log")).arg("--state-dir").arg(self.bus.path("state"));
        command
    }

    fn check(&self) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address());
        command.args(["check", "-c", NAME, "--session-bus", "--ca", authority::NAME]);
        command.arg("-k").arg(self.bus.path(".panrc")).arg("-C").arg(self.bus.folder.path());
        command.args(["--pin", &self.device.certificate_fingerprint()]);
        command.arg("--log-file").arg(self.bus.path("log")).arg("--state-dir").arg(self.bus.path("state"));
        Ended::of(command.arg(self.device.address().to_string()))
    }

    fn issued(&self) -> X509 {
        X509::from_pem(&std::fs::read(self.bus.path(&format!("{NAME}.crt"))).unwrap()).unwrap()
    }

    fn issuer(&self) -> String {
        let issued = self.issued();
        let entry = issued.issuer_name().entries().next().unwrap();
        String::from_utf8_lossy(entry.data().as_slice()).into_owned()
    }

    /// Whether the device serves what certmonger has.
    fn is_served(&self) -> bool {
        common::world::served(&self.device) == Some(common::world::print(&self.issued()))
    }

    async fn tracked(&self) -> Tracked {
        let mut requests = self.bus.getcert().list().await.unwrap().requests;
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.remove(0)
    }
}
