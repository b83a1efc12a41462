//! From 0.1.0 to this version in the middle of a delivery: at each moment at which the old programs can have ended,
//! nothing is lost, nothing is delivered twice, and `status` shows it before anything is done.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::common::world::{ADMINISTRATOR, Ended, GATEWAY, NAME, PORTAL, World, print, settings};
use super::{certctl, copy_with, files};

/// How far the old programs had come on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Nothing,
    /// Uploaded and bound in the candidate configuration.
    Uploaded,
    /// The commit job runs.
    Committing,
    /// The commit job is done, and nobody has looked.
    Committed,
}

/// What 0.1.0 left, and how it is called before the next run.
struct Moment {
    scene: &'static str,
    reached: Reached,
    state: &'static str,
    told: &'static str,
}

const MOMENTS: [Moment; 8] = [
    Moment { scene: "moment-queued", reached: Reached::Nothing, state: "pending", told: "in the queue" },
    Moment { scene: "moment-recorded", reached: Reached::Nothing, state: "pending", told: "not tried yet" },
    Moment { scene: "moment-begun", reached: Reached::Nothing, state: "pending", told: "interrupted" },
    Moment { scene: "moment-uploaded", reached: Reached::Uploaded, state: "pending", told: "interrupted" },
    Moment {
        scene: "moment-committing",
        reached: Reached::Committing,
        state: "pending",
        told: "interrupted",
    },
    Moment { scene: "moment-committing", reached: Reached::Committed, state: "pending", told: "interrupted" },
    Moment { scene: "moment-failed", reached: Reached::Nothing, state: "pending", told: "failed" },
    Moment { scene: "moment-installed", reached: Reached::Committed, state: "installed", told: "installed" },
];

/// A device that is as the old programs left it, with the state directory beside it.
fn left(moment: &Moment) -> (World, String) {
    let mut settings = settings();
    if moment.reached == Reached::Committing {
        settings.commit_duration = Duration::from_millis(800);
    }
    let world = World::with(settings);
    let issued = world.renew().certificate;
    let mut job = 0;
    if moment.reached != Reached::Nothing {
        let elsewhere = world.path("elsewhere");
        let place = ["--state-dir", elsewhere.to_str().unwrap()];
        world.install(&[&["-p", PORTAL, "--commit", "none"], &place[..]].concat()).exits(0);
    }
    if matches!(moment.reached, Reached::Committing | Reached::Committed) {
        job = world.device.commit_as(ADMINISTRATOR);
    }
    if moment.reached == Reached::Committed {
        assert!(world.device.wait_idle(Duration::from_secs(5)));
    }
    let facts = [
        ("@SHA256@", print(&issued)),
        ("@SERIAL@", issued.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_lowercase()),
        ("@NOT_AFTER@", until(&issued)),
        ("@JOB@", job.to_string()),
    ];
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1").join(moment.scene);
    copy_with(&from, &world.path("state"), &world, &facts);
    (world, print(&issued))
}

