//! One certificate, one device: the way it goes well, and each way it does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use common::pki::{CertificateSpec, KeyKind};
use common::world::{self, ADMINISTRATOR, Ended, GATEWAY, KEY, NAME, NOBODY, PORTAL, World, print, settings};
use panos_sim::{Administrator, Fault, LockKind, Matcher, Rights, What, When};

#[test]
fn installs_binds_commits_and_proves() {
    let world = World::new();
    let issued = world.renew();
    assert_eq!(world.served(), None);
    let ended = world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    assert!(
        ended.stdout.contains("installed the certificate 'gp.example.com' in 'GP portal' and 'GP gateway'"),
        "{ended:?}"
    );
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    assert_eq!(world.device.pending_changes(), []);
    assert_eq!(world.device.candidate_xml(), world.device.running_xml());

    let record = world.record();
    assert_eq!(record["state"]["is"], "installed");
    assert_eq!(record["spec"]["certificate"]["fingerprint"], print(&issued.certificate));

    let log = world.log();
    let kept = [
        "START of pan_instcert.",
        "Certificate Common Name: gp.example.com",
        &format!("PAN_FQDN: {}", world.target()),
        "XML API output for keypair: <response status=\"success\">",
        "Finished uploading certificate: gp.example.com",
        "Successfully updated SSL/TLS Profile GP portal",
        "Successfully updated SSL/TLS Profile GP gateway",
        "Starting commit, please be patient.",
        "commit: success: \"Configuration committed successfully\"",
        "The commit took 0 seconds to complete.",
        &format!("END - Finished certificate installation to: {}", world.target()),
        "Phase times: connect ",
    ];
    let mut lines = log.iter();
    for phrase in kept {
        assert!(lines.any(|line| line.starts_with(phrase)), "no '{phrase}', or not in its place: {log:#?}");
    }
}

#[test]
fn takes_few_requests_besides_the_polls_on_one_connection_before_the_commit_and_one_after_it() {
    let world = World::new();
    // Two of them keep harm away: which profiles are predefined, and whether an object without a certificate (an open
    // request with its key) has the name. Where a certificate is replaced, two more read what the management interface
    // is bound to, in both configurations.
    for (words, most) in [(vec![], 13), (vec!["-n", "gp-2", "--take-over"], 15)] {
        world.device.clear_requests();
        let before = world.device.connections();
        world.install(&[&["-p", PORTAL, "-s", GATEWAY], words.as_slice()].concat()).exits(0);
        let requests = world.device.requests();
        let is_poll =
            |r: &&panos_sim::RequestRecord| r.cmd.as_deref().is_some_and(|cmd| cmd.contains("<jobs>"));
        let others: Vec<_> = requests.iter().filter(|request| !is_poll(request)).collect();
        let polls = requests.len() - others.len();
        assert!(others.len() <= most, "{} requests: {others:#?}", others.len());
        // While a job is waited for no connection is kept: its buffers would hold the API key.
        let connections: std::collections::BTreeSet<u64> = others.iter().map(|r| r.connection).collect();
        assert_eq!((connections.len(), world.device.connections() - before), (2, 2 + polls));
    }
}

#[test]
fn no_secret_reaches_a_url_the_log_the_record_or_the_disk() {
    let world = World::new();
    let issued = world.renew();
    world.install(&["-p", PORTAL, "-vv"]).exits(0);
    for request in world.device.requests() {
        assert!(!request.secret_in_url && request.credential == panos_sim::Credential::Header, "{request:?}");
    }
    std::fs::remove_file(world.path(".panrc")).unwrap();
    std::fs::remove_file(world.path(&format!("{NAME}.key"))).unwrap();
    let all = world::everything_below(world.folder.path());
    let middle = issued.key_pem().lines().nth(1).unwrap().to_owned();
    assert!(!all.contains(KEY) && !all.contains(&middle) && !all.contains("PRIVATE KEY"));
}

#[test]
fn a_second_run_finds_nothing_to_do_and_force_does_it_again() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    world.device.clear_requests();
    world.install(&["-p", PORTAL]).exits(0).says("already installed; nothing to do");
    let changing = |r: &panos_sim::RequestRecord| {
        matches!(r.r#type.as_deref(), Some("import" | "commit"))
            || matches!(r.action.as_deref(), Some("set" | "edit" | "delete"))
    };
    assert!(!world.device.requests().iter().any(changing));
    assert_eq!(world.record()["state"]["unchanged"], true);
    world.install(&["-p", PORTAL, "--force"]).exits(0).says("installed the certificate");
    assert!(world.device.requests().iter().any(changing));
}

