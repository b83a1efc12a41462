//! Two devices, one active.

use std::time::Duration;

use panos_sim::Simulator;

use crate::{client::*, pki};

const STATE: &str = "<show><high-availability><state/></high-availability></show>";

fn pair() -> (Simulator, Simulator) {
    let mut second = settings();
    second.hostname = "fw-sim-2".into();
    second.ha_sync_delay = Duration::from_millis(50);
    Simulator::pair(settings(), second).unwrap()
}

#[test]
fn a_commit_on_the_active_reaches_the_passive() {
    let (active, passive) = pair();
    op(&active, STATE).has("<state>active</state>").has("<state>passive</state>");
    op(&passive, STATE).has("<local-info><mgmt-ip>127.0.0.1/24</mgmt-ip>");
    op(&active, STATE).has("<running-sync>synchronized</running-sync>");
    let made = pki::self_signed("a.test");
    import_pair(&active, "vpn", &made.pem()).has("success");
    config(&active, "set", PORTAL, "<certificate>vpn</certificate>");
    let element = "<ssl-tls-service-profile>mgmt</ssl-tls-service-profile>";
    config(&active, "set", &PORTAL.replace("portal", "mgmt"), "<certificate>vpn</certificate>");
    config(&active, "set", MGMT_BINDING, element).has("code=\"20\"");
    commit(&active, MINE).job();
    assert!(active.wait_idle(Duration::from_secs(5)));
    assert!(passive.wait_idle(Duration::from_secs(5)));
    assert_eq!(shown(passive.service_address()).unwrap(), made.fingerprint());
    op(&passive, STATE).has("<running-sync>synchronized</running-sync>");
    op(&passive, "<show><jobs><all/></jobs></show>").has("<type>HA-Sync</type>");
    // Which profile the management interface uses stays each device's own affair.
    assert_eq!(active.certificate_fingerprint(), made.fingerprint());
    assert_ne!(passive.certificate_fingerprint(), made.fingerprint());
    op(&passive, "<show><system><info/></system></show>").has("fw-sim-2");
}

#[test]
fn synchronisation_can_be_asked_for() {
    let (mut first, second) = (settings(), settings());
    first.ha_automatic_sync = false;
    first.ha_sync_delay = Duration::from_secs(1);
    let (active, passive) = Simulator::pair(first, second).unwrap();
    let fqdn = "<fqdn>p.test</fqdn>";
    active.add_pending_change("me", "/config/shared/address/entry[@name='p']", fqdn).unwrap();
    commit_and_wait(&active, MINE).has("OK");
    op(&active, STATE).has("<running-sync>not synchronized</running-sync>");
    let ask = "<request><high-availability><sync-to-remote><running-config/></sync-to-remote>\
               </high-availability></request>";
    op(&active, ask).has("HA synchronization job has been queued on peer.");
    op(&active, ask).has("Another sync is in progress.");
    op(&active, STATE).has("<running-sync>synchronization in progress</running-sync>");
    assert!(passive.wait_idle(Duration::from_secs(5)));
    op(&active, STATE).has("<running-sync>synchronized</running-sync>");
    assert!(passive.running_xml().contains("p.test"));
    assert!(passive.pending_changes().is_empty());
}

#[test]
fn the_roles_change_by_hand_by_restart_and_by_death() {
    let (one, other) = pair();
    other.make_active();
    op(&one, STATE).has("<state>passive</state><state-sync>");
    assert!(other.is_active() && !one.is_active());
    other.reboot(Duration::from_millis(1), true);
    assert!(one.is_active());
    drop(one);
    assert!(other.is_active());
    show_job(&other, 1);
    op(&other, STATE).has("<conn-status>down</conn-status>");
}

#[test]
fn the_peer_is_found_by_its_address_alone() {
    let mut second = settings();
    second.listen = "127.0.0.2:0".parse().unwrap();
    let (one, other) = Simulator::pair(settings(), second).unwrap();
    assert_eq!(one.address().port(), other.address().port());
    op(&one, STATE).has("<peer-info><mgmt-ip>127.0.0.2</mgmt-ip>");
    op(&other, STATE).has("<local-info><mgmt-ip>127.0.0.2/24</mgmt-ip>");
}

#[test]
fn a_device_without_a_peer_says_so() {
    op(&start(), STATE).has("<result><enabled>no</enabled></result>");
}
