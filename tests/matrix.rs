//! Whatever fails and whenever: after each trouble at each request of a deployment, the device runs and serves
//! the new certificate, or it is as it was found; nobody else's changes are touched; what was told is true.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::scene::{self, Certificates, Shape, State};
use common::trouble::{self, Moment, Told, Trouble};
use common::world::{ADMINISTRATOR, NAME, World, print};

/// The older object that has to go.
const FIRST: &str = "name=\"gp.example.com_1\"";
/// More than processors: a deployment mostly waits for its device.
const WORKERS: usize = 16;

/// One field of the matrix.
#[derive(Debug, Clone, Copy)]
struct Case {
    shape: Shape,
    request: u64,
    trouble: Trouble,
}

/// What a deployment of one shape is like when nothing happens.
struct Reference {
    before: State,
    after: State,
    /// Its requests, in a few words each.
    requests: Vec<String>,
    /// Its exit code.
    code: i32,
}

struct Matrix {
    certificates: Certificates,
    references: Vec<(Shape, Reference)>,
}

/// The shapes that came later meet those troubles that leave most behind, for the time that the rest takes.
fn troubles_of(shape: Shape) -> Vec<Trouble> {
    use Moment::{After, Before};
    let worst = [
        Trouble::Dropped(After),
        Trouble::Away(After),
        Trouble::Killed(Before),
        Trouble::Killed(After),
        Trouble::KilledThenRefused(After),
    ];
    match shape {
        // With a restart the other member would take over, with a configuration of its own.
        Shape::Pair => worst.to_vec(),
        Shape::Chain | Shape::Template => worst.to_vec(),
        Shape::Tidy => [&worst[..], &[Trouble::Reboot { keeps_candidate: true }]].concat(),
        Shape::RefusedCommit => Trouble::ALL.to_vec(),
        // A restart that loses her change makes it another shape.
        Shape::Contested => [&worst[..4], &[Trouble::Status(Before), Trouble::Forbidden]].concat(),
        _ => [&Trouble::ALL[..], &Trouble::AFTER_A_DEATH].concat(),
    }
}

impl Matrix {
    fn new() -> Self {
        let certificates = Certificates::issue();
        let references =
            Shape::ALL.iter().map(|shape| (*shape, Reference::of(&certificates, *shape))).collect();
        Self { certificates, references }
    }

    fn reference(&self, shape: Shape) -> &Reference {
        &self.references.iter().find(|(of, _)| *of == shape).unwrap().1
    }

    /// Every so many cases, all of them by 1. Each trouble and each request of each shape is among any fifth.
    fn cases(&self, every: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for (shape, reference) in &self.references {
            let troubles = troubles_of(*shape);
            for request in 1..=reference.requests.len() as u64 {
                cases.extend(troubles.iter().map(|trouble| Case {
                    shape: *shape,
                    request,
                    trouble: *trouble,
                }));
            }
        }
        let chosen = |case: &Case| {
            let trouble = troubles_of(case.shape).iter().position(|trouble| *trouble == case.trouble);
            (trouble.unwrap() + case.request as usize).is_multiple_of(every)
        };
        cases.retain(chosen);
        cases
    }

    /// What is wrong with a case, if anything.
    fn run(&self, case: Case) -> Result<(), String> {
        let Case { shape, request, trouble } = case;
        let reference = self.reference(shape);
        let world = self.certificates.scene(shape, |_| {});
        let told = trouble::meet(&world, shape, trouble, request)?;
        let begun = Instant::now();
        let told = match trouble {
            Trouble::KilledThenRefused(_) => {
                world.device.fail_next_commit(&["Validation Error:", " something is invalid"]);
                trouble::outside(&world, shape)
            }
            _ => told,
        };
        let in_between = trouble.may_leave_work() && !matches!(trouble, Trouble::KilledThenRefused(_));
        if !in_between {
            judge(&world, reference, trouble, &told)?;
        }
        if trouble != (Trouble::Reboot { keeps_candidate: false }) && !jane_is_pending(&world) {
            return Err(format!("the other administrator's change is not pending any more; {told:?}"));
        }
        honest(&world, reference, &told)?;
        self.complete(&world, case, reference)?;
        if begun.elapsed() > Duration::from_secs(15) {
            return Err(format!("what followed took {:?}", begun.elapsed()));
        }
        Ok(())
    }

