//! Chains: the intermediates go up with the certificate and as objects of their own, part of the same transaction, and
//! go again when nothing needs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::process::Command;
use std::time::Duration;

use common::inside;
use common::pki::{CertificateSpec, DAY, Issued, KeyKind};
use common::world::{self, ADMINISTRATOR, Ended, NAME, PORTAL, World, print, served_chain, settings};
use pancert::error::Exit;
use pancert::install::result::Outcome;
use panos_sim::{ImportAnswer, ImportRefusal, PreloadedCertificate, Profile, Settings};

const LIST: &str = "/config/shared/certificate";

/// How the object of an intermediate is called.
fn object_of(issuer: &Issued) -> String {
    format!("pan_getcert-ca-{}", &print(&issuer.certificate)[..16])
}

fn issuing(world: &World, name: &str) -> Issued {
    world.ca.intermediate(name, KeyKind::P256)
}

/// Issues a certificate for [`NAME`], and writes the chain file.
fn renew(world: &World, issuer: &Issued, chain: &[&Issued]) -> Issued {
    let issued = issuer.issue(&CertificateSpec::named(NAME).san(NAME));
    issued.write(world.folder.path(), NAME);
    let chain: String = chain.iter().map(|one| one.certificate_pem()).collect();
    std::fs::write(world.path("chain.pem"), chain).unwrap();
    issued
}

fn install(world: &World, arguments: &[&str]) -> Ended {
    let chain = world.path("chain.pem");
    let usual = ["-p", PORTAL, "--chain", chain.to_str().unwrap()];
    world.install(&[&usual[..], arguments].concat())
}

