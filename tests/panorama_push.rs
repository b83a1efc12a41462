//! The push from Panorama to its firewalls, and each firewall's own result: whole programs against a simulated Panorama.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "panorama_push/estate.rs"]
mod estate;
#[path = "panorama_push/learned.rs"]
mod learned;
#[path = "panorama_push/left.rs"]
mod left;
#[path = "panorama_push/limits.rs"]
mod limits;
#[path = "panorama_push/names.rs"]
mod names;
#[path = "panorama_push/rebound.rs"]
mod rebound;
#[path = "panorama_push/recorded.rs"]
mod recorded;
#[path = "panorama_push/troubles.rs"]
mod troubles;

use std::time::Duration;

use panos_sim::{Fault, Matcher, PushOutcome, SelectivePush, What, When};

use common::world::{NAME, PORTAL, served};
use estate::{Estate, JANE, serial};

#[test]
fn what_is_committed_on_panorama_is_pushed_and_proven_on_every_firewall() {
    let estate = Estate::of(3, |_| {});
    // A firewall's own administrator has a change that nobody has committed.
    let printer = "/config/shared/address/entry[@name='printer']";
    estate.firewalls[0].add_pending_change(JANE, printer, "<fqdn>p</fqdn>").unwrap();
    let planned = estate.install(&["--dry-run"]).exits(0);
    planned.says("push    template stack branches to all 3 firewalls (001900000000001, 001900000000002, 001900000000003): only our own changes");
    estate.install(&[]).exits(0).says("installed the certificate");
    assert!((1..=3).all(|number| estate.has(number)));
    assert_eq!(estate.firewalls[0].pending_changes().len(), 1);
    let pushes = estate.pushes();
    assert_eq!(pushes.len(), 1, "{pushes:?}");
    for part in [
        "<template-stack><name>branches</name><admin><member>cert-deploy</member></admin>",
        "<merge-with-candidate-cfg>no</merge-with-candidate-cfg><force-template-values>no</force-template-values>",
    ] {
        assert!(pushes[0].contains(part), "{pushes:?}");
    }
    let push = estate.push();
    assert_eq!((push["firewalls"].as_u64(), push["open"].as_array().unwrap().len()), (Some(3), 0), "{push}");
    let log = estate.world.log();
    for line in [
        "Starting push of the template stack branches to 3 firewalls (only our own changes).",
        "push: committed on Panorama, pushed to 3 firewalls",
    ] {
        assert!(log.iter().any(|told| told == line), "{log:#?}");
    }
    // Once more: the firewalls are looked at, and nothing is done.
    estate.forget_requests();
    estate.install(&[]).exits(0).says("is already installed on 3 firewalls; nothing to do");
    assert_eq!((estate.changes(), estate.pushes().len()), (0, 0));
    estate.certctl(&["verify"]).exits(0);
    // What is gone from a firewall is noticed, and pushed again.
    estate.firewalls[1]
        .add_pending_change(
            JANE,
            &format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']"),
            "<protocol-settings/>",
        )
        .unwrap();
    estate.firewalls[1].commit_as(JANE);
    estate.firewalls[1].wait_idle(Duration::from_secs(5));
    estate.certctl(&["verify", "--drift", "warn"]).says("overridden on the device");
}