    /// The following run completes the work, whatever was left.
    fn complete(&self, world: &World, case: Case, reference: &Reference) -> Result<(), String> {
        if case.shape == Shape::Contested {
            let told = trouble::outside(world, case.shape);
            let state = State::seen(world);
            if told.code != Some(18) || state != reference.before {
                let differs = state.against(&reference.before);
                return Err(format!("her change is not respected ({differs} differ): {told:#?}"));
            }
            return self.complete_after_her(world, case, reference);
        }
        let refuses =
            case.shape == Shape::RefusedCommit || matches!(case.trouble, Trouble::KilledThenRefused(_));
        let mut told = trouble::outside(world, case.shape);
        // The refusal that nobody has met yet.
        if refuses && told.code == Some(14) {
            told = trouble::outside(world, case.shape);
        }
        let state = State::seen(world);
        let wanted = match case.trouble {
            Trouble::Reboot { keeps_candidate: false } => reference.after.without_pending(),
            _ => reference.after.clone(),
        };
        if told.code != Some(0) || state != wanted {
            let differs = state.against(&wanted);
            return Err(format!(
                "the following run does not complete the work ({differs} differ): {told:#?}"
            ));
        }
        if !scene::pending_of(&world.device, ADMINISTRATOR).is_empty() {
            return Err("the following run leaves changes of its own uncommitted".to_owned());
        }
        honest(world, reference, &told)
    }
}

impl Matrix {
    /// Once she has committed her change, it and the deployment are both there.
    fn complete_after_her(&self, world: &World, case: Case, reference: &Reference) -> Result<(), String> {
        world.device.commit_as(scene::JANE);
        world.device.wait_idle(Duration::from_secs(5));
        let told = trouble::outside(world, case.shape);
        let state = State::seen(world);
        if told.code != Some(0) || state != reference.after {
            let differs = state.against(&reference.after);
            return Err(format!("not completed after her commit ({differs} differ): {told:#?}"));
        }
        honest(world, reference, &told)
    }
}

/// The device is as before or as after, in both configurations, and nothing of ours is left pending.
fn judge(world: &World, reference: &Reference, trouble: Trouble, told: &Told) -> Result<(), String> {
    // A job that nobody follows any more must not change this verdict later.
    world.device.wait_idle(Duration::from_secs(5));
    let state = State::seen(world);
    let lost = matches!(trouble, Trouble::Reboot { keeps_candidate: false });
    let as_found = |state: &State| if lost { state.without_pending() } else { state.clone() };
    let (before, after) = (as_found(&reference.before), as_found(&reference.after));
    // Committed on the Panorama, and not pushed: that is told, and pending.
    let is_half_way = world.firewall.is_some()
        && told.code != Some(0)
        && state == State { served: before.served.clone(), ..after.clone() };
    if state != before && state != after && !is_half_way {
        return Err(format!(
            "neither before ({} differ) nor after ({} differ): {told:#?}",
            state.against(&before),
            state.against(&after)
        ));
    }
    let left = scene::pending_of(&world.device, ADMINISTRATOR);
    if !left.is_empty() {
        return Err(format!("left pending: {left:?}; {told:#?}"));
    }
    // A firewall has it when its part of the job is over; whether that could be read is another thing.
    let is_pushed = world.firewall.is_some();
    if state == after && !is_pushed && told.code != Some(0) && trouble != Trouble::Forbidden {
        return Err(format!("done, but told as failed: {told:#?}"));
    }
    Ok(())
}

/// Exit code, words, log and record say the same, and no success is told that is none.
fn honest(world: &World, reference: &Reference, told: &Told) -> Result<(), String> {
    let Some(code) = told.code else { return Ok(()) };
    let state = State::seen(world);
    let runs = state.running == reference.after.running && state.served == reference.after.served;
    let ended = told.log.iter().any(|line| line.starts_with("END"));
    let record = world.record();
    let installed = record["state"]["is"] == "installed";
    let says = |wrong: &str| Err(format!("{wrong}; running the new one: {runs}, {record}, {told:#?}"));
    match code {
        0 if !runs => says("success was told"),
        0 if !ended || !installed => says("a success without END, or without a record of it"),
        0 => Ok(()),
        _ if ended || installed => says("a failure with END, or with a record of success"),
        _ if record["state"]["exit"] != code => says("the record tells another exit code"),
        _ if told.words.is_empty() => says("a failure without words"),
        _ => Ok(()),
    }
}

fn jane_is_pending(world: &World) -> bool {
    !scene::pending_of(&world.device, scene::JANE).is_empty()
        && world.device.candidate_xml().contains("printer")
        && !world.device.running_xml().contains("printer")
}

