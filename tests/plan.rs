//! Plans: told before anything is done, and names that leave a way back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::pki::{CertificateSpec, KeyKind};
use common::world::{GATEWAY, NAME, PORTAL, World, print, settings};
use panos_sim::Profile;

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let mut bound = settings();
    bound.profiles[1] = Profile::unbound(GATEWAY);
    let world = World::with(bound);
    let path = "/config/shared/address/entry[@name='printer']";
    world.device.add_pending_change("jane", path, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    let before = (world.device.candidate_xml(), world.device.running_xml());
    let ended = world.install(&["-p", PORTAL, "-s", GATEWAY, "--dry-run"]).exits(0);
    for line in [
        "PAN-OS 11.1.4):",
        "  upload  gp.example.com (a new object)",
        "  bind    SSL/TLS profile GP portal: nothing -> gp.example.com",
        "  commit  only the changes of cert-deploy",
        "jane",
    ] {
        assert!(ended.stdout.contains(line), "no '{line}' in {ended:#?}");
    }
    assert_eq!((world.device.candidate_xml(), world.device.running_xml()), before);
    assert!(!world.path("log").exists() && !world.path("state").exists());

    let ended = world.install(&["-p", PORTAL, "--dry-run", "--json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let steps: Vec<&str> = json["devices"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["do"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["import", "bind", "commit"]);
    assert_eq!(json["devices"][0]["steps"][1]["profiles"][0]["from"], serde_json::Value::Null);
    world.install(&["-p", "GP gatway", "--dry-run"]).exits(13);
    assert!(
        world.device.requests().iter().all(|r| !matches!(r.r#type.as_deref(), Some("import" | "commit")))
    );
    world.install(&["-p", PORTAL]).exits(0);
    world.install(&["-p", PORTAL, "--dry-run"]).exits(0).says("already installed");
}

/// The names of the certificate objects that were made here, as the running configuration has them.
fn objects(world: &World) -> Vec<String> {
    let xml = world.device.running_xml();
    let names = xml.split("<entry name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    names.filter(|name| name.starts_with(NAME)).collect()
}

#[test]
fn with_a_serial_each_certificate_is_an_object_of_its_own_and_keep_deletes_older_ones() {
    let world = World::new();
    let mut names = Vec::new();
    for round in 0..4 {
        let issued = world.renew();
        world.install(&["-p", PORTAL, "--suffix", "serial", "--keep", "1"]).exits(0);
        assert_eq!(world.served(), Some(print(&issued.certificate)), "round {round}");
        let now = objects(&world);
        assert!(now.iter().all(|name| name.len() <= 31 && name.starts_with("gp.example.com_")), "{now:?}");
        // The new one and the way back to the one before.
        assert_eq!(now.len(), (round + 1).min(2), "{now:?}");
        names.extend(now);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4);
    world.install(&["-p", PORTAL, "--suffix", "serial", "--keep", "1"]).exits(0).says("nothing to do");
}

#[test]
fn an_older_object_that_is_still_used_or_not_ours_stays() {
    let world = World::new();
    world.install(&["-p", GATEWAY, "--suffix", "serial"]).exits(0);
    let first = objects(&world);
    // The gateway goes on using it, and is nobody's business here any more.
    let mut forget = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    forget.args(["forget", NAME, "--profile", GATEWAY, "--yes", "--state-dir"]).arg(world.path("state"));
    forget.arg("--log-file").arg(world.path("log")).env_clear().env("PATH", "/usr/bin:/bin");
    common::world::Ended::of(&mut forget).exits(0);
    for _ in 0..3 {
        world.renew();
        world.install(&["-p", PORTAL, "--suffix", "serial", "--keep", "0"]).exits(0);
    }
    let now = objects(&world);
    assert_eq!(now.len(), 3, "{now:?}");
    assert!(now.contains(&first[0]));
    assert!(world.log().iter().any(|line| line.contains("still referenced by")));
    // Without its record the tool does not know what it made, and deletes nothing.
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.renew();
    world.install(&["-p", PORTAL, "--suffix", "serial", "--keep", "0"]).exits(0);
    assert_eq!(objects(&world).len(), 4);
}

#[test]
fn another_kind_of_key_under_the_name_of_an_object_in_use_is_refused_without_force() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let before = world.device.candidate_xml();
    world.issue(&CertificateSpec::named(NAME).san(NAME).key(KeyKind::Rsa(2048)));
    world
        .install(&["-p", PORTAL])
        .exits(12)
        .says("has an EC key, the new one has an RSA key")
        .says("--suffix serial");
    assert_eq!(world.device.candidate_xml(), before);
    world.install(&["-p", PORTAL, "--suffix", "serial"]).exits(0);
    world.renew();
    world.install(&["-p", PORTAL, "--force"]).exits(0);
}

#[test]
fn the_year_and_another_suffix_are_a_contradiction() {
    World::new().install(&["-Y", "--suffix", "serial"]).exits(1);
}

#[test]
fn everything_that_used_the_object_before_can_be_rebound_and_the_rest_is_told() {
    let mut wider = settings();
    wider.profiles.push(Profile::unbound("third"));
    wider.profiles.push(Profile { vsys: Some("vsys1".into()), ..Profile::unbound("of vsys1") });
    let world = World::with(wider);
    world.install(&["-p", PORTAL, "--suffix", "serial"]).exits(0);
    let old = objects(&world).remove(0);
    let vsys = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']";
    let ike =
        "/config/devices/entry[@name='localhost.localdomain']/network/ike/gateway/entry[@name='branch']";
    let profile = |path: &str, element: &str| {
        world.device.add_pending_change("jane", path, element).unwrap();
    };
    let leaf = format!("<certificate>{old}</certificate>");
    profile("/config/shared/ssl-tls-service-profile/entry[@name='third']", &leaf);
    profile(&format!("{vsys}/ssl-tls-service-profile/entry[@name='of vsys1']"), &leaf);
    profile(
        ike,
        &format!(
            "<authentication><certificate><local-certificate><name>{old}</name></local-certificate></certificate></authentication>"
        ),
    );
    profile(
        "/config/shared/certificate-profile/entry[@name='clients']",
        &format!("<CA><entry name=\"{old}\"/></CA>"),
    );
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(std::time::Duration::from_secs(10)));

    world.renew();
    let arguments = ["-p", PORTAL, "--suffix", "serial", "--where-used"];
    let ended = world.install(&[&arguments[..], &["--dry-run"]].concat()).exits(0);
    assert!(ended.stdout.contains("rebind  SSL/TLS Profile of vsys1 (vsys1): "), "{ended:#?}");
    world.install(&arguments).exits(0);
    let xml = world.device.running_xml();
    assert_eq!(xml.matches(&format!(">{old}<")).count(), 0, "{xml}");
    let new = objects(&world).into_iter().find(|name| *name != old).unwrap();
    assert_eq!(xml.matches(&format!(">{new}<")).count(), 4);
    let warned = "WARNING: the previous certificate is still used by shared -> certificate-profile -> clients -> CA -> ";
    assert!(world.log().iter().any(|line| line.starts_with(warned)), "{:#?}", world.log());

    // A failed commit puts all of them back.
    world.renew();
    let before = world.device.candidate_xml();
    world.device.fail_next_commit(&["no"]);
    world.install(&arguments).exits(14);
    assert_eq!(world.device.candidate_xml(), before);
}
