//! A push that fails on more firewalls than it may: stopped, bound back on Panorama, and pushed to those that had taken it.

use std::time::Duration;

use pancert::delivery::engine::Selection;
use pancert::install::problem::RetryClass;
use pancert::install::result::Outcome;
use panos_sim::{Fault, Matcher, PushOutcome, Stack, What, When};

use crate::common::world::{Ended, PORTAL};
use crate::estate::{DEV, Estate, JANE, serial};
use crate::troubles::{Trouble, ask, last_number, run};

const SERIAL: [&str; 2] = ["--suffix", "serial"];

/// The options of a push that may fail on so many firewalls.
fn within(limit: &str) -> Vec<&str> {
    vec!["--suffix", "serial", "--max-failures", limit]
}

fn fails(estate: &Estate, numbers: &[usize]) {
    for number in 1..=estate.firewalls.len() {
        let outcome = match numbers.contains(&number) {
            true => PushOutcome::Fails(vec!["Validation Error:".into(), " no such zone".into()]),
            false => PushOutcome::Normal,
        };
        estate.world.device.set_push_outcome(&serial(number), outcome);
    }
}

fn states(estate: &Estate) -> Vec<(usize, String)> {
    let push = estate.push();
    let all = push["open"].as_array().unwrap().iter();
    let mut all: Vec<(usize, String)> = all
        .map(|open| {
            let number = open["serial"].as_str().unwrap().trim_start_matches("0019").parse().unwrap();
            (number, open["state"].as_str().unwrap().to_owned())
        })
        .collect();
    all.sort();
    all
}

fn all_present(estate: &Estate, object: &str) {
    for number in 1..=estate.firewalls.len() {
        assert_eq!(estate.presents(number).as_deref(), Some(object), "{number}");
    }
    assert_eq!(estate.presents_itself().as_deref(), Some(object));
}

