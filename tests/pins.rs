//! A pin that was typed once, while the management certificate is renewed: the next run still gets in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::pair::count;
use common::trouble::wait_until;
use common::world::{Ended, PORTAL, World, print, settings};
use common::{pki, pki::CertificateSpec};
use panos_sim::{Fault, Matcher, PreloadedCertificate, Profile, What, When};

/// A device whose management interface uses the profile that is renewed.
fn managed() -> World {
    let own = pki::self_signed(&CertificateSpec::named("fw1.example.com"));
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    let mut settings = settings();
    settings.certificates = vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }];
    settings.profiles = vec![Profile::bound(PORTAL, "own")];
    settings.management_profile = Some(PORTAL.into());
    settings.restart_outage = Duration::from_millis(30);
    World::with(settings)
}

/// A run with this pin, whatever the device shows by now.
fn command(world: &World, pin: &str) -> Command {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).args(["-p", PORTAL, "--pin", pin]).arg(world.target());
    command
}

fn known(world: &World) -> String {
    std::fs::read_to_string(world.path("state/known_devices")).unwrap_or_default()
}

/// What the device is recognised by now, and was before.
fn line(world: &World, before: &str) -> String {
    format!("{} {} before={before}\n", world.target(), world.device.certificate_fingerprint())
}

#[test]
fn the_pin_that_was_typed_opens_the_door_at_every_renewal() {
    let world = managed();
    let pin = world.device.certificate_fingerprint();
    for round in 0..4 {
        let (issued, before) = (world.renew(), world.device.certificate_fingerprint());
        Ended::of(&mut command(&world, &pin)).exits(0);
        assert_eq!(world.device.certificate_fingerprint(), print(&issued.certificate), "round {round}");
        // Once it is two renewals ago the line says that it was named.
        let named = if round == 0 { "\n".to_owned() } else { format!(" pinned={pin}\n") };
        assert_eq!(known(&world), line(&world, &before).replace('\n', &named), "round {round}");
    }
    // With nothing new, too.
    Ended::of(&mut command(&world, &pin)).exits(0).says("already");
}

#[test]
fn crash_before_pin_update_does_not_lock_out() {
    let world = managed();
    let pin = world.device.certificate_fingerprint();
    let issued = world.renew();
    // Its questions after the commit are not answered any more.
    let polls = When::request(Matcher::typed("op").cmd("<jobs>"));
    world.device.inject(Fault::new(polls, What::Silence).times(u32::MAX));
    let mut dying = command(&world, &pin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait_until(|| count(&world.device, "commit") == 1));
    assert!(wait_until(|| world.device.certificate_fingerprint() == print(&issued.certificate)));
    dying.kill().unwrap();
    dying.wait().unwrap();
    assert_eq!(known(&world), "");
    world.device.clear_faults();
    Ended::of(&mut command(&world, &pin)).exits(0);
    assert_eq!(count(&world.device, "commit"), 1);
    assert_eq!(known(&world), line(&world, &pin));
    // And so does the one after that, with another certificate.
    let (issued, before) = (world.renew(), world.device.certificate_fingerprint());
    Ended::of(&mut command(&world, &pin)).exits(0);
    assert_eq!(world.device.certificate_fingerprint(), print(&issued.certificate));
    assert_eq!(known(&world), line(&world, &before).replace('\n', &format!(" pinned={pin}\n")));
}

#[test]
fn a_pin_that_was_typed_is_that_certificate_or_its_successor_and_no_other() {
    let world = managed();
    let own = world.device.certificate_fingerprint();
    let write = |text: &str| pki::write(&world.path("state/known_devices"), text.as_bytes(), 0o600);
    std::fs::create_dir(world.path("state")).unwrap();
    let wrong = "ab".repeat(32);
    world.renew();
    // What the device is known by is what counts where nothing is said, and not besides what is.
    write(&format!("{} {own}\n", world.target()));
    Ended::of(&mut command(&world, &wrong)).exits(16).says("does not match the pinned");
    assert_eq!(world.device.requests(), []);
    Ended::of(&mut command(&world, &own)).exits(0);
    // A person has said that it is the same device.
    let now = world.device.certificate_fingerprint();
    write(&format!("{} {now} pinned={wrong}\n", world.target()));
    Ended::of(&mut command(&world, &wrong)).exits(0).says("already");
    write(&format!("{} {now}\n", world.target()));
    Ended::of(&mut command(&world, &own)).exits(16);
    Ended::of(&mut command(&world, &wrong)).exits(16);
}
