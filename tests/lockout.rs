//! What is installed on the management interface must not lock this program out: what our next connection would not
//! accept is refused before anything is changed, by name; what it would accept is installed, and the next run connects.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::process::Command;
use std::time::Duration;

use panos_sim::{PreloadedCertificate, Profile, Settings};

use common::pair::count;
use common::pki::{self, CertificateSpec, DAY, KeyKind};
use common::world::{Ended, NAME, PORTAL, World, print, settings, shown};

/// How the device is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Known,
    Authority,
}

/// A device whose management interface uses the profile that is renewed; the first certificate is one of the authority's.
fn managed(adjust: impl FnOnce(&mut Settings)) -> World {
    let ca = pki::root("Example CA", KeyKind::P256);
    let own = ca.issue(&CertificateSpec::named("fw1.example.com").ip("127.0.0.1".parse().unwrap()));
    let (certificate, key) = (own.certificate_pem(), Some(own.key_pem()));
    let mut settings = Settings {
        certificates: vec![PreloadedCertificate { name: "own".into(), certificate, key, vsys: None }],
        profiles: vec![Profile::bound(PORTAL, "own")],
        management_profile: Some(PORTAL.into()),
        restart_outage: Duration::from_millis(30),
        ..settings()
    };
    adjust(&mut settings);
    let world = World::of(panos_sim::Simulator::start(settings).unwrap(), ca);
    pki::write(&world.path("ca.pem"), world.ca.certificate_pem().as_bytes(), 0o644);
    std::fs::create_dir(world.path("state")).unwrap();
    let line = format!("{} {}\n", world.target(), world.device.certificate_fingerprint());
    pki::write(&world.path("state/known_devices"), line.as_bytes(), 0o600);
    world
}

/// A certificate for the name by which the device is called here.
fn spec() -> CertificateSpec {
    CertificateSpec::named(NAME).san(NAME).ip("127.0.0.1".parse().unwrap())
}

fn command(world: &World, way: Way) -> Command {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).args(["-p", PORTAL]);
    // What is known of a device comes before authorities.
    if way == Way::Authority {
        std::fs::remove_file(world.path("state/known_devices")).ok();
        command.arg("--ca-file").arg(world.path("ca.pem"));
    }
    command
}

fn install(world: &World, way: Way, further: &[&str]) -> Ended {
    Ended::of(command(world, way).args(further).arg(world.target()))
}

#[track_caller]
fn untouched(world: &World) {
    assert_eq!((count(&world.device, "import"), count(&world.device, "commit")), (0, 0));
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn every_kind_of_key_that_our_tls_speaks_is_installed_and_the_next_run_connects() {
    for way in [Way::Known, Way::Authority] {
        let world = managed(|_| {});
        for key in [KeyKind::P521, KeyKind::P384, KeyKind::Rsa(2048), KeyKind::P521] {
            let new = world.issue(&spec().key(key));
            install(&world, way, &["--suffix", "serial"]).exits(0);
            assert_eq!(shown(&world.device), Some(print(&new.certificate)), "{way:?} {key:?}");
            install(&world, way, &["--suffix", "serial"]).exits(0).says("already");
        }
    }
}

#[test]
fn a_kind_of_key_that_our_tls_does_not_speak_is_refused_by_name() {
    for way in [Way::Known, Way::Authority] {
        let world = managed(|_| {});
        for (key, name) in [
            (KeyKind::RsaPss, "its key is RSA for RSA-PSS only; RSA of 2048 to 8192 bits"),
            (KeyKind::Brainpool, "its key is EC on the curve brainpoolP256r1; RSA of 2048"),
        ] {
            world.issue(&spec().key(key));
            let ended = install(&world, way, &[]).exits(16).says(name).says("nothing was changed");
            ended.says("-G, -b").says("--force");
            untouched(&world);
        }
    }
}

#[test]
fn a_certificate_that_is_not_for_servers_or_not_for_this_name_is_refused_where_an_authority_is_trusted() {
    let world = managed(|_| {});
    for (spec, why) in [
        (spec().client_only(), "unsuitable certificate purpose"),
        (CertificateSpec::named(NAME).san(NAME), "IP address mismatch"),
    ] {
        world.issue(&spec);
        install(&world, Way::Authority, &[]).exits(16).says(why).says("--force");
        untouched(&world);
    }
    // By its fingerprint the device would be recognised with either.
    let world = managed(|_| {});
    let new = world.issue(&spec().client_only());
    install(&world, Way::Known, &[]).exits(0);
    assert_eq!(shown(&world.device), Some(print(&new.certificate)));
    install(&world, Way::Known, &[]).exits(0).says("already");
}

#[test]
fn what_is_not_valid_by_the_devices_clock_is_refused_until_that_is_right() {
    let (day, minute) = (DAY, 60);
    for (ahead, validity, refused) in [
        (-day, (-60, 90 * day), Some("is behind: the certificate begins to be valid")),
        (100 * day, (-60, 90 * day), Some("is ahead: the certificate has expired")),
        // So little passes before anybody has to connect.
        (-4 * minute, (-60, 90 * day), None),
        (-day, (-2 * day, 90 * day), None),
    ] {
        for way in [Way::Known, Way::Authority] {
            let world = managed(|settings| settings.clock_ahead = ahead);
            world.issue(&spec().valid(validity.0, validity.1));
            let Some(why) = refused else {
                install(&world, way, &[]).exits(0);
                continue;
            };
            install(&world, way, &[]).exits(16).says(why).says("NTP");
            untouched(&world);
            // Time heals it.
            assert_eq!(world.record()["state"]["retry_class"], "clock", "{}", world.record());
        }
    }
}

#[test]
fn a_plan_tells_it_too_and_who_insists_is_warned_and_obeyed() {
    let world = managed(|_| {});
    let new = world.issue(&CertificateSpec::named(NAME).san(NAME));
    install(&world, Way::Authority, &["--dry-run"]).exits(16).says("IP address mismatch").says("--force");
    install(&world, Way::Authority, &["--dry-run", "--force"])
        .exits(0)
        .says("WARNING")
        .says("IP address mismatch");
    install(&world, Way::Authority, &["--dry-run", "--commit", "none"]).exits(16);
    untouched(&world);
    let ended = install(&world, Way::Authority, &["--force"]);
    assert_eq!(shown(&world.device), Some(print(&new.certificate)), "{ended:#?}");
    assert!(world.log().iter().any(|line| line.contains("WARNING") && line.contains("IP address mismatch")));
    // It is locked out then, and says so.
    ended.exits(16).says("IP address mismatch");
}

#[test]
fn what_the_management_interface_does_not_use_is_nobodys_lock_out() {
    let world = managed(|settings| {
        settings.management_profile = None;
        settings.clock_ahead = -DAY;
    });
    world.issue(&CertificateSpec::named(NAME).san(NAME).client_only());
    install(&world, Way::Known, &[]).exits(0);
}
