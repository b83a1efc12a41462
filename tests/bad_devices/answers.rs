//! A bad answer at any moment: nothing is claimed that is not so, and the candidate is put back.

use super::*;

/// Each way of answering badly, with a name for messages.
fn spoilt() -> Vec<(&'static str, What)> {
    let body = |body: &str| What::Body { content_type: "application/xml".into(), body: body.into() };
    vec![
        ("HTML", What::Html),
        ("truncated XML", What::TruncatedXml),
        ("an answer cut off", What::TruncatedBody),
        ("a DOCTYPE bomb", What::DoctypeBomb),
        ("too much", What::Huge(9_000_000)),
        ("500", What::Status(500)),
        ("502", What::Status(502)),
        ("404", What::Status(404)),
        ("a redirect", What::Redirect { status: 307, location: "https://127.0.0.1:1/api/".into() }),
        ("garbage", What::Garbage),
        ("a closed connection", What::Close),
        ("nothing", body("")),
        ("text", body("success")),
        ("another document", body("<html status=\"success\"/>")),
        ("no status", body("<response><result/></response>")),
        ("two documents", body("<response status=\"success\"/><response status=\"success\"/>")),
        ("a session that timed out", What::SessionTimedOut),
    ]
}

/// Each failure is the first one: what repeats itself is not told in full each time.
fn forget(world: &World) {
    std::fs::remove_dir_all(world.path("state")).ok();
}

#[test]
fn a_bad_answer_to_the_first_question_is_code_4_and_nothing_else_is_asked() {
    let world = World::new();
    let before = world.device.candidate_xml();
    for (name, what) in spoilt() {
        world.device.clear_requests();
        forget(&world);
        world.device.inject(Fault::new(When::Always, what).times(u32::MAX));
        let ended = world.install(&["-p", PORTAL]);
        world.device.clear_faults();
        assert_honest(&world, &ended, &world.target(), name);
        assert_eq!(ended.code, Some(4), "{name}: {ended:#?}");
        let first = |r: &panos_sim::RequestRecord| r.cmd.as_deref().is_some_and(|c| c.contains("<info>"));
        assert!(world.device.requests().iter().all(first), "{name}: {:?}", world.device.requests());
        assert!(world.device.requests().len() <= 2, "{name}");
    }
    assert_eq!(world.device.candidate_xml(), before);
    // And then all is well.
    world.install(&["-p", PORTAL]).exits(0);
}

/// The requests of a deployment before the commit: which, whether they change something, and the code for a
/// refusal.
fn stages() -> Vec<(&'static str, Matcher, bool, i32)> {
    let get = || Matcher::typed("config").action("get");
    vec![
        ("own name", Matcher::typed("op").cmd("<admins>"), false, 4),
        ("pending changes", Matcher::typed("op").cmd("<changes>"), false, 4),
        ("the object", get().xpath("/certificate/entry"), false, 4),
        ("the profiles", get().xpath("/ssl-tls-service-profile"), false, 4),
        ("the upload", Matcher::typed("import"), true, 12),
        ("the binding", Matcher::typed("config").action("set"), true, 13),
    ]
}

#[test]
fn a_bad_answer_in_the_middle_fails_and_the_candidate_is_put_back_whatever_took_effect() {
    let world = World::new();
    // With an old certificate bound already, both ways of putting back are needed.
    world.install(&["-p", PORTAL]).exits(0);
    let (before, served) = (world.device.candidate_xml(), world.served());
    world.renew();
    for (stage, matcher, changes, refused) in stages() {
        for (name, what) in spoilt() {
            // Each kind is tried where it matters; the questions have one path for all of them.
            if !changes && !matches!(name, "HTML" | "500" | "an answer cut off" | "a redirect" | "no status")
            {
                continue;
            }
            for took_effect in [false, true] {
                let told = format!("{name} at {stage}, took effect: {took_effect}");
                let fault = Fault::new(When::request(matcher.clone()), what.clone()).times(2);
                match (took_effect, changes) {
                    (true, false) => continue,
                    (true, true) => world.device.inject(fault.after_effect()),
                    (false, _) => world.device.inject(fault),
                }
                forget(&world);
                let ended = world.install(&["-p", PORTAL, "-s", GATEWAY]);
                world.device.clear_faults();
                assert_honest(&world, &ended, &world.target(), &told);
                let code = if matches!(what, What::SessionTimedOut) { refused } else { 4 };
                assert_eq!(ended.code, Some(code), "{told}: {ended:#?}");
                assert_eq!(world.device.candidate_xml(), before, "{told}: {:#?}", last_run(&world));
                assert_eq!(world.device.pending_changes(), [], "{told}");
                assert!(!last_run(&world).iter().any(|line| line.starts_with("Starting commit")), "{told}");
            }
        }
    }
    assert_eq!(world.served(), served);
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
}