#[test]
fn a_renewal_replaces_the_certificate_under_the_same_name() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let renewed = world.renew();
    world.install(&["-p", PORTAL]).exits(0);
    assert_eq!(world.served(), Some(print(&renewed.certificate)));
}

#[test]
fn a_profile_that_is_not_there_is_told_before_anything_is_changed() {
    let world = World::new();
    let before = world.device.candidate_xml();
    let ended = world.install(&["-p", PORTAL, "-s", "GP gatway"]).exits(13);
    ended.says("'GP gatway' does not exist on the device; it has GP portal, GP gateway");
    assert_eq!(world.device.candidate_xml(), before);
    assert_eq!(world.record()["state"]["exit"], 13);
}

#[test]
fn a_failed_commit_is_no_success_and_everything_is_put_back() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let served = world.served();
    let before = world.device.candidate_xml();
    world.renew();
    world.device.fail_next_commit(&["Validation Error:", " ssl-tls-service-profile -> GP portal is invalid"]);
    world.install(&["-p", PORTAL]).exits(14).says("is invalid");
    assert_eq!(world.device.candidate_xml(), before);
    assert_eq!(world.device.running_xml(), before);
    assert_eq!(world.served(), served);
    let log = world.log();
    assert!(log.iter().any(|line| line.starts_with("commit: failure: \"Validation Error:; ")), "{log:#?}");
    assert!(!log.iter().rev().take(6).any(|line| line.starts_with("END")), "{log:#?}");
    // The next run completes the work.
    world.install(&["-p", PORTAL]).exits(0);
}

#[test]
fn changes_of_other_administrators_stay_as_they_are() {
    let world = World::new();
    let path = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/address/entry[@name='printer']";
    world.device.add_pending_change("jane", path, "<ip-netmask>192.0.2.7</ip-netmask>").unwrap();
    world.install(&["-p", PORTAL]).exits(0);
    assert!(!world.device.running_xml().contains("printer"));
    assert!(world.device.candidate_xml().contains("printer"));
    assert!(
        world
            .log()
            .iter()
            .any(|line| line.starts_with("left uncommitted: a pending change of jane at /config/"))
    );
    world.install(&["-p", PORTAL, "--force", "--commit", "full"]).exits(0);
    assert!(world.device.running_xml().contains("printer"));
}

