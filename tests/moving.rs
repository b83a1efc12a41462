//! Moving from the bash scripts: what docs/moving.md says is so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use std::path::Path;
use std::process::Command;

use common::bus::{Bus, until};
use common::pki::{self, CertificateSpec};
use common::world::{Ended, KEY, NAME, World, settings};
use pancert::host::certmonger::{Changes, Phase};
use panos_sim::{Settings, Simulator};

/// The rows of the page's table of command lines: the words, the scripts' code, and ours.
fn rows() -> Vec<(String, i32, i32)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/moving.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split_once("| command line | scripts | now | why |\n").unwrap().1;
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let code = |cell: &str| cell.parse().unwrap_or_else(|_| panic!("{row}"));
        (cells[0].trim_matches('`').to_owned(), code(cells[1]), code(cells[2]))
    })
    .collect()
}

#[test]
fn each_command_line_of_the_table_ends_as_it_says() {
    let rows = rows();
    assert!(rows.len() > 12, "{rows:#?}");
    for (line, scripts, now) in rows {
        // One of those that the scripts were measured with.
        let world = World::with(Settings { takes_leading_underscore: true, ..settings() });
        let other = world.ca.issue(&CertificateSpec::named("other.example.com").san("other.example.com"));
        pki::write(&world.path("mismatch.example.com.crt"), other.certificate_pem().as_bytes(), 0o644);
        let another = world.ca.issue(&CertificateSpec::named("mismatch.example.com"));
        pki::write(&world.path("mismatch.example.com.key"), another.key_pem().as_bytes(), 0o600);
        other.write(world.folder.path(), "other.example.com");
        pki::write(&world.path("open"), format!("api_key={KEY}\n").as_bytes(), 0o644);
        let words = shlex::split(&line).unwrap();
        let program = match words[0].as_str() {
            "pan_getcert" => env!("CARGO_BIN_EXE_pan_getcert"),
            _ => env!("CARGO_BIN_EXE_pan_instcert"),
        };
        let mut command = Command::new(program);
        command.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        for option in ["-C", "-K"] {
            command.arg(option).arg(world.folder.path());
        }
        command.arg("-k").arg(world.path(".panrc")).args(["--pin", &world.device.certificate_fingerprint()]);
        command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
        for word in &words[1..] {
            let word = word.replace("fw1.example.com", &world.target());
            command.arg(word.replace("/there", world.folder.path().to_str().unwrap()));
        }
        let ended = Ended::of(&mut command);
        assert_eq!(ended.code, Some(now), "{line}: {ended:#?}");
        assert!((0..=12).contains(&scripts), "{line}");
    }
}

struct Scene {
    bus: Bus,
    device: Simulator,
}

impl Scene {
    fn certctl(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address()).args(words);
        command.arg("--log-file").arg(self.bus.path("log")).arg("--state-dir").arg(self.bus.path("state"));
        command.stdin(std::process::Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&mut self.certctl(words))
    }

    async fn post_save(&self) -> String {
        self.bus.until_phase(Phase::Done).await.post_save.unwrap()
    }
}

#[tokio::test]
async fn what_the_scripts_have_set_up_is_adopted_recorded_and_delivered_from_the_next_renewal_on() {
    let scene = Scene { bus: Bus::with_certmonger().await, device: Simulator::start(settings()).unwrap() };
    let (bus, device) = (&scene.bus, &scene.device);
    pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    std::fs::create_dir(bus.path("old")).unwrap();
    // The old script, as far as certmonger sees it.
    let old = bus.script("old/pan_instcert", "exit 0");
    let here = bus.folder.path().display();
    let target = device.address().to_string();
    let typed = format!("-c {NAME} -n {NAME}  -Y -k {here}/.panrc -C {here} -K {here} -p 'GP portal'");
    let before = format!("{} {typed} {target}", old.display());
    bus.getcert().request(&bus.new_request(Some(before.clone()))).await.unwrap();
    assert_eq!(scene.post_save().await, before);
    // What it has installed, by hand and recorded elsewhere; the device is known by its certificate.
    let mut install = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    install.args(["-b", "--pin", &device.certificate_fingerprint()]).args(shlex::split(&typed).unwrap());
    install.arg("--log-file").arg(bus.path("log")).arg("--state-dir").arg(bus.path("elsewhere"));
    Ended::of(install.arg(&target).env_clear().env("TZ", "UTC")).exits(0);
    std::fs::create_dir(bus.path("state")).unwrap();
    let known = format!("{target} {}\n", device.certificate_fingerprint());
    pki::write(&bus.path("state/known_devices"), known.as_bytes(), 0o600);
    let (asked, commits) = (device.requests().len(), device.commits());

    let shown = scene.run(&["adopt", "--session-bus", "--dry-run"]).exits(0).stdout;
    assert!(shown.contains(&format!("'{NAME}' on {target} in 'GP portal'")), "{shown}");
    scene.run(&["adopt", "--session-bus"]).exits(1).says("say --yes");
    scene
        .run(&["adopt", "--session-bus", "--yes", "gq.example.com"])
        .exits(1)
        .says(&format!("there is: {NAME}"));
    assert_eq!(scene.post_save().await, before);
    assert!(!bus.path("state/installations").exists());

    scene.run(&["adopt", "--session-bus", "--yes"]).exits(0).says("adopted; nothing was delivered");
    assert_eq!((device.requests().len(), device.commits()), (asked, commits), "the device was not spoken to");
    let after = scene.post_save().await;
    let program = Path::new(env!("CARGO_BIN_EXE_pan_instcert"));
    assert!(after.starts_with(program.to_str().unwrap()) && after.contains("--profile-list="), "{after}");
    let status = ["status", "--no-certmonger"];
    scene.run(&status).exits(0).says("adopted, not verified yet").says("1 adopted and not verified yet");
    // The worker has nothing to do with it.
    scene.run(&["retry", "--now"]).exits(0).says("Nothing is pending.");
    assert_eq!(device.requests().len(), asked);
    scene.run(&["adopt", "--session-bus", "--yes"]).exits(0).says("Nothing to adopt");

    scene.run(&["verify"]).exits(0).says("OK, the device is running this certificate");
    scene.run(&status).exits(0).says(" ok\n").says("1 certificate on 1 device: installed.");
    assert_eq!(device.commits(), commits);
    // A renewal, by certmonger.
    let id = bus.until_phase(Phase::Done).await.id;
    let served = common::world::served(device);
    bus.getcert().resubmit(&id, &Changes::default()).await.unwrap();
    until("the renewed certificate to be served", || async {
        (common::world::served(device) != served).then_some(())
    })
    .await;
}
