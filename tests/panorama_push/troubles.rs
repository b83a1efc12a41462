//! Whatever happens at any request of a deployment with a push: the next run ends with all firewalls proven, and the push
//! is made once.

use std::io::Write as _;
use std::time::{Duration, Instant};

use pancert::delivery::Queue;
use pancert::delivery::engine::{DeliveryEngine, Selection};
use pancert::install::result::Outcome;
use panos_sim::{Fault, What, When};
use panos_xmlapi::ClientOptions;

use crate::common::inside::{order, shared_log, short_retry_policy};
use crate::common::world::PORTAL;
use crate::estate::{Estate, JANE};

const ARGUMENTS: [&str; 7] =
    ["--template", "branch", "-p", PORTAL, "--commit-timeout=1", "--insecure", "--format=pem"];
const FIREWALLS: usize = 2;

/// What happens at a request, and whether Panorama has done before what it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Dropped {
        done: bool,
    },
    Garbage,
    Forbidden,
    /// Nothing but dropped connections until the run has ended.
    Away,
    /// The run ends there, without a word.
    Killed {
        done: bool,
    },
}

impl Trouble {
    pub(crate) const ALL: [Self; 7] = [
        Self::Dropped { done: false },
        Self::Dropped { done: true },
        Self::Garbage,
        Self::Forbidden,
        Self::Away,
        Self::Killed { done: false },
        Self::Killed { done: true },
    ];

    pub(crate) fn fault(self, request: u64) -> Fault {
        let (what, done) = match self {
            Self::Dropped { done } => (What::Close, done),
            Self::Garbage => (What::Garbage, true),
            Self::Forbidden => (What::Forbidden, false),
            Self::Away => (What::Close, true),
            Self::Killed { done } => (What::Silence, done),
        };
        let fault = Fault::new(When::Nth(request), what);
        let fault = if matches!(self, Self::Away) { fault.times(u32::MAX) } else { fault };
        if done { fault.after_effect() } else { fault }
    }
}

/// Delivers what is pending, up to its end, or until this request has come.
pub(crate) fn run(estate: &Estate, until: Option<u64>, which: Selection) -> Option<Outcome> {
    let state = estate.world.path("state");
    let mut engine = DeliveryEngine::new(shared_log().0, &state, true);
    engine.retry_policy = short_retry_policy();
    engine.retry_policy.limits =
        ClientOptions { poll_unit: Duration::from_millis(20), ..engine.retry_policy.limits };
    let device = estate.world.target().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let come = async {
        let Some(until) = until else { return std::future::pending().await };
        let is_it =
            |record: &panos_sim::RequestRecord| record.number == until && record.administrator.is_some();
        while !estate.world.device.requests().iter().any(is_it) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            served = engine.serve(&device, which) => Some(served.unwrap().remove(0).result.outcome),
            () = come => None,
        }
    })
}

pub(crate) fn ask(estate: &Estate, arguments: &[&str]) {
    let mut specs = [order(&estate.world, arguments)];
    Queue::below(&estate.world.path("state")).put(&mut specs).unwrap();
}

pub(crate) fn last_number(estate: &Estate) -> u64 {
    estate.world.device.requests().last().map_or(0, |request| request.number)
}

/// How many requests it takes when nothing happens.
fn undisturbed(estate: &Estate) -> u64 {
    estate.world.renew();
    let before = last_number(estate);
    ask(estate, &ARGUMENTS);
    let outcome = run(estate, None, Selection::All).unwrap();
    assert!(matches!(outcome, Outcome::Installed { unchanged: false, .. }), "{outcome:?}");
    last_number(estate) - before
}

fn case(estate: &Estate, request: u64, trouble: Trouble) -> Result<(), String> {
    let panorama = &estate.world.device;
    let issued = estate.world.renew();
    panorama.clear_faults();
    let (jobs, number) = (estate.jobs(), last_number(estate));
    let number = number.max(last_number(estate));
    panorama.clear_requests();
    panorama.inject(trouble.fault(request));
    ask(estate, &ARGUMENTS);
    let killed = matches!(trouble, Trouble::Killed { .. });
    let told = run(estate, killed.then_some(number + request), Selection::All);
    let came = panorama.requests().iter().any(|request| request.fault.is_some());
    panorama.clear_faults();
    if !came {
        return Err("the trouble never came".to_owned());
    }
    let all_run = || (1..=FIREWALLS).all(|number| estate.runs(number, &issued));
    if matches!(told, Some(Outcome::Installed { .. })) && !all_run() {
        return Err(format!("success was told: {told:?}"));
    }
    if matches!(told, Some(Outcome::AwaitingCommit { .. } | Outcome::AwaitingPush { .. })) {
        return Err(format!("{told:?}"));
    }
    if !matches!(told, Some(Outcome::Installed { .. })) {
        // The same that the worker does.
        panorama.wait_idle(Duration::from_secs(5));
        let again = run(estate, None, Selection::All);
        if !matches!(again, Some(Outcome::Installed { .. })) || !all_run() {
            return Err(format!("the next run does not complete it: {again:?}, after {told:?}"));
        }
    }
    let pushes = estate.jobs() - jobs;
    if pushes != 1 {
        return Err(format!("{pushes} pushes, after {told:?}"));
    }
    for push in estate.pushes() {
        if !push.contains("<admin>") || !push.contains("<merge-with-candidate-cfg>no<") {
            return Err(push);
        }
    }
    let hers = [&estate.firewalls[0], panorama].map(|device| device.pending_changes().len());
    if hers != [1, 1] {
        return Err(format!("pending changes of Jane's: {hers:?}"));
    }
    Ok(())
}

/// Every so many cases, all of them by 1.
pub(crate) fn meet_every(every: usize) {
    let begun = Instant::now();
    let met = std::sync::atomic::AtomicUsize::new(0);
    let met = &met;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                scope.spawn(move || {
                    let estate = Estate::of(FIREWALLS, |settings| settings.commit_duration = Duration::ZERO);
                    let address = "/config/shared/address/entry[@name='printer']";
                    estate.firewalls[0].add_pending_change(JANE, address, "<fqdn>p</fqdn>").unwrap();
                    estate.world.device.add_pending_change(JANE, address, "<fqdn>p</fqdn>").unwrap();
                    // The first one makes the object, and the others replace what is in it.
                    undisturbed(&estate);
                    let count = undisturbed(&estate);
                    assert!(count > 30, "{count} requests");
                    let cases = (1..=count).flat_map(|request| {
                        Trouble::ALL.iter().enumerate().map(move |(at, trouble)| (request, at, *trouble))
                    });
                    let chosen =
                        cases.filter(|(request, at, _)| (*request as usize + at).is_multiple_of(every));
                    let own = chosen.enumerate().filter(|(number, _)| number % 4 == worker);
                    let mut failures = Vec::new();
                    for (_, (request, _, trouble)) in own {
                        met.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if let Err(wrong) = case(&estate, request, trouble) {
                            failures.push(format!("request {request} of {count}, {trouble:?}: {wrong}"));
                        }
                    }
                    failures
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let met = met.load(std::sync::atomic::Ordering::Relaxed);
    let text = format!("{met} cases, {} failed, {:.1} s\n", failures.len(), begun.elapsed().as_secs_f64());
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