#[test]
fn a_push_that_fails_on_too_many_firewalls_is_taken_back_where_it_has_arrived() {
    let estate = Estate::of(8, |_| {});
    let panorama = &estate.world.device;
    estate.install(&SERIAL).exits(0);
    let old = estate.presents(1).unwrap();
    all_present(&estate, &old);
    // Jane has a change in the same template that nobody has committed.
    let hers = format!("{DEV}/template/entry[@name='branch']/config/shared/address/entry[@name='printer']");
    panorama.add_pending_change(JANE, &hers, "<fqdn>p</fqdn>").unwrap();

    // As many as may fail, and one that is not connected: the others keep what they have got.
    estate.world.renew();
    fails(&estate, &[2, 3, 4]);
    panorama.set_connected(&serial(6), false);
    estate.install(&within("3")).exits(20).says("not pushed to 4 of 8 firewalls");
    let new = estate.presents(1).unwrap();
    assert_ne!(new, old);

    // One more than may fail. It was committed before, and the way back is known all the same.
    let told = estate.world.path("told");
    let config = format!(
        "on_failure = ['/bin/sh', '-c', 'echo \"$PAN_EXIT $PAN_PROBLEM $PAN_ADVICE\" >> \"$0\"', '{}']\n",
        told.display()
    );
    let file = estate.world.path("settings");
    std::fs::write(&file, config).unwrap();
    estate.forget_requests();
    let config = format!("--config={}", file.display());
    let ended = estate.install(&[&within("2")[..], &[&config]].concat()).exits(14);
    let ended = ended.says("the push has failed on 3 of 7 firewalls, more than --max-failures 2 allows");
    let ended = ended.says(&format!("'{PORTAL}' to '{old}' was bound back and committed on Panorama"));
    let ended = ended.says("pushed to the 4 firewalls that had taken the new certificate");
    let ended = ended.says("001900000000002 (fw-00002): the push failed: Validation Error: no such zone");
    ended.says("it is not tried again by itself: 'pan_certctl retry --now' tries it again");
    all_present(&estate, &old);
    let expected = [
        (1, "taken-back"),
        (2, "failed"),
        (3, "failed"),
        (4, "failed"),
        (5, "taken-back"),
        (6, "not-connected"),
        (7, "taken-back"),
        (8, "taken-back"),
    ];
    assert_eq!(states(&estate), expected.map(|(number, state)| (number, state.to_owned())));
    assert!(estate.push()["proven"].as_array().unwrap().is_empty());
    // Only our own changes of this template were committed, and only those were pushed back that had it.
    assert_eq!((estate.changes(), estate.pushes().len()), (1, 2));
    let back = &estate.pushes()[1];
    assert!(back.contains("<admin><member>cert-deploy</member></admin>") && back.contains("taken back"));
    for number in 1..=8 {
        let is_meant = [1, 5, 7, 8].contains(&number);
        assert_eq!(back.contains(&format!("<member>{}</member>", serial(number))), is_meant, "{back}");
    }
    assert_eq!(panorama.pending_changes().len(), 1);
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.starts_with("14 the push has failed on 3 of 7") && told.contains("retry --now"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let record = &estate.status()["installations"][0];
    assert_eq!((record["state"].as_str(), &record["next_try"]), (Some("pending"), &serde_json::Value::Null));
    let status = estate.certctl(&["status", "--no-certmonger"]);
    status.says("firewall 001900000000005 (fw-00005): taken back: it presents what it did before");

    // Nothing of it is tried by itself, whoever is connected again.
    panorama.set_connected(&serial(6), true);
    estate.forget_requests();
    estate.certctl(&["retry"]);
    assert_eq!(estate.requests(|_| true).len(), 0);
    // Somebody has fixed them, and asks.
    fails(&estate, &[]);
    estate.certctl(&["retry", "--now"]).exits(0);
    all_present(&estate, &new);
    assert_eq!((estate.changes(), estate.pushes().len()), (1, 1), "nothing is uploaded again");
    assert_eq!(panorama.pending_changes().len(), 1);
}

#[test]
fn what_was_taken_back_is_told_by_a_retry_that_leaves_it() {
    let estate = Estate::of(2, |_| {});
    estate.install(&SERIAL).exits(0);
    estate.world.renew();
    fails(&estate, &[1]);
    estate.install(&within("0")).exits(14);
    let ended = estate.certctl(&["retry"]).exits(0).says("Nothing is due.");
    ended.says("  1 is not tried again by itself: its push was taken back").says("pan_certctl retry --now");
    fails(&estate, &[]);
    estate.certctl(&["retry", "--now"]).exits(0);
    let ended = estate.certctl(&["retry"]).exits(0);
    assert!(!ended.stdout.contains("taken back"), "{ended:#?}");
}

#[test]
fn a_limit_in_the_configuration_file_is_completed_by_what_is_typed() {
    let estate = Estate::of(2, |_| {});
    let file = estate.world.path("settings");
    let device = estate.world.target();
    std::fs::write(&file, format!("[device.\"{device}\"]\ntemplate = \"branch\"\nmax-failures = 1\n"))
        .unwrap();
    let config = format!("--config={}", file.display());
    estate.install(&[&config]).exits(1).says("--max-failures: ").says("add --suffix serial");
    estate.install(&[&config, "--dry-run", "--suffix", "serial"]).exits(0);
    estate.install(&[&config, "--suffix", "serial"]).exits(0);
}

#[test]
fn of_a_pair_of_panoramas_the_other_one_is_waited_for_after_each_commit() {
    const SAME: &str = "HA: the HA peer has the same configuration.";
    let estate = Estate::of_pair(3);
    let told = || estate.world.log().iter().filter(|line| line.as_str() == SAME).count();
    estate.install(&SERIAL).exits(0);
    assert_eq!(told(), 1);
    let old = estate.presents(1).unwrap();
    estate.world.renew();
    fails(&estate, &[2, 3]);
    estate.install(&within("1")).exits(14).says("pushed to the firewall that had taken the new certificate");
    assert_eq!(told(), 3, "{:#?}", estate.world.log());
    all_present(&estate, &old);
    let other = estate.world.peer.as_ref().unwrap().running_xml();
    assert!(other.contains(&format!(">{old}</certificate>")), "{other}");

    // Before anything is pushed back.
    let lines = estate.world.log();
    let last = |wanted: &str| lines.iter().rposition(|line| line.contains(wanted));
    assert!(last(SAME) < last("Bound back and committed on Panorama"), "{lines:#?}");
}

#[test]
fn a_share_is_one_of_the_firewalls_that_are_connected() {
    let estate = Estate::of(8, |_| {});
    estate.install(&SERIAL).exits(0);
    let old = estate.presents(1).unwrap();
    estate.world.renew();
    fails(&estate, &[2, 3]);
    let file = estate.world.path("settings");
    let config = format!("--config={}", file.display());
    let install = |limit: &str| {
        let device = &estate.world.target();
        let settings = format!(
            "[device.\"{device}\"]\ntemplate = \"branch\"\nsuffix = \"serial\"\nmax-failures = {limit}\n"
        );
        std::fs::write(&file, settings).unwrap();
        let words = ["-p", PORTAL, &config];
        Ended::of(estate.command().args(words).arg(estate.world.target()))
    };
    let plan =
        |arguments: &[&str]| estate.install(&[&SERIAL[..], arguments, &["--dry-run"]].concat()).exits(0);
    plan(&["--max-failures=25%"]).says(&format!(
        "limit   if it fails on more than 25 % of them: stop, bind '{PORTAL}' to '{old}', commit, push to those that took the new one"
    ));
    install("\"25%\"").exits(20).says("not pushed to 2 of 8 firewalls");
    // Of two that are connected, one is half; six that are away are no failures.
    estate.world.renew();
    fails(&estate, &[2]);
    for number in 3..=8 {
        estate.world.device.set_connected(&serial(number), false);
    }
    install("\"50%\"").exits(20).says("not pushed to 7 of 8 firewalls");
    install("\"49%\"").exits(14).says("the push has failed on 1 of 2 firewalls");
    assert_eq!(states(&estate).iter().filter(|(_, state)| state == "not-connected").count(), 6);
    // A number in the file, and one that has failed without a limit being passed: 0 is the strictest.
    estate.world.renew();
    install("1").exits(20);
    install("0").exits(14);
}

#[test]
fn without_a_way_back_a_push_is_stopped_and_nothing_is_taken_back() {
    let serials: Vec<String> = (1..=3).map(serial).collect();
    let stack = |name: &str, devices: &[String]| Stack {
        name: name.into(),
        templates: vec!["branch".into()],
        devices: devices.to_vec(),
    };
    let estate = Estate::of(3, |settings| {
        settings.stacks = vec![stack("branches", &serials[..2]), stack("later", &serials[2..])];
    });
    estate.push_all_of("later");
    estate.forget_requests();
    // The profile presents nothing yet. The second stack is not pushed any more.
    fails(&estate, &[1]);
    let within = ["--suffix", "serial", "--max-failures", "0"];
    let plan = estate.install(&[&within[..], &["--dry-run"]].concat()).exits(0);
    plan.says("limit   if it fails on more than 0 of them: stop; there is nothing to bind back to");
    let ended = estate.install(&within).exits(14);
    ended.says("was stopped: nothing was bound back, because the profiles presented no other certificate");
    assert_eq!(
        (estate.pushes().len(), estate.open(1), estate.open(3)),
        (1, "failed".into(), "waiting".into())
    );
    estate.forget_requests();
    estate.certctl(&["retry"]);
    assert_eq!(estate.requests(|_| true).len(), 0);
    fails(&estate, &[]);
    estate.certctl(&["retry", "--now"]).exits(0);
    assert_eq!((estate.changes(), estate.pushes().len()), (0, 2));
}

#[test]
fn what_can_not_be_taken_back_at_once_is_gone_on_with_by_itself() {
    let estate = Estate::of(4, |_| {});
    let panorama = &estate.world.device;
    let within = ["--suffix", "serial", "--max-failures", "0"];
    estate.install(&SERIAL).exits(0);
    let old = estate.presents(1).unwrap();
    estate.world.renew();
    fails(&estate, &[2]);
    // The commit of the way back fails.
    let commit = Matcher::typed("commit").cmd("taken back");
    let text = "it is not possible to commit now".to_owned();
    let refused = What::Refused { status: 200, code: Some(17), text };
    panorama.inject(Fault::new(When::request(commit), refused));
    let ended = estate.install(&within).exits(14);
    ended.says(&format!("'{PORTAL}' to '{old}' is still to be bound back on Panorama; while committing"));
    let new = estate.presents_itself().unwrap();
    assert_ne!(new, old);
    assert_eq!((estate.open(1), estate.open(2)), ("to-take-back".into(), "failed".into()));
    assert_eq!(panorama.pending_changes().len(), 0);
    // Then one firewall is away that has the new one.
    panorama.clear_faults();
    panorama.set_connected(&serial(3), false);
    let ended = estate.certctl(&["retry", "--now"]).exits(14);
    ended.says("not yet pushed to 1 of 3 firewalls that had taken the new certificate");
    assert_eq!((estate.open(1), estate.open(3)), ("taken-back".into(), "to-take-back".into()));
    assert_eq!((estate.presents_itself(), estate.presents(3)), (Some(old.clone()), Some(new)));
    // It is taken back there once it is connected, and then nothing more is done.
    panorama.set_connected(&serial(3), true);
    estate.forget_requests();
    estate.certctl(&["retry", "--now"]).exits(14);
    all_present(&estate, &old);
    assert_eq!((estate.changes(), estate.pushes().len()), (0, 1));
    estate.forget_requests();
    estate.certctl(&["retry"]);
    assert_eq!(estate.requests(|_| true).len(), 0);
    // The next certificate is another one.
    estate.world.renew();
    fails(&estate, &[]);
    estate.install(&within).exits(0);
    assert_ne!(estate.presents(2).unwrap(), old);
}

#[test]
fn a_firewall_that_is_taken_out_of_the_stack_does_not_hold_up_the_taking_back() {
    let estate = Estate::of(4, |_| {});
    let panorama = &estate.world.device;
    estate.install(&SERIAL).exits(0);
    let old = estate.presents(1).unwrap();
    estate.world.renew();
    fails(&estate, &[2]);
    let commit = Matcher::typed("commit").cmd("taken back");
    let refused = What::Refused { status: 200, code: Some(17), text: "not now".to_owned() };
    panorama.inject(Fault::new(When::request(commit), refused));
    estate.install(&within("0")).exits(14);
    panorama.clear_faults();
    // It has the new certificate, and goes away for good.
    panorama.set_connected(&serial(3), false);
    let ended = estate.certctl(&["retry", "--now"]).exits(14);
    assert_eq!(estate.open(3), "to-take-back");
    let path = format!("{DEV}/template-stack/entry[@name='branches']/devices/entry[@name='{}']", serial(3));
    panorama.delete_from_candidate(JANE, &path).unwrap();
    panorama.commit_as(JANE);
    assert!(panorama.wait_idle(Duration::from_secs(5)));
    let again = estate.certctl(&["retry", "--now"]).exits(14);
    again.says("and pushed to the 2 firewalls that had taken the new certificate");
    let told = format!("Nothing is taken back on {}: it is not in a stack", serial(3));
    assert!(estate.world.log().iter().any(|line| line.contains(&told)), "{:#?}", estate.world.log());
    let known = states(&estate).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!((known, estate.presents(4)), (vec![1, 2, 4], Some(old)));
    // Once the other one is fixed, it is installed on those that are left.
    fails(&estate, &[]);
    estate.certctl(&["retry", "--now"]).exits(0);
    assert_eq!(estate.push()["firewalls"], 3);
    ended.says("of a firewall that is gone take the serial number out of the stack");
}

const ARGUMENTS: [&str; 9] = [
    "--template",
    "branch",
    "-p",
    PORTAL,
    "--commit-timeout=1",
    "--insecure",
    "--format=pem",
    "--suffix=serial",
    "--max-failures=0",
];

/// The outcome of a run, if it came to its end; whether a person has to ask before it is tried again.
fn attempt(estate: &Estate, until: Option<u64>) -> Option<(Outcome, bool)> {
    let outcome = run(estate, until, Selection::All)?;
    let waits = matches!(&outcome, Outcome::Failed(problem) if problem.retry_class == RetryClass::OnRequest);
    Some((outcome, waits))
}

/// The requests of a run that is taken back: the first one after the firewalls were looked at, and the last one.
fn undisturbed(estate: &Estate) -> std::ops::RangeInclusive<u64> {
    estate.world.renew();
    let before = last_number(estate);
    estate.world.device.clear_requests();
    ask(estate, &ARGUMENTS);
    let (outcome, waits) = attempt(estate, None).unwrap();
    assert!(waits, "{outcome:?}");
    let requests = estate.world.device.requests();
    let is_set = |request: &&panos_sim::RequestRecord| request.action.as_deref() == Some("set");
    let second = requests.iter().filter(is_set).nth(1).unwrap().number;
    let mut looks = requests.iter().filter(|request| request.number < second && request.target.is_some());
    looks.next_back().unwrap().number + 1 - before..=requests.last().unwrap().number - before
}

fn case(estate: &Estate, request: u64, trouble: Trouble, old: &str) -> Result<(), String> {
    let panorama = &estate.world.device;
    estate.world.renew();
    panorama.clear_faults();
    let jobs = (estate.jobs_of("Commit"), estate.jobs());
    let number = last_number(estate);
    panorama.clear_requests();
    panorama.inject(trouble.fault(request));
    ask(estate, &ARGUMENTS);
    let killed = matches!(trouble, Trouble::Killed { .. });
    let mut told = attempt(estate, killed.then_some(number + request));
    let came = panorama.requests().iter().any(|request| request.fault.is_some());
    panorama.clear_faults();
    if !came {
        return Err("the trouble never came".to_owned());
    }
    for _ in 0..3 {
        if told.as_ref().is_some_and(|(_, waits)| *waits) {
            break;
        }
        // The same that the worker does.
        panorama.wait_idle(Duration::from_secs(5));
        told = attempt(estate, None);
    }
    let Some((_, true)) = &told else { return Err(format!("it does not come to an end: {told:?}")) };
    let now = [estate.presents(1), estate.presents(2), estate.presents_itself()];
    if now.iter().any(|now| now.as_deref() != Some(old)) {
        return Err(format!("{now:?} after {told:?}"));
    }
    let jobs = (estate.jobs_of("Commit") - jobs.0, estate.jobs() - jobs.1);
    if jobs != (2, 2) {
        return Err(format!("{jobs:?} commits and pushes"));
    }
    let hers = [&estate.firewalls[0], panorama].map(|device| device.pending_changes().len());
    if hers != [1, 1] {
        return Err(format!("pending changes of Jane's: {hers:?}"));
    }
    Ok(())
}

/// Whatever happens at any request of taking back: it is taken back, by one commit and one push, and nobody else's change
/// goes along. Every so many cases, all of them by 1.
pub(crate) fn meet_every(every: usize) {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                scope.spawn(move || {
                    let estate = Estate::of(2, |settings| settings.commit_duration = Duration::ZERO);
                    estate.install(&SERIAL).exits(0);
                    let old = estate.presents(1).unwrap();
                    let address = "/config/shared/address/entry[@name='printer']";
                    for device in [&estate.firewalls[0], &estate.world.device] {
                        device.add_pending_change(JANE, address, "<fqdn>p</fqdn>").unwrap();
                    }
                    fails(&estate, &[2]);
                    let range = undisturbed(&estate);
                    assert!(range.clone().count() > 12, "{range:?}");
                    let cases = range.flat_map(|request| {
                        Trouble::ALL.iter().enumerate().map(move |(at, trouble)| (request, at, *trouble))
                    });
                    let chosen =
                        cases.filter(|(request, at, _)| (*request as usize + at).is_multiple_of(every));
                    let mut failures = Vec::new();
                    for (_, (request, _, trouble)) in chosen.enumerate().filter(|(at, _)| at % 4 == worker) {
                        if let Err(wrong) = case(&estate, request, trouble, &old) {
                            failures.push(format!("request {request}, {trouble:?}: {wrong}"));
                        }
                    }
                    failures
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn whatever_fails_while_a_push_is_taken_back_it_is_taken_back_once() {
    meet_every(7);
}

#[test]
#[ignore = "takes minutes: make matrix"]
fn whatever_fails_while_a_push_is_taken_back_in_all_cases() {
    meet_every(1);
}
