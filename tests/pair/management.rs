//! The management interfaces of a pair: each is its own member's, and each is recognised at the next renewal.

use panos_sim::{Fault, Listening, Matcher, PreloadedCertificate, Profile, What, When};

use crate::common::inside;
use crate::common::pair::{Pair, count};
use crate::common::pki;
use crate::common::trouble::wait_until;
use crate::common::world::{Ended, GATEWAY, PORTAL, print};

/// Both management interfaces use the profile that is renewed, and both are known.
fn managed(change: impl Fn(&mut panos_sim::Settings)) -> Pair {
    let own = pki::self_signed(&pki::CertificateSpec::named("old.example.com"));
    let pair = Pair::with(|settings| {
        settings.certificates = vec![PreloadedCertificate {
            name: "own".into(),
            certificate: own.certificate_pem(),
            key: Some(own.key_pem()),
            vsys: None,
        }];
        settings.profiles = vec![Profile::bound(PORTAL, "own")];
        settings.management_profile = Some(PORTAL.into());
        change(settings);
    });
    std::fs::create_dir(pair.world.path("state")).unwrap();
    let text = pair.known().join("\n") + "\n";
    pki::write(&pair.world.path("state/known_devices"), text.as_bytes(), 0o600);
    pair
}

/// With nothing but what is remembered to recognise them by.
fn install(pair: &Pair) -> Ended {
    let mut command = pair.bare_command();
    command.args(["-p", PORTAL, "--ha-peer", &pair.second.address().to_string()]);
    Ended::of(command.arg(pair.world.target()))
}

#[test]
fn both_show_the_new_certificate_and_both_are_recognised_at_every_renewal() {
    let pair = managed(|_| {});
    for round in 0..4 {
        // Whichever is active.
        if round == 2 {
            pair.second.make_active();
        }
        let (issued, before) = (pair.world.renew(), pair.shown());
        install(&pair).exits(0);
        for device in [&pair.world.device, &pair.second] {
            assert_eq!(device.certificate_fingerprint(), print(&issued.certificate), "round {round}");
        }
        let known = pair.known_after(&before);
        assert_eq!(pair.known_devices(), known, "round {round}: {:#?}", pair.world.log());
    }
    assert_eq!((count(&pair.world.device, "commit"), count(&pair.second, "commit")), (2, 2));
    pair.logged(&format!("also checking the HA peer {}", pair.second.address()));
}

#[test]
fn a_member_that_does_not_get_the_configuration_gets_the_certificate_all_the_same() {
    let pair = managed(|settings| settings.ha_automatic_sync = false);
    let refusal =
        "<response status='error' code='16'><msg><line>Unauthorized request</line></msg></response>";
    let what = What::Body { content_type: "application/xml".into(), body: refusal.into() };
    let sync = Matcher::typed("op").cmd("<sync-to-remote>");
    pair.world.device.inject(Fault::new(When::request(sync), what).times(u32::MAX));
    let (issued, before) = (pair.world.renew(), pair.shown());
    let peer = pair.second.address().to_string();
    let (outcome, log) = inside::deliver(&pair.world, &["-p", PORTAL, "--ha-peer", &peer]);
    assert!(
        matches!(outcome.outcome, pancert::install::result::Outcome::Installed { .. }),
        "{outcome:?} {log:#?}"
    );
    assert_eq!((count(&pair.world.device, "commit"), count(&pair.second, "commit")), (1, 1), "{log:#?}");
    assert_eq!(pair.second.certificate_fingerprint(), print(&issued.certificate));
    assert_eq!(pair.known_devices(), pair.known_after(&before));
    assert_eq!((pair.world.device.pending_changes(), pair.second.pending_changes()), (vec![], vec![]));
}

/// The same, while the second member goes away as soon as the first one commits.
fn install_while_it_goes_away(pair: &Pair) -> Ended {
    pair.world.device.set_commit_duration(std::time::Duration::from_secs(2));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| install(pair));
        assert!(wait_until(|| count(&pair.world.device, "commit") == 1));
        pair.second.set_listening(Listening::Refused);
        running.join().unwrap()
    })
}

/// The port is opened by the simulator's own thread.
fn come_back(pair: &Pair) {
    pair.second.set_listening(Listening::Normal);
    let address = pair.second.address();
    assert!(wait_until(|| std::net::TcpStream::connect(address).is_ok()), "{address}");
}

#[test]
fn a_member_that_goes_away_meanwhile_is_pending_and_done_by_the_next_run() {
    let pair = managed(|_| {});
    let (issued, before) = (pair.world.renew(), pair.shown());
    install_while_it_goes_away(&pair).exits(4).says(&pair.second.address().to_string());
    assert_eq!(pair.world.device.certificate_fingerprint(), print(&issued.certificate));
    assert_eq!(pair.world.record()["state"]["exit"], 4);
    // Before the commit it has said that it is going to show this one.
    let next = &pair.world.record()["next_identities"];
    assert_eq!(next[0]["device"], pair.second.address().to_string(), "{next}");
    assert_eq!(next[0]["certificate"], print(&issued.certificate), "{next}");
    come_back(&pair);
    install(&pair).exits(0);
    assert_eq!(count(&pair.world.device, "commit"), 1);
    assert_eq!(pair.second.certificate_fingerprint(), print(&issued.certificate));
    assert_eq!(pair.known_devices(), pair.known_after(&before));
    assert!(pair.world.record().get("next_identities").is_none());
}

#[test]
fn a_member_that_was_away_before_the_commit_is_not_recognised_by_what_it_shows_after_it() {
    let pair = managed(|_| {});
    let (_, before) = (pair.world.renew(), pair.shown());
    pair.second.set_listening(Listening::Refused);
    install(&pair).exits(4).says(&pair.second.address().to_string());
    pair.logged("can't be looked at before the commit");
    pair.second.set_listening(Listening::Normal);
    // It got the configuration from the first one, and nobody has asked it which profile it uses.
    assert_ne!(pair.second.certificate_fingerprint(), before[1]);
    let requests = pair.second.requests().len();
    install(&pair).exits(16).says(&pair.second.address().to_string());
    assert_eq!(pair.second.requests().len(), requests);
    // A person says that it is the one.
    let [first, second] = [&pair.known_after(&before)[0], &pair.known()[1]].map(String::clone);
    let text = format!("{first}\n{second}\n");
    pki::write(&pair.world.path("state/known_devices"), text.as_bytes(), 0o600);
    install(&pair).exits(0);
    assert_eq!(count(&pair.world.device, "commit"), 1);
    assert_eq!(pair.known_devices(), [first, second]);
}

#[test]
fn where_a_member_is_away_nothing_that_was_committed_together_is_called_done() {
    let pair = managed(|settings| settings.profiles.push(Profile::unbound(GATEWAY)));
    let (peer, before) = (pair.second.address().to_string(), pair.shown());
    let mut other = pair.bare_command();
    other.args(["-n", "alpha", "-p", GATEWAY, "--ha-peer", &peer, "--queue"]);
    Ended::of(other.arg(pair.world.target())).exits(0);
    // The management interface presents the second of the two.
    install_while_it_goes_away(&pair).exits(4);
    assert_eq!(pair.world.record()["state"]["exit"], 4);
    come_back(&pair);
    install(&pair).exits(0);
    assert_eq!(count(&pair.world.device, "commit"), 1, "both in one");
    assert_eq!(pair.known_devices(), pair.known_after(&before));
}
