//! `--where-used`: every place that names the certificate before is found, in the whole configuration; what can be given
//! the new one is, the rest is told with what it is, and left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::Duration;

use common::pki::{self, CertificateSpec, KeyKind};
use common::world::{NAME, PORTAL, World, settings};
use panos_sim::{Fault, Matcher, PreloadedCertificate, Profile, Settings, What, When};

const OLD: &str = "old";
const DEVICE: &str = "/config/devices/entry[@name='localhost.localdomain']";
const VSYS: &str = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']";

/// Each place, what is put there, and how it is told: the trail, and a word of what it is.
fn places() -> Vec<(String, String, &'static str, &'static str)> {
    let device = |path: &str| format!("{DEVICE}/{path}");
    let vsys = |path: &str| format!("{VSYS}/{path}");
    let shared = |path: &str| format!("/config/shared/{path}");
    let leaf = |name: &str| format!("<{name}>{OLD}</{name}>");
    let member = format!("<member>{OLD}</member>");
    vec![
        (
            device("deviceconfig/setting/management/api/key"),
            leaf("certificate"),
            "api -> key -> certificate",
            "API keys",
        ),
        (
            device("deviceconfig/setting/management/secure-conn-client/certificate-type/local"),
            leaf("certificate"),
            "secure-conn-client -> certificate-type -> local -> certificate",
            "Panorama",
        ),
        (
            shared("authentication-profile/entry[@name='sso']/method/saml-idp"),
            leaf("request-signing-certificate"),
            "sso -> method -> saml-idp -> request-signing-certificate",
            "identity provider",
        ),
        (
            shared("server-profile/saml-idp/entry[@name='idp']"),
            leaf("certificate"),
            "saml-idp -> idp -> certificate",
            "identity provider's own",
        ),
        (
            shared("ssl-decrypt/forward-trust-certificate"),
            leaf("rsa"),
            "forward-trust-certificate -> rsa",
            "trusted sites",
        ),
        (
            shared("ssl-decrypt/forward-untrust-certificate"),
            leaf("ecdsa"),
            "forward-untrust-certificate -> ecdsa",
            "untrusted sites",
        ),
        (shared("ssl-decrypt/trusted-root-CA"), member.clone(), "trusted-root-CA -> member", "trusted CA"),
        (
            shared("ssl-decrypt/root-ca-exclude-list"),
            member.clone(),
            "root-ca-exclude-list -> member",
            "not trusted",
        ),
        (
            shared("ssl-decrypt"),
            format!("<ssl-exclude-cert><entry name=\"{OLD}\"/></ssl-exclude-cert>"),
            "ssl-exclude-cert -> old",
            "left out",
        ),
        (
            vsys("rulebase/decryption/rules/entry[@name='in']/type/ssl-inbound-inspection/certificates"),
            member.clone(),
            "ssl-inbound-inspection -> certificates -> member",
            "inbound inspection",
        ),
        (
            vsys("rulebase/decryption/rules/entry[@name='older']/type"),
            leaf("ssl-inbound-inspection"),
            "older -> type -> ssl-inbound-inspection",
            "inbound inspection",
        ),
        (
            shared("certificate-profile/entry[@name='clients']/CA/entry[@name='other']"),
            leaf("ocsp-verify-cert"),
            "other -> ocsp-verify-cert",
            "OCSP",
        ),
        (
            shared("certificate-profile/entry[@name='of clients']/CA"),
            format!("<entry name=\"{OLD}\"/>"),
            "of clients -> CA -> old",
            "certificates of others",
        ),
        (
            device("network/tunnel/ipsec/entry[@name='hub']/global-protect-satellite/external-ca"),
            leaf("local-certificate"),
            "external-ca -> local-certificate",
            "satellite",
        ),
        (
            vsys(
                "global-protect/global-protect-portal/entry[@name='p']/client-config/configs/entry[@name='c']/authentication-override",
            ),
            leaf("cookie-encrypt-decrypt-cert"),
            "c -> authentication-override -> cookie-encrypt-decrypt-cert",
            "cookies",
        ),
        (
            vsys(
                "global-protect/global-protect-portal/entry[@name='p']/client-config/configs/entry[@name='c']/client-certificate",
            ),
            leaf("local"),
            "client-certificate -> local",
            "client certificate",
        ),
        (
            vsys("global-protect/global-protect-portal/entry[@name='p']/client-config/root-ca"),
            format!("<entry name=\"{OLD}\"/>"),
            "client-config -> root-ca -> old",
            "trusted CA",
        ),
        (
            vsys(
                "global-protect/global-protect-portal/entry[@name='p']/satellite-config/client-certificate/local",
            ),
            leaf("issuing-certificate"),
            "local -> issuing-certificate",
            "satellites",
        ),
        (
            vsys(
                "global-protect/global-protect-gateway/entry[@name='g']/remote-user-tunnel-configs/entry[@name='r']/authentication-override",
            ),
            leaf("cookie-encrypt-decrypt-cert"),
            "r -> authentication-override -> cookie-encrypt-decrypt-cert",
            "cookies",
        ),
        // Nobody knows what these are.
        (
            shared("novelty/entry[@name='n']/handshake"),
            leaf("presents"),
            "novelty -> n -> handshake -> presents",
            "what for is not known",
        ),
        (
            device("network/novelty/list"),
            member,
            "network -> novelty -> list -> member",
            "what for is not known",
        ),
        (
            device("deviceconfig/system/novelty"),
            leaf("identity"),
            "device settings -> system -> novelty -> identity",
            "what for is not known",
        ),
    ]
}

