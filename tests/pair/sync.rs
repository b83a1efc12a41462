//! The configuration's way to the other member: waited for, asked for, told; never a failure.

use panos_sim::{Fault, Matcher, What, When};

use crate::common::inside;
use crate::common::pair::Pair;
use crate::common::world::{PORTAL, served};
use pancert::install::result::Outcome;

/// Through the library: with a shorter retry policy than the program has.
fn deliver(pair: &Pair) -> Vec<String> {
    let config = pair.world.path("config.toml");
    let peer = pair.second.address().to_string();
    let arguments = ["-p", PORTAL, "--ha-peer", &peer, "--config", config.to_str().unwrap()];
    let (outcome, log) = inside::deliver(&pair.world, &arguments);
    assert!(matches!(outcome.outcome, Outcome::Installed { unchanged: false, .. }), "{outcome:?} {log:#?}");
    log
}

fn asked(pair: &Pair) -> usize {
    let is_sync = |cmd: &String| cmd.contains("<sync-to-remote>");
    let requests = pair.world.device.requests();
    requests.iter().filter(|request| request.cmd.as_ref().is_some_and(is_sync)).count()
}

#[test]
fn what_comes_by_itself_is_waited_for_and_not_asked_for() {
    let pair = Pair::new();
    let log = deliver(&pair);
    assert!(log.contains(&"HA: the HA peer has the same configuration.".to_owned()), "{log:#?}");
    assert_eq!(asked(&pair), 0);
    assert!(served(&pair.second).is_some());
}

#[test]
fn what_does_not_come_by_itself_is_asked_for() {
    let pair = Pair::with(|settings| settings.ha_automatic_sync = false);
    let log = deliver(&pair);
    let told = "HA: the HA peer has the same configuration, after it was asked for.";
    assert!(log.contains(&told.to_owned()), "{log:#?}");
    assert_eq!(asked(&pair), 1);
    assert!(served(&pair.second).is_some());
}

#[test]
fn missing_sync_is_logged_but_not_an_error() {
    let pair = Pair::with(|settings| settings.ha_automatic_sync = false);
    let refusal =
        "<response status='error' code='16'><msg><line>Unauthorized request</line></msg></response>";
    let what = What::Body { content_type: "application/xml".into(), body: refusal.into() };
    let sync = Matcher::typed("op").cmd("<sync-to-remote>");
    pair.world.device.inject(Fault::new(When::request(sync), what).times(u32::MAX));
    let log = deliver(&pair);
    let told = "HA: the HA peer's configuration is not confirmed in sync: not synchronized";
    assert!(log.iter().any(|line| line.starts_with(told)), "{log:#?}");
    assert!(pair.world.served().is_some() && served(&pair.second).is_none());
}
