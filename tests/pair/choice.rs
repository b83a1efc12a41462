//! Which of the two is configured, and what is told where neither can be.

use panos_sim::{Fault, Listening, ManagementCertificate, Matcher, Simulator, What, When};

use crate::common::pair::{ADMINISTRATORS, OTHER_KEY, Pair, count};
use crate::common::world::{Ended, KEY, NAME, PORTAL, World, print, served};

/// Nobody but the own administrator has ever come in.
#[track_caller]
fn each_was_asked_with_its_own_key(pair: &Pair) {
    for (device, own) in [&pair.world.device, &pair.second].into_iter().zip(ADMINISTRATORS) {
        let records = device.requests();
        assert!(records.iter().all(|record| record.administrator.as_deref() == Some(own)), "{records:#?}");
    }
}

#[test]
fn the_first_is_configured_where_it_is_active_and_the_other_is_not_even_asked() {
    let pair = Pair::new();
    pair.install(&["-p", PORTAL]).exits(0);
    assert_eq!((count(&pair.world.device, "commit"), pair.second.requests().len()), (1, 0));
    pair.logged("HA: the HA peer has the same configuration.");
    each_was_asked_with_its_own_key(&pair);
    pair.kept_its_secrets();
    assert!(served(&pair.second).is_some());
    assert_eq!(served(&pair.second), pair.world.served());
}

#[test]
fn the_other_is_configured_where_the_first_is_passive_with_its_own_key_and_its_own_pin() {
    let pair = Pair::new();
    pair.second.make_active();
    pair.install(&["-p", PORTAL]).exits(0);
    assert_eq!((count(&pair.world.device, "commit"), count(&pair.second, "commit")), (0, 1));
    assert_eq!((count(&pair.world.device, "import"), count(&pair.second, "import")), (0, 1));
    let (first, second) = (pair.world.device.address(), pair.second.address());
    pair.logged(&format!("{first} is 'passive'; using {second}, the active HA member."));
    pair.logged("HA: the HA peer has the same configuration.");
    each_was_asked_with_its_own_key(&pair);
    pair.kept_its_secrets();
    assert!(pair.world.served().is_some());
    // The record is that of the device that was typed.
    assert_eq!(pair.world.record()["state"]["is"], "installed");
    // And there is nothing to be done a second time.
    pair.install(&["-p", PORTAL]).exits(0).says("already");
    assert_eq!(count(&pair.second, "commit"), 1);
}

#[test]
fn the_other_is_trusted_by_its_own_line_in_known_devices_and_by_no_line_of_the_first() {
    let pair = Pair::new();
    pair.second.make_active();
    let state = pair.world.path("state");
    std::fs::create_dir(&state).unwrap();
    let write =
        |text: String| crate::common::pki::write(&state.join("known_devices"), text.as_bytes(), 0o600);
    let install = || {
        let mut command = pair.bare_command();
        command.args(["-p", PORTAL, "--ha-peer", &pair.second.address().to_string()]);
        Ended::of(command.arg(pair.world.target()))
    };
    let [first, second] = pair.known();
    let wrong = format!("{} {}", pair.second.address(), pair.world.device.certificate_fingerprint());
    write(format!("{first}\n{wrong}\n"));
    install().exits(19).says(&pair.second.address().to_string());
    assert_eq!(pair.second.requests().len(), 0, "a key was sent to a device that is not trusted");
    write(format!("{first}\n{second}\n"));
    install().exits(0);
    assert_eq!(count(&pair.second, "commit"), 1);
}

