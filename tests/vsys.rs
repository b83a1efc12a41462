//! Devices with several virtual systems.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::world::{NAME, PORTAL, World, settings};
use panos_sim::Profile;

const OF_TWO: &str = "portal of two";

fn several() -> World {
    let mut settings = settings();
    settings.multi_vsys = true;
    settings.vsys = vec!["vsys1".into(), "vsys2".into()];
    settings.profiles.push(Profile { vsys: Some("vsys2".into()), ..Profile::unbound(OF_TWO) });
    World::with(settings)
}

#[test]
fn certificate_and_profile_of_one_virtual_system() {
    let world = several();
    world.install(&["-p", OF_TWO, "--vsys", "vsys2"]).exits(0);
    let xml = world.device.running_xml();
    let vsys2 = xml.split("<entry name=\"vsys2\">").nth(1).unwrap();
    assert!(
        vsys2.contains(&format!("<entry name=\"{NAME}\">"))
            && vsys2.contains(&format!("<certificate>{NAME}</certificate>"))
    );
    assert_eq!(xml.matches(&format!("<entry name=\"{NAME}\">")).count(), 1);
    world.install(&["-p", OF_TWO, "--vsys", "vsys2"]).exits(0).says("nothing to do");

    world.renew();
    let before = world.device.candidate_xml();
    world.device.fail_next_commit(&["no"]);
    world.install(&["-p", OF_TWO, "--vsys", "vsys2"]).exits(14);
    assert_eq!(world.device.candidate_xml(), before);
}

#[test]
fn a_profile_that_is_somewhere_else_is_pointed_out() {
    let world = several();
    let before = world.device.candidate_xml();
    world.install(&["-p", OF_TWO]).exits(13).says("'portal of two' is in vsys2").says("--vsys");
    world.install(&["-p", PORTAL, "--vsys", "vsys1"]).exits(13).says("'GP portal' is in shared");
    world.install(&["-p", "nowhere"]).exits(13).says("it has GP portal");
    assert_eq!(world.device.candidate_xml(), before);
}

#[test]
fn the_display_name_of_a_virtual_system_is_not_its_name() {
    for name in ["", "Blue", "vsys", "vsys'1", "vsys1/x", "vsys123456"] {
        World::new().install(&["-p", PORTAL, "--vsys", name]).exits(1);
    }
}