/// The end of a certificate as records have it.
fn until(certificate: &openssl::x509::X509Ref) -> String {
    let epoch = openssl::asn1::Asn1Time::from_unix(0).unwrap();
    let since = epoch.diff(certificate.not_after()).unwrap();
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn told(world: &World) -> serde_json::Value {
    let shown = certctl(world, &["status", "--no-certmonger", "--json"]);
    serde_json::from_str(&shown.stdout).unwrap_or_else(|error| panic!("{error}: {shown:?}"))
}

#[test]
fn what_0_1_0_left_at_any_moment_is_shown_and_delivered_once() {
    for moment in &MOMENTS {
        let (world, certificate) = left(moment);
        let name = format!("{}, {:?}", moment.scene, moment.reached);
        let before = told(&world);
        let one = &before["installations"][0];
        assert_eq!(one["state"], moment.state, "{name}: {before}");
        assert_eq!(before["installations"].as_array().unwrap().len(), 1, "{name}: {before}");
        let table = certctl(&world, &["status", "--no-certmonger"]);
        assert!(table.stdout.contains(moment.told), "{name}: {table:?}");

        let delivered = certctl(&world, &["retry"]);
        assert_eq!(delivered.code, Some(0), "{name}: {delivered:?}");
        assert_eq!(world.device.commits(), 1, "{name}: commits, those of 0.1.0 among them");
        assert_eq!(world.served(), Some(certificate), "{name}");
        let after = told(&world);
        assert_eq!(after["installations"][0]["state"], "installed", "{name}: {after}");
        assert!(
            std::fs::read_dir(world.path("state/queue")).map_or(true, |mut left| left.next().is_none()),
            "{name}"
        );
        if moment.state == "pending" {
            assert_eq!(files(&world), [format!("shared/{NAME}.json")], "{name}");
            assert_eq!(world.record()["version"], 2, "{name}");
        }

        world.device.clear_requests();
        certctl(&world, &["retry"]).exits(0);
        assert!(world.device.requests().is_empty(), "{name}: once more");
        let verified = certctl(&world, &["verify"]);
        assert_eq!(verified.code, Some(0), "{name}: {verified:?}");
    }
}

/// A process of 0.1.0 that waited for the device while this version was installed looks for no record of today: it has
/// taken an order out of the queue, and its record lies beside ours.
#[test]
fn what_0_1_0_has_recorded_beside_a_record_of_today_is_one_more_request() {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1");
    for scene in ["moment-failed", "moment-recorded", "moment-begun", "moment-installed"] {
        let world = World::new();
        world.install(&["-p", PORTAL]).exits(0);
        let issued = world.renew().certificate;
        let facts = [
            ("@SHA256@", print(&issued)),
            ("@SERIAL@", issued.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_lowercase()),
            ("@NOT_AFTER@", until(&issued)),
            ("@JOB@", "7".to_owned()),
            (PORTAL, GATEWAY.to_owned()),
        ];
        let add = || copy_with(&scenes.join(scene), &world.path("state"), &world, &facts);
        add();
        let before = told(&world);
        assert_eq!(before["installations"].as_array().unwrap().len(), 1, "{scene}: {before}");
        let one = &before["installations"][0];
        assert_eq!(
            (&one["state"], one["profiles"].as_array().unwrap().len()),
            (&"pending".into(), 2),
            "{scene}"
        );

        let delivered = certctl(&world, &["retry"]);
        assert_eq!(delivered.code, Some(0), "{scene}: {delivered:?}");
        let both = world.device.running_xml().matches(&format!("<certificate>{NAME}</certificate>")).count();
        assert_eq!((both, world.served()), (2, Some(print(&issued))), "{scene}");
        assert_eq!(files(&world), [format!("shared/{NAME}.json")], "{scene}");
        let record = world.record();
        assert_eq!(
            (&record["version"], record["requests"].as_array().unwrap().len()),
            (&2.into(), 2),
            "{scene}"
        );

        // The same once more is what a crash leaves between the two files: nothing new, and gone with the next change.
        add();
        assert_eq!(told(&world)["installations"][0]["state"], "installed", "{scene}");
        world.install(&["-p", PORTAL]).exits(0);
        assert_eq!(files(&world), [format!("shared/{NAME}.json")], "{scene}");
        let profiles = told(&world)["installations"][0]["profiles"].as_array().unwrap().len();
        assert_eq!((told(&world)["installations"].as_array().unwrap().len(), profiles), (1, 2), "{scene}");
    }
}

/// certmonger keeps the post-save command of 0.1.0: the words of its orders behind the program's name.
#[test]
fn the_post_save_commands_of_0_1_0_mean_what_they_meant() {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1");
    let mut tried = 0;
    for file in below(&scenes) {
        let stored: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let Some(words) = stored["words"].as_array() else { continue };
        let words = words.iter().map(|word| {
            let word = word.as_str().unwrap();
            word.replace("@DEVICE@", "fw1.example.com")
                .replace("@DIR@", "/tmp")
                .replace("@PIN@", &"0".repeat(64))
                .replace("@SERVED@", "fw1.example.com:443")
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        // What stands before it is read first, and refused where it is not understood.
        Ended::of(command.args(words).arg("--help").env_clear()).exits(0);
        tried += 1;
    }
    assert!(tried >= 10, "{tried}");

    let world = World::new();
    let certificate = world.renew().certificate;
    let target = world.target();
    let folder = world.folder.path().display().to_string();
    let words =
        ["-c", NAME, &format!("--cert-dir={folder}"), &format!("--key-dir={folder}")].map(str::to_owned);
    let more = [format!("--key-file={folder}/.panrc"), format!("--profile={PORTAL}")];
    let pin = format!("--pin={}", world.device.certificate_fingerprint());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(words).args(more).args([pin.as_str(), "--blind", &target]);
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    Ended::of(command.env_clear().env("TZ", "UTC")).exits(0);
    assert_eq!(world.served(), Some(print(&certificate)));
}

fn below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    found
}

/// What was typed for 0.1.0 can be typed: in scripts, sudo rules and units of people's own.
#[test]
fn no_option_and_no_setting_of_0_1_0_is_gone() {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/1");
    let programs = Path::new(env!("CARGO_BIN_EXE_pan_certctl"));
    let mut seen = 0;
    for line in std::fs::read_to_string(scenes.join("options.txt")).unwrap().lines() {
        let (command, options): (Vec<&str>, Vec<&str>) =
            line.split(' ').partition(|word| !word.starts_with('-'));
        let help = |more: &[&str]| {
            let mut program = Command::new(programs.with_file_name(command[0]));
            Ended::of(program.args(&command[1..]).args(more).arg("--help").env_clear()).exits(0).stdout
        };
        let text = help(&[]);
        let words: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
        for option in options {
            // Its new name is in the help, the old one is understood.
            if option == "--owed-for" {
                help(&[option, "1h"]);
            } else {
                assert!(words.contains(&option), "{command:?} has no {option}");
            }
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen}");
    let config = scenes.join("pan_getcert.toml");
    let mut check = Command::new(programs);
    Ended::of(check.args(["check", "--config"]).arg(config).env_clear()).exits(0).says("is valid");
}
