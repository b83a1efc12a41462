//! The first request, and what certmonger does by itself afterwards.

use std::time::{Duration, Instant};

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Rollback};
use crate::firewall::GATEWAY;
use crate::machine::until;
use crate::stage::{GP, Stage};

pub fn first_request(stage: &mut Stage) {
    assert_eq!(stage.firewalls[0].served(), None);
    let begun = Instant::now();
    stage.set_as_first();
    stage.see(format!("all of it typed in {:.1} s", begun.elapsed().as_secs_f64()));
    let told = std::fs::read_to_string(stage.folder.join("transcript.txt")).unwrap();
    let finished = "FINISHED: fw1.ipa.test runs the certificate 'gp.ipa.test' for gp.ipa.test";
    assert!(told.contains(finished), "{told}");
    assert_eq!(stage.firewalls[0].bound(GATEWAY).as_deref(), Some(GP));
    let asked = stage.machine.read("/srv/ipa/asked");
    let who = r#""user": "host/client.ipa.test@IPA.TEST""#;
    assert!(asked.contains(who) && asked.contains(r#""principal": "HTTP/gp.ipa.test@IPA.TEST""#), "{asked}");
    stage.machine.run(&["getcert", "list"]).exits(0).says("CA: IPA").says("--queue");
    stage.check(&DELIVERED);
}

pub fn renewal(stage: &mut Stage) {
    stage.set();
    for verb in ["resubmit", "rekey"] {
        let before = stage.certificate(GP);
        let file = format!("/etc/ssl/certs/{GP}.crt");
        stage.machine.run(&["ipa-getcert", verb, "-f", &file]).exits(0);
        stage.renewed(GP, &before, A_TICK_OR_TWO);
    }
    stage.check(&Rollback { commits: 2..=2, ..DELIVERED });
}

pub fn renewed_by_itself(stage: &mut Stage) {
    stage.set();
    // An hour before its end a certificate is old, and this one is so at once.
    stage.renews_before_the_end(3600);
    stage.machine.write("/srv/ipa/seconds", "3601", 0o644);
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);
    let short = stage.certificate(GP);
    std::fs::remove_file(stage.machine.path("/srv/ipa/seconds")).unwrap();
    // Until tomorrow it would not look again; when it starts, it does.
    let issued = Instant::now();
    until("it is old", || issued.elapsed() > Duration::from_secs(3));
    stage.machine.run(&["systemctl", "restart", "certmonger"]).exits(0);
    stage.renewed(GP, &short, A_TICK_OR_TWO);
    stage.check(&Rollback { commits: 2..=2, ..DELIVERED });
}
