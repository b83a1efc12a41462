//! FreeIPA is looked at before it is asked for a certificate: principals, certificate profile and CA ACLs.

use std::process::Command;

use crate::common::authority::Authority;
use crate::common::bus::Bus;
use crate::common::pki;
use crate::common::world::{self, Ended, KEY, NAME, PORTAL, settings};
use crate::support::{Desk, HOST};
use panos_sim::Simulator;

const ABSENT: &str = "HTTP/gp.example.com is not known to the server";

/// An enrolled machine whose certmonger has an authority in the place of FreeIPA's.
struct Site {
    support: Desk,
    bus: Bus,
    authority: Authority,
    device: Simulator,
}

impl Site {
    async fn new() -> Self {
        let bus = Bus::with_certmonger().await;
        let authority = Authority::add_as(&bus, "IPA");
        let support = Desk::new();
        // certmonger is a real one here.
        support.remove("bin/getcert");
        support.write("etc/krb5.conf", "[libdefaults]\n default_realm = EXAMPLE.COM\n", 0o644);
        pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
        std::fs::create_dir(bus.path("tmp")).unwrap();
        Self { support, bus, authority, device: Simulator::start(settings()).unwrap() }
    }

    fn command(&self, more: &[&str]) -> Command {
        let path = |name: &str| self.bus.path(name).to_str().unwrap().to_owned();
        let folder = self.bus.folder.path().to_str().unwrap().to_owned();
        let device = self.device.address().to_string();
        let (key, log, state) = (path(".panrc"), path("log"), path("state"));
        let pin = self.device.certificate_fingerprint();
        let mut words =
            vec!["pan_getcert", "-c", NAME, "--session-bus", "-k", &key, "-C", &folder, "-K", &folder];
        words.extend([
            "--pin",
            &pin,
            "--log-file",
            &log,
            "--state-dir",
            &state,
            "--timeout",
            "40",
            "-p",
            PORTAL,
        ]);
        words.extend_from_slice(more);
        words.push(&device);
        let mut command = self.support.command(&words);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address()).env("TMPDIR", self.bus.path("tmp"));
        command
    }

    fn ask(&self, more: &[&str]) -> Ended {
        Ended::of(&mut self.command(more))
    }

    async fn nothing_was_asked(&self) {
        assert_eq!(self.authority.submitted(), Vec::<String>::new());
        assert!(self.bus.getcert().list().await.unwrap().requests.is_empty());
    }
}

#[tokio::test]
async fn what_freeipa_would_refuse_is_told_with_the_commands_that_fix_it_before_anybody_is_asked() {
    let site = Site::new().await;
    let service = "run/state/services/HTTP_gp.example.com";
    site.support.remove(service);
    let ended = site.ask(&["--san", "vpn.example.com"]).exits(10).says(ABSENT);
    for command in [
        "kinit admin",
        "ipa service-add HTTP/gp.example.com --force",
        "ipa service-add-host HTTP/gp.example.com --hosts=certs.example.com",
        "ipa host-add vpn.example.com --force",
        "ipa service-add HTTP/vpn.example.com --force",
        "add --no-check",
    ] {
        assert!(ended.stderr.contains(command), "no '{command}' in {ended:#?}");
    }
    site.nothing_was_asked().await;
    let ended = site.ask(&["--dry-run"]).exits(10).says("FreeIPA would refuse the request");
    assert!(ended.stdout.contains(&format!("FreeIPA: FAILED: service principal: {ABSENT}")), "{ended:#?}");
    assert!(ended.stdout.contains("run: ipa service-add HTTP/gp.example.com"), "{ended:#?}");
    site.nothing_was_asked().await;
    // The command that does all of it is printed, too, and does.
    let ended = site.ask(&["--san", "vpn.example.com"]).exits(10);
    let enroll = "pan_certctl enroll --service gp.example.com --san vpn.example.com";
    assert!(ended.stderr.contains(&format!("run here: {enroll}\n")), "{ended:#?}");
    site.support.type_in("kinit admin");
    site.support.type_in(&format!("{enroll} --yes"));
    let ended = site.ask(&["--san", "vpn.example.com", "--dry-run"]).exits(0);
    assert!(ended.stdout.contains("FreeIPA: ok: SAN principal: HTTP/vpn.example.com"), "{ended:#?}");
    site.nothing_was_asked().await;

    site.support.service(NAME, &[NAME], &["www.example.com"]);
    site.ask(&[]).exits(10).says("is managed by www.example.com, not by certs.example.com");
    site.support.service(NAME, &[NAME], &[HOST]);
    site.ask(&["-G", "EC"]).exits(6).says("takes RSA keys only");
    site.ask(&["-T", "gpServer"]).exits(6).says("no certificate profile 'gpServer'");
    site.support.profile("gpServer", "-");
    site.ask(&["-T", "gpServer"]).exits(10).says("no enabled CA ACL").says("ipa caacl-add-profile");
    site.ask(&["-S", "host"]).exits(10).says("ipa host-add-managedby gp.example.com");
    site.nothing_was_asked().await;

    // All is well: it goes on, and what needs no certificate needs no look.
    let ended = site.ask(&["-v"]).exits(0).says("FINISHED: ");
    assert!(!ended.stderr.contains("is not looked at"), "{ended:#?}");
    assert_eq!(site.authority.submitted().len(), 1);
    assert!(world::served(&site.device).is_some());
    let asked = site.support.asked().len();
    site.ask(&[]).exits(0);
    assert_eq!(site.support.asked().len(), asked);
    // A renewal that would be refused is told as well, by what is tracked.
    site.support.remove(service);
    site.ask(&["--resubmit"]).exits(10).says(ABSENT);
    assert_eq!(site.authority.submitted().len(), 1);
    site.ask(&["--resubmit", "--no-check"]).exits(0);
    assert_eq!(site.authority.submitted().len(), 2);
    // The host's ticket was in a cache of its own, which is gone.
    let is_look = |line: &String| line.starts_with("host ") || !line.contains("-show");
    assert!(site.support.asked().iter().all(is_look), "{:#?}", site.support.asked());
    assert_eq!(std::fs::read_dir(site.bus.path("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn where_neither_ticket_nor_keytab_lets_it_be_asked_the_request_is_made_and_v_says_so() {
    let site = Site::new().await;
    site.support.remove("etc/krb5.keytab");
    site.support.remove("run/state/services/HTTP_gp.example.com");
    let ended = site.ask(&["-v"]).exits(0).says("FINISHED: ");
    let said = "FreeIPA is not looked at before the request: kinit: Pre-authentication failed";
    assert!(ended.stderr.contains(said), "{ended:#?}");
    let ended = site.ask(&["--resubmit"]).exits(0);
    assert!(!ended.stderr.contains("FreeIPA"), "{ended:#?}");
    // A server that is down is no refusal.
    site.support.write("etc/krb5.keytab", "1 first\n", 0o600);
    site.support.write("run/state/down", "", 0o644);
    let ended = site.ask(&["--resubmit", "-v"]).exits(0);
    assert_eq!(ended.stderr.matches("cannot connect to").count(), 1, "{ended:#?}");
    assert_eq!(site.authority.submitted().len(), 3);
}
