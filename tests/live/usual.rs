//! What a device's commits took before is known at the next one: on the screen, and in the questions that are put.

use std::process::Command;

use crate::common::world::{Ended, PORTAL, World};
use crate::screen::slow;
use crate::terminal::{Seen, Terminal};

fn again(world: &World) -> Command {
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target());
    command
}

/// How often the device was asked for its commit job.
fn polls(world: &World) -> usize {
    let asked = world.device.requests();
    asked.iter().filter(|request| format!("{request:?}").contains("<show><jobs><id>")).count()
}

/// How much longer than the job itself its last commit was waited for.
fn late(world: &World) -> u64 {
    let record = world.record();
    record["history"].as_array().unwrap().last().unwrap()["commit_milliseconds"].as_u64().unwrap() - 2300
}

#[test]
fn the_second_commit_says_how_long_it_will_take_and_its_end_is_noticed_at_once() {
    let world = slow(2300);
    let (text, code) = Terminal::begin(&again(&world), &[]).end();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("s left"), "nobody knows the device yet: {text}");
    let (first_polls, first_late) = (polls(&world), late(&world));
    world.device.clear_requests();
    world.renew();
    let (text, code) = Terminal::begin(&again(&world), &[]).end();
    assert_eq!(code, Some(0), "{text}");
    let seen = Seen::of(&text);
    assert!(seen.with("(job ").iter().any(|row| row.contains("commit")));
    let left = seen.with(", about 2 s left");
    assert!(left.iter().any(|row| row.contains(&format!("{}: commit", world.target()))), "{left:#?}");
    let (second_polls, second_late) = (polls(&world), late(&world));
    // Where the machine itself is slow, so is everything.
    let bound = 400.max(first_late);
    assert!(second_late <= bound, "{second_late} ms late, {first_late} before");
    assert!(
        first_polls > 0 && second_polls <= first_polls + 1,
        "{second_polls} questions, {first_polls} before"
    );
}

#[test]
fn a_commit_that_takes_longer_than_usual_says_so() {
    let world = slow(300);
    Ended::of(&mut again(&world)).exits(0);
    world.renew();
    world.device.set_commit_duration(std::time::Duration::from_millis(2300));
    let (text, code) = Terminal::begin(&again(&world), &[]).end();
    assert_eq!(code, Some(0), "{text}");
    let seen = Seen::of(&text);
    let row = format!("{}: commit", world.target());
    assert!(seen.with(", usually ").iter().any(|line| line.contains(&row)), "{:#?}", seen.frames());
}
