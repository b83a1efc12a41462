//! What is looked at and told before anybody is asked for a certificate.

use super::Scene;
use crate::common::authority;
use crate::common::pki;
use crate::common::world::{Ended, GATEWAY, KEY, NAME, NOBODY, PORTAL};

fn nothing_was_asked(scene: &Scene) {
    assert!(scene.authority.submitted().is_empty());
    assert!(!scene.bus.path(&format!("{NAME}.key")).exists());
    assert!(!scene.bus.path("state").join("queue").exists());
}

#[tokio::test]
async fn a_mistake_about_a_device_leaves_no_certificate_and_no_request_behind() {
    let scene = Scene::new().await;
    let typed = ["--ca", authority::NAME, "-p", PORTAL];
    let mut command = scene.command();
    let ended = Ended::of(command.args(typed).args([&scene.device.address().to_string(), NOBODY]));
    let ended = ended.exits(4).says("can't connect to");
    assert!(ended.stderr.contains("add --no-check"), "{ended:#?}");
    nothing_was_asked(&scene);
    let ended = scene.first(&["-p", "GP protal"]).exits(13).says("GP protal");
    assert!(ended.stderr.contains("GP portal"), "{ended:#?}");
    nothing_was_asked(&scene);
    pki::write(&scene.bus.path(".panrc"), b"api_key=anothers\n", 0o600);
    scene.first(&["-p", PORTAL]).exits(17).says("is refused");
    nothing_was_asked(&scene);
    assert!(scene.bus.getcert().list().await.unwrap().requests.is_empty());
    // The impatient get the certificate, and what is wrong from the installation.
    scene.first(&["-p", PORTAL, "--no-check"]).exits(17).says("Certificate issue took");
    pki::write(&scene.bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    // What is there needs no certificate, and no look beforehand.
    scene.ask(&["-p", PORTAL]).exits(0).says("FINISHED: ");
    assert!(scene.is_served());
    assert!(scene.ask(&["-p", "GP protal", "--resubmit"]).exits(13).stderr.contains("--no-check"));
    assert_eq!(scene.authority.submitted().len(), 1);
}

#[tokio::test]
async fn a_dry_run_shows_the_request_the_command_word_by_word_and_each_device_and_changes_nothing() {
    let scene = Scene::new().await;
    let typed =
        ["-p", PORTAL, "-s", GATEWAY, "--san", "vpn.example.com", "-T", "gpServer", "-G", "ec", "--dry-run"];
    let ended = scene.first(&typed).exits(0);
    for line in [
        "Dry run: would make a new request.",
        "  CA: stand-in",
        "  principal: certmonger's own",
        "  names: gp.example.com, vpn.example.com",
        "  certificate profile: gpServer",
        "  key type: ec",
        "  '--profile=GP portal'",
        "0 failed, ",
    ] {
        assert!(ended.stdout.contains(line), "no '{line}' in {ended:#?}");
    }
    nothing_was_asked(&scene);
    assert!(scene.bus.getcert().list().await.unwrap().requests.is_empty());
    let before = scene.device.candidate_xml();
    scene.first(&["-p", "GP protal", "--dry-run"]).exits(13).says("GP protal");

    scene.first(&["-p", PORTAL, "--no-check"]).exits(0);
    assert_ne!(scene.device.candidate_xml(), before);
    let (before, command) = (scene.device.candidate_xml(), scene.tracked().await.post_save);
    // Of a certificate that is there the device's plan can be told.
    let ended = scene.ask(&["-p", PORTAL, "-s", GATEWAY, "--dry-run"]).exits(0);
    assert!(ended.stdout.contains("and ask for nothing"), "{ended:#?}");
    assert!(
        ended.stdout.contains("bind    SSL/TLS profile GP gateway: nothing -> gp.example.com"),
        "{ended:#?}"
    );
    let ended = scene.ask(&["-p", PORTAL, "--rekey", "--dry-run"]).exits(0);
    assert!(ended.stdout.contains("again, with a new key"), "{ended:#?}");
    assert_eq!((scene.device.candidate_xml(), scene.tracked().await.post_save), (before, command));
    assert_eq!(scene.authority.submitted().len(), 1);
}
