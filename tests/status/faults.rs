//! What is wrong and no attempt mends: each has its own word, and a code that is not 0.

use std::fs;

use crate::common::programs;
use crate::common::world::{Ended, NAME};
use crate::support::{Desk, ago, command, installed, order, profile};
use pancert::delivery::Installation;

fn words(support: &Desk, name: &str) -> Vec<String> {
    let told = support.told(&["-c", name]);
    let faults = told["installations"][0]["faults"].as_array().unwrap().iter();
    faults.map(|fault| fault["word"].as_str().unwrap().to_owned()).collect()
}

fn metrics(support: &Desk) -> String {
    let file = support.path("x.prom");
    let _ = Ended::of(support.command(&["--prometheus"]).arg(&file));
    fs::read_to_string(file).unwrap()
}

#[test]
fn a_profile_that_two_installations_claim() {
    let support = Desk::new();
    let mut one = support.installed("a.example.com", "fw1", 90);
    support.installed("b.example.com", "fw1", 90);
    support.exits(0, &[]).says("2 certificates on 1 device: all installed.");
    one.bindings[0].profile = profile("b.example.com");
    support.write(&one);
    let shown = support.exits(13, &[]).says("2 with a profile that another one has, too").stdout;
    let line = "\n  the SSL/TLS profile 'GP b' is claimed by 'b.example.com' as well: forget one of the two";
    assert!(shown.contains(line), "{shown}");
    // Also where only one of the two is looked at.
    for name in ["a.example.com", "b.example.com"] {
        assert_eq!(words(&support, name), ["profile-claimed-twice"], "{name}");
    }
    let text = metrics(&support);
    let lines = text.lines().filter(|line| line.starts_with("pan_getcert_profile_claimed_twice{"));
    assert!(lines.clone().count() == 2 && lines.clone().all(|line| line.ends_with("} 1")), "{text}");
    // Another device, or another place, has profiles of its own.
    one.spec.location = "vsys:vsys2".parse().unwrap();
    fs::remove_dir_all(support.state()).unwrap();
    support.write(&one);
    support.installed("b.example.com", "fw1", 90);
    let mut third = support.installed("c.example.com", "fw2", 90);
    third.bindings[0].profile = profile("b.example.com");
    support.write(&third);
    support.exits(0, &[]).says("all installed.");
}

#[test]
fn an_installation_that_nothing_presents() {
    let support = Desk::new();
    let mut wanted = order("a.example.com", "fw1", ago(3), 90);
    wanted.profiles.clear();
    wanted.options.device.profile = None;
    let mut record = Installation::ingest(wanted, None, ago(3));
    record.finish(&installed("a.example.com"), &[], &[], 1, ago(3));
    support.write(&record);
    support.exits(13, &[]).says("1 without a profile").says("\n  no SSL/TLS profile presents it");
    let shown = support.exits(13, &[]).stdout;
    assert!(shown.contains(" not presented") && !shown.contains(" ok"), "{shown}");
    assert_eq!(words(&support, "a.example.com"), ["no-profile"]);
    assert!(metrics(&support).contains("pan_getcert_without_profile{"));
    // What uses the object is found on the device.
    record.spec.options.device.where_used = true;
    support.write(&record);
    support.exits(0, &[]).says("installed.");
}

#[test]
fn a_certificate_that_certmonger_renews_and_nobody_has_recorded() {
    let support = Desk::new();
    fs::create_dir(support.path("bin")).unwrap();
    let list = |status: &str, state: &str| {
        let script = format!(
            "#!/bin/sh\ncat <<'END'\nNumber of certificates and requests being tracked: 1.\nRequest ID '7':\n\
             \tstatus: {status}\n\tstuck: no\n\tcertificate: type=FILE,location='/etc/ssl/certs/{NAME}.crt'\n\
             \tpost-save command: /usr/bin/pan_instcert -c {NAME} -p 'GP portal' --state-dir={state} fw1 fw2\nEND\n"
        );
        let _ = fs::remove_file(support.path("bin/getcert"));
        programs::write(&support.path("bin/getcert"), &script);
    };
    let ask = |arguments: &[&str]| {
        let mut command = command(&support.state());
        command.env("PATH", format!("{}:/usr/bin:/bin", support.path("bin").display())).arg("--session-bus");
        Ended::of(command.args(arguments))
    };
    let state = support.state().display().to_string();
    list("MONITORING", &state);
    let ended = ask(&[]).exits(10).says("2 certificates of certmonger's without a record");
    assert_eq!(ended.stderr.matches("there is no record of it").count(), 2, "{ended:#?}");
    support.installed(NAME, "fw1", 90);
    let ended = ask(&["--json"]).exits(10);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["unrecorded"][0]["device"], "fw2");
    assert_eq!(told["unrecorded"].as_array().unwrap().len(), 1);
    ask(&["--device", "fw1"]).exits(0);
    ask(&["--device", "fw2"]).exits(10);
    let file = support.path("x.prom");
    ask(&["--prometheus", file.to_str().unwrap()]).exits(10);
    assert!(fs::read_to_string(file).unwrap().contains("\npan_getcert_unrecorded 1\n"));
    // An order that is in the queue is a record to be; a first certificate is still to come; a state directory of
    // somebody else's is not looked after here.
    support.queue(&order(NAME, "fw2", ago(0), 90));
    ask(&[]).exits(0);
    fs::remove_dir_all(support.state()).unwrap();
    list("SUBMITTING", &state);
    ask(&[]).exits(0);
    // One that was refused, or not answered, at the first request is nowhere else: nobody would hear of it for days.
    for (status, why) in [
        ("CA_REJECTED", "the CA refused"),
        ("CA_UNREACHABLE", "the CA can't be reached"),
        ("NEED_CA", "no CA of this name"),
    ] {
        list(status, &state);
        let ended = ask(&[]).exits(10).says("2 never issued").says(why);
        assert!(ended.stderr.contains("was never issued (request 7): "), "{ended:#?}");
        assert!(ended.stderr.contains("getcert stop-tracking -i 7"), "{ended:#?}");
    }
    let ended = ask(&["--json"]).exits(10);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(told["unrecorded"][0]["not_issued"].as_str().unwrap().starts_with("NEED_CA: "), "{told:#}");
    list("MONITORING", "/elsewhere");
    ask(&[]).exits(0);
}
