//! What `pan_instcert` really left behind.

use chrono::{DateTime, TimeDelta, Utc};
use panos_sim::{Fault, Matcher, What, When};

use crate::common::pki::CertificateSpec;
use crate::common::world::{Ended, NAME, NOBODY, PORTAL, World};
use crate::support::{command, told};

const DAY: i64 = 86400;

fn time(value: &serde_json::Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn what_is_installed_and_what_is_pending_to_a_device_that_is_down_are_told_as_they_are() {
    let world = World::new();
    let state = world.path("state");
    world.install(&["-p", PORTAL, "-n", "portal"]).exits(0);
    let shown = Ended::of(&mut command(&state)).exits(0);
    assert_eq!(shown.stderr, "");
    let rows: Vec<&str> = shown.stdout.lines().collect();
    assert!(rows[0].starts_with("certificate") && !rows[0].contains("pending for"), "{rows:#?}");
    assert!(rows[1].starts_with(&format!("{NAME} (portal)  {}  ", world.target())), "{rows:#?}");
    assert!(rows[1].contains(" (89d)  as ordered") && rows[1].ends_with("  ok"), "{rows:#?}");
    assert_eq!(rows[2..], ["1 certificate on 1 device: installed."]);

    let mut down = world.bare_command();
    down.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", NOBODY]);
    Ended::of(&mut down).exits(4);
    let shown = Ended::of(&mut command(&state)).exits(0);
    let rows: Vec<&str> = shown.stdout.lines().collect();
    assert!(rows[0].contains("  pending for  next try  "), "{rows:#?}");
    assert!(rows[1].starts_with(&format!("{NAME}           {NOBODY}")), "{rows:#?}");
    assert!(rows[1].contains("  in ") && rows[1].contains("  failed: no connection: "), "{rows:#?}");
    assert_eq!(rows[3..], ["1 certificate on 2 devices: 1 pending."]);
    Ended::of(command(&state).args(["--pending-for", "0s"])).exits(4).says("1 pending, for longer than 0s.");

    let all = told(&state, &[]);
    let (pending, there) = (&all["installations"][0], &all["installations"][1]);
    assert_eq!(there["fingerprint_proven"], world.served().unwrap());
    assert_eq!(there["fingerprint_ordered"], there["fingerprint_proven"]);
    let left = time(&there["installed_until"]) - Utc::now();
    assert!((89..=90).contains(&left.num_days()), "{there}");
    assert_eq!((&there["object"], &there["state"]), (&"portal".into(), &"installed".into()));
    assert_eq!(there["profiles"], serde_json::json!([PORTAL]));
    let job = there["job"].as_str().unwrap();
    assert!(job.parse::<u32>().is_ok(), "{there}");
    assert!(there["last_attempt"]["seconds"]["commit"].as_f64().unwrap() > 0.0, "{there}");
    assert_eq!((&there["problem"], &there["pending_since"]), (&().into(), &().into()));
    assert_eq!((&pending["state"], &pending["failures"]), (&"pending".into(), &1.into()));
    assert_eq!((&pending["problem"]["exit"], &pending["fingerprint_proven"]), (&4.into(), &().into()));
    assert!(pending["problem"]["advice"].as_str().unwrap().contains("management interface"), "{pending}");
    assert!((Utc::now() - time(&pending["pending_since"])).num_seconds() < 60);
    assert!(time(&pending["next_try"]) > Utc::now());
    let summary = &all["summary"];
    assert_eq!(
        (&summary["certificates"], &summary["pending"], &summary["exit"]),
        (&1.into(), &1.into(), &0.into())
    );
}

#[test]
fn a_renewal_that_failed_shows_that_the_device_runs_another_certificate() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let first = world.served().unwrap();
    world.renew();
    let body = "<response status=\"error\" code=\"12\"><msg><line>no room</line></msg></response>";
    let what = What::Body { content_type: "application/xml".into(), body: body.into() };
    world.device.inject(Fault::new(When::request(Matcher::typed("import")), what).times(4));
    world.install(&["-p", PORTAL]).exits(12);
    let state = world.path("state");
    Ended::of(&mut command(&state)).exits(0).says("  another  ").says("no room");
    let one = &told(&state, &[])["installations"][0];
    assert_eq!(one["fingerprint_proven"], first);
    assert_ne!(one["fingerprint_ordered"], first);
    assert_eq!(told(&state, &["--pending-for", "0s"])["summary"]["exit"], 12);
}

#[test]
fn orders_in_the_queue_are_pending_and_joined_with_what_is_installed() {
    let world = World::new();
    let state = world.path("state");
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let shown = Ended::of(&mut command(&state)).exits(0).says("1 certificate on 1 device: 1 pending.");
    let row = shown.stdout.lines().nth(1).unwrap();
    assert!(row.contains("  -                -     ") && row.ends_with("  now       in the queue"), "{row}");
    Ended::of(command(&state).args(["--pending-for", "0s"])).exits(10);

    world.install(&["-p", PORTAL]).exits(0);
    let first = world.served().unwrap();
    Ended::of(&mut command(&state)).exits(0).says("1 certificate on 1 device: installed.");
    world.renew();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let all = told(&state, &[]);
    assert_eq!(all["installations"].as_array().unwrap().len(), 1, "{all}");
    let one = &all["installations"][0];
    assert_eq!((&one["queued"], &one["state"]), (&true.into(), &"pending".into()));
    assert_eq!(one["fingerprint_proven"], first);
    assert_ne!(one["fingerprint_ordered"], first);
    Ended::of(&mut command(&state)).says("in the queue").says("another");
    // Looking changes nothing: the order is still there to be delivered.
    world.install(&["-p", PORTAL]).exits(0);
    assert_ne!(world.served().unwrap(), first);
}

#[test]
fn a_certificate_that_comes_to_its_end_on_the_device_is_an_alarm() {
    let world = World::new();
    world.issue(&CertificateSpec::named(NAME).san(NAME).valid(-DAY, 3 * DAY));
    world.install(&["-p", PORTAL]).exits(0);
    let state = world.path("state");
    Ended::of(&mut command(&state))
        .exits(10)
        .says("1 certificate on 1 device: installed; 1 expires within 7d.");
    Ended::of(command(&state).args(["--expires-in", "2d"])).exits(0).says("device: installed.");
    // What is pending besides calls for another exit code.
    Ended::of(world.bare_command().args(["-k", world.path(".panrc").to_str().unwrap(), NOBODY])).exits(4);
    Ended::of(command(&state).args(["--pending-for", "0s"])).exits(20);
    Ended::of(command(&state).args(["--pending-for", "0s", "--expires-in", "2d"])).exits(4);
    let ends = time(&told(&state, &["--device", NOBODY])["installations"][0]["next_try"]);
    assert!(ends < Utc::now() + TimeDelta::minutes(10));
}

#[test]
fn what_is_left_to_a_person_is_said_so() {
    let world = World::new();
    world.install(&["-p", PORTAL, "--commit", "none"]).exits(0);
    let state = world.path("state");
    let shown = Ended::of(&mut command(&state)).exits(0).says("1 waiting for manual commit.");
    assert!(shown.stdout.lines().nth(1).unwrap().ends_with("  waiting for manual commit"), "{shown:#?}");
    assert_eq!(told(&state, &[])["installations"][0]["state"], "left-to-commit");
}
