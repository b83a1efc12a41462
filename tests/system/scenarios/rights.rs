//! Who may ask, through the real sudo and the rules that come with the package.

use crate::aftermath::{DELIVERED, Rollback};
use crate::firewall::THIRD;
use crate::machine::Ended;
use crate::stage::{GP, Stage};

const ALICES: &str = "alice.ipa.test";
/// Written by root alone: what a user has done if it is there, or is another.
const PRECIOUS: &str = "/root/precious";

impl Stage {
    fn typed_by(&self, user: &str, words: &[&str]) -> Ended {
        self.machine.run(&[&["runuser", "-u", user, "--", "sudo", "-n"], words].concat())
    }

    fn add_users(&self) {
        let rules = include_str!("../../../packaging/sudoers");
        self.machine.write("/etc/sudoers.d/pan_getcert", rules, 0o440);
        self.machine.run(&["visudo", "-c"]).exits(0);
        self.machine.write("/etc/pan_getcert.toml", "[device.\"fw1.ipa.test\"]\n", 0o644);
        self.machine.write(PRECIOUS, "untouched\n", 0o600);
        let line = "groupadd certmanagers && useradd -m -G certmanagers alice && useradd -m mallory";
        self.machine.sh(line).exits(0);
    }
}

pub fn delegated(stage: &mut Stage) {
    stage.set();
    stage.add_users();
    // Another scenario's certificate claims the same profile, and would not let it go.
    stage.machine.sh(
        "getcert stop-tracking -f /etc/ssl/certs/vpn.ipa.test.crt; pan_certctl forget vpn.ipa.test --yes; true",
    );
    let request = ["pan_getcert", "--delegated", "-c", ALICES, "-p", THIRD, "fw1.ipa.test"];
    stage.typed_by("alice", &request).exits(0).says("FINISHED: fw1.ipa.test");
    assert_eq!(stage.firewalls[0].bound(THIRD).as_deref(), Some(ALICES));
    let list = stage.machine.run(&["getcert", "list", "-f", &format!("/etc/ssl/certs/{ALICES}.crt")]);
    list.exits(0).says("post-save command: /usr/bin/pan_instcert");
    stage.see("alice: FINISHED");

    let before = stage.traces();
    // sudo itself says no.
    stage.typed_by("mallory", &request).exits(1);
    for words in [
        &["pan_getcert", "-c", ALICES, "fw1.ipa.test"][..],
        &["pan_getcert", "-c", ALICES, "--delegated", "fw1.ipa.test"],
        &["pan_instcert", "-c", ALICES, "--log-file=/root/precious", "fw1.ipa.test"],
        &["pan_certctl", "status"],
        &["LD_PRELOAD=/tmp/evil.so", "pan_getcert", "--delegated", "-c", ALICES, "fw1.ipa.test"],
        &["/bin/sh"],
    ] {
        stage.typed_by("alice", words).exits(1).says("sudo:");
    }
    // The programs do.
    for (words, code) in [
        (&["--log-file=/root/precious", "fw1.ipa.test"][..], 1),
        (&["--state-dir=/root", "fw1.ipa.test"], 1),
        (&["--config=/home/alice/mine.toml", "fw1.ipa.test"], 1),
        (&["-k", "/root/precious", "fw1.ipa.test"], 1),
        (&["--insecure", "fw1.ipa.test"], 1),
        (&["--session-bus", "fw1.ipa.test"], 1),
        (&["--cert-dir=/etc", "fw1.ipa.test"], 1),
        (&["fw2.ipa.test"], 4),
        (&["10.77.0.11"], 4),
    ] {
        for program in ["pan_getcert", "pan_instcert"] {
            let line = [&[program, "--delegated", "-c", ALICES, "-p", THIRD], words].concat();
            let ended = stage.typed_by("alice", &line);
            assert!([Some(1), Some(code)].contains(&ended.code), "{ended:#?}");
            assert!(!ended.stderr.contains("untouched") && !ended.stderr.contains("panicked"), "{ended:#?}");
        }
    }
    assert_eq!(stage.traces(), before, "a refusal leaves nothing behind");
    stage.see("24 hostile lines refused");
    let ours = Rollback { serves: stage.certificate(GP), status: (0, &[ALICES]), ..DELIVERED };
    stage.check(&Rollback { journal: &["sudo", "alice", ALICES], ..ours });
}

impl Stage {
    /// What a hostile line could have changed: root's file, what is tracked, pending and logged, and the firewall.
    fn traces(&self) -> String {
        let look =
            "cat /root/precious; ls -lA /root /etc /var/lib/pan_getcert/* /etc/ssl/private; getcert list";
        let log = self.log().lines().count();
        format!("{log} {} {}", self.firewalls[0].device.candidate_xml(), self.machine.sh(look).stdout)
    }
}
