//! A request for several places: how it ended at each of them.

use std::process::Command;

use chrono::{Days, Utc};
use panos_sim::Simulator;
use serde_json::Value;

use super::Scene;
use crate::common::authority;
use crate::common::world::{Ended, NAME, PORTAL, settings};

struct Places {
    scene: Scene,
    other: Simulator,
}

impl Places {
    /// The configuration file, with a window for the second device that opens on another day.
    fn configure(&self, other_is_closed: bool) {
        let section = |device: &Simulator| {
            format!("[device.\"{}\"]\npin = \"{}\"\n", device.address(), device.certificate_fingerprint())
        };
        let day = (Utc::now() + Days::new(3)).format("%a");
        let window = if other_is_closed { format!("window = [\"{day}\"]\n") } else { String::new() };
        let text = format!("{}{}{window}", section(&self.scene.device), section(&self.other));
        std::fs::write(self.scene.bus.path("pan.toml"), text).unwrap();
    }

    fn ask(&self, arguments: &[&str]) -> Ended {
        let path = |name| self.scene.bus.path(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.scene.bus.address());
        command.args(["-c", NAME, "--session-bus", "--timeout", "60", "-p", PORTAL]);
        command.arg("-k").arg(path(".panrc")).arg("--config").arg(path("pan.toml"));
        command.arg("-C").arg(self.scene.bus.folder.path()).arg("-K").arg(self.scene.bus.folder.path());
        command.arg("--log-file").arg(path("log")).arg("--state-dir").arg(path("state")).args(arguments);
        Ended::of(command.args([self.scene.device.address(), self.other.address()].map(|at| at.to_string())))
    }

    fn json(&self, arguments: &[&str], exit: i32) -> Value {
        let ended = self.ask(&[&["--json"], arguments].concat()).exits(exit);
        assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

#[tokio::test]
async fn the_end_of_a_request_for_several_places_is_a_table_and_the_same_as_json() {
    let places = Places { scene: Scene::new().await, other: Simulator::start(settings()).unwrap() };
    places.configure(false);
    let [first, second] = [&places.scene.device, &places.other].map(|device| device.address().to_string());
    places.other.fail_next_commit(&["Validation Error:", " no"]);
    let ended = places.ask(&["--ca", authority::NAME]).exits(20);
    let rows: Vec<&str> = ended.stdout.lines().skip_while(|line| !line.starts_with("where ")).collect();
    assert!(rows[0].contains("result") && rows[0].ends_with("longest phases"), "{ended:#?}");
    assert!(rows[1].starts_with(&format!("{first} ")) && rows[1].contains("  installed  "), "{ended:#?}");
    assert!(rows[2].starts_with(&format!("{second} ")) && rows[2].contains("  failed (14)  "), "{ended:#?}");
    assert_eq!(rows.len(), 3, "the table is the end: {ended:#?}");
    assert!(ended.stderr.contains("1 of 2 devices are not running the new certificate"), "{ended:#?}");

    // The same fields as those of pan_instcert.
    let json = places.json(&[], 0);
    assert_eq!((&json["common_name"], &json["exit"]), (&NAME.into(), &0.into()), "{json:#}");
    for (device, name, result) in [(0, &first, "unchanged"), (1, &second, "installed")] {
        let device = &json["devices"][device];
        assert_eq!((&device["device"], &device["result"]), (&Value::from(name.as_str()), &result.into()));
        assert!(device["seconds"]["total"].is_f64() && device["seconds"]["connect"].is_f64(), "{json:#}");
        assert_eq!(device["profiles"], serde_json::json!([PORTAL]));
    }

    // What would wait is told before, with the reason.
    places.configure(true);
    let says = "the change window (";
    let ended = places.ask(&["--dry-run"]).exits(0).says(says);
    assert!(ended.stdout.contains("  wait    until "), "{ended:#?}");
    let ended = places.ask(&["--dry-run", "--resubmit"]).exits(0).says(says);
    assert!(ended.stdout.contains("Delivery would wait; ") && ended.stdout.contains("  1 waits until "));
    for more in [&["--dry-run"][..], &["--dry-run", "--resubmit"]] {
        let json = places.json(more, 0);
        assert_eq!(json["dry_run"], true);
        assert_eq!(json["devices"][0]["waits_for"], Value::Null, "{json:#}");
        assert_eq!(json["devices"][1]["waits_for"]["word"], "window", "{json:#}");
        assert_eq!(
            json["request"]["certificate_file"].as_str().map(|file| file.ends_with(".crt")),
            Some(true)
        );
    }
    assert_eq!(places.scene.authority.submitted().len(), 1, "nothing was asked for");
    let ended = places.ask(&["--resubmit"]).exits(20);
    let took = format!("Certificate install and commit by the post-save process on: {first} took ");
    assert!(ended.stdout.contains(&took), "{ended:#?}");
    let says = "1 of 2 devices are not running the new certificate yet: it is delivered by the worker";
    assert!(ended.stderr.contains(says), "{ended:#?}");
    let json = places.json(&["--resubmit"], 20);
    assert_eq!(json["devices"][0]["result"], "installed", "{json:#}");
    assert_eq!(json["devices"][1]["result"], "waiting", "{json:#}");
    assert_eq!(json["devices"][1]["waits_for"]["word"], "window", "{json:#}");

    // What can't even be begun is told there, too.
    let json = places.json(&["-p", "GP protal", "--resubmit"], 13);
    assert!(json["problem"].as_str().unwrap().contains("GP protal"), "{json:#}");
    assert_eq!(json["devices"], serde_json::json!([]));
}
