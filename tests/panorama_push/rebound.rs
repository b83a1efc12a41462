//! `--where-used`: what is rebound besides the named profiles is proven on each firewall that gets it.

use std::time::Duration;

use panos_sim::Simulator;

use crate::estate::{Estate, JANE, serial};

const VSYS: &str = "devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']";

fn settle(firewall: &Simulator) {
    firewall.commit_as(JANE);
    assert!(firewall.wait_idle(Duration::from_secs(5)));
}

#[test]
fn what_is_rebound_besides_is_proven_wherever_it_arrives() {
    let estate = Estate::of(2, |_| {});
    let options = ["--suffix", "serial", "--where-used"];
    estate.install(&options).exits(0);
    let old = estate.presents(1).unwrap();
    let using = format!("<protocol-settings/><certificate>{old}</certificate>");
    let profile = |name: &str| format!("ssl-tls-service-profile/entry[@name='{name}']");
    for name in ["second", "third"] {
        estate.change(JANE, "branch", &profile(name), &using);
    }
    estate.make(&format!("template/entry[@name='branch']/config/{VSYS}/{}", profile("inside")), &using);
    // The stack has a third one too, which wins over that of the template.
    let stack = "template-stack/entry[@name='branches']/config/shared";
    estate.make(&format!("{stack}/{}", profile("third")), "<protocol-settings/>");
    estate.push_everything();
    estate.certctl(&["verify"]).exits(0);

    // A firewall has the second one of its own.
    let (first, last) = (&estate.firewalls[0], &estate.firewalls[1]);
    let own = format!("/config/shared/{}", profile("second"));
    last.add_pending_change(JANE, &own, "<protocol-settings/>").unwrap();
    settle(last);
    estate.world.renew();
    let told = "(fw-00002): overridden on the device: it has an SSL/TLS profile 'second' of its own";
    estate.install(&options).exits(20).says("not pushed to 1 of 2 firewalls").says(told);
    let running = estate.world.device.running_xml();
    let new = estate.presents(1).unwrap();
    assert_eq!(running.matches(&format!("<certificate>{new}</certificate>")).count(), 4);
    estate.certctl(&["retry", "--now"]).exits(20).says(told);
    last.delete_from_candidate(JANE, &own).unwrap();
    settle(last);
    estate.certctl(&["retry", "--now"]).exits(0);

    // One of a virtual system, seen afterwards.
    first
        .add_pending_change(JANE, &format!("/config/{VSYS}/{}", profile("inside")), "<protocol-settings/>")
        .unwrap();
    settle(first);
    let told =
        format!("{} (fw-00001): overridden on the device: it has an SSL/TLS profile 'inside'", serial(1));
    estate.certctl(&["verify", "--drift", "warn"]).exits(15).says(&told);
}