#[test]
fn a_commit_can_be_left_to_a_person() {
    let world = World::new();
    world.install(&["-p", PORTAL, "--commit", "none"]).exits(0).says("commit it on the device");
    assert_eq!(world.served(), None);
    assert_eq!(world.record()["state"]["is"], "awaiting_commit");
    // What was left is committed by the next run, without another upload.
    world.device.clear_requests();
    world.install(&["-p", PORTAL]).exits(0);
    assert!(world.served().is_some());
    assert!(!world.device.requests().iter().any(|r| r.r#type.as_deref() == Some("import")));
}

#[test]
fn what_nobody_has_committed_is_never_called_installed() {
    let world = World::new();
    let none = ["-p", PORTAL, "--commit", "none"];
    let dry = ["-p", PORTAL, "--commit", "none", "--dry-run"];
    // The second and the third time all is in the candidate configuration.
    for _ in 0..3 {
        let told = "is in the candidate configuration; commit it on the device";
        world.install(&none).exits(0).says(told);
        let record = world.record();
        assert_eq!(record["state"]["is"], "awaiting_commit");
        assert!(record["verified"].is_null(), "{record:#}");
        let planned = world.install(&dry).exits(0);
        let planned = planned.says("no changes: this certificate is in the candidate configuration already");
        planned.says("commit  left to a person (--commit none)");
    }
    let lines = world.log();
    let told = "Not committed (--commit none): a person has to commit on the device.";
    assert_eq!(lines.iter().filter(|line| line.as_str() == told).count(), 3, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("already installed")), "{lines:#?}");
    // A renewal goes on from what was left.
    world.renew();
    world.install(&dry).exits(0).says("commit  left to a person (--commit none)");
    world.install(&[&none[..], &["--commit-timeout", "1"]].concat()).exits(0);
    assert_eq!((world.record()["state"]["is"].as_str(), world.served()), (Some("awaiting_commit"), None));
    // A person commits: now it is.
    world.device.commit_as(ADMINISTRATOR);
    assert!(world.device.wait_idle(std::time::Duration::from_secs(5)));
    world.install(&dry).exits(0).says("no changes: this certificate is already installed");
    world.install(&none).exits(0).says("is already installed; nothing to do");
    assert_eq!(world.record()["state"]["is"], "installed");
}

#[test]
fn four_rights_are_enough_and_each_missing_one_is_named() {
    let with = |rights| {
        let mut settings = settings();
        settings.administrators.retain(|administrator| administrator.name != ADMINISTRATOR);
        settings.api_keys.clear();
        World::with(settings.with_key(Administrator::with_rights(ADMINISTRATOR, "secret", rights), KEY))
    };
    let four = Rights::DEPLOYMENT;
    with(four).install(&["-p", PORTAL]).exits(0);
    for (rights, name) in [
        (Rights { config: false, ..four }, "Configuration"),
        (Rights { op: false, ..four }, "Operational Requests"),
        (Rights { commit: false, ..four }, "Commit"),
        (Rights { import: false, ..four }, "Import"),
    ] {
        let world = with(rights);
        let before = world.device.candidate_xml();
        world.install(&["-p", PORTAL]).exits(17).says(&format!("lacks the XML API right '{name}'"));
        assert_eq!(world.device.candidate_xml(), before, "{name}");
    }
}

#[test]
fn a_wrong_key_is_told() {
    let world = World::new();
    world.write_key_file("api_key=wrong\n");
    world.install(&["-p", PORTAL]).exits(17).says("Invalid Credential");
}

#[test]
fn a_lock_of_another_administrator_is_waited_for_and_named() {
    for several in [false, true] {
        let mut settings = settings();
        settings.multi_vsys = several;
        let world = World::with(settings);
        for kind in [LockKind::Commit, LockKind::Config] {
            world.device.take_lock(kind, "jane", "change window");
            let before = world.device.candidate_xml();
            world
                .install(&["-p", PORTAL, "--commit-timeout", "1"])
                .exits(18)
                .says("jane")
                .says("change window");
            assert_eq!(world.device.candidate_xml(), before);
            world.device.release_lock(kind, "jane");
        }
        assert!(
            world.log().iter().any(|line| line.starts_with("Waiting: ") && line.contains("jane holds a"))
        );
    }
}

#[test]
fn the_work_goes_on_when_the_lock_is_released() {
    let world = World::new();
    world.device.take_lock(LockKind::Commit, "jane", "change window");
    std::thread::scope(|scope| {
        let installing = scope.spawn(|| world.install(&["-p", PORTAL]));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !world.log().iter().any(|line| line.starts_with("Waiting: ")) {
            assert!(std::time::Instant::now() < deadline, "{:#?}", world.log());
            std::thread::yield_now();
        }
        world.device.release_lock(LockKind::Commit, "jane");
        installing.join().unwrap().exits(0);
    });
    assert!(world.served().is_some());
}

#[test]
fn legacy_containers_are_tried_first_and_modern_ones_where_asked() {
    let mut old = settings();
    old.legacy_only = true;
    World::with(old.clone()).install(&["-p", PORTAL]).exits(0);
    let refused = World::with(old);
    refused.install(&["-p", PORTAL, "--pkcs12", "modern"]).exits(12);
    World::new().install(&["-p", PORTAL, "--pkcs12", "modern"]).exits(0);
    World::new().install(&["-p", PORTAL, "--format", "pem"]).exits(0);
}

#[test]
fn a_container_that_the_device_cant_read_is_sent_once_more_with_modern_algorithms() {
    let world = World::new();
    let refused = "<response status=\"error\"><msg><line>Import of gp.example.com failed. Failed to extract certificate</line></msg></response>";
    let fault = |times| {
        Fault::new(
            When::request(Matcher::typed("import")),
            What::Body { content_type: "application/xml".into(), body: refused.into() },
        )
        .times(times)
    };
    world.device.inject(fault(1));
    world.install(&["-p", PORTAL]).exits(0);
    assert!(world.log().iter().any(|line| line.contains("trying once more with modern algorithms")));
    // Once, and not where the algorithms were chosen by hand.
    let uploads = |world: &World| {
        world.device.requests().iter().filter(|r| r.r#type.as_deref() == Some("import")).count()
    };
    let containers = ["--format", "pkcs12"];
    for (times, arguments, expected) in [(2, &containers[..], 2), (1, &["--pkcs12", "legacy"], 1)] {
        let world = World::new();
        world.device.inject(fault(times));
        world.install(&[&["-p", PORTAL], arguments].concat()).exits(12).says("Failed to extract certificate");
        assert_eq!(uploads(&world), expected);
    }
}

#[test]
fn a_live_folder_is_installed_with_its_chain_and_the_device_serves_it() {
    let world = World::new();
    let intermediate = world.ca.intermediate("Example Issuing CA", KeyKind::P256);
    let issued = intermediate.issue(&CertificateSpec::named(NAME).san(NAME));
    let live = world.path(&format!("live-{NAME}"));
    std::fs::create_dir(&live).unwrap();
    issued.write_live(&live, &[&intermediate, &world.ca]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", NAME, "-p", PORTAL, "--insecure", "-k"]).arg(world.path(".panrc"));
    command.arg("-C").arg(&live).arg("-K").arg(&live);
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    Ended::of(command.arg(world.target())).exits(0);
    assert_eq!(world.served(), Some(print(&issued.certificate)));
    // Leaf and intermediate, and not the root.
    assert_eq!(world::served_chain(&world.device), 2);
    let upload = world.device.requests().into_iter().find(|r| r.r#type.as_deref() == Some("import")).unwrap();
    assert_eq!(upload.format.as_deref(), Some("pem"));
}

#[test]
fn several_devices_are_told_apart_in_the_log_and_the_exit_code() {
    let world = World::new();
    let other = panos_sim::Simulator::start(settings()).unwrap();
    let mut command = world.bare_command();
    command.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", "-p", PORTAL]);
    let ended = Ended::of(command.arg(world.target()).arg(other.address().to_string())).exits(0);
    // Two sentences, and the table.
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[..2].iter().all(|line| line.contains(&format!("certificate '{NAME}'"))), "{lines:#?}");
    assert!(
        lines[2].contains("result") && lines[3..].iter().all(|line| line.contains("commit")),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(world.served().is_some() && world::served(&other).is_some());
    let log = world.log();
    assert!(
        log.iter().all(|line| line.starts_with('[') && line.as_bytes().get(7..10) == Some(b"]: ")),
        "{log:#?}"
    );
    assert_eq!(log.iter().filter(|line| line.contains("is NOT verified")).count(), 2);

    let mut command = world.command();
    let ended = Ended::of(command.args(["-p", PORTAL, "--json"]).arg(world.target()).arg(NOBODY)).exits(20);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["devices"][0]["result"], "unchanged");
    assert_eq!(json["devices"][1]["exit"], 4);
}

#[test]
fn settings_of_a_device_come_from_the_configuration_file() {
    let world = World::new();
    let config = format!(
        "[device.\"{}\"]\nprofile = '{PORTAL}'\nkey-file = '{}'\npin = '{}'\n",
        world.target(),
        world.path(".panrc").display(),
        world.device.certificate_fingerprint()
    );
    common::pki::write(&world.path("config.toml"), config.as_bytes(), 0o600);
    let mut command = world.bare_command();
    command.arg("--config").arg(world.path("config.toml")).arg(world.target());
    Ended::of(&mut command).exits(0).says("in 'GP portal' (");
}

#[test]
fn an_old_release_that_does_not_tell_our_name_is_asked_by_reading_back() {
    let mut old = settings();
    old.marks_own_session = false;
    let world = World::with(old);
    world.install(&["-p", PORTAL]).exits(0);
    assert!(world.served().is_some());
}

#[test]
fn an_object_name_of_32_characters_is_too_long_for_panorama_only() {
    let mut panorama = settings();
    panorama.model = "Panorama".into();
    let world = World::with(panorama);
    let before = world.device.candidate_xml();
    world.install(&["-n", &"n".repeat(32)]).exits(1).says("31");
    assert_eq!(world.device.candidate_xml(), before);
    world.install(&["-n", &"n".repeat(31)]).exits(0);
    World::new().install(&["-n", &"n".repeat(63)]).exits(0);
}

#[test]
fn the_year_is_appended_to_the_name() {
    let world = World::new();
    world.install(&["-Y", "-p", PORTAL]).exits(0);
    let year = chrono::Datelike::year(&chrono::Local::now());
    assert!(world.device.running_xml().contains(&format!("name=\"{NAME}_{year}\"")));
}