#[test]
fn every_firewall_has_a_result_of_its_own_and_those_left_are_pushed_again_alone() {
    let estate = Estate::of(8, |_| {});
    let panorama = &estate.world.device;
    let set = |number: usize, outcome| panorama.set_push_outcome(&serial(number), outcome);
    let lines = vec![
        "Validation Error:".to_owned(),
        " address -> p is invalid".to_owned(),
        "Commit failed".to_owned(),
    ];
    set(2, PushOutcome::Fails(lines.clone()));
    set(3, PushOutcome::FailsQuietly(lines));
    set(4, PushOutcome::StaysPending);
    set(5, PushOutcome::Late(Duration::from_millis(300)));
    panorama.set_connected(&serial(6), false);
    // Somebody has overridden the profile on one firewall.
    let path = format!("/config/shared/ssl-tls-service-profile/entry[@name='{PORTAL}']");
    estate.firewalls[6].add_pending_change(JANE, &path, "<protocol-settings/>").unwrap();
    estate.firewalls[6].commit_as(JANE);
    assert!(estate.firewalls[6].wait_idle(Duration::from_secs(5)));
    let ended = estate.install(&["--commit-timeout", "2"]).exits(20);
    let ended = ended.says("committed on Panorama, not pushed to 5 of 8 firewalls");
    for part in [
        "001900000000002 (fw-00002): the push failed: Validation Error: address -> p is invalid",
        "001900000000003 (fw-00003): the push failed",
        "001900000000004 (fw-00004): the configuration was sent, and its result is not known",
        "001900000000006 (fw-00006): not connected to Panorama",
        "001900000000007 (fw-00007): overridden on the device: it has an SSL/TLS profile 'GP portal' of its own",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {ended:#?}");
    }
    for (number, state) in
        [(2, "failed"), (3, "failed"), (4, "unconfirmed"), (6, "not-connected"), (7, "overridden")]
    {
        assert_eq!(estate.open(number), state, "{number}");
    }
    let status = estate.certctl(&["status", "--no-certmonger"]);
    let status = status.says("firewall 001900000000006 (fw-00006): not connected to Panorama");
    assert!(status.stdout.contains("not pushed to 5 of 8 firewalls"), "{status:#?}");

    // Two come back: these alone are pushed, and nothing is uploaded or committed.
    panorama.set_connected(&serial(6), true);
    set(2, PushOutcome::Normal);
    set(4, PushOutcome::Normal);
    set(3, PushOutcome::Fails(vec!["still broken".to_owned()]));
    estate.forget_requests();
    estate.certctl(&["retry", "--now"]).exits(20);
    assert_eq!(estate.changes(), 0);
    let pushes = estate.pushes();
    assert_eq!(pushes.len(), 1, "{pushes:?}");
    let members: Vec<usize> = (1..=8)
        .filter(|number| pushes[0].contains(&format!("<member>{}</member>", serial(*number))))
        .collect();
    assert_eq!(members, [2, 3, 4, 6]);
    assert_eq!(estate.push()["open"].as_array().unwrap().len(), 2);
    // The last ones: one mended by its own people, the other by taking its own profile away.
    set(3, PushOutcome::Normal);
    estate.firewalls[6].delete_from_candidate(JANE, &path).unwrap();
    estate.firewalls[6].commit_as(JANE);
    assert!(estate.firewalls[6].wait_idle(Duration::from_secs(5)));
    estate.forget_requests();
    estate.certctl(&["retry", "--now"]).exits(0);
    assert!((1..=8).all(|number| estate.has(number)));
    let pushes = estate.pushes();
    assert!(pushes.len() == 1 && !pushes[0].contains(&serial(7)), "{pushes:?}");
    assert_eq!((estate.changes(), estate.push()["open"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn an_endpoint_of_a_firewall_is_looked_at_after_the_push() {
    let estate = Estate::of(2, |_| {});
    let endpoint = estate.firewalls[1].service_address().to_string();
    for renewed in [false, true] {
        if renewed {
            estate.world.renew();
        }
        estate.install(&["--served", &endpoint]).exits(0).says("installed the certificate");
        let installation = &estate.status()["installations"][0];
        assert_eq!(
            installation["fingerprint_proven"],
            served(&estate.firewalls[1]).unwrap(),
            "{installation}"
        );
    }
}

#[test]
fn what_is_pushed_can_be_narrowed_named_or_left_to_a_person() {
    let estate = Estate::of(3, |_| {});
    // What can't be pushed as it is asked for is refused before anything is changed.
    for (arguments, code, says) in [
        (
            &["--push-to", "001900000000009"][..],
            1,
            "no firewall with the serial number 001900000000009 is in branches",
        ),
        (&["--push", "south"], 1, "Panorama has no template stack 'south'; it has branches"),
    ] {
        estate.install(arguments).exits(code).says(says).says("nothing was changed");
        assert_eq!((estate.changes(), estate.pushes().len()), (0, 0));
    }
    // Left to a person: a state of its own, and no failure.
    let ended = estate.install(&["--push", "none"]).exits(0);
    ended.says("is committed on Panorama, not pushed; push it in Panorama");
    assert_eq!(estate.pushes().len(), 0);
    let status = estate.certctl(&["status", "--no-certmonger"]).exits(0);
    status.says("committed, not pushed: waiting for manual push").says("1 waiting for manual push");
    estate.certctl(&["log"]).says("waiting for manual push");
    estate.certctl(&["retry", "--now"]).exits(0);
    assert_eq!(estate.pushes().len(), 0);
    estate
        .certctl(&["verify"])
        .says("is waiting for a manual push: committed on Panorama, not pushed to 3 of 3");
    // The person pushes.
    estate.push_everything();
    estate.certctl(&["verify"]).exits(0);
    assert_eq!(estate.status()["installations"][0]["state"], "installed");

    // To one firewall alone; then to all of the named stack.
    estate.world.renew();
    estate.forget_requests();
    estate.install(&["--push-to", &serial(2)]).exits(0);
    let pushes = estate.pushes();
    assert!(
        pushes.len() == 1 && pushes[0].contains(&format!("<device><member>{}</member></device>", serial(2)))
    );
    assert_eq!(estate.push()["firewalls"], 1);
    estate.forget_requests();
    estate.install(&["--push", "branches"]).exits(0);
    let pushes = estate.pushes();
    assert!(pushes.len() == 1 && !pushes[0].contains(&serial(2)), "{pushes:?}");
    assert_eq!((estate.changes(), estate.push()["firewalls"].as_u64()), (0, Some(3)));

    // A template that is in no stack reaches nobody, which is no success.
    let words = ["--template", "spare", "-p", PORTAL];
    let ended = common::world::Ended::of(estate.command().args(words).arg(estate.world.target())).exits(15);
    let ended = ended.says("nothing can be pushed: no template stack holds the template");
    ended.says("put the template into a stack that has firewalls");
}

#[test]
fn a_push_of_our_own_changes_that_is_refused_never_becomes_one_of_everybodys_by_itself() {
    for (mode, version, likely) in [
        (SelectivePush::AfterFullPush, "11.2.5-h1", "likely because no full push was made"),
        (SelectivePush::AfterFailover, "11.2.5-h1", "likely because the Panorama pair has failed over"),
        (SelectivePush::OutsideAuditWindow, "11.2.5-h1", "max-audit-versions"),
        (SelectivePush::NotForRole, "11.2.5-h1", "the administrator's role does not allow it"),
        (SelectivePush::Works, "10.1.9", "Panorama runs 10.1; 10.2 is the first release that can do this"),
    ] {
        let estate = Estate::fresh(2, |settings| {
            settings.selective_push = mode;
            settings.sw_version = version.into();
        });
        let ended = estate.install(&[]).exits(14);
        let ended = ended.says(likely).says("of jane: ").says("--push-all-changes");
        assert!(ended.stderr.contains("committed on Panorama, not pushed to 2 of 2 firewalls"), "{ended:#?}");
        assert!((1..=2).all(|number| !estate.has(number)));
        assert!(estate.pushes().iter().all(|push| push.contains("<admin>")), "{:?}", estate.pushes());
        // It stays pending, and the worker does not go further either.
        estate.certctl(&["retry", "--now"]).exits(14);
        assert!(estate.pushes().iter().all(|push| push.contains("<admin>")));
        estate.forget_requests();
        estate.install(&["--push-all-changes"]).exits(0);
        assert_eq!(estate.changes(), 0);
        assert!(estate.pushes().last().unwrap().contains("</device>") && estate.has(1) && estate.has(2));
        let log = estate.world.log().join("\n");
        assert!(
            log.contains("WARNING: a push of only our own changes") && log.contains("of jane: "),
            "{log}"
        );
    }
}

#[test]
fn whatever_becomes_of_the_answers_a_push_is_made_once_and_proven() {
    let push = || Matcher::typed("commit").action("all");
    let op = |words: &str| Matcher::typed("op").cmd(words);
    let lost: [(Matcher, bool); 6] = [
        (push(), false),
        (push(), true),
        (op("<devices><all>"), false),
        (op("<jobs><id>"), false),
        (op("pushed-template"), false),
        (op("<system><info>"), false),
    ];
    let estate = Estate::of(2, |_| {});
    for (matcher, after_effect) in lost {
        estate.world.renew();
        estate.forget_requests();
        let jobs = estate.jobs();
        let fault = Fault::new(When::request(matcher.clone()), What::Close);
        estate.world.device.inject(if after_effect { fault.after_effect() } else { fault });
        estate.install(&[]).exits(0);
        assert_eq!(estate.jobs() - jobs, 1, "{matcher:?}");
        assert!(estate.push()["open"].as_array().unwrap().is_empty(), "{matcher:?}");
        estate.world.device.clear_faults();
    }
    // Panorama forgets the job: the firewalls know.
    estate.world.renew();
    estate.world.device.inject(Fault::new(When::request(op("<jobs><id>").cmd("<jobs>")), What::ForgetJobs));
    estate.install(&[]).exits(0);
}

#[test]
fn whatever_fails_and_whenever_the_push_is_made_once_and_proven_in_the_end() {
    troubles::meet_every(17);
}

#[test]
#[ignore = "takes minutes: make matrix"]
fn whatever_fails_and_whenever_in_all_cases() {
    troubles::meet_every(1);
}

#[test]
fn what_a_run_that_was_killed_has_not_pushed_is_pushed_once() {
    let estate = Estate::of(3, |_| {});
    // At the first question about the firewalls, which comes between commit and push; and while the push job runs.
    for (kill_at, pushes) in [("<devices><all>", 0), ("<commit-all>", 1), ("pushed-template", 1)] {
        estate.world.renew();
        estate.forget_requests();
        estate.world.device.inject(
            Fault::new(
                When::request(Matcher { cmd: Some(kill_at.into()), ..Matcher::default() }),
                What::Silence,
            )
            .after_effect(),
        );
        let mut running = estate.command();
        running.args(["--template", "branch", "-p", PORTAL]).arg(estate.world.target());
        let mut running =
            running.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while estate
            .requests(|request| request.cmd.as_deref().is_some_and(|cmd| cmd.contains(kill_at)))
            .is_empty()
        {
            assert!(std::time::Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
        running.kill().unwrap();
        running.wait().unwrap();
        estate.world.device.clear_faults();
        assert_eq!(estate.pushes().len(), pushes, "{kill_at}");
        assert_eq!(estate.status()["installations"][0]["state"], "pending", "{kill_at}");
        let before = estate.changes();
        estate.certctl(&["retry", "--now"]).exits(0);
        assert_eq!((estate.changes() - before, estate.pushes().len()), (0, 1), "{kill_at}");
        assert!((1..=3).all(|number| estate.has(number)));
    }
}

#[test]
fn of_two_hundred_firewalls_each_is_told_truly_with_few_requests() {
    let estate = Estate::of(200, |_| {});
    let panorama = &estate.world.device;
    let failing = [3, 30, 60, 90, 120, 150, 180];
    let away = [10, 100, 200];
    let overridden = [20, 40];
    for number in failing {
        panorama.set_push_outcome(&serial(number), PushOutcome::Fails(vec!["Validation Error:".into()]));
    }
    for number in away {
        panorama.set_connected(&serial(number), false);
    }
    let path = format!("/config/shared/certificate/entry[@name='{NAME}']");
    for number in overridden {
        let firewall = &estate.firewalls[number - 1];
        firewall.add_pending_change(JANE, &path, "<common-name>own</common-name>").unwrap();
        firewall.commit_as(JANE);
        assert!(firewall.wait_idle(Duration::from_secs(5)));
    }
    estate.forget_requests();
    let connections = panorama.connections();
    let ended = estate.install(&[]).exits(20);
    ended.says("not pushed to 12 of 200 firewalls");
    let push = estate.push();
    assert_eq!(push["proven"].as_array().unwrap().len(), 188);
    let told: std::collections::BTreeMap<String, String> = push["open"]
        .as_array()
        .unwrap()
        .iter()
        .map(|open| (open["serial"].as_str().unwrap().to_owned(), open["state"].as_str().unwrap().to_owned()))
        .collect();
    let expected = failing.map(|number| (serial(number), "failed".to_owned())).into_iter();
    let expected = expected.chain(away.map(|number| (serial(number), "not-connected".to_owned())));
    let expected = expected.chain(overridden.map(|number| (serial(number), "overridden".to_owned())));
    assert_eq!(told, expected.collect());
    let requests = estate.requests(|_| true).len();
    let opened = panorama.connections() - connections;
    // Four for each firewall that is proven, and a few for all of them; connections are used again.
    assert!(opened <= 60, "{opened} connections");
    assert!(requests <= 4 * 190 + 40, "{requests} requests");
    // What ends in the millisecond in which another begins has ended before it.
    let mut open: Vec<(u64, i32)> = Vec::new();
    for request in estate.requests(|request| request.answered_ms.is_some()) {
        open.push((request.received_ms, 1));
        open.push((request.answered_ms.unwrap(), -1));
    }
    open.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in open {
        now += change;
        most = most.max(now);
    }
    assert!(most <= 6, "{most} requests at once");
}

#[test]
fn the_place_decides_what_is_pushed_and_where_it_is_looked_for() {
    let estate = Estate::of(2, |_| {});
    let unbound = "<protocol-settings/>";
    let vsys = "config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']";
    estate.make(
        &format!("template/entry[@name='branch']/{vsys}/ssl-tls-service-profile/entry[@name='in']"),
        unbound,
    );
    estate.make(
        "template-stack/entry[@name='branches']/config/shared/ssl-tls-service-profile/entry[@name='all']",
        unbound,
    );
    estate.push_everything();
    let install =
        |words: &[&str]| common::world::Ended::of(estate.command().args(words).arg(estate.world.target()));
    install(&["--template", "branch/vsys1", "-p", "in"]).exits(0).says("in 'in' on 2 firewalls");
    install(&["--stack", "branches", "-n", "of-stack", "-p", "all"]).exits(0).says("in 'all' on 2 firewalls");
    // A profile of that virtual system that a firewall has of its own.
    let own = "/config/devices/entry[@name='localhost.localdomain']/vsys/entry[@name='vsys1']/ssl-tls-service-profile/entry[@name='in']";
    estate.firewalls[1].add_pending_change(JANE, own, unbound).unwrap();
    estate.firewalls[1].commit_as(JANE);
    assert!(estate.firewalls[1].wait_idle(Duration::from_secs(5)));
    let renewed = estate.world.renew();
    let ended = install(&["--template", "branch/vsys1", "-p", "in", "--json"]).exits(20);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let push = &told["devices"][0]["push"];
    assert_eq!(
        (&push["proven"][0], &push["open"][0]["state"]),
        (&serial(1).into(), &"overridden".into()),
        "{told:#}"
    );
    assert!(push["open"][0]["what"].as_str().unwrap().ends_with("it has an SSL/TLS profile 'in' of its own"));
    assert_eq!(push["fingerprint"], common::world::print(&renewed.certificate).to_string(), "{told:#}");
}

#[test]
fn certificates_that_share_a_commit_share_a_push() {
    let estate = Estate::of(2, |_| {});
    estate.make(
        "template/entry[@name='branch']/config/shared/ssl-tls-service-profile/entry[@name='second']",
        "<protocol-settings/>",
    );
    estate.push_everything();
    estate.forget_requests();
    for (name, profile) in [("one", PORTAL), ("two", "second")] {
        let words = ["--queue", "--template", "branch", "-n", name, "-p", profile];
        common::world::Ended::of(estate.command().args(words).arg(estate.world.target())).exits(0);
    }
    estate.certctl(&["retry"]).exits(0);
    assert_eq!((estate.pushes().len(), estate.changes()), (1, 3), "two uploads and a commit");
}

#[test]
fn a_firewall_that_is_answered_for_by_another_one_is_not_proven() {
    let estate = Estate::of(1, |_| {});
    let body = "<response status=\"success\"><result><system><hostname>p</hostname><serial>000710000001</serial>\
                <sw-version>11.2.5</sw-version></system></result></response>";
    let answer = What::Answer { status: 200, body: body.into() };
    // The first one is Panorama's own.
    let matcher = Matcher::typed("op").cmd("<system><info>");
    estate.world.device.inject(Fault::new(When::Matching { matcher, nth: 2 }, answer));
    estate.install(&[]).exits(15).says("pushed, but not proven: 000710000001 has answered in its place");
    estate.forget_requests();
    estate.certctl(&["retry", "--now"]).exits(0);
    assert_eq!((estate.pushes().len(), estate.changes()), (0, 0), "it has been there all the time");
    // One that goes away just then is not connected, whatever the list says.
    estate.world.renew();
    let text = format!("{} not connected", serial(1));
    let away = What::Refused { status: 200, code: Some(13), text };
    let matcher = Matcher::typed("op").cmd("pushed-template");
    estate.world.device.inject(Fault::new(When::request(matcher), away));
    estate.install(&[]).exits(14).says("001900000000001 (fw-00001): not connected to Panorama");
    estate.certctl(&["retry", "--now"]).exits(0);
}

#[test]
fn what_panorama_says_of_others_changes_may_be_anything() {
    let estate = Estate::fresh(1, |settings| settings.selective_push = SelectivePush::AfterFullPush);
    let scope = || Matcher::typed("op").cmd("push-scope");
    let odd = |result: &str| What::Answer {
        status: 200,
        body: format!("<response status=\"success\"><result>{result}</result></response>").into(),
    };
    for (what, says) in [
        (
            odd("<scope><group name=\"g\"><count>3</count></group></scope>"),
            "can't be read from Panorama's answer",
        ),
        (odd("<x><y admin=\"eve\" location=\"somewhere\"/></x>"), "also carry the changes of eve: somewhere"),
        (odd(""), "would carry nobody else's changes"),
        (What::Refused { status: 200, code: Some(17), text: "unexpected".into() }, "can't be told: "),
    ] {
        estate.world.device.inject(Fault::new(When::request(scope()), what));
        estate.install(&[]).exits(14).says(says);
    }
}
