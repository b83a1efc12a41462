//! What is recorded of each firewall: by its own word alone, and as it was seen last.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use panos_sim::{Fault, Matcher, PushOutcome, What, When};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::trouble::wait_until;
use crate::common::world::PORTAL;
use crate::estate::{DEV, Estate, JANE, serial};

/// What the next push job says of the firewalls, whatever has become of it.
fn job_says(estate: &Estate, entries: &[(usize, &str)]) {
    let mut each = String::new();
    for (number, result) in entries {
        let serial = serial(*number);
        write!(each, "<entry><serial-no>{serial}</serial-no><result>{result}</result></entry>").unwrap();
    }
    let body = format!(
        "<response status=\"success\"><result><job><type>CommitAll</type><status>FIN</status><result>OK</result>\
         <progress>100</progress><devices>{each}</devices></job></result></response>"
    );
    let answer = What::Answer { status: 200, body: body.into() };
    estate.world.device.inject(Fault::new(When::request(Matcher::typed("op").cmd("<jobs><id>")), answer));
}

#[test]
fn of_a_firewall_that_a_job_lists_twice_the_worst_counts() {
    let estate = Estate::of(2, |_| {});
    estate.install(&["--push", "none"]).exits(0);
    for (first, second) in [("FAIL", "OK"), ("OK", "FAIL"), ("FAIL", "WAIT"), ("WAIT", "FAIL")] {
        job_says(&estate, &[(1, first), (2, "OK"), (1, second)]);
        estate
            .install(&[])
            .exits(20)
            .says("not pushed to 1 of 2 firewalls: 001900000000001 (fw-00001): the push failed");
        assert_eq!(estate.open(1), "failed", "{first}, {second}");
        // It was pushed all the same, so the next run would find it: another certificate.
        estate.world.renew();
        estate.install(&["--push", "none"]).exits(0);
    }
}

#[test]
fn what_verify_sees_of_each_firewall_is_what_status_tells() {
    let estate = Estate::of(2, |_| {});
    let panorama = &estate.world.device;
    estate.install(&["--push", "none"]).exits(0);
    // Nothing is pushed by itself where that is left to a person.
    assert_eq!(estate.push()["open"][0]["advice"], "push it in Panorama");

    // A person pushes while one is away.
    panorama.set_connected(&serial(1), false);
    estate.push_everything();
    estate.certctl(&["verify"]).exits(15).says("is waiting for a manual push");
    let push = estate.push();
    assert_eq!(
        (estate.open(1), push["proven"].to_string()),
        ("not-connected".into(), format!("[\"{}\"]", serial(2)))
    );
    assert_eq!(push["open"][0]["advice"], "connect the firewall to Panorama, and push it in Panorama then");
    panorama.set_connected(&serial(1), true);
    estate.push_everything();
    estate.certctl(&["verify"]).exits(0).says("OK, the device is running this certificate");
    let push = estate.push();
    assert_eq!((push["open"].to_string(), push["firewalls"].as_u64()), ("[]".into(), Some(2)), "{push:#}");
    let status = estate.certctl(&["status", "--no-certmonger"]);
    assert!(!status.stdout.contains("not pushed"), "{status:#?}");

    // A firewall that joins the stack, and is away: it is pending, and has its line before the worker has run.
    estate.install(&[]).exits(0);
    let devices = "template-stack/entry[@name='branches']/devices";
    let joining = format!("{DEV}/{devices}/entry[@name='{}']", serial(1));
    panorama.delete_from_candidate(JANE, &joining).unwrap();
    panorama.commit_as(JANE);
    assert!(panorama.wait_idle(Duration::from_secs(5)));
    estate.certctl(&["verify"]).exits(0);
    assert_eq!(estate.push()["firewalls"], 1);
    estate.world.renew();
    estate.install(&[]).exits(0);
    panorama.set_connected(&serial(1), false);
    estate.make(&format!("{devices}/entry[@name='{}']", serial(1)), "");
    estate.certctl(&["verify"]).exits(15).says("not pushed to 1 of 2 firewalls");
    let status = estate.certctl(&["status", "--no-certmonger"]);
    let status = status.says("firewall 001900000000001 (fw-00001): not connected to Panorama");
    status.says("verify found ").says("not pushed to 1 of 2 firewalls");
    panorama.set_connected(&serial(1), true);
    estate.forget_requests();
    estate.certctl(&["retry"]).exits(0);
    let pushes = estate.pushes();
    assert!(pushes.len() == 1 && !pushes[0].contains(&serial(2)), "{pushes:?}");
    assert_eq!((estate.changes(), estate.push()["open"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_full_push_whose_request_is_lost_is_not_taken_for_the_one_that_was_refused() {
    let estate = Estate::of(1, |_| {});
    let words = vec!["Push of selected changes failed: a full push is required".to_owned()];
    estate.world.device.set_push_outcome(&serial(1), PushOutcome::Fails(words));
    let matcher = Matcher::typed("commit").action("all");
    estate.world.device.inject(Fault::new(When::Matching { matcher, nth: 2 }, What::Close));
    estate.install(&["--push-all-changes"]).exits(14).says("the push failed");
    let pushes = estate.pushes();
    let of_own: Vec<bool> = pushes.iter().map(|push| push.contains("<admin>")).collect();
    assert_eq!(
        (of_own, estate.jobs()),
        (vec![true, false, false], 3),
        "one of Jane's, ours, and everybody's: {pushes:?}"
    );
}

#[test]
fn whoever_interrupts_a_push_is_told_of_the_push_job() {
    let estate = Estate::of(1, |_| {});
    estate.world.device.set_push_outcome(&serial(1), PushOutcome::Late(Duration::from_secs(2)));
    let mut command = estate.command();
    command.args(["--template", "branch", "-p", PORTAL]).arg(estate.world.target());
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The job is known to the program once it has asked for it.
    let asks = || {
        !estate
            .requests(|request| request.cmd.as_deref().is_some_and(|cmd| cmd.contains("<jobs><id>")))
            .is_empty()
    };
    assert!(wait_until(|| estate.pushes().len() == 1));
    estate.forget_requests();
    assert!(wait_until(asks));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let told = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    let line = "gp.example.com: the device goes on with push job ";
    assert!(told.contains(line) && !told.contains("commit job"), "{told}");
    estate.certctl(&["retry", "--now"]).exits(0);
    assert_eq!(estate.changes(), 0);
}
