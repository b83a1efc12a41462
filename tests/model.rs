//! The order of things, checked exhaustively: two callers, the worker, a device that loses replies, crashes, and a clock
//! that jumps, in every order. docs/records.md says what is checked. The explorer is our own, since what has to be shown
//! ("from every state there is a way to the end") is none of the properties that published ones have.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs
)]

#[path = "model/checker.rs"]
mod checker;
#[path = "model/device.rs"]
mod device;
#[path = "model/explore.rs"]
mod explore;
#[path = "model/orders.rs"]
mod orders;
#[path = "model/rules.rs"]
mod rules;
#[path = "model/run.rs"]
mod run;
#[path = "model/transaction.rs"]
mod transaction;
#[path = "model/world.rs"]
mod world;

use explore::explore;
use rules::{ANSWER_BY_NAME, BELIEVE_THE_SCHEDULE, COMMIT_AGAIN, COMPARE_BY_TIME};
use rules::{DROP_UNREAD, KEY_WITHOUT_PLACE, RULES, Rules};
use world::{Order, Scenario, Troubles};

const ORDER: Order =
    Order { name: 0, vsys: false, profiles: &[0], attended: false, list: None, after_renewal: false };

/// One crash, lost reply, failed job or meddling colleague.
const FAULT: Troubles = Troubles { faults: 1, jumps: 0 };
/// One jump of the clock.
const JUMP: Troubles = Troubles { faults: 0, jumps: 1 };
/// More of both.
const MORE: [Troubles; 2] = [Troubles { faults: 1, jumps: 1 }, Troubles { faults: 2, jumps: 0 }];

fn scenario(first: Order, second: Order) -> Scenario {
    Scenario {
        orders: [first, second],
        readable: true,
        renewal: false,
        troubles: JUMP,
        rules: RULES,
        commits_everything: false,
        tells_clocks_apart: false,
    }
}

/// The same installation, with other profiles.
fn other_profiles() -> Scenario {
    scenario(ORDER, Order { profiles: &[1], attended: true, ..ORDER })
}

/// Objects of one name at two places.
fn two_places() -> Scenario {
    scenario(ORDER, Order { vsys: true, ..ORDER })
}

/// Two installations at one place.
fn two_installations() -> Scenario {
    scenario(Order { attended: true, ..ORDER }, Order { name: 1, profiles: &[1], attended: true, ..ORDER })
}

/// The same installation, before and after a renewal.
fn renewal() -> Scenario {
    Scenario { renewal: true, ..scenario(ORDER, Order { after_renewal: true, ..ORDER }) }
}

/// The certificate's file can't be read at first.
fn unread() -> Scenario {
    Scenario { readable: false, ..scenario(ORDER, Order { profiles: &[1], ..ORDER }) }
}

/// The second caller states the whole list of profiles.
fn stated_list() -> Scenario {
    scenario(Order { list: Some("one"), ..ORDER }, Order { profiles: &[1], list: Some("two"), ..ORDER })
}

/// All is as it should be in every state that these troubles lead to.
fn holds(name: &str, scenario: &Scenario, troubles: &[Troubles]) {
    for troubles in troubles {
        let begun = std::time::Instant::now();
        let seen = explore(&Scenario { troubles: *troubles, ..*scenario });
        if let Some(violation) = &seen.violation {
            let trace = numbered(&violation.trace);
            panic!("{name}, {troubles:?}, after {} states: {}:\n{trace}", seen.states, violation.what);
        }
        println!(
            "{name}, {troubles:?}: {} states, {} steps, {} deep, {} of them done, {:.1} s: all holds",
            seen.states,
            seen.steps,
            seen.depth,
            seen.done,
            begun.elapsed().as_secs_f64()
        );
        assert!(seen.states > 1000 && seen.done > 0, "{name}: nothing was walked through");
    }
}

/// A bug that is put back is found, and said to be this.
fn finds(name: &str, scenario: &Scenario, rules: Rules, what: &str) {
    let seen = explore(&Scenario { rules, ..*scenario });
    let violation = seen.violation.unwrap_or_else(|| panic!("{name} is not found in {} states", seen.states));
    println!(
        "{name} is found after {} states: {}, in {} steps:\n{}",
        seen.states,
        violation.what,
        violation.trace.len(),
        numbered(&violation.trace)
    );
    assert!(violation.what.contains(what), "{name}: {}", violation.what);
}

fn numbered(trace: &[String]) -> String {
    let lines = trace.iter().enumerate().map(|(at, line)| format!("  {:2}. {line}", at + 1));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_installation_with_other_profiles() {
    holds("other profiles", &other_profiles(), &[FAULT, JUMP]);
}

#[test]
fn one_name_at_two_places() {
    holds("two places", &two_places(), &[FAULT, JUMP]);
}

#[test]
fn two_installations_at_one_place() {
    holds("two installations", &two_installations(), &[FAULT, JUMP]);
}

#[test]
fn before_and_after_a_renewal() {
    holds("a renewal", &renewal(), &[FAULT, JUMP]);
}

#[test]
fn a_certificate_that_can_not_be_read_at_first() {
    holds("unread", &unread(), &[FAULT, JUMP]);
}

#[test]
fn a_list_that_is_stated_anew() {
    holds("a stated list", &stated_list(), &[FAULT, JUMP]);
}

#[test]
#[ignore = "takes minutes: make model"]
fn with_more_troubles() {
    for (name, scenario) in [
        ("other profiles", other_profiles()),
        ("two places", two_places()),
        ("two installations", two_installations()),
        ("a renewal", renewal()),
        ("unread", unread()),
        ("a stated list", stated_list()),
    ] {
        holds(name, &scenario, &MORE);
    }
}

#[test]
fn comparing_by_time_is_found() {
    let scenario = Scenario { tells_clocks_apart: true, ..other_profiles() };
    finds("comparing by time", &scenario, COMPARE_BY_TIME, "order is lost");
}

#[test]
fn answering_by_name_is_found() {
    finds("answering by name", &stated_list(), ANSWER_BY_NAME, "told success");
}

#[test]
fn a_key_without_the_place_is_found() {
    finds("a key of device and name", &two_places(), KEY_WITHOUT_PLACE, "never run it");
}

#[test]
fn dropping_what_was_never_read_is_found() {
    finds("dropping what was never read", &unread(), DROP_UNREAD, "order is lost");
}

#[test]
fn committing_everybodys_changes_is_found() {
    let scenario = Scenario { commits_everything: true, ..other_profiles() };
    finds("committing everything", &scenario, RULES, "colleague");
}

#[test]
fn believing_the_schedule_of_a_wrong_clock_is_found() {
    finds("believing the schedule", &other_profiles(), BELIEVE_THE_SCHEDULE, "no way leads to the end");
}

#[test]
fn asking_for_a_commit_again_is_found() {
    let scenario = Scenario { troubles: FAULT, ..other_profiles() };
    finds("asking for a commit again", &scenario, COMMIT_AGAIN, "committed twice");
}
