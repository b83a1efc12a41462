//! Devices with several virtual systems.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::Duration;

use common::pki::{self, KeyKind};
use common::world::{GATEWAY, NAME, PORTAL, World, settings};
use panos_sim::{PreloadedCertificate, Profile, Settings};

const OF_TWO: &str = "portal of two";

fn two_systems() -> Settings {
    Settings { multi_vsys: true, vsys: vec!["vsys1".into(), "vsys2".into()], ..settings() }
}

fn several() -> World {
    let mut settings = two_systems();
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

const DEVICE: &str = "/config/devices/entry[@name='localhost.localdomain']";
const OLD: &str = "old";

/// A certificate and a profile bound to it: in which virtual system, if in any.
type At = (Option<&'static str>, &'static str);

/// A device with a certificate of one name in several places, and with references to this name everywhere.
fn same_name_everywhere(certificates: &[Option<&'static str>], profiles: &[At]) -> World {
    let ca = pki::root("Old CA", KeyKind::P256);
    let mut settings = two_systems();
    settings.certificates = certificates
        .iter()
        .map(|vsys| {
            let issued = ca.issue(&pki::CertificateSpec::named(NAME).san(NAME));
            PreloadedCertificate {
                name: OLD.into(),
                certificate: issued.certificate_pem(),
                key: Some(issued.key_pem()),
                vsys: vsys.map(str::to_owned),
            }
        })
        .collect();
    settings.profiles = profiles
        .iter()
        .map(|(vsys, name)| Profile { vsys: vsys.map(str::to_owned), ..Profile::bound(name, OLD) })
        .collect();
    settings.served_profile = None;
    let world = World::with(settings);
    for base in ["/config/shared".to_owned(), vsys("vsys1"), vsys("vsys2")] {
        let clients = format!("{base}/certificate-profile/entry[@name='clients']");
        world.device.add_pending_change("jane", &clients, "<CA><entry name=\"old\"/></CA>").unwrap();
    }
    let gateway = format!("{DEVICE}/network/ike/gateway/entry[@name='branch']/authentication/certificate");
    let local = "<local-certificate><name>old</name></local-certificate>";
    world.device.add_pending_change("jane", &gateway, local).unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(Duration::from_secs(10)));
    world
}

fn vsys(name: &str) -> String {
    format!("{DEVICE}/vsys/entry[@name='{name}']")
}

/// The entry of the running configuration, whose name occurs once.
fn profile(world: &World, name: &str) -> String {
    let xml = world.device.running_xml();
    let (before, after) = xml.split_once(&format!("<entry name=\"{name}\">")).unwrap();
    assert!(!before.contains(name) && !after.contains(name));
    after.split_once("</entry>").unwrap().0.to_owned()
}

fn runs(world: &World, name: &str, certificate: &str) -> bool {
    profile(world, name).contains(&format!("<certificate>{certificate}</certificate>"))
}

/// The places that a person is told of.
fn warned(world: &World) -> Vec<String> {
    let places = world.log().into_iter().filter_map(|line| {
        let place = line.strip_prefix("WARNING: the previous certificate is still used by ")?;
        Some(place.strip_suffix("; not changed")?.to_owned())
    });
    places.collect()
}

const TRAIL: &str =
    "-> certificate-profile -> clients -> CA -> old (a CA that certificates of others are verified by)";

#[test]
fn what_a_virtual_system_has_is_looked_for_in_that_virtual_system_only() {
    let (one, two) = (Some("vsys1"), Some("vsys2"));
    let profiles = [(None, PORTAL), (one, GATEWAY), (two, OF_TWO), (two, "second of two")];
    let world = same_name_everywhere(&[None, one, two], &profiles);
    world.device.clear_requests();
    world.install(&["-p", OF_TWO, "--vsys", "vsys2", "--where-used"]).exits(0);
    assert!(runs(&world, OF_TWO, NAME) && runs(&world, "second of two", NAME));
    assert!(runs(&world, PORTAL, OLD) && runs(&world, GATEWAY, OLD));
    assert!(world.device.running_xml().contains("<name>old</name>"), "the gateway names the shared one");
    assert_eq!(warned(&world), [format!("vsys2 {TRAIL}")]);
    for request in world.device.requests() {
        let xpath = request.xpath.unwrap_or_default();
        let managements = xpath.ends_with("/deviceconfig/system/ssl-tls-service-profile");
        let predefined = xpath == "/config/predefined/ssl-tls-service-profile";
        let asked_for = xpath.is_empty() || managements || predefined || xpath.starts_with(&vsys("vsys2"));
        assert!(asked_for, "not asked for: {xpath}");
    }
}

#[test]
fn what_is_shared_is_looked_for_everywhere_but_where_a_virtual_system_has_its_own() {
    let (one, two) = (Some("vsys1"), Some("vsys2"));
    let world = same_name_everywhere(&[None, two], &[(None, PORTAL), (one, GATEWAY), (two, OF_TWO)]);
    world.install(&["-p", PORTAL, "--where-used"]).exits(0);
    assert!(runs(&world, PORTAL, NAME) && runs(&world, GATEWAY, NAME));
    assert!(runs(&world, OF_TWO, OLD), "this one is bound to the virtual system's own certificate");
    assert!(!world.device.running_xml().contains("<name>old</name>"), "the gateway has the new one");
    assert_eq!(warned(&world), [format!("shared {TRAIL}"), format!("vsys1 {TRAIL}")]);
}

#[test]
fn where_a_virtual_system_has_its_own_object_of_the_new_name_nothing_is_given_that_one() {
    let world = same_name_everywhere(&[None], &[(None, PORTAL), (Some("vsys1"), GATEWAY)]);
    world.install(&["-p", GATEWAY, "--vsys", "vsys1"]).exits(0);
    let back = format!("{}/ssl-tls-service-profile/entry[@name='{GATEWAY}']", vsys("vsys1"));
    world.device.add_pending_change("jane", &back, "<certificate>old</certificate>").unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(Duration::from_secs(10)));
    world.renew();
    world.install(&["-p", PORTAL, "--where-used"]).exits(0);
    assert!(runs(&world, PORTAL, NAME));
    assert!(
        runs(&world, GATEWAY, OLD),
        "there the new name means the virtual system's own, older certificate"
    );
    assert!(warned(&world).iter().any(|place| place.contains(GATEWAY)), "{:#?}", world.log());
}