#[test]
fn response_over_the_size_limit_is_rejected() {
    let world = World::new();
    world.device.inject(Fault::new(When::Nth(1), What::Huge(50_000_000)));
    fails(
        &world,
        &["-p", PORTAL],
        4,
        &["is larger than 8388608 bytes", "management address of a PAN-OS device"],
    );
}

/// Runs a case for each bad answer, all at once: they wait for the device's jobs, not for a processor.
fn at_once(cases: Vec<(String, Settings, Fault)>, judge: impl Fn(&str, &World, Ended) + Sync) {
    std::thread::scope(|scope| {
        for (name, settings, fault) in cases {
            let judge = &judge;
            scope.spawn(move || {
                let world = World::with(settings);
                world.device.inject(fault);
                let ended = world.install(&["-p", PORTAL, "--commit-timeout", "4"]);
                world.device.clear_faults();
                assert_honest(&world, &ended, &world.target(), &name);
                judge(&name, &world, ended);
            });
        }
    });
}

#[test]
fn after_a_bad_answer_to_the_commit_nothing_is_claimed_that_is_not_so() {
    let mut cases = Vec::new();
    for (name, what) in spoilt() {
        let fault = Fault::new(When::request(Matcher::typed("commit")), what.clone());
        cases.push((format!("{name} before the commit"), settings(), fault.clone()));
        // A device that refuses has not done it: then there is no second case.
        if !matches!(what, What::SessionTimedOut) {
            cases.push((format!("{name} after the commit"), settings(), fault.after_effect()));
        }
    }
    at_once(cases, |name, world, ended| {
        if ended.code != Some(0) {
            let lines = last_run(world);
            let told = |line: &String| {
                line.contains("restored") || line.contains("rolled back") || line.contains("task manager")
            };
            assert!(lines.iter().any(told), "{name}: what became of the changes is not told: {lines:#?}");
        }
    });
}

/// What may come instead of a job, besides.
fn spoilt_jobs() -> Vec<(&'static str, What)> {
    let body = |body: &str| What::Body { content_type: "application/xml".into(), body: body.into() };
    let refusal =
        |text: &str| body(&format!("<response status=\"error\"><msg><line>{text}</line></msg></response>"));
    vec![
        ("a refused key", What::Forbidden),
        ("400", What::Status(400)),
        ("403", What::Status(403)),
        ("a refusal of unknown reason", refusal("Something new")),
        ("a busy device", refusal("Another commit/validate is in progress")),
        ("an internal error", body("<response status=\"error\" code=\"11\"/>")),
        ("a contradiction", body("<response status=\"success\" code=\"12\"><result/></response>")),
        ("no job", success("")),
        ("a job without a status", success("<job><id>1</id></job>")),
        ("another job", success("<job><id>77</id><status>FIN</status><result>FAIL</result></job>")),
    ]
}

fn polls() -> When {
    When::request(Matcher::typed("op").cmd("<jobs><id>"))
}

#[test]
fn a_single_bad_answer_while_waiting_for_the_job_does_not_make_a_good_commit_a_failure() {
    let kinds = spoilt().into_iter().chain(spoilt_jobs());
    let cases = kinds.map(|(name, what)| (name.to_owned(), settings(), Fault::new(polls(), what)));
    at_once(cases.collect(), |name, world, ended| {
        assert_eq!(ended.code, Some(0), "{name}: {ended:#?}");
        assert!(ended.stdout.contains("installed the certificate"), "{name}");
        let struck = world.device.requests().iter().filter(|request| request.fault.is_some()).count();
        assert_eq!(struck, 1, "{name}");
    });
}