#[test]
fn a_pin_that_is_typed_for_one_member_leaves_the_others_line_its_worth() {
    let pair = Pair::new();
    pair.second.make_active();
    let [first, second] = pair.known();
    let pin = pair.world.device.certificate_fingerprint();
    let write = |lines: &str| {
        let state = pair.world.path("state");
        std::fs::create_dir_all(&state).unwrap();
        crate::common::pki::write(&state.join("known_devices"), lines.as_bytes(), 0o600);
    };
    let install = |pin: &str| {
        let mut command = pair.bare_command();
        command.args(["-p", PORTAL, "--pin", pin, "--ha-peer", &pair.second.address().to_string()]);
        Ended::of(command.arg(pair.world.target()))
    };
    write(&format!("{first}\n"));
    install(&pin).exits(19);
    write(&format!("{second}\n"));
    install(&pin).exits(0);
}

#[test]
fn a_key_file_without_a_key_for_the_other_names_it() {
    let pair = Pair::new();
    pair.second.make_active();
    pair.world.write_key_file(&format!("hostname%a=127.0.0.1\napi_key%a={KEY}\n"));
    pair.install(&["-p", PORTAL]).exits(19).says("127.0.0.2");
    pair.is_untouched();
}

#[test]
fn unreachable_first_member_falls_back_to_peer() {
    let pair = Pair::new();
    pair.second.make_active();
    pair.world.device.set_listening(Listening::Refused);
    pair.install(&["-p", PORTAL]).exits(0);
    pair.logged("did not respond");
    assert_eq!(count(&pair.second, "commit"), 1);
    // It drops whoever comes.
    let pair = Pair::new();
    pair.second.make_active();
    pair.world.device.inject(Fault::new(When::Always, What::Close).times(u32::MAX));
    pair.install(&["-p", PORTAL]).exits(0);
    assert_eq!(count(&pair.second, "commit"), 1);
}

#[test]
fn a_first_that_refuses_the_key_is_for_a_person_whatever_the_other_says() {
    let pair = Pair::new();
    pair.second.make_active();
    pair.world.write_key_file(&format!(
        "hostname%a=127.0.0.1\napi_key%a=wrong\nhostname%b=127.0.0.2\napi_key%b={OTHER_KEY}\n"
    ));
    pair.install(&["-p", PORTAL]).exits(17);
    pair.is_untouched();
}

#[test]
fn where_neither_is_active_that_is_told_with_what_each_has_answered_and_nothing_is_changed() {
    let pair = Pair::new();
    pair.second.suspend(true);
    pair.world.device.suspend(true);
    let (first, second) = (pair.world.device.address(), pair.second.address());
    let ended = pair.install(&["-p", PORTAL]).exits(19);
    ended.says(&format!("{first} is 'suspended', {second} is 'suspended'"));
    pair.is_untouched();
    assert_eq!(pair.world.record()["state"]["exit"], 19);
    pair.world.device.make_active();
    pair.install(&["-p", PORTAL]).exits(0);
}

#[test]
fn where_both_are_away_both_are_named() {
    let pair = Pair::new();
    pair.world.device.set_listening(Listening::Refused);
    pair.second.set_listening(Listening::Refused);
    let (first, second) = (pair.world.device.address(), pair.second.address());
    let ended = pair.install(&["-p", PORTAL]).exits(19);
    let ended = ended.says(&format!("{first} did not respond"));
    ended.says(&format!("{second} did not respond"));
    pair.is_untouched();
}

#[test]
fn a_device_without_high_availability_is_plain_and_the_needless_peer_is_told() {
    let (world, other) = (World::new(), World::new());
    let peer = other.target();
    world.install(&["-p", PORTAL, "--ha-peer", &peer]).exits(0);
    let warning =
        format!("WARNING: {peer} is named as HA peer, but {} has no high availability.", world.target());
    assert!(world.log().contains(&warning), "{:#?}", world.log());
    assert_eq!(other.device.connections(), 0);
}

