//! A device that is not recognised gets no byte of a secret.

use super::*;

fn with_management(certificate: ManagementCertificate) -> World {
    World::with(Settings { management_certificate: certificate, ..settings() })
}

#[test]
fn another_certificate_than_the_pinned_one_is_code_16_and_gets_no_byte() {
    let world = World::new();
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).args(["--pin", &"ab".repeat(32), "-p", PORTAL]);
    let ended = Ended::of(command.arg(world.target()));
    assert_honest(&world, &ended, &world.target(), "wrong pin");
    let seen = world.device.certificate_fingerprint().to_uppercase();
    let seen: Vec<&str> = (0..32).map(|n| &seen[2 * n..2 * n + 2]).collect();
    let ended = ended.exits(16).says(&seen.join(":")).says("the pinned AB:AB:");
    ended.says("give the new fingerprint with --pin");
    assert_nothing_was_said(&world, 1);
}

/// A run that trusts as these arguments say.
fn trusting(world: &World, arguments: &[&str]) -> Ended {
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).args(["-p", PORTAL]).args(arguments);
    let ended = Ended::of(command.arg(world.target()));
    assert_honest(world, &ended, &world.target(), &format!("{arguments:?}"));
    ended
}

fn issued_for(name: &str) -> (World, String) {
    let ca = pki::root("Management CA", pki::KeyKind::P256);
    let world = with_management(ManagementCertificate::Issued {
        name: name.to_owned(),
        ca_certificate: ca.certificate_pem(),
        ca_key: ca.key_pem(),
    });
    let path = world.path("ca.pem");
    std::fs::write(&path, ca.certificate_pem()).unwrap();
    (world, path.to_str().unwrap().to_owned())
}

#[test]
fn a_certificate_of_an_unknown_ca_is_code_16() {
    for world in [World::new(), issued_for("127.0.0.1").0] {
        let ended = trusting(&world, &[]).exits(16).says("was not accepted");
        ended.says("trust the issuing CA with --ca-file FILE, or exactly this certificate with --pin SHA256");
        assert_nothing_was_said(&world, 1);
    }
}

#[test]
fn the_right_ca_with_the_wrong_name_is_code_16() {
    for name in ["fw1.example.com", "127.0.0.2"] {
        let (world, ca) = issued_for(name);
        trusting(&world, &["--ca-file", &ca]).exits(16).says("IP address mismatch");
        assert_nothing_was_said(&world, 1);
    }
}

#[test]
fn the_right_ca_with_the_right_name_is_trusted() {
    let (world, ca) = issued_for("127.0.0.1");
    trusting(&world, &["--ca-file", &ca]).exits(0);
    assert!(!world.log().iter().any(|line| line.contains("NOT verified")));
}

#[test]
fn without_verification_it_works_and_the_log_is_loud_each_time() {
    let world = World::new();
    for _ in 0..2 {
        trusting(&world, &["--insecure"]).exits(0);
        let loud =
            "WARNING: the device's identity is NOT verified (--insecure): whoever answers gets the API key";
        assert!(last_run(&world).iter().any(|line| line.starts_with(loud)));
    }
}

#[test]
fn every_kind_of_self_signed_certificate_works_with_its_pin() {
    for kind in [
        ManagementCertificate::SelfSigned,
        ManagementCertificate::SelfSignedLeaf,
        ManagementCertificate::SelfSignedV1,
    ] {
        let told = format!("{kind:?}");
        let world = with_management(kind);
        let ended = world.install(&["-p", PORTAL]);
        assert_honest(&world, &ended, &world.target(), &told);
        assert_eq!(ended.code, Some(0), "{told}: {ended:#?}");
    }
    // One issued by a CA that nobody here knows, too.
    issued_for("somebody.example.com").0.install(&["-p", PORTAL]).exits(0);
}

#[test]
fn a_certificate_swapped_between_two_connections_gets_no_byte_of_the_key() {
    for keep_alive in [true, false] {
        let world = World::with(Settings { keep_alive, ..settings() });
        let before = world.device.candidate_xml();
        let pin = world.device.certificate_fingerprint();
        world.device.inject(Fault::new(When::Nth(1), What::SwapCertificate).after_effect());
        let mut command = world.bare_command();
        command.arg("-k").arg(world.path(".panrc")).args(["-p", PORTAL, "--pin", &pin]);
        let ended = Ended::of(command.arg(world.target()));
        assert_honest(&world, &ended, &world.target(), "swapped");
        ended.exits(16).says("its HTTPS certificate fingerprint");
        assert_eq!(world.device.requests().len(), 1, "only the first connection's question arrived");
        let records = world.device.connection_records();
        let strangers = records.iter().filter(|record| record.certificate_fingerprint.as_ref() != Some(&pin));
        assert!(records.len() > 1 && strangers.clone().count() > 0, "{records:?}");
        assert!(strangers.into_iter().all(|record| record.application_bytes == 0), "{records:?}");
        assert_eq!(world.device.candidate_xml(), before);
    }
}

#[test]
fn a_certificate_swapped_in_the_middle_is_not_trusted_even_to_put_back_and_what_is_left_is_told() {
    let world = World::new();
    let pin = world.device.certificate_fingerprint();
    let import = When::request(Matcher::typed("import"));
    world.device.inject(Fault::new(import, What::SwapCertificate).after_effect());
    let mut command = world.bare_command();
    command.arg("-k").arg(world.path(".panrc")).args(["-p", PORTAL, "--pin", &pin]);
    let ended = Ended::of(command.arg(world.target()));
    assert_honest(&world, &ended, &world.target(), "swapped");
    ended.exits(16);
    let lines = last_run(&world);
    for words in [
        "ERROR: the candidate configuration could not be restored: ",
        "ERROR: may remain uncommitted on the device: the new certificate 'gp.example.com'",
        "ERROR: to clean up: ",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(words)), "no '{words}' in {lines:#?}");
    }
    assert_eq!(world.served(), None);
}