/// What reads like the certificate's name and is something else.
fn others() -> Vec<(String, String)> {
    vec![
        (format!("{VSYS}/address/entry[@name='{OLD}']"), format!("<fqdn>{OLD}</fqdn>")),
        (format!("{DEVICE}/deviceconfig/system"), format!("<hostname>{OLD}</hostname>")),
        (format!("{VSYS}/tag/entry[@name='{OLD}']"), "<comments>old</comments>".to_owned()),
    ]
}

fn world() -> World {
    let issued = pki::root("Old CA", KeyKind::P256).issue(&CertificateSpec::named(NAME).san(NAME));
    let old = PreloadedCertificate {
        name: OLD.into(),
        certificate: issued.certificate_pem(),
        key: Some(issued.key_pem()),
        vsys: None,
    };
    World::with(Settings {
        certificates: vec![old],
        profiles: vec![Profile::bound(PORTAL, OLD)],
        ..settings()
    })
}

fn commit(world: &World) {
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(Duration::from_secs(10)));
}

/// The places that are told of, in a plan or in the log.
fn told(lines: impl Iterator<Item = String>) -> Vec<String> {
    let places = lines.filter_map(|line| {
        let place =
            line.trim().strip_prefix("WARNING: the previous certificate is still used by ")?.to_owned();
        Some(place.strip_suffix("; not changed")?.to_owned())
    });
    places.collect()
}

#[test]
fn each_place_that_names_it_is_told_with_what_it_is_and_left() {
    let world = world();
    for (path, element, ..) in places() {
        world.device.add_pending_change("jane", &path, &element).unwrap();
    }
    for (path, element) in others() {
        world.device.add_pending_change("jane", &path, &element).unwrap();
    }
    commit(&world);
    let arguments = ["-p", PORTAL, "--where-used"];
    let dry = world.install(&[&arguments[..], &["--dry-run"]].concat()).exits(0);
    let planned = told(dry.stdout.lines().map(str::to_owned));
    for (_, _, trail, what) in places() {
        let found: Vec<&String> = planned
            .iter()
            .filter(|place| place.contains(&format!("{trail} (")) && place.contains(what))
            .collect();
        assert_eq!(found.len(), 1, "{trail} ({what}): {planned:#?}");
    }
    assert_eq!(planned.len(), places().len(), "{planned:#?}");
    let before = world.device.running_xml();
    world.install(&arguments).exits(0);
    assert_eq!(told(world.log().into_iter()), planned);
    // But for the profile, and the new object, all is as it was.
    let after = world.device.running_xml();
    let count = |xml: &str| xml.matches(&format!(">{OLD}<")).count();
    assert_eq!(count(&after) + 1, count(&before));
    assert!(after.contains(&format!("<certificate>{NAME}</certificate>")));
}

#[test]
fn a_part_that_is_too_large_is_read_place_by_place_and_that_is_told() {
    let world = world();
    for (path, element, ..) in places() {
        world.device.add_pending_change("jane", &path, &element).unwrap();
    }
    commit(&world);
    for part in ["/config/shared", &format!("{DEVICE}/network"), VSYS, &format!("{DEVICE}/deviceconfig")] {
        let matcher = Matcher::typed("config").action("get").xpath_is(part);
        world.device.inject(Fault::new(When::request(matcher), What::Huge(9 << 20)));
    }
    world.install(&["-p", PORTAL, "--where-used"]).exits(0);
    let told = told(world.log().into_iter());
    for (_, _, trail, what) in places().into_iter().filter(|(_, _, _, what)| *what != "what for is not known")
    {
        assert!(told.iter().any(|place| place.contains(trail) && place.contains(what)), "{trail}: {told:#?}");
    }
    for part in ["shared", "network", "vsys1", "device settings"] {
        let part = format!("places of {part} that nobody knows (it is too large to be read as a whole)");
        assert!(told.contains(&part), "{part}: {told:#?}");
    }
}

#[test]
fn the_object_that_api_keys_depend_on_is_never_overwritten() {
    let world = world();
    let path = format!("{DEVICE}/deviceconfig/setting/management/api/key");
    world.device.add_pending_change("jane", &path, &format!("<certificate>{OLD}</certificate>")).unwrap();
    let before = world.device.candidate_xml();
    let ended = world.install(&["-n", OLD, "-p", PORTAL, "--force"]).exits(12);
    ended.says("API keys depend on the certificate 'old'").says("--suffix serial");
    assert_eq!(world.device.candidate_xml(), before);
    world.install(&["-n", OLD, "-p", PORTAL, "--suffix", "serial", "--where-used"]).exits(0);
    assert_eq!(world.device.candidate_xml().matches(&format!("<certificate>{OLD}</certificate>")).count(), 1);
}
