//! What a device is, and what it does with the profiles that are named: where a certificate would have no effect, or
//! could not be installed, that is said before anything is changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::pki::{self, CertificateSpec, KeyKind};
use common::world::{Ended, GATEWAY, NAME, PORTAL, World, print, settings};
use panos_sim::{PreloadedCertificate, Profile, Pushed, Settings};

/// A predefined profile of the release that is simulated (measured on 11.1.13-h3).
const PREDEFINED: &str = "TLSv1.3_Default";
const OF_TEMPLATE: &str = "from Panorama";

fn check(world: &World, arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(["check", "--blind", "--ca", "local", "--pin", &world.device.certificate_fingerprint()]);
    command.arg("-k").arg(world.path(".panrc")).arg("--state-dir").arg(world.path("state"));
    command.arg("--log-file").arg(world.path("log")).args(arguments).arg(world.target());
    Ended::of(command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC"))
}

/// Nothing is uploaded, set or committed, and all is as it was.
#[track_caller]
fn refused(world: &World, arguments: &[&str], code: i32, says: &[&str]) {
    let before = (world.device.candidate_xml(), world.device.running_xml());
    for dry_run in [&[][..], &["--dry-run"]] {
        let ended = world.install(&[arguments, dry_run].concat()).exits(code);
        says.iter().fold(ended, |ended, text| ended.says(text));
    }
    assert_eq!((world.device.candidate_xml(), world.device.running_xml()), before);
    let changed = |kind: &str, action: Option<&str>| {
        kind == "import" || kind == "commit" || matches!(action, Some("set" | "edit" | "delete"))
    };
    for request in world.device.requests() {
        let (kind, action) = (request.r#type.unwrap_or_default(), request.action);
        assert!(!changed(&kind, action.as_deref()), "{kind} {action:?}");
    }
}

#[test]
fn a_profile_named_like_a_predefined_one_is_refused_the_device_ignores_it() {
    let mut settings = settings();
    settings.profiles.push(Profile::unbound(PREDEFINED));
    let world = World::with(settings);
    refused(&world, &["-p", PREDEFINED], 13, &[PREDEFINED, "predefined", "another name"]);
    refused(&world, &["-p", PORTAL, "-s", PREDEFINED], 13, &[PREDEFINED]);
    check(&world, &["-p", PREDEFINED]).exits(13).says("predefined");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.install(&["-p", PORTAL]).exits(0);
}

#[test]
fn a_name_that_only_a_predefined_profile_has_is_told_as_that() {
    let world = World::new();
    refused(&world, &["-p", PREDEFINED], 13, &["predefined"]);
}

fn two_systems() -> Settings {
    let mut settings =
        Settings { multi_vsys: true, vsys: vec!["vsys1".into(), "vsys2".into()], ..settings() };
    settings.profiles.push(Profile { vsys: Some("vsys2".into()), ..Profile::unbound("management") });
    settings
}

/// Where somebody is about to give the management interface this profile.
fn of_management(settings: Settings) -> World {
    let world = World::with(settings);
    let system = "/config/devices/entry[@name='localhost.localdomain']/deviceconfig/system";
    let element = "<ssl-tls-service-profile>management</ssl-tls-service-profile>";
    world.device.add_pending_change("jane", system, element).unwrap();
    world
}

#[test]
fn the_management_interface_never_looks_in_a_virtual_system() {
    let world = of_management(two_systems());
    let arguments = ["-p", "management", "--vsys", "vsys2"];
    refused(&world, &arguments, 13, &["management interface", "vsys2", "without --vsys"]);
    check(&world, &arguments).exits(13).says("management interface");

    // With a shared one of the same name, the one of the virtual system may be meant for another service.
    let mut both = two_systems();
    both.profiles.push(Profile::unbound("management"));
    let world = of_management(both);
    world.install(&[&arguments[..], &["--dry-run"]].concat()).exits(0).says("takes the shared one");
    world.install(&arguments).exits(0);
    assert!(world.log().iter().any(|line| line.starts_with("WARNING: ") && line.contains("the shared one")));
}

/// A firewall to which a Panorama has pushed a certificate with a profile.
fn pushed(profiles: Vec<Profile>) -> Settings {
    let issued =
        pki::root("Panorama's CA", KeyKind::P256).issue(&CertificateSpec::named("pushed.example.com"));
    let certificate = PreloadedCertificate {
        name: "pushed".into(),
        certificate: issued.certificate_pem(),
        key: Some(issued.key_pem()),
        vsys: None,
    };
    let pushed = Pushed {
        template: "branch-stack".into(),
        certificates: vec![certificate],
        profiles,
        management_profile: None,
    };
    Settings { pushed: Some(pushed), ..settings() }
}

#[test]
fn what_a_template_supplies_is_refused_before_the_upload_with_the_way_on_panorama() {
    let world = World::with(pushed(vec![Profile::bound(OF_TEMPLATE, "pushed")]));
    let says = [
        OF_TEMPLATE,
        "'branch-stack'",
        "set template branch-stack config shared ssl-tls-service-profile \"from Panorama\" certificate gp.example.com",
    ];
    refused(&world, &["-p", OF_TEMPLATE], 13, &says);
    refused(&world, &["-p", PORTAL, "-s", OF_TEMPLATE], 13, &says[..2]);
    refused(&world, &["-n", "pushed", "-p", PORTAL, "--take-over"], 12, &["'pushed'", "'branch-stack'"]);
    check(&world, &["-p", OF_TEMPLATE]).exits(13).says("branch-stack").says("on Panorama");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.install(&["-p", PORTAL]).exits(0);
    assert_eq!(world.served().unwrap().len(), 64);
}

#[test]
fn where_used_leaves_what_a_template_supplies_and_says_so() {
    let world = World::with(pushed(vec![Profile::bound(OF_TEMPLATE, "before")]));
    world.install(&["-n", "before", "-p", PORTAL]).exits(0);
    world.renew();
    let arguments = ["-n", "after", "-p", PORTAL, "--where-used", "--take-over"];
    world.install(&[&arguments[..], &["--dry-run"]].concat()).exits(0).says("branch-stack");
    world.install(&arguments).exits(0);
    let told = |line: &String| line.starts_with("WARNING: ") && line.contains("'branch-stack'");
    assert!(world.log().iter().any(told), "{:#?}", world.log());
}

#[test]
fn a_local_object_that_overrides_a_templates_is_told_of() {
    let world = World::with(pushed(vec![Profile::bound(GATEWAY, "pushed")]));
    let told = "overrides the one of Panorama's template 'branch-stack'";
    world.install(&["-p", PORTAL, "-s", GATEWAY, "--dry-run"]).exits(0).says(told);
    check(&world, &["-p", GATEWAY]).says(told);
    let untold = world.install(&["-p", PORTAL, "--dry-run"]).exits(0);
    assert!(!untold.stdout.contains("overrides"), "{untold:#?}");
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
}

#[test]
fn only_model_and_known_modes_make_a_panorama_and_a_log_collector_is_refused() {
    // A firewall that tells a mode of another kind stays one: what is shared is where a firewall has it.
    for (model, mode) in [("PA-VM", "normal"), ("PA-5440", "standalone")] {
        let world =
            World::with(Settings { model: model.into(), system_mode: Some(mode.into()), ..settings() });
        world.install(&["-p", PORTAL]).exits(0);
        assert!(world.device.running_xml().contains(NAME));
    }
    for model in ["M-600", "Panorama"] {
        let world = World::with(Settings {
            model: model.into(),
            system_mode: Some("logger".into()),
            served_profile: None,
            profiles: Vec::new(),
            ..settings()
        });
        refused(&world, &["-p", PORTAL], 4, &["log collector"]);
        check(&world, &["-p", PORTAL]).exits(4).says("log collector");
    }
}

#[test]
fn releases_to_come_are_read() {
    for version in ["12.2.4-h2", "12.2.0-b12", "13.0.1"] {
        let world = World::with(Settings { sw_version: version.into(), ..settings() });
        world.install(&["-p", PORTAL]).exits(0);
        check(&world, &["-p", PORTAL]).says(&format!("PAN-OS {version} on PA-440"));
    }
}

#[test]
fn names_with_blanks_can_be_given() {
    let world = World::new();
    let issued = world.renew();
    world.install(&["-n", "GP portal 2026", "-p", PORTAL]).exits(0).says("GP portal 2026");
    assert!(world.device.running_xml().contains("<entry name=\"GP portal 2026\">"));
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    world.install(&["-n", "GP portal 2026", "-p", PORTAL]).exits(0).says("nothing to do");
    world.renew();
    let another = ["-n", "GP portal", "-p", PORTAL, "--suffix", "serial", "--where-used", "--take-over"];
    world.install(&another).exits(0);
    world.install(&["-n", " GP", "-p", PORTAL]).exits(1);
    world.install(&["-n", "GP ", "-p", PORTAL]).exits(1).says("end");
}