#[test]
fn a_peer_that_nobody_named_is_found_where_its_trust_allows() {
    let authority = crate::common::pki::root("Devices", crate::common::pki::KeyKind::P256);
    let pair = Pair::with(|settings| {
        settings.management_certificate = ManagementCertificate::Issued {
            name: settings.listen.ip().to_string(),
            ca_certificate: authority.certificate_pem(),
            ca_key: authority.key_pem(),
        };
    });
    let ca = pair.world.path("ca.pem");
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    pair.second.make_active();
    // The pin of one is of no use with the other.
    let pin = pair.world.device.certificate_fingerprint();
    let ended = Ended::of(pair.bare_command().args(["-p", PORTAL, "--pin", &pin]).arg(pair.world.target()));
    let ended =
        ended.exits(19).says("--ha-peer").says("a pin for its address in the configuration file is not used");
    let ended = ended.says(&format!("{} is not trusted (", pair.second.address()));
    assert!(!ended.stderr.contains("did not respond"), "{ended:#?}");
    pair.is_untouched();
    let ended =
        Ended::of(pair.bare_command().args(["-p", PORTAL, "--ca-file"]).arg(&ca).arg(pair.world.target()));
    ended.exits(0);
    assert_eq!((count(&pair.world.device, "commit"), count(&pair.second, "commit")), (0, 1));
    each_was_asked_with_its_own_key(&pair);
}

fn fails_over(device: &Simulator, at: Matcher, after: bool) {
    let fault = Fault::new(When::request(at), What::Failover);
    device.inject(if after { fault.after_effect() } else { fault });
}

#[test]
fn a_failover_before_the_commit_leaves_nothing_half_done_and_the_next_run_does_it() {
    let moments = [
        (Matcher::typed("import"), false),
        (Matcher::typed("import"), true),
        (Matcher::typed("config").action("set"), true),
    ];
    for (at, after) in moments {
        let pair = Pair::new();
        fails_over(&pair.world.device, at.clone(), after);
        let told = format!("{at:?} {after}");
        let ended = pair.install(&["-p", PORTAL]);
        assert_eq!(ended.code, Some(19), "{told}: {ended:#?}");
        // Only the first was asked again.
        let first = pair.world.device.address();
        ended.says(&format!(
            "the HA pair has changed its roles during this run: {first} is 'passive' now, and its HA peer was not asked"
        ));
        pair.is_untouched();
        assert_eq!(count(&pair.world.device, "commit"), 0, "{told}");
        pair.install(&["-p", PORTAL]).exits(0);
        assert_eq!(count(&pair.second, "commit"), 1, "{told}");
        assert!(served(&pair.second).is_some());
    }
}

#[test]
fn dry_run_names_the_active_member() {
    let pair = Pair::new();
    pair.second.make_active();
    let (first, second) = (pair.world.device.address(), pair.second.address());
    let ended = pair.install(&["-p", PORTAL, "--dry-run"]).exits(0);
    assert!(ended.stdout.contains(&format!("{second} (PA-440")), "{ended:#?}");
    assert!(
        ended.stdout.contains(&format!("{first} is 'passive'; using {second}, the active HA member")),
        "{ended:#?}"
    );
    pair.is_untouched();
    let ended = pair.install(&["-p", PORTAL, "--dry-run", "--json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["devices"][0]["device"], second.to_string());
}

#[test]
fn a_device_is_not_its_own_peer() {
    let world = World::new();
    let target = world.target();
    world.install(&["-p", PORTAL, "--ha-peer", &target]).exits(1).says("can't be its own peer");
    assert_eq!(world.device.connections(), 0);
}

#[test]
fn what_both_show_can_be_proven_in_one_run() {
    let pair = Pair::new();
    let issued = pair.world.renew();
    let endpoints = [&pair.world.device, &pair.second].map(|device| device.service_address().to_string());
    pair.install(&["-p", PORTAL, "--served", &endpoints[0], "--served", &endpoints[1]]).exits(0);
    for endpoint in &endpoints {
        pair.logged(&format!("Served: {endpoint} shows the new certificate."));
    }
    assert_eq!(served(&pair.second), Some(print(&issued.certificate)));
    assert!(pair.second.running_xml().contains(NAME));
}
