//! What `verify` finds: told, kept for `status`, and delivered or left as it is.

use serde_json::{Value, json};

use crate::common::world::{PORTAL, World, print, settings_with_other};
use crate::{away, certctl, configure, world};

#[test]
fn verify_finds_all_well_and_what_is_not_and_makes_it_pending() {
    let world = World::with(settings_with_other());
    configure(&world, "");
    world.install(&["-p", PORTAL]).exits(0);
    certctl(&world, &["verify"]).exits(0).says("the device is running this certificate");
    // Somebody binds the old one again.
    let entry = format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    world.device.add_pending_change("jane", &entry, "<certificate>other</certificate>").unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(std::time::Duration::from_secs(10)));
    certctl(&world, &["verify", "--drift", "warn"])
        .exits(15)
        .says("bound to 'other'")
        .says("no action was taken");
    assert_eq!(world.record()["pending_since"], Value::Null);
    // It is left as it is, and status goes on saying so; nobody else would.
    let told = status(&world, 15);
    assert_eq!((&told["state"], &told["faults"][0]["word"]), (&json!("installed"), &json!("drift")));
    assert!(told["drift"]["what"].as_str().unwrap().contains("bound to 'other'"), "{told:#}");
    let found = told["drift"]["found"].clone();
    configure(&world, "drift = 'warn'\n");
    certctl(&world, &["verify"]).exits(15).says("no action was taken");
    // Since when it is known.
    assert_eq!(status(&world, 15)["drift"]["found"], found);
    let shown = certctl(&world, &["status", "--no-certmonger"]).exits(15).says("1 not as installed.");
    assert!(shown.stdout.contains(" ago: ") && !shown.stdout.contains("  ok"), "{shown:#?}");
    configure(&world, "");
    certctl(&world, &["verify", "--json"]).exits(15).says("\"pending-again\"");
    certctl(&world, &["verify"]).exits(0).says(": pending; see");
    // What is pending is what was found, and when it is tried is told.
    let told = status(&world, 0);
    assert!(told["drift"]["what"].as_str().unwrap().contains("bound to 'other'"), "{told:#}");
    assert!(told["next_try"].is_string() && told["problem"].is_null() && told["failures"] == 0, "{told:#}");
    let shown = certctl(&world, &["status", "--no-certmonger"]).exits(0).says("verify found ");
    assert!(shown.stdout.contains("bound to 'other'") && !shown.stdout.contains("not tried"), "{shown:#?}");
    // An attempt that fails has a reason of its own.
    world.device.inject(away());
    certctl(&world, &["retry"]).exits(4);
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("verify found ").says("failed: ");
    world.device.clear_faults();
    certctl(&world, &["retry", "--now"]).exits(0);
    assert_eq!(status(&world, 0)["drift"], Value::Null);
    certctl(&world, &["verify"]).exits(0).says("the device is running this certificate");
}

/// What status tells of the one installation.
#[track_caller]
fn status(world: &World, code: i32) -> Value {
    let told = certctl(world, &["status", "--no-certmonger", "--json"]).exits(code).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    told["installations"][0].clone()
}

#[test]
fn verify_finds_a_renewal_that_was_never_recorded() {
    let world = world();
    world.install(&["-p", PORTAL]).exits(0);
    let newest = world.renew();
    // Where it is left as it is, the record goes on saying what was installed.
    let before = world.record();
    certctl(&world, &["verify", "--drift", "warn"]).exits(15).says("with no recorded installation");
    assert_eq!(world.record()["spec"], before["spec"]);
    certctl(&world, &["verify"]).exits(15).says("with no recorded installation");
    certctl(&world, &["status", "--no-certmonger"]).says("verify found ").says("a different certificate");
    certctl(&world, &["retry"]).exits(0);
    assert_eq!(status(&world, 0)["drift"], Value::Null);
    assert_eq!(world.served(), Some(print(&newest.certificate)));
    world.device.inject(away());
    certctl(&world, &["verify"]).exits(4);
    assert_eq!(world.record()["pending_since"], Value::Null, "who gives no answer is no drift");
}