#[test]
fn bad_answers_to_the_end_of_the_time_leave_the_job_alone_and_say_so() {
    let kinds = spoilt().into_iter().chain(spoilt_jobs());
    let cases =
        kinds.map(|(name, what)| (name.to_owned(), settings(), Fault::new(polls(), what).times(u32::MAX)));
    let begun = Instant::now();
    at_once(cases.collect(), |name, world, ended| {
        assert_eq!(ended.code, Some(18), "{name}: {ended:#?}");
        let ended = ended.says("did not finish within 4 seconds; the last question: ");
        ended.says("look at the job in the device's task manager");
        assert!(world.record()["job"].is_string(), "{name}");
        assert!(world.served().is_some(), "{name}");
        assert_eq!(world.device.pending_changes(), [], "{name}");
    });
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_right_or_key_that_is_gone_ends_the_waiting_at_once() {
    let body = |body: &str| What::Body { content_type: "application/xml".into(), body: body.into() };
    for (words, refusal) in [
        (
            "'Operational Requests'",
            "<response status='unauth' code='16'><msg><line>No</line></msg></response>",
        ),
        (
            "Key Expired",
            "<response status='error' code='400'><result><msg>Key Expired</msg></result></response>",
        ),
    ] {
        let world = World::new();
        world.device.inject(Fault::new(polls(), body(refusal)));
        fails(&world, &["-p", PORTAL], 17, &[words]);
        let asked =
            |r: &&panos_sim::RequestRecord| r.cmd.as_deref().is_some_and(|c| c.contains("<jobs><id>"));
        assert_eq!(world.device.requests().iter().filter(asked).count(), 1);
    }
}

fn success(result: &str) -> What {
    let body = format!("<response status=\"success\"><result>{result}</result></response>");
    What::Body { content_type: "application/xml".into(), body: body.into() }
}

#[test]
fn an_upload_that_is_only_said_to_have_succeeded_is_code_12_and_put_back() {
    let world = World::new();
    let before = world.device.candidate_xml();
    let nothing_taken = || {
        let fault = Fault::new(When::request(Matcher::typed("import")), success("Successfully imported x"));
        world.device.inject(fault);
    };
    nothing_taken();
    let says = ["reported a successful upload", "has no certificate 'gp.example.com'"];
    fails(&world, &["-p", PORTAL], 12, &says);
    assert_eq!(world.device.candidate_xml(), before);

    world.install(&["-p", PORTAL]).exits(0);
    let (before, served) = (world.device.candidate_xml(), world.served());
    world.renew();
    nothing_taken();
    fails(&world, &["-p", PORTAL], 12, &["reported a successful upload", "holds the fingerprint"]);
    assert_eq!((world.device.candidate_xml(), world.served()), (before.clone(), served));

    // The device takes it, and then shows something unreadable in its place.
    let get = Matcher::typed("config").action("get").xpath("/certificate/entry");
    let junk = success("<entry name=\"gp.example.com\"><public-key>junk</public-key></entry>");
    world.device.inject(Fault::new(When::Matching { matcher: get, nth: 2 }, junk));
    fails(&world, &["-p", PORTAL], 12, &["holds no readable certificate"]);
    assert_eq!(world.device.candidate_xml(), before);
}

#[test]
fn a_job_that_is_over_without_a_result_is_no_success() {
    let mut slow = settings();
    // The real job must not end by itself before it is all over.
    slow.commit_duration = Duration::from_secs(60);
    for job in
        ["<status>FIN</status>", "<status>FIN</status><result/>", "<status>FIN</status><result>PEND</result>"]
    {
        let world = World::with(slow.clone());
        let before = world.device.candidate_xml();
        let polls = When::request(Matcher::typed("op").cmd("<jobs>"));
        world.device.inject(Fault::new(polls, success(&format!("<job>{job}</job>"))));
        fails(&world, &["-p", PORTAL], 14, &["commit job", "failed"]);
        assert_eq!(world.device.candidate_xml(), before, "{job}");
        assert!(last_run(&world).iter().any(|line| line.starts_with("commit: failure: ")));
    }
}

#[test]
fn a_commit_that_is_only_said_to_have_succeeded_is_code_15() {
    let mut slow = settings();
    slow.commit_duration = Duration::from_secs(60);
    let world = World::with(slow);
    let polls = When::request(Matcher::typed("op").cmd("<jobs>"));
    let over = success("<job><status>FIN</status><result>OK</result></job>");
    world.device.inject(Fault::new(polls, over));
    fails(
        &world,
        &["-p", PORTAL],
        15,
        &["the device is not running the new certificate", "has no certificate"],
    );
    assert!(world.record()["job"].is_string());

    // A binding that was only said to have succeeded: the commit is real, and the profile is not bound.
    let world = World::new();
    world.device.inject(Fault::new(When::request(Matcher::typed("config").action("set")), success("")));
    fails(&world, &["-p", PORTAL], 15, &["the SSL/TLS profile 'GP portal' is bound to 'nothing'"]);
    assert_eq!(world.served(), None);
    world.install(&["-p", PORTAL]).exits(0);
    assert!(world.served().is_some());
}
