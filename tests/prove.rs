//! `pan_certctl prove`: tried on the simulator with whatever it may do, ended at every request, and always taken back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use common::pki::{self, KeyKind};
use common::scene::State;
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, KEY, PORTAL, World, settings};
use panos_sim::{
    Administrator, Fault, ImportJournal, JournalShape, LockKind, Matcher, PreloadedCertificate, Profile,
    Settings, Simulator, What, When,
};
use serde_json::Value;

const JANE: &str = "jane";
const PRINTER: &str = "/config/shared/address/entry[@name='printer']";

/// A firewall with a certificate and a bound profile of its own, and a colleague with a change pending elsewhere.
fn world(adjust: impl FnOnce(&mut Settings)) -> World {
    let ca = pki::root("Example CA", KeyKind::P256);
    let own = ca.issue(&pki::CertificateSpec::named("vpn.real-company.com"));
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    let mut settings = Settings {
        hostname: "edge-berlin-7".into(),
        certificates: vec![PreloadedCertificate { name: "real-vpn".into(), certificate, key, vsys: None }],
        profiles: vec![Profile::bound(PORTAL, "real-vpn")],
        ..settings().with_key(Administrator::superuser(JANE, "secret"), "jane's key")
    };
    adjust(&mut settings);
    let world = World::of(Simulator::start(settings).unwrap(), ca);
    world.device.add_pending_change(JANE, PRINTER, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    world
}

fn command(world: &World, further: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("prove").arg("-k").arg(world.path(".panrc"));
    command.args(["--pin", &world.device.certificate_fingerprint()]);
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.env_clear().env("TZ", "UTC").args(further).arg(world.target());
    command.stdin(Stdio::null());
    command
}

fn prove(world: &World, further: &[&str]) -> Ended {
    Ended::of(&mut command(world, further))
}

/// What the tests compare: both configurations, everybody's changes, and the locks.
#[derive(Debug, PartialEq)]
struct Picture {
    state: State,
    changes: Vec<(String, String)>,
    locks: usize,
}

fn picture(world: &World) -> Picture {
    Picture {
        state: State::of(&world.device),
        changes: world.device.pending_changes(),
        locks: world.device.locks().len(),
    }
}

fn leftover(world: &World) -> bool {
    world.path("state/proofs").join(format!("{}.json", world.target())).exists()
}

#[track_caller]
fn told(ended: &Ended) -> Value {
    serde_json::from_str::<Value>(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

#[test]
fn what_the_device_does_is_told_and_all_of_it_is_taken_back() {
    for (shape, said) in [
        (JournalShape::Container, "container"),
        (JournalShape::Entry, "entry"),
        (JournalShape::Leaf, "entry"),
    ] {
        let world = world(|settings| settings.journal = shape);
        let before = picture(&world);
        let ended = prove(&world, &["--yes", "--json"]).exits(0);
        assert_eq!(picture(&world), before, "{shape:?}");
        assert!(!leftover(&world));
        assert_eq!(world.device.commits(), 0);
        let told = told(&ended);
        let proof = &told["proof"];
        assert!(proof["seconds"].as_f64().unwrap() < 60.0, "{told}");
        assert_eq!((&proof["model"], &proof["release"]), (&"PA-440".into(), &"11.1.4".into()), "{told}");
        let forms: Vec<(&str, bool)> = proof["forms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|form| (form["form"].as_str().unwrap(), form["taken"].as_bool().unwrap()))
            .collect();
        assert_eq!(forms, [("pkcs12-legacy", true), ("pkcs12-modern", true), ("pem", true)], "{told}");
        // As the simulator does it: extra certificates of a PKCS#12 are dropped, those of a PEM are kept.
        let held: Vec<u64> = proof["forms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|form| form["certificates"].as_u64().unwrap())
            .collect();
        assert_eq!(held, [1, 1, 2], "{told}");
        assert_eq!(
            (&proof["valid"], &proof["revert_took_certificates"]),
            (&true.into(), &true.into()),
            "{told}"
        );
        assert_eq!(proof["profile_listed"], said, "{told}");
        let forms = std::fs::read_to_string(world.path("state/upload_forms")).unwrap();
        assert_eq!(forms, format!("{} pkcs12-legacy\n", world.target()));
    }
}

/// Each form holds the intermediate too, so that what becomes of it is the device's doing.
#[test]
fn a_device_that_keeps_the_intermediate_of_each_form_is_told_as_that() {
    let world = world(|settings| settings.drops_extra_certificates = false);
    let told = told(&prove(&world, &["--yes", "--json"]).exits(0));
    let forms = told["proof"]["forms"].as_array().unwrap();
    let held: Vec<u64> = forms.iter().map(|form| form["certificates"].as_u64().unwrap()).collect();
    assert_eq!(held, [2, 2, 2], "{told}");
}

#[test]
fn what_is_going_to_be_done_and_to_stay_is_said_before_a_yes_and_without_one_nothing_is_done() {
    let world = world(|_| {});
    let before = picture(&world);
    for answer in ["", "n\n", "maybe\n"] {
        let requests = world.device.requests().len();
        let mut child = command(&world, &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        for part in ["configuration log", "two jobs", "nothing is committed", "nothing was done"] {
            assert!(stderr.contains(part), "{part}: {stderr}");
        }
        let asked = &world.device.requests()[requests..];
        assert!(
            asked.iter().all(|one| one.cmd.as_deref().is_none_or(|cmd| cmd.starts_with("<show>"))),
            "{asked:#?}"
        );
        assert!(asked.iter().all(|one| one.r#type.as_deref() != Some("import")), "{asked:#?}");
    }
    assert_eq!(picture(&world), before);
    let mut child = command(&world, &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"y\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    for part in [
        "PKCS#12 (3DES, SHA-1): taken",
        "PEM (PKCS#8, AES-256): taken",
        "it would be committed",
        "is as before",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert_eq!(picture(&world), before);
}

#[test]
fn it_is_refused_where_somebody_would_be_disturbed() {
    let refused = |world: &World, code: i32, says: &str| {
        let before = picture(world);
        prove(world, &["--yes"]).exits(code).says(says);
        assert_eq!(picture(world), before, "{says}");
        assert!(!leftover(world), "{says}");
        let changing = |one: &panos_sim::RequestRecord| {
            one.r#type.as_deref() == Some("import") || one.action.as_deref() == Some("set")
        };
        assert!(!world.device.requests().iter().any(changing), "{says}");
    };
    let own = world(|_| {});
    own.device
        .add_pending_change(ADMINISTRATOR, "/config/shared/address/entry[@name='x']", "<fqdn>y</fqdn>")
        .unwrap();
    refused(&own, 18, "has an uncommitted change on the device already");
    for kind in [LockKind::Config, LockKind::Commit] {
        for owner in [JANE, ADMINISTRATOR] {
            let locked = world(|_| {});
            locked.device.take_lock(kind, owner, "at work");
            refused(&locked, 18, &format!("{owner} holds a"));
        }
    }
    let panorama = world(|settings| settings.model = "Panorama".into());
    refused(&panorama, 1, "this is a Panorama");
}

#[test]
fn on_the_passive_member_of_a_pair_it_is_refused() {
    let pair = common::pair::Pair::with(|_| {});
    pair.second.make_active();
    let ended = prove(&pair.world, &["--yes"]);
    ended.exits(19).says("only the active member of an HA pair takes changes");
    assert!(pair.world.device.requests().iter().all(|one| one.r#type.as_deref() != Some("import")));
}

#[test]
fn each_refused_form_is_told_with_the_devices_words_and_the_others_are_tried() {
    let world = world(|settings| settings.legacy_only = true);
    let before = picture(&world);
    let ended = prove(&world, &["--yes", "--json"]).exits(0);
    let told = told(&ended);
    assert_eq!(told["proof"]["forms"][0]["taken"], true);
    assert_eq!(told["proof"]["forms"][1]["taken"], false, "{told}");
    assert!(!told["proof"]["forms"][1]["answer"].as_str().unwrap().is_empty());
    assert_eq!(picture(&world), before);
    // None at all.
    let what = What::Body {
        content_type: "application/xml".into(),
        body:
            "<response status='error' code='12'><msg><line>Import failed. Invented.</line></msg></response>"
                .into(),
    };
    world.device.inject(Fault::new(When::request(Matcher::typed("import")), what).times(3));
    prove(&world, &["--yes"]).exits(12).says("not taken").says("Invented.");
    assert_eq!(picture(&world), before);
}

#[test]
fn uploads_that_are_not_listed_and_changes_that_stay_listed_are_taken_back_too() {
    for (imports, keeps) in [(ImportJournal::Nothing, false), (ImportJournal::LikeEdits, true)] {
        let world = world(|settings| {
            settings.import_journal = imports;
            settings.keeps_settled_changes = keeps;
        });
        let before = picture(&world);
        let ended = prove(&world, &["--yes", "--json"]).exits(0);
        let told = told(&ended);
        let listed = if imports == ImportJournal::Nothing { "not-listed" } else { "container" };
        assert_eq!(told["proof"]["uploads_listed"], listed, "{told}");
        assert_eq!(picture(&world), before, "{imports:?} {keeps}");
    }
}

/// Everything a transcript must not hold.
const REAL: [&str; 12] = [
    KEY,
    "edge-berlin-7",
    ADMINISTRATOR,
    JANE,
    "printer",
    "real-vpn",
    "real-company",
    "192.0.2",
    "127.0.0.1",
    PORTAL,
    "001900000000001",
    "-AQ==",
];

#[test]
fn the_transcript_has_all_requests_and_no_secret_and_no_name() {
    let world = world(|_| {});
    let file = world.path("transcript.json");
    prove(&world, &["--yes", "--transcript", file.to_str().unwrap()]).exits(0);
    let text = std::fs::read_to_string(&file).unwrap();
    for real in REAL {
        assert!(!text.contains(real), "{real} in {text}");
    }
    assert!(!text.contains("PRIVATE KEY"), "{text}");
    let whole: Value = serde_json::from_str(&text).unwrap();
    let exchanges = whole["exchanges"].as_array().unwrap();
    let has = |part: &str| exchanges.iter().any(|one| one.to_string().contains(part));
    for part in [
        "show><system><info",
        "commit-lock><add",
        "config-lock><add",
        "keypair",
        "pkcs12",
        "\"pem\"",
        "min-version",
        "validate><partial",
        "revert><config",
        "config-lock><remove",
        "commit-lock><remove",
        "-----BEGIN CERTIFICATE",
        "[removed]</private-key>",
    ] {
        assert!(has(part), "no {part} in {text}");
    }
    // Others can't read it, and it is not written over.
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let requests = world.device.requests().len();
    prove(&world, &["--yes", "--transcript", file.to_str().unwrap()]).exits(1).says("can't be written");
    assert_eq!(world.device.requests().len(), requests);
    // A refusal that names somebody.
    let locked = self::world(|_| {});
    locked.device.take_lock(LockKind::Config, JANE, "jane works on edge-berlin-7");
    let file = locked.path("transcript.json");
    prove(&locked, &["--yes", "--transcript", file.to_str().unwrap()]).exits(18);
    let text = std::fs::read_to_string(&file).unwrap();
    for real in REAL {
        assert!(!text.contains(real), "{real} in {text}");
    }
}

/// How a proof is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By SIGKILL: the next one takes it back.
    Killed,
    /// By SIGTERM: it takes it back itself.
    Terminated,
    /// The device carries the request out, and the reply is lost.
    ReplyLost,
}

/// Ends one at this request.
fn end_at(end: End, number: u64, imports: ImportJournal) {
    let world = world(|settings| settings.import_journal = imports);
    let before = picture(&world);
    let what = format!("{end:?} at request {number}, {imports:?}");
    if end == End::ReplyLost {
        world.device.inject(Fault::new(When::Nth(number), What::Close).after_effect());
        let ended = prove(&world, &["--yes"]);
        assert_eq!(picture(&world), before, "{what}: {ended:#?}");
        assert!(!leftover(&world), "{what}");
        return;
    }
    // The device does it, and does not answer.
    world.device.inject(Fault::new(When::Nth(number), What::Silence).after_effect());
    let mut child = command(&world, &["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let came =
        wait_until(|| world.device.requests().len() as u64 >= number || child.try_wait().unwrap().is_some())
            && child.try_wait().unwrap().is_none();
    // How often a job is asked for differs: perhaps it came to its end before.
    if !came {
        child.wait().unwrap();
        assert_eq!(picture(&world), before, "{what}: not ended");
        return;
    }
    if end == End::Terminated {
        world.device.clear_faults();
    }
    let pid = rustix::process::Pid::from_child(&child);
    let signal = match end {
        End::Killed => rustix::process::Signal::KILL,
        _ => rustix::process::Signal::TERM,
    };
    rustix::process::kill_process(pid, signal).unwrap();
    child.wait().unwrap();
    world.device.clear_faults();
    if end == End::Terminated {
        assert!(!leftover(&world), "{what}");
        assert_eq!(picture(&world), before, "{what}: by itself");
        return;
    }
    // The next one takes it back first, whatever it is told then.
    let ended = prove(&world, &[]);
    assert_eq!(ended.code, Some(1), "{what}: {ended:#?}");
    assert!(ended.stderr.contains("nothing was done"), "{what}: {ended:#?}");
    assert_eq!(picture(&world), before, "{what}: {ended:#?}");
    assert!(!leftover(&world), "{what}");
}

/// The numbers of the requests of one that comes to its end, and of those that change something.
fn requests(imports: ImportJournal) -> (Vec<u64>, Vec<u64>) {
    let world = world(|settings| settings.import_journal = imports);
    prove(&world, &["--yes"]).exits(0);
    let asked = world.device.requests();
    let is_question = |one: &&panos_sim::RequestRecord| {
        one.cmd.as_deref().is_some_and(|cmd| cmd.starts_with("<show>"))
            || matches!(one.action.as_deref(), Some("get" | "show"))
    };
    let numbers = |one: &panos_sim::RequestRecord| one.number;
    (asked.iter().map(numbers).collect(), asked.iter().filter(|one| !is_question(one)).map(numbers).collect())
}

/// Some at once: each mostly waits.
fn at_each(end: End, numbers: &[u64], imports: ImportJournal) {
    let next = Mutex::new(numbers.iter());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(number) = next.lock().unwrap().next() else { return };
                    end_at(end, *number, imports);
                }
            });
        }
    });
}

#[test]
fn killed_at_every_request_it_is_taken_back_by_the_next_one() {
    let (all, _) = requests(ImportJournal::LikeEdits);
    assert!(all.len() >= 30, "{all:?}");
    at_each(End::Killed, &all, ImportJournal::LikeEdits);
}

#[test]
fn ended_by_a_signal_it_takes_all_of_it_back_itself() {
    let (_, changing) = requests(ImportJournal::LikeEdits);
    at_each(End::Terminated, &changing[..changing.len() / 2], ImportJournal::LikeEdits);
}

#[test]
fn a_reply_that_is_lost_changes_nothing_about_that() {
    let (_, changing) = requests(ImportJournal::Nothing);
    assert!(changing.len() >= 9, "{changing:?}");
    at_each(End::ReplyLost, &changing, ImportJournal::Nothing);
}

#[test]
fn an_installation_that_comes_after_one_that_was_killed_commits_nothing_of_it() {
    let world = world(|_| {});
    world.renew();
    let validating = When::request(Matcher::typed("op").cmd("<validate>"));
    world.device.inject(Fault::new(validating, What::Silence));
    let mut child = command(&world, &["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let asked = || {
        world
            .device
            .requests()
            .iter()
            .any(|one| one.cmd.as_deref().is_some_and(|cmd| cmd.contains("<validate>")))
    };
    assert!(wait_until(asked));
    child.kill().unwrap();
    child.wait().unwrap();
    world.device.clear_faults();
    assert!(world.device.candidate_xml().contains("pan-prove-"));
    world.install(&["-p", PORTAL]).exits(0);
    for configuration in [world.device.running_xml(), world.device.candidate_xml()] {
        assert!(!configuration.contains("pan-prove-"), "{configuration}");
    }
    prove(&world, &["--yes"]).exits(0);
    assert!(!leftover(&world));
    assert_eq!(world.device.locks(), []);
}
