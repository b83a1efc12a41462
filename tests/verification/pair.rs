//! A pair of firewalls: who is chosen, and the configuration's way to the other one.

use std::time::{Duration, Instant};

use pancert::install::ha::{Choice, HaMember, HaSyncOutcome, choose, wait_until_in_sync};
use panos_sim::{Fault, Matcher, Settings, Simulator, What, When};
use panos_xmlapi::{Location, Session};

use crate::common::pki;
use crate::common::world::{PORTAL, settings};
use crate::device::{address, binding, commit, session, start, upload};

fn pair(change: impl Fn(&mut Settings)) -> (Simulator, Simulator) {
    let member = |hostname: &str| {
        let mut settings = Settings { hostname: hostname.into(), ..settings() };
        change(&mut settings);
        settings
    };
    Simulator::pair(member("fw-a"), member("fw-b")).unwrap()
}

async fn members(pair: &[&Simulator]) -> Vec<HaMember> {
    let mut members = Vec::new();
    for device in pair {
        members.push(HaMember::new(&address(device), session(device).ha_state().await));
    }
    members
}

/// A new certificate for the portal, committed and running.
async fn renew(device: &Simulator) -> Session {
    let session = session(device);
    let new = pki::self_signed(&pki::CertificateSpec::named("new.example.com"));
    session.import(&upload("new", &new)).await.unwrap();
    session.set_all(&Location::Shared.profiles(), &[binding(PORTAL, "new")]).await.unwrap();
    commit(&session).await;
    assert!(device.wait_idle(Duration::from_secs(20)));
    session
}

fn asked(device: &Simulator) -> usize {
    let is_sync = |cmd: &String| cmd.contains("<sync-to-remote>");
    device.requests().iter().filter(|request| request.cmd.as_ref().is_some_and(is_sync)).count()
}

#[tokio::test]
async fn the_active_firewall_is_chosen_before_and_after_a_failover() {
    let (first, second) = pair(|_| {});
    assert_eq!(choose(&members(&[&first, &second]).await), Ok(Choice::Active(0)));
    assert_eq!(choose(&members(&[&second, &first]).await), Ok(Choice::Active(1)));
    second.make_active();
    assert_eq!(choose(&members(&[&first, &second]).await), Ok(Choice::Active(1)));
    let alone = choose(&members(&[&first]).await).unwrap_err().to_string();
    assert_eq!(
        alone,
        format!(
            "the active member of the HA pair is not known: {} is 'passive'; its HA peer was not asked",
            address(&first)
        )
    );
    assert_eq!(members(&[&first]).await[0].peer().unwrap().host(), address(&second).host());
}

#[tokio::test]
async fn the_active_panorama_is_chosen_too() {
    let (first, second) = pair(|settings| settings.model = "Panorama".into());
    assert_eq!(choose(&members(&[&first, &second]).await), Ok(Choice::Active(0)));
    second.make_active();
    assert_eq!(choose(&members(&[&first, &second]).await), Ok(Choice::Active(1)));
}

#[tokio::test]
async fn when_the_first_is_away_its_peer_takes_over_and_is_chosen() {
    let (first, second) = pair(|_| {});
    let gone = session(&first);
    let at = address(&first);
    // Not dropped: another test's device could be there then.
    first.reboot(Duration::from_secs(600), true);
    let all = [HaMember::new(&at, gone.ha_state().await), members(&[&second]).await.remove(0)];
    assert_eq!(choose(&all), Ok(Choice::Active(1)), "{all:?}");
}

#[tokio::test]
async fn a_firewall_without_a_peer_is_plain() {
    let device = start(settings());
    assert_eq!(choose(&members(&[&device]).await), Ok(Choice::Plain(0)));
    assert_eq!(wait_until_in_sync(&session(&device), Duration::from_secs(30)).await, HaSyncOutcome::Off);
}

#[tokio::test]
async fn the_peer_is_waited_for_and_nothing_is_asked_where_it_comes_by_itself() {
    let (first, second) = pair(|settings| settings.ha_sync_delay = Duration::from_millis(700));
    let session = renew(&first).await;
    // Trouble that passes is no answer.
    let polls = || When::request(Matcher::typed("op").cmd("<high-availability>"));
    first.inject(Fault::new(polls(), What::Status(502)));
    let outcome = wait_until_in_sync(&session, Duration::from_secs(60)).await;
    assert_eq!(outcome, HaSyncOutcome::Synchronized { asked: false });
    assert_eq!(asked(&first), 0);
    assert!(second.running_xml().contains("<certificate>new<"));
    assert_eq!(outcome.to_string(), "the HA peer has the same configuration");
}

#[tokio::test]
async fn where_nothing_comes_it_is_asked_for_once() {
    let (first, second) = pair(|settings| settings.ha_automatic_sync = false);
    let session = renew(&first).await;
    let outcome = wait_until_in_sync(&session, Duration::from_secs(12)).await;
    assert_eq!(outcome, HaSyncOutcome::Synchronized { asked: true });
    assert_eq!(asked(&first), 1);
    assert!(second.running_xml().contains("<certificate>new<"));
}

#[tokio::test]
async fn a_right_that_is_missing_is_told_and_the_wait_is_bounded() {
    let (first, _second) = pair(|settings| settings.ha_automatic_sync = false);
    let session = renew(&first).await;
    let refusal =
        "<response status='error' code='16'><msg><line>Unauthorized request</line></msg></response>";
    let what = What::Body { content_type: "application/xml".into(), body: refusal.into() };
    first.inject(Fault::new(When::request(Matcher::typed("op").cmd("<sync-to-remote>")), what));
    let (begun, timeout) = (Instant::now(), Duration::from_secs(2));
    let outcome = wait_until_in_sync(&session, timeout).await;
    assert!((timeout..timeout * 5).contains(&begun.elapsed()));
    assert_eq!(asked(&first), 1);
    let told = outcome.to_string();
    assert!(told.contains("not synchronized; ") && told.contains("'Operational Requests'"), "{told}");
}

#[tokio::test]
async fn a_peer_that_is_away_is_not_waited_for_to_the_end() {
    let (first, second) = pair(|settings| settings.ha_automatic_sync = false);
    let session = renew(&first).await;
    drop(second);
    let (begun, timeout) = (Instant::now(), Duration::from_secs(20));
    let outcome = wait_until_in_sync(&session, timeout).await;
    assert!(begun.elapsed() < timeout / 2);
    let told = outcome.to_string();
    assert!(told.ends_with("not synchronized; the connection to the peer is down"), "{told}");
}

#[tokio::test]
async fn a_key_that_is_refused_meanwhile_ends_the_wait_at_once() {
    let (first, _second) = pair(|settings| settings.ha_automatic_sync = false);
    let session = renew(&first).await;
    first.inject(Fault::new(When::Always, What::Forbidden).times(u32::MAX));
    let begun = Instant::now();
    let outcome = wait_until_in_sync(&session, Duration::from_secs(60)).await;
    assert!(
        matches!(&outcome, HaSyncOutcome::Open { last, .. } if last.contains("Invalid Credential")),
        "{outcome}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}
