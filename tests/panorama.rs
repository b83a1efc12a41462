//! Panorama: a certificate in a template or a template stack, up to the commit there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "panorama/checked.rs"]
mod checked;
mod common;

use std::time::Duration;

use common::estate::{Estate, JANE, STACKS, UNBOUND, below, panorama, serial, vsys_below};
use common::pki::CertificateSpec;
use common::world::{ADMINISTRATOR, GATEWAY, NAME, PORTAL, World, print};
use panos_sim::{Fault, Matcher, PreloadedCertificate, Profile, What, When};

const TEMPLATE: [&str; 2] = ["template", "entry name=\"branch\""];

/// Requests that have changed, or could have changed, anything.
fn changes(world: &World) -> Vec<String> {
    let changing = |request: &panos_sim::RequestRecord| {
        let (kind, action) = (request.r#type.as_deref(), request.action.as_deref());
        kind == Some("import") || kind == Some("commit") || matches!(action, Some("set" | "edit" | "delete"))
    };
    let all = world.device.requests().into_iter().filter(changing);
    all.map(|request| format!("{:?} {:?} {:?}", request.r#type, request.action, request.xpath)).collect()
}

fn commits(world: &World) -> Vec<String> {
    let all =
        world.device.requests().into_iter().filter(|request| request.r#type.as_deref() == Some("commit"));
    all.filter_map(|request| request.cmd).collect()
}

#[test]
fn certificate_and_profile_go_into_the_template_and_only_our_changes_are_committed() {
    let estate = Estate::new(1);
    let hers = format!("{}/shared/address/entry[@name='printer']", below("template", "branch"));
    estate.device.add_pending_change(JANE, &hers, "<fqdn>p.test</fqdn>").unwrap();
    estate.device.clear_requests();
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    let shared = [TEMPLATE[0], TEMPLATE[1], "config", "shared"];
    let profile = format!("entry name=\"{PORTAL}\"");
    let held = estate.running(&[&shared[..], &["ssl-tls-service-profile", &profile]].concat());
    assert!(
        held.contains(&format!("<certificate>{NAME}</certificate>")) && held.contains("tls1-2"),
        "{held}"
    );
    let object = format!("entry name=\"{NAME}\"");
    assert!(estate.running(&[&shared[..], &["certificate", &object]].concat()).contains("private-key"));
    // Nowhere else, and in no template of another name.
    assert_eq!(estate.device.running_xml().matches(&object).count(), 1);
    let [commit] = commits(&estate).try_into().unwrap();
    let admin = format!("<admin><member>{ADMINISTRATOR}</member></admin>");
    assert!(
        commit.contains(&format!("<partial>{admin}<template><member>branch</member></template></partial>"))
    );
    assert!(
        commit.contains(&format!("pan_getcert: {NAME} as {NAME} (run "))
            && commit.contains(", asked for by ")
    );
    assert_eq!(estate.device.pending_changes().len(), 1, "hers is still pending");
    let place = estate.path("state").join("installations").join(estate.target()).join("template:branch");
    assert!(place.join(format!("{NAME}.json")).is_file());
    let imports = estate.device.requests().into_iter().filter(|one| one.r#type.as_deref() == Some("import"));
    assert_eq!(imports.count(), 1);
    estate.device.clear_requests();
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    assert_eq!(changes(&estate), [""; 0]);
    // A renewal overwrites, and what fails is put back.
    estate.renew();
    let before = estate.device.candidate_xml();
    estate.device.fail_next_commit(&["no"]);
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(14);
    assert_eq!(estate.device.candidate_xml(), before);
    assert_eq!(estate.device.pending_changes().len(), 1);
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    assert_eq!(estate.device.pending_changes().len(), 1);
}

#[test]
fn a_profile_of_a_virtual_system_uses_the_certificate_of_the_shared_part() {
    let estate = Estate::new(0);
    let vsys = vsys_below("template", "branch", "vsys1");
    estate.set(&format!("{vsys}/ssl-tls-service-profile/entry[@name='{GATEWAY}']"), UNBOUND);
    estate.commit(&["-p", GATEWAY, "--template", "branch"]).exits(13).says("it has GP portal");
    estate.commit(&["-p", GATEWAY, "--template", "branch/vsys1"]).exits(0);
    let config = [TEMPLATE[0], TEMPLATE[1], "config"];
    let shared = estate.running(&[&config[..], &["shared"]].concat());
    let vsys = ["devices", "entry name=\"localhost.localdomain\"", "vsys", "entry name=\"vsys1\""];
    let vsys = estate.running(&[&config[..], &vsys].concat());
    assert!(shared.contains(&format!("<entry name=\"{NAME}\">")), "{shared}");
    assert!(vsys.contains(&format!("<certificate>{NAME}</certificate>")) && !vsys.contains("public-key"));
    let record =
        estate.path("state").join("installations").join(estate.target()).join("template:branch%2Fvsys1");
    assert!(record.is_dir());
}

#[test]
fn a_stack_has_certificates_and_profiles_of_its_own() {
    let estate = Estate::new(0);
    let stack = below("template-stack", STACKS[0]);
    estate
        .commit(&["-p", PORTAL, "--stack", STACKS[0]])
        .exits(13)
        .says("is in template:branch")
        .says("--template");
    estate.profile(&stack, PORTAL);
    estate.device.clear_requests();
    let ended = estate.commit(&["-p", PORTAL, "--stack", STACKS[0]]).exits(0);
    let told =
        format!("the template 'branch' has the SSL/TLS service profile '{PORTAL}' too; this one outranks it");
    assert!(estate.log().iter().any(|line| line.contains(&told)), "{ended:?} {:#?}", estate.log());
    let held = estate.running(&["template-stack", "entry name=\"branches\"", "config", "shared"]);
    assert!(held.contains(&format!("<certificate>{NAME}</certificate>")) && held.contains("public-key"));
    assert!(commits(&estate)[0].contains("<template-stack><member>branches</member></template-stack>"));
}

#[test]
fn a_name_that_a_template_and_a_stack_share_is_refused_before_anything_is_sent() {
    let estate = Estate::with(0, |panorama| {
        panorama.templates.push(STACKS[0].into());
        panorama.stacks[1].templates.push(STACKS[0].into());
    });
    let before = estate.device.candidate_xml();
    for place in ["--template", "--stack"] {
        estate
            .commit(&["-p", PORTAL, place, STACKS[0]])
            .exits(13)
            .says("a template and a template stack 'branches'");
    }
    assert_eq!((estate.device.candidate_xml(), changes(&estate).len()), (before, 0));
}

#[test]
fn an_unknown_name_is_refused_before_anything_is_sent() {
    let estate = Estate::new(0);
    estate.device.clear_requests();
    let before = estate.device.candidate_xml();
    let known = "it has branch, base, spare";
    estate.commit(&["-p", PORTAL, "--template", "brnach"]).exits(13).says("no template 'brnach'").says(known);
    estate
        .commit(&["-p", PORTAL, "--stack", "branch"])
        .exits(13)
        .says("no template stack")
        .says("with --template");
    estate.commit(&["-p", PORTAL, "--template", STACKS[0]]).exits(13).says("with --stack");
    let long = "a".repeat(32);
    for (option, name) in [("--template", long.as_str()), ("--stack", "a'b"), ("--template", "branch/one")] {
        estate.device.clear_requests();
        estate.commit(&["-p", PORTAL, option, name]).exits(1).says(option);
        assert!(estate.device.requests().is_empty(), "{name}");
    }
    let object = "a".repeat(32);
    estate.commit(&["-n", &object, "-p", PORTAL, "--template", "branch"]).exits(1).says("31");
    assert_eq!(changes(&estate), [""; 0]);
    assert_eq!(estate.device.candidate_xml(), before);
    // A firewall has no templates, and a log collector has nothing.
    for (model, mode, says) in
        [("PA-3220", None, "the device is a firewall"), ("M-600", Some("logger"), "log collector")]
    {
        let mut settings = panorama();
        (settings.model, settings.system_mode) = (model.into(), mode.map(str::to_owned));
        settings.templates.clear();
        let world = World::with(settings);
        world.install(&["-p", PORTAL, "--template", "branch"]).exits(4).says(says);
        assert_eq!(changes(&world), [""; 0]);
    }
}

#[test]
fn what_would_not_win_on_the_firewalls_is_refused() {
    let estate = Estate::new(0);
    let base = |name: &str| estate.profile(&below("template", "base"), name);
    base(PORTAL);
    estate.device.clear_requests();
    let on_base = ["-p", PORTAL, "--template", "base"];
    let says = "the template 'branch' has the SSL/TLS service profile 'GP portal' too";
    estate.commit(&on_base).exits(13).says(says).says("'branches' get that one");
    assert_eq!(changes(&estate), [""; 0]);
    // In the stack that is pushed it wins.
    estate
        .install(&["--push", STACKS[1], "--dry-run", "-p", PORTAL, "--template", "base"])
        .exits(0)
        .says("outranks this one");
    // A certificate of the same name in a higher place would be presented instead.
    let object = format!("{}/shared/certificate/entry[@name='{NAME}']", below("template-stack", STACKS[0]));
    estate.set(&object, "<common-name>other</common-name>");
    let says = "the template stack 'branches' has the certificate 'gp.example.com' too";
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(13).says(says);
    // What is below is told, and no hindrance.
    base(GATEWAY);
    estate.profile(&below("template", "branch"), GATEWAY);
    let other = ["-n", "other", "-p", GATEWAY, "--template", "branch"];
    estate.commit(&other).exits(0);
    assert!(
        estate
            .log()
            .iter()
            .any(|line| line.contains("the template 'base' has") && line.contains("outranks it"))
    );
}

#[test]
fn a_colleagues_change_in_the_profile_is_waited_for_and_one_elsewhere_is_left() {
    let estate = Estate::new(0);
    let profile =
        format!("{}/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']", below("template", "branch"));
    let newer = "<protocol-settings><min-version>tls1-1</min-version></protocol-settings>";
    estate.device.add_pending_change(JANE, &profile, newer).unwrap();
    estate.device.clear_requests();
    let waiting = ["-p", PORTAL, "--template", "branch", "--commit-timeout", "1"];
    estate.commit(&waiting).exits(18).says(JANE);
    assert_eq!(changes(&estate), [""; 0]);
    // Our own change in another template is not part of this commit.
    estate.device.commit_as(JANE);
    assert!(estate.device.wait_idle(Duration::from_secs(5)));
    let ours = format!("{}/shared/address/entry[@name='printer']", below("template", "base"));
    estate.device.add_pending_change(ADMINISTRATOR, &ours, "<fqdn>p.test</fqdn>").unwrap();
    estate.commit(&waiting).exits(0);
    assert_eq!(estate.device.pending_changes().len(), 1);
    assert!(!estate.log().iter().any(|line| line.contains("committed as well")), "{:#?}", estate.log());
}

#[test]
fn a_description_that_is_refused_is_left_out() {
    let estate = Estate::new(0);
    let text = " commit -> description unexpected here";
    let refused = What::Refused { status: 200, code: Some(17), text: text.into() };
    let commit = Matcher::typed("commit").cmd("<description>");
    estate.device.inject(Fault::new(When::request(commit), refused));
    estate.device.clear_requests();
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    let sent = commits(&estate);
    assert_eq!(sent.len(), 2);
    assert!(sent[0].contains("<description>") && !sent[1].contains("<description>"));
    assert!(estate.log().iter().any(|line| line.contains("committing without a description")));
}

#[test]
fn older_objects_intermediates_and_other_uses_are_looked_after_in_the_template() {
    let estate = Estate::new(0);
    let branch = below("template", "branch");
    let vsys = vsys_below("template", "branch", "vsys1");
    let issuer = estate.ca.intermediate("Example Issuing CA", common::pki::KeyKind::P256);
    common::pki::write(&estate.path("chain.pem"), issuer.certificate_pem().as_bytes(), 0o644);
    let chain = estate.path("chain.pem");
    let all = ["-p", PORTAL, "--template", "branch", "--suffix", "serial", "--keep", "1", "--where-used"];
    let install = || {
        let below = issuer.issue(&CertificateSpec::named(NAME).san(NAME));
        below.write(estate.folder.path(), NAME);
        estate.commit(&[&all[..], &["--chain", chain.to_str().unwrap()]].concat()).exits(0);
        let held =
            estate.running(&[&TEMPLATE[..], &["config", "shared", "ssl-tls-service-profile"]].concat());
        let bound = held.split("<certificate>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        (print(&below.certificate), bound)
    };
    let (_, first) = install();
    // Others in the template use it too, and one in another template has an object of the same name.
    let using = format!("<protocol-settings/><certificate>{first}</certificate>");
    estate.set(&format!("{branch}/shared/ssl-tls-service-profile/entry[@name='{GATEWAY}']"), &using);
    estate.set(&format!("{vsys}/ssl-tls-service-profile/entry[@name='inside']"), &using);
    let (_, second) = install();
    let held = estate.running(&[&TEMPLATE[..], &["config"]].concat());
    assert_eq!(held.matches(&format!("<certificate>{second}</certificate>")).count(), 3, "{held}");
    install();
    let held = estate.running(&[&TEMPLATE[..], &["config", "shared", "certificate"]].concat());
    assert!(!held.contains(&first) && held.contains(&second), "{held}");
    assert_eq!(held.matches("pan_getcert-ca-").count(), 1, "{held}");
}

#[test]
fn panoramas_own_management_interface_has_nothing_to_do_with_a_template() {
    let mut settings = panorama();
    let own = common::pki::self_signed(&CertificateSpec::named("panorama.example.com"));
    settings.certificates = vec![PreloadedCertificate {
        name: "own".into(),
        certificate: own.certificate_pem(),
        key: Some(own.key_pem()),
        vsys: None,
    }];
    settings.profiles = vec![Profile::bound(PORTAL, "own")];
    settings.management_profile = Some(PORTAL.into());
    let estate = Estate::with(0, |before| {
        settings.stacks.clone_from(&before.stacks);
        *before = settings;
    });
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    assert!(!estate.path("state").join("known_devices").exists());
    // Its own certificate still is one of the device as a whole.
    let panorama = estate.running(&["panorama"]);
    assert!(!panorama.contains(NAME), "{panorama}");
    // Of the firewalls' interfaces a warning is due.
    let system = format!(
        "{}/devices/entry[@name='localhost.localdomain']/deviceconfig/system",
        below("template", "branch")
    );
    estate.set(&system, &format!("<ssl-tls-service-profile>{PORTAL}</ssl-tls-service-profile>"));
    estate.renew();
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    assert!(estate.log().iter().any(|line| line.contains("the firewalls' management interfaces use")));
}

#[test]
fn a_dry_run_changes_nothing_and_inventory_lists_what_templates_hold() {
    let estate = Estate::new(0);
    let before = estate.device.candidate_xml();
    let planned = estate.commit(&["--dry-run", "-p", PORTAL, "--template", "branch"]).exits(0);
    planned.says("upload  gp.example.com (a new object)").says("bind    SSL/TLS profile GP portal");
    assert_eq!(estate.device.candidate_xml(), before);
    estate.commit(&["-p", PORTAL, "--template", "branch"]).exits(0);
    let mut inventory = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    inventory.arg("inventory").arg("--json").arg("--state-dir").arg(estate.path("state"));
    inventory.arg("-k").arg(estate.path(".panrc")).args(["--pin", &estate.device.certificate_fingerprint()]);
    let ended = common::world::Ended::of(inventory.arg(estate.target())).exits(0);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let [only] = told["certificates"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&only["place"], &only["profiles"][0]), (&"template:branch".into(), &PORTAL.into()));
    assert_eq!((&only["ours"], &only["private_key"]), (&true.into(), &true.into()));
}

#[test]
fn inventory_knows_the_stacks_and_what_their_firewalls_last_got() {
    let estate = Estate::new(2);
    estate.device.set_connected(&serial(2), false);
    estate.install(&["-p", PORTAL, "--template", "branch", "--push-to", &serial(1)]);
    let certctl = |words: &[&str]| {
        let mut certctl = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        certctl
            .args(words)
            .arg("--state-dir")
            .arg(estate.path("state"))
            .arg("--log-file")
            .arg(estate.path("log"));
        common::world::Ended::of(&mut certctl)
    };
    let (pin, key_file, device) =
        (estate.device.certificate_fingerprint(), estate.path(".panrc"), estate.target());
    let reach = ["inventory", "-k", key_file.to_str().unwrap(), "--pin", &pin, &device];
    let ended = certctl(&reach).exits(0);
    let ended = ended.says("template stack 'branches' (branch, base): ");
    ended.says("  firewall 001900000000002: not connected, last push: not connected");
    let ended = certctl(&[&reach[..], &["--json"]].concat()).exits(0);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let stack = &told["stacks"][0];
    assert_eq!((&stack["stack"], &stack["templates"][1]), (&"branches".into(), &"base".into()), "{told:#}");
    let of = |number: usize| &stack["firewalls"][number - 1];
    assert_eq!((&of(2)["serial"], &of(2)["connected"]), (&serial(2).into(), &false.into()), "{told:#}");
    assert!(of(1)["last_push"].as_str().unwrap().contains("commit"), "{told:#}");

    // What could not be asked for is no list of none.
    let stacks = Matcher::typed("op").cmd("<template-stack");
    estate.device.inject(Fault::new(When::request(stacks), What::Forbidden));
    let ended = certctl(&[&reach[..], &["--json"]].concat());
    let ended = ended.says("its template stacks can't be read");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(ended.code != Some(0) && told["troubles"][0]["device"] == device.as_str(), "{ended:#?}");
    assert!(!told["certificates"].as_array().unwrap().is_empty(), "{told:#}");

    // Places that begin alike are told apart in the table at the end.
    for number in ["77", "78"] {
        estate.install(&["-p", PORTAL, "--serial", &format!("0019000000000{number}")]).exits(4);
    }
    let ended = certctl(&["retry", "--now"]);
    for number in ["77", "78"] {
        let row = format!("{device} device:0019000000000{number}  failed (4)");
        assert!(ended.stdout.contains(&row), "{row}: {ended:#?}");
    }
}

#[test]
fn check_knows_templates_their_stacks_and_what_their_firewalls_last_got() {
    let estate = Estate::new(2);
    estate.device.set_connected(&serial(2), false);
    let check = |arguments: &[&str]| {
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        check.args(["check", "-b", "-c", NAME]).arg("--state-dir").arg(estate.path("state"));
        check.arg("-C").arg(estate.folder.path()).arg("-K").arg(estate.folder.path());
        check.arg("-k").arg(estate.path(".panrc")).args(["--pin", &estate.device.certificate_fingerprint()]);
        common::world::Ended::of(check.args(arguments).arg(estate.target()))
    };
    let before = estate.device.candidate_xml();
    let ended = check(&["-p", PORTAL, "--template", "branch"]);
    let ended = ended.says("template:branch is there").says("'GP portal' is there, bound to nothing yet");
    let ended =
        ended.says("001900000000001 in the template stack 'branches': out of sync, has never got a push");
    ended.says("001900000000002 in the template stack 'branches': not connected");
    check(&["-p", PORTAL, "--template", "spare"])
        .exits(13)
        .says("no template stack holds it")
        .says("not found");
    check(&["-p", PORTAL, "--template", "brnach"])
        .exits(13)
        .says("no template 'brnach'; it has branch, base, spare");
    estate.profile(&below("template", "base"), PORTAL);
    check(&["-p", PORTAL, "--template", "base"])
        .exits(13)
        .says("firewalls of the template stack 'branches' get that one");
    assert_ne!(estate.device.candidate_xml(), before);
    assert_eq!(changes(&estate), [""; 0]);
    let firewall = World::new();
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    check.args(["check", "-b", "-p", PORTAL, "--template", "branch", "-k"]).arg(firewall.path(".panrc"));
    check
        .arg("--state-dir")
        .arg(firewall.path("state"))
        .args(["--pin", &firewall.device.certificate_fingerprint()]);
    common::world::Ended::of(check.arg(firewall.target())).exits(4).says("the device is a firewall");
}

#[test]
fn a_managed_firewall_is_changed_through_panorama_where_no_upload_is_needed() {
    let estate = Estate::new(2);
    let (first, second) = (&estate.firewalls[0], &estate.firewalls[1]);
    let (one, two) = (serial(1), serial(2));
    let through = |serial: &str, profile: &str| estate.install(&["-p", profile, "--serial", serial]);
    // An upload would land on Panorama.
    through(&one, PORTAL).exits(12).says("an upload can't be passed on through Panorama").says("--template");
    assert_eq!(changes(&estate), [""; 0]);
    // With the certificate there, profiles are bound, committed and proven on the firewall, and on no other.
    let direct = |firewall: &panos_sim::Simulator| {
        let mut command = estate.bare_command();
        command.arg("-k").arg(estate.path(".panrc")).args(["--pin", &firewall.certificate_fingerprint()]);
        common::world::Ended::of(command.args(["-p", PORTAL]).arg(firewall.address().to_string())).exits(0);
    };
    direct(first);
    direct(second);
    let (panorama, untouched) = (estate.device.running_xml(), second.running_xml());
    through(&one, GATEWAY).exits(0);
    assert_eq!(first.running_xml().matches(&format!("<certificate>{NAME}</certificate>")).count(), 2);
    assert_eq!((estate.device.running_xml(), second.running_xml()), (panorama, untouched));
    assert!(first.pending_changes().is_empty());
    through(&one, GATEWAY).exits(0).says("nothing to do");
    through(&two, GATEWAY).exits(0);
    for serial in [&one, &two] {
        let records = estate.path("state").join("installations").join(estate.target());
        assert!(records.join(format!("device:{serial}")).join(format!("{NAME}.json")).is_file());
    }
    // Panorama says the same of a firewall that is off and of one that it does not know.
    estate.device.set_connected(&two, false);
    through(&two, PORTAL).exits(4).says("not connected").says("connect the firewall to Panorama");
    through("001900000000077", PORTAL)
        .exits(4)
        .says("Panorama manages no firewall with the serial number 001900000000077");
    // Where it answers for itself, that is noticed.
    let body = b"<response status=\"success\"><result><system><hostname>p</hostname><model>PA-3220</model>\
                 <serial>000710000001</serial></system></result></response>"
        .to_vec();
    let system = Matcher::typed("op").cmd("<system><info>");
    let second_question = When::Matching { matcher: system, nth: 2 };
    estate.device.inject(Fault::new(second_question, What::Answer { status: 200, body }));
    through(&one, PORTAL).exits(4).says("000710000001 has answered");
    World::new().install(&["-p", PORTAL, "--serial", &one]).exits(4).says("the device is a firewall");
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    check.args(["check", "-b", "-p", GATEWAY, "--serial", &one]).arg("--state-dir").arg(estate.path("state"));
    check.arg("-k").arg(estate.path(".panrc")).args(["--pin", &estate.device.certificate_fingerprint()]);
    common::world::Ended::of(check.arg(estate.target()))
        .says("PA-440")
        .says("'GP gateway' presents 'gp.example.com' now");
}

#[test]
fn of_a_pair_of_panoramas_the_active_one_is_changed() {
    let alone = |address: &str| panos_sim::Settings { listen: address.parse().unwrap(), ..panorama() };
    let (first, second) = panos_sim::Simulator::pair(alone("127.0.0.1:0"), alone("127.0.0.2:0")).unwrap();
    let world = World::of(first, common::pki::root("Example CA", common::pki::KeyKind::P256));
    world.renew();
    let profile =
        format!("{}/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']", below("template", "spare"));
    let prepare = |device: &panos_sim::Simulator| {
        device.add_pending_change(JANE, &profile, UNBOUND).unwrap();
        device.commit_as(JANE);
        assert!(device.wait_idle(Duration::from_secs(5)));
    };
    prepare(&world.device);
    second.make_active();
    prepare(&second);
    let before = world.device.running_xml();
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).arg("--insecure");
    let ended = common::world::Ended::of(
        command
            .args(["-p", PORTAL, "--template", "spare", "--push", "none", "--ha-peer"])
            .arg(second.address().to_string())
            .arg(world.target()),
    );
    ended.exits(0);
    assert!(second.running_xml().contains(&format!("<certificate>{NAME}</certificate>")));
    assert!(
        world.log().iter().any(|line| line.contains("secondary-active") || line.contains("primary-passive"))
    );
    assert!(!before.contains(NAME));
    assert!(world.device.requests().iter().all(|request| request.r#type.as_deref() != Some("commit")));
}
