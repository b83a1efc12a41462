//! Nobody does anything: the time passes, and certmonger's own thresholds are crossed.

use std::time::Instant;

use panos_sim::Listening;

use super::A_TICK_OR_TWO;
use crate::aftermath::{DELIVERED, Mark, Rollback};
use crate::machine::{until, until_within};
use crate::stage::{GP, Stage};

/// certmonger looks at a certificate every half an hour at most. Its clock, and no other, is so many times faster.
const FASTER: u64 = 60;
/// What certmonger itself notes, where it is told to: when it looks again.
const LOOKS_AGAIN: &str = "in 1800 seconds.";
const LOOKS_TOMORROW: &str = "in 86400 seconds.";
/// For so long a certificate is good, and renewed when no more than that is left; by certmonger's clock.
const GOOD_FOR: u64 = 2400;
const OLD_AT: u64 = 1200;

const DROP_IN: &str = "/etc/systemd/system/certmonger.service.d/clock.conf";

impl Stage {
    /// certmonger is started anew, with a clock of its own that the CA knows of.
    fn hurry_certmonger(&self) {
        let unit = format!(
            "[Service]\nEnvironment='LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1' 'FAKETIME=+0 x{FASTER}'\n\
             Environment=FAKETIME_ONLY_CMDS=certmonger\n"
        );
        self.machine.write(DROP_IN, &unit, 0o644);
        self.machine.write("/etc/default/certmonger", "OPTS=-d 3\n", 0o644);
        self.machine.run(&["systemctl", "daemon-reload"]).exits(0);
        self.renews_before_the_end(OLD_AT);
        let since = self.machine.run(&["date", "+%s"]).exits(0).stdout;
        self.machine.write("/srv/ipa/faster", &format!("{} {FASTER}", since.trim()), 0o644);
    }

    /// Its clock is everybody's again.
    fn calm_certmonger(&self) {
        let made = format!("rm {DROP_IN} /etc/certmonger/certmonger.conf");
        self.machine.sh(&made).exits(0);
        self.machine.run(&["systemctl", "daemon-reload"]).exits(0);
        self.machine.run(&["systemctl", "restart", "certmonger"]).exits(0);
    }

    /// How often the CA was asked for a certificate.
    fn asked(&self) -> usize {
        self.machine.read("/srv/ipa/asked").lines().count()
    }
}

pub fn renewed_by_time(stage: &mut Stage) {
    stage.set();
    stage.machine.write("/srv/ipa/seconds", &GOOD_FOR.to_string(), 0o644);
    stage.hurry_certmonger();
    let before = stage.resubmit(GP);
    stage.renewed(GP, &before, A_TICK_OR_TWO);

    // From here on nothing is asked of certmonger: that alone would wake it.
    stage.mark = Mark::now(stage);
    let (begun, asked) = (Instant::now(), stage.asked());
    for _ in 0..2 {
        let before = stage.certificate(GP);
        stage.renewed(GP, &before, A_TICK_OR_TWO);
        assert_eq!(stage.firewalls[0].served(), stage.certificate(GP));
    }
    // The third is good for long, so that there is no fourth, and finds nobody at home.
    std::fs::remove_file(stage.machine.path("/srv/ipa/seconds")).unwrap();
    let old = stage.certificate(GP);
    stage.firewalls[0].device.set_listening(Listening::Refused);
    until_within(A_TICK_OR_TWO, "it is renewed and was tried", || {
        let failures = stage.installation(GP, "fw1.ipa.test")["failures"].as_u64();
        stage.certificate(GP) != old && failures >= Some(1)
    });
    assert_eq!(stage.firewalls[0].served(), old);
    stage.firewalls[0].device.set_listening(Listening::Normal);
    stage.renewed(GP, &old, A_TICK_OR_TWO);
    assert_eq!(stage.asked() - asked, 3, "each request was certmonger's own");
    stage.see(format!("3 renewals in {:.0} s, {FASTER} times faster", begun.elapsed().as_secs_f64()));
    // It was its look at the clock each time.
    let journal = stage.journal();
    let looks = journal.lines().filter(|line| line.ends_with(LOOKS_AGAIN));
    assert!(looks.count() >= 2, "{journal}");

    let log = ["Connection refused", "END - Finished"];
    stage.check(&Rollback { commits: 3..=3, troubled: true, log: &log, ..DELIVERED });
    // By everybody's clock it is new, and nothing is asked for.
    stage.mark = Mark::now(stage);
    std::fs::remove_file(stage.machine.path("/srv/ipa/faster")).unwrap();
    stage.calm_certmonger();
    until("certmonger has looked at it", || stage.journal().contains(LOOKS_TOMORROW));
    assert_eq!(stage.asked() - asked, 3, "what is good for two years is not renewed");
    stage.machine.sh("rm /etc/default/certmonger").exits(0);
}