/// The certificate objects of the running configuration, by a quick look.
fn objects(world: &World) -> Vec<String> {
    let xml = world.device.running_xml();
    let names = xml.split("<entry name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    names.filter(|name| name.starts_with(NAME) || name.starts_with("pan_getcert-ca-")).collect()
}

/// The uploads of certificates without a key, by the names of their objects.
fn uploaded(world: &World) -> Vec<String> {
    let sent = world.device.requests().into_iter();
    let sent = sent.filter(|request| request.category.as_deref() == Some("certificate"));
    sent.filter_map(|request| request.certificate_name).collect()
}

fn preloaded(name: &str, issued: &Issued, vsys: Option<&str>) -> PreloadedCertificate {
    let certificate = issued.certificate_pem();
    PreloadedCertificate { name: name.into(), certificate, key: None, vsys: vsys.map(str::to_owned) }
}

#[track_caller]
fn logged(world: &World, text: &str) {
    let log = world.log();
    assert!(log.iter().any(|line| line.contains(text)), "no '{text}' in {log:#?}");
}

/// FreeIPA's CA, renewed by an external one: two certificates of the same name and key in the file, and the root.
#[test]
fn of_a_ca_that_was_renewed_the_certificate_that_is_valid_longest_goes_up_and_becomes_an_object() {
    let world = World::new();
    let spec = |days: i64| CertificateSpec::named("Certificate Authority").valid(-DAY, days * DAY);
    let before = world.ca.intermediate_with(&spec(100));
    let after = world.ca.intermediate_for_key(&spec(4000), before.key.clone());
    let issued = renew(&world, &before, &[&before, &world.ca, &after, &before]);
    let ended = install(&world, &["--dry-run"]).exits(0);
    let line = format!(
        "  upload  {} (a new object for the intermediate certificate CN=Certificate Authority)",
        object_of(&after)
    );
    assert!(ended.stdout.contains(&line), "{ended:#?}");
    assert!(uploaded(&world).is_empty());

    install(&world, &[]).exits(0);
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    assert_eq!(served_chain(&world.device), 2);
    assert_eq!(uploaded(&world), [object_of(&after)]);
    logged(&world, "left out of the chain in ");
    logged(&world, "another one of the same authority is valid for longer");
    let xml = world.device.running_xml();
    let entry = xml.split(&format!("<entry name=\"{}\">", object_of(&after))).nth(1).unwrap();
    let entry = entry.split("</entry>").next().unwrap();
    assert!(entry.contains("<ca>yes</ca>") && !entry.contains("private-key"), "{entry}");
    let record = world.record();
    assert_eq!(record["created_issuers"][0]["object"], object_of(&after));
    assert_eq!(record["created_objects"].as_array().unwrap().len(), 1);

    // All of it is there: nothing is sent, and one more question than without a chain was put.
    world.device.clear_requests();
    install(&world, &[]).exits(0).says("nothing to do");
    assert!(uploaded(&world).is_empty());
    let with = world.device.requests().len();
    world.device.clear_requests();
    world.install(&["-p", PORTAL]).exits(0).says("nothing to do");
    assert_eq!(with, world.device.requests().len() + 1);

    // An object that somebody has deleted comes back, alone.
    world
        .device
        .delete_from_candidate("jane", &format!("{LIST}/entry[@name='{}']", object_of(&after)))
        .unwrap();
    world.device.commit_as("jane");
    assert!(world.device.wait_idle(Duration::from_secs(10)));
    world.device.clear_requests();
    install(&world, &[]).exits(0);
    assert_eq!(uploaded(&world), [object_of(&after)]);
    assert!(!world.device.requests().iter().any(|request| request.category.as_deref() == Some("keypair")));
    assert!(objects(&world).contains(&object_of(&after)));
}

#[test]
fn no_object_is_made_for_what_any_visible_object_holds_already() {
    let several = |vsys: &str| {
        let mut settings = settings();
        (settings.multi_vsys, settings.vsys) = (true, vec!["vsys1".into(), "vsys2".into()]);
        settings.profiles.push(Profile { vsys: Some(vsys.into()), ..Profile::unbound("inside") });
        settings
    };
    let ca = common::pki::root("Example CA", KeyKind::P256);
    let issuer = ca.intermediate("Example Issuing CA", KeyKind::P256);
    // Where it is, where the certificate goes, and whether an object of its own is made.
    for (there, vsys, makes) in [
        (None, None, false),
        (Some("vsys2"), Some("vsys2"), false),
        (None, Some("vsys2"), false),
        (Some("vsys1"), Some("vsys2"), true),
        (Some("vsys1"), None, true),
    ] {
        let mut settings = several("vsys2");
        settings.certificates.push(preloaded("of a colleague", &issuer, there));
        let world = World::of(panos_sim::Simulator::start(settings).unwrap(), ca.clone());
        renew(&world, &issuer, &[&issuer]);
        let chain = world.path("chain.pem");
        let mut arguments = vec!["--chain", chain.to_str().unwrap()];
        match vsys {
            Some(vsys) => arguments.extend(["-p", "inside", "--vsys", vsys]),
            None => arguments.extend(["-p", PORTAL]),
        }
        world.install(&arguments).exits(0);
        assert_eq!(!uploaded(&world).is_empty(), makes, "{there:?} {vsys:?}");
        assert!(objects(&world).contains(&NAME.to_owned()));
    }
}

#[test]
fn a_name_that_holds_something_else_is_left_alone_and_a_colleagues_pending_change_of_it_stops_the_run() {
    let ca = common::pki::root("Example CA", KeyKind::P256);
    let issuer = ca.intermediate("Example Issuing CA", KeyKind::P256);
    let mut taken = settings();
    taken.certificates.push(preloaded(&object_of(&issuer), &ca, None));
    let world = World::of(panos_sim::Simulator::start(taken).unwrap(), ca.clone());
    renew(&world, &issuer, &[&issuer]);
    let before = world.device.running_xml().matches(&ca.certificate_pem()).count();
    install(&world, &[]).exits(0);
    assert!(uploaded(&world).is_empty());
    logged(&world, "is something else on this device");
    assert_eq!(world.device.running_xml().matches(&ca.certificate_pem()).count(), before);

    // Jane is about to delete the one that we have made, or has something else under its name.
    for deletes in [true, false] {
        let mut settings = settings();
        let own = preloaded(&object_of(&issuer), &issuer, None);
        settings.certificates.extend(deletes.then_some(own));
        let world = World::of(panos_sim::Simulator::start(settings).unwrap(), ca.clone());
        renew(&world, &issuer, &[&issuer]);
        let at = format!("{LIST}/entry[@name='{}']", object_of(&issuer));
        match deletes {
            true => world.device.delete_from_candidate("jane", &at).unwrap(),
            false => world.device.add_pending_change("jane", &at, "<common-name>hers</common-name>").unwrap(),
        }
        let before = (world.device.candidate_xml(), world.device.running_xml());
        install(&world, &["--commit-timeout", "1"]).exits(18).says("jane").says("pan_getcert-ca-");
        assert_eq!((world.device.candidate_xml(), world.device.running_xml()), before);
        world.device.commit_as("jane");
        assert!(world.device.wait_idle(Duration::from_secs(10)));
        install(&world, &[]).exits(0);
    }
}

#[test]
fn a_failed_commit_takes_the_intermediates_back_and_one_that_nobody_made_leaves_them_to_be_committed() {
    let world = World::new();
    let issuer = issuing(&world, "Example Issuing CA");
    renew(&world, &issuer, &[&issuer]);
    let before = (world.device.candidate_xml(), world.device.running_xml());
    world.device.fail_next_commit(&["no"]);
    install(&world, &[]).exits(14);
    assert_eq!(uploaded(&world), [object_of(&issuer)]);
    assert_eq!((world.device.candidate_xml(), world.device.running_xml()), before);
    assert!(world.device.pending_changes().is_empty());

    install(&world, &["--commit", "none"]).exits(0);
    assert!(objects(&world).is_empty());
    // A newer certificate comes before anybody has committed: it is one whole with what is pending.
    let issued = renew(&world, &issuer, &[&issuer]);
    install(&world, &[]).exits(0);
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    assert_eq!(objects(&world), [NAME.to_owned(), object_of(&issuer)]);
    assert!(world.device.pending_changes().iter().all(|(_, owner)| owner != ADMINISTRATOR));
}

#[test]
fn a_device_that_does_not_take_an_intermediate_as_an_object_gets_the_certificate_all_the_same() {
    let refusal = ImportRefusal {
        category: Some("certificate".into()),
        format: None,
        answer: ImportAnswer::NoCertificate,
    };
    let world = World::with(Settings { import_refusals: vec![refusal], ..settings() });
    let issuer = issuing(&world, "Example Issuing CA");
    let issued = renew(&world, &issuer, &[&issuer]);
    install(&world, &[]).exits(0);
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    logged(&world, "the device does not take the intermediate certificate CN=Example Issuing CA");
    assert_eq!(world.record().get("created_issuers"), None);
    // A right that is missing is no such thing.
    let refusal =
        ImportRefusal { category: Some("certificate".into()), format: None, answer: ImportAnswer::Superuser };
    let world = World::with(Settings { import_refusals: vec![refusal], ..settings() });
    renew(&world, &issuer, &[&issuer]);
    let before = world.device.candidate_xml();
    install(&world, &[]).exits(17);
    assert_eq!(world.device.candidate_xml(), before);
}

/// Sources differ on what a device sends. With both ways at once it does not matter.
#[test]
fn where_the_device_sends_its_issuer_objects_the_chain_is_served_and_where_it_sends_nothing_that_is_told() {
    for (sends_issuer_objects, form, words) in [
        (true, "pem", None),
        (true, "pkcs12", None),
        (false, "pkcs12", Some("sends only the leaf; missing: CN=Example Issuing CA (issuer)")),
    ] {
        let world = World::with(Settings { keeps_leaf_only: true, sends_issuer_objects, ..settings() });
        let issuer = issuing(&world, "Example Issuing CA");
        renew(&world, &issuer, &[&issuer]);
        let endpoint = world.device.service_address().to_string();
        install(&world, &["--served", &endpoint, "--format", form]).exits(0);
        logged(&world, &format!("Served: {endpoint} shows the new certificate."));
        let warning = world.log().into_iter().find(|line| line.contains("sends only the leaf"));
        assert_eq!(warning, words.map(|words| format!("WARNING: {endpoint} {words}")), "{form}");
        assert_eq!(served_chain(&world.device), 1 + usize::from(sends_issuer_objects));
    }
    // As a PEM file it was asked for, and is not served.
    let world = World::with(Settings { keeps_leaf_only: true, ..settings() });
    let issuer = issuing(&world, "Example Issuing CA");
    renew(&world, &issuer, &[&issuer]);
    let endpoint = world.device.service_address().to_string();
    let chain = world.path("chain.pem");
    let arguments = ["--insecure", "-p", PORTAL, "--served", &endpoint, "--chain", chain.to_str().unwrap()];
    let (result, _) = inside::deliver(&world, &arguments);
    let Outcome::Failed(problem) = result.outcome else { panic!("{result:?}") };
    assert_eq!(problem.exit, Exit::Unproven);
    let words = "but sends only the leaf; missing: CN=Example Issuing CA (issuer)";
    assert!(problem.what.contains(words), "{problem}");
    // Nobody has asked for a chain: then it is a note.
    let world = World::new();
    let endpoint = world.device.service_address().to_string();
    world.install(&["-p", PORTAL, "--served", &endpoint]).exits(0);
    logged(&world, " sends only the leaf; missing: CN=Example CA (issuer), which clients need");
}

#[test]
fn keep_removes_an_intermediate_again_when_nothing_needs_it_and_nothing_else() {
    let world = World::new();
    let (first, second) = (issuing(&world, "Issuing CA 1"), issuing(&world, "Issuing CA 2"));
    let arguments = ["--suffix", "serial", "--keep", "1"];
    renew(&world, &first, &[&first]);
    install(&world, &arguments).exits(0);
    renew(&world, &second, &[&second]);
    install(&world, &arguments).exits(0);
    // The certificate before is the way back, and its issuer with it.
    assert_eq!(objects(&world).len(), 4, "{:?}", objects(&world));
    renew(&world, &second, &[&second]);
    let ended = install(&world, &[&arguments[..], &["--dry-run"]].concat()).exits(0);
    let line = format!("  delete  {}, unless it is still referenced", object_of(&first));
    assert!(ended.stdout.contains(&line), "{ended:#?}");
    let before = (world.device.candidate_xml(), objects(&world));
    world.device.fail_next_commit(&["no"]);
    install(&world, &arguments).exits(14);
    assert_eq!((world.device.candidate_xml(), objects(&world)), before);
    install(&world, &arguments).exits(0);
    let now = objects(&world);
    assert!(
        now.len() == 3 && now.contains(&object_of(&second)) && !now.contains(&object_of(&first)),
        "{now:?}"
    );
    logged(&world, &format!("Deleted the intermediate certificate: {}", object_of(&first)));
    assert_eq!(world.record()["created_issuers"].as_array().unwrap().len(), 1);
    // Without --keep nothing is deleted, and forget leaves the device as it is.
    let third = issuing(&world, "Issuing CA 3");
    for _ in 0..3 {
        renew(&world, &third, &[&third]);
        install(&world, &["--suffix", "serial"]).exits(0);
    }
    assert!(objects(&world).contains(&object_of(&second)));
    let before = world.device.running_xml();
    let mut forget = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    forget.args(["forget", NAME, "--yes", "--state-dir"]).arg(world.path("state"));
    forget.arg("--log-file").arg(world.path("log")).env_clear().env("PATH", "/usr/bin:/bin");
    Ended::of(&mut forget).exits(0);
    assert_eq!(world.device.running_xml(), before);
}

#[test]
fn an_intermediate_that_somebody_elses_certificate_needs_or_that_was_replaced_stays() {
    let arguments = ["--suffix", "serial", "--keep", "1"];
    let third_round = |change: &dyn Fn(&World, &Issued), settings: Settings| {
        let world = World::with(settings);
        let (first, second) = (issuing(&world, "Issuing CA 1"), issuing(&world, "Issuing CA 2"));
        renew(&world, &first, &[&first]);
        install(&world, &arguments).exits(0);
        change(&world, &first);
        for _ in 0..2 {
            renew(&world, &second, &[&second]);
            install(&world, &arguments).exits(0);
        }
        let stays = objects(&world).contains(&object_of(&first));
        (world, first, stays)
    };
    // Another certificate on the device was issued by it, in the same place or in a virtual system.
    for base in [LIST.to_owned(), vsys1_list()] {
        let hers = |world: &World, first: &Issued| {
            let other = first.issue(&CertificateSpec::named("other.example.com"));
            let at = format!("{base}/entry[@name='hers']");
            let pem = format!("<public-key>{}</public-key>", other.certificate_pem());
            world.device.add_pending_change("jane", &at, &pem).unwrap();
            world.device.commit_as("jane");
            assert!(world.device.wait_idle(Duration::from_secs(10)));
        };
        let (_, _, stays) = third_round(&hers, settings());
        assert!(stays, "{base}");
    }
    // A certificate profile names it: the device refuses, and that is told.
    let named = |world: &World, first: &Issued| {
        let at = "/config/shared/certificate-profile/entry[@name='clients']";
        let list = format!("<CA><entry name=\"{}\"/></CA>", object_of(first));
        world.device.add_pending_change("jane", at, &list).unwrap();
        world.device.commit_as("jane");
        assert!(world.device.wait_idle(Duration::from_secs(10)));
    };
    let (world, first, stays) = third_round(&named, settings());
    assert!(stays);
    logged(&world, &format!("Kept the intermediate certificate {}: still referenced by", object_of(&first)));
    // Somebody has put another certificate under its name.
    let replaced = |world: &World, first: &Issued| {
        let at = format!("{LIST}/entry[@name='{}']", object_of(first));
        world.device.delete_from_candidate("jane", &at).unwrap();
        let pem = format!("<public-key>{}</public-key>", world.ca.certificate_pem());
        world.device.add_pending_change("jane", &at, &pem).unwrap();
        world.device.commit_as("jane");
        assert!(world.device.wait_idle(Duration::from_secs(10)));
    };
    let (_, _, stays) = third_round(&replaced, settings());
    assert!(stays);
    // And where nothing of all that is, it goes.
    assert!(!third_round(&|_, _| {}, settings()).2);
}

fn vsys1_list() -> String {
    "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/certificate".to_owned()
}

#[test]
fn two_certificates_with_one_issuer_bring_it_along_once() {
    const OTHER: &str = "vpn.example.com";
    let world = World::new();
    let issuer = issuing(&world, "Example Issuing CA");
    renew(&world, &issuer, &[&issuer]);
    issuer.issue(&CertificateSpec::named(OTHER).san(OTHER)).write(world.folder.path(), OTHER);
    for (name, profile) in [(NAME, PORTAL), (OTHER, world::GATEWAY)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
        command.args(["-b", "-c", name, "-p", profile, "--queue"]).env_clear();
        for (option, path) in [
            ("-C", ""),
            ("-K", ""),
            ("-k", ".panrc"),
            ("--chain", "chain.pem"),
            ("--log-file", "log"),
            ("--state-dir", "state"),
        ] {
            command.arg(option).arg(world.path(path));
        }
        command.args(["--pin", &world.device.certificate_fingerprint(), &world.target()]);
        Ended::of(&mut command).exits(0);
    }
    let mut retry = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    retry.args(["retry", "--state-dir"]).arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    Ended::of(retry.env_clear().env("PATH", "/usr/bin:/bin")).exits(0);
    assert_eq!(uploaded(&world), [object_of(&issuer)]);
    let commits =
        world.device.requests().iter().filter(|one| one.r#type.as_deref() == Some("commit")).count();
    assert_eq!(commits, 1);
    assert_eq!(objects(&world).len(), 2);
    assert!(world.device.running_xml().contains(OTHER));
}