impl Reference {
    fn of(certificates: &Certificates, shape: Shape) -> Self {
        let world = &certificates.scene(shape, |_| {});
        let before = State::seen(world);
        world.device.clear_requests();
        let told = trouble::outside(world, shape);
        let mut requests: Vec<String> = world.device.requests().iter().map(in_words).collect();
        let code = told.code.unwrap();
        if shape == Shape::RefusedCommit {
            assert_eq!(code, 14, "{told:#?}");
            assert_eq!(trouble::outside(world, shape).code, Some(0));
        } else if shape == Shape::Contested {
            assert_eq!((code, State::seen(world)), (18, before.clone()), "{told:#?}");
            // How often it is looked again until the time is over is not always the same.
            let again = requests.iter().enumerate().filter(|(_, request)| request.contains("<changes>"));
            let again = again.map(|(at, _)| at).nth(1).unwrap();
            requests.truncate(again);
            world.device.commit_as(scene::JANE);
            assert!(world.device.wait_idle(Duration::from_secs(5)));
            assert_eq!(trouble::outside(world, shape).code, Some(0));
        } else {
            assert_eq!(code, 0, "{told:#?}");
        }
        let after = State::seen(world);
        assert!(shape != Shape::Tidy || (before.running.contains(FIRST) && !after.running.contains(FIRST)));
        let former = certificates.former_object();
        let issuers = |state: &State| {
            (state.running.matches("\"pan_getcert-ca-").count(), state.running.contains(&former))
        };
        assert!(shape != Shape::Chain || (issuers(&before), issuers(&after)) == ((1, true), (1, false)));
        assert_eq!(after.served, Some(print(&certificates.wanted(shape).certificate)), "{shape:?}");
        assert!(after.running.contains(&format!("name=\"{NAME}")));
        assert!(shape == Shape::Contested || jane_is_pending(world));
        Self { before, after, requests, code }
    }
}

fn in_words(record: &panos_sim::RequestRecord) -> String {
    let parts = [&record.r#type, &record.action, &record.cmd, &record.xpath];
    let words: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    words.join(" ").chars().take(160).collect()
}

#[test]
fn every_failure_ends_installed_or_rolled_back() {
    break_every(5);
}

#[test]
#[ignore = "takes minutes: make matrix"]
fn whatever_fails_and_whenever_in_all_cases() {
    break_every(1);
}

fn break_every(every: usize) {
    let begun = Instant::now();
    let matrix = Matrix::new();
    let cases = matrix.cases(every);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    if let Err(wrong) = matrix.run(*case) {
                        failures.lock().unwrap().push((*case, wrong));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    report(&matrix, &cases, &failures, begun.elapsed());
    assert!(failures.is_empty(), "{} of {} cases failed, see above", failures.len(), cases.len());
}

/// Past the test harness, so that the numbers show in every run.
fn report(matrix: &Matrix, cases: &[Case], failures: &[(Case, String)], time: Duration) {
    let mut text = String::new();
    let mut count = |what: String, of: &dyn Fn(&Case) -> bool| {
        let (all, bad) = (
            cases.iter().filter(|case| of(case)).count(),
            failures.iter().filter(|(case, _)| of(case)).count(),
        );
        text += &format!("  {all:5} cases, {bad:3} failed: {what}\n");
    };
    for (shape, reference) in &matrix.references {
        let what =
            format!("{} ({} requests, exit {})", shape.name(), reference.requests.len(), reference.code);
        count(what, &|case| case.shape == *shape);
    }
    for trouble in Trouble::ALL.iter().chain(&Trouble::AFTER_A_DEATH) {
        count(format!("{trouble:?}"), &|case| case.trouble == *trouble);
    }
    let mut by_request: BTreeMap<String, usize> = BTreeMap::new();
    for (case, wrong) in failures {
        let request = &matrix.reference(case.shape).requests[case.request as usize - 1];
        *by_request.entry(request.clone()).or_default() += 1;
        text += &format!(
            "\n{} / {:?} / request {} ({request}):\n  {wrong}\n",
            case.shape.name(),
            case.trouble,
            case.request
        );
    }
    for (request, failed) in by_request {
        text += &format!("  {failed:3} failed at: {request}\n");
    }
    text += &format!("{} cases, {} failed, {:.1} s\n", cases.len(), failures.len(), time.as_secs_f64());
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}
