//! The first request and what certmonger does by itself afterwards.

use std::time::Duration;

use crate::aftermath::{Aftermath, DELIVERED};
use crate::firewall::GATEWAY;
use crate::stage::{GP, scenario};

#[test]
#[ignore = "boots a machine: make system-test"]
fn s01_first_request() {
    scenario("s01_first_request", |stage| {
        let nothing = stage.firewalls[0].served();
        assert_eq!(nothing, None);
        let begun = std::time::Instant::now();
        stage.set_as_first();
        stage.see(format!("all of it typed in {:.1} s", begun.elapsed().as_secs_f64()));
        let told = std::fs::read_to_string(stage.folder.join("transcript.txt")).unwrap();
        assert!(
            told.contains("FINISHED: fw1.ipa.test runs the certificate 'gp.ipa.test' for gp.ipa.test"),
            "{told}"
        );
        assert_eq!(stage.firewalls[0].bound(GATEWAY).as_deref(), Some(GP));
        let asked = stage.machine.read("/srv/ipa/asked");
        let who = r#""user": "host/client.ipa.test@IPA.TEST""#;
        assert!(
            asked.contains(who) && asked.contains(r#""principal": "HTTP/gp.ipa.test@IPA.TEST""#),
            "{asked}"
        );
        stage.machine.run(&["getcert", "list"]).exits(0).says("CA: IPA").says("--queue");
        stage.check(&DELIVERED);
    });
}

#[test]
#[ignore = "boots a machine: make system-test"]
fn s02_renewal() {
    scenario("s02_renewal", |stage| {
        stage.set();
        for verb in ["resubmit", "rekey"] {
            let before = stage.certificate(GP);
            let file = format!("/etc/ssl/certs/{GP}.crt");
            stage.machine.run(&["ipa-getcert", verb, "-f", &file]).exits(0);
            stage.renewed(GP, &before, Duration::from_secs(90));
        }
        stage.check(&Aftermath { commits: 2..=2, ..DELIVERED });
    });
}
