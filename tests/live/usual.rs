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

/// All until one was in time.
fn in_time(each: impl Iterator<Item = (usize, u64)>) -> Vec<(usize, u64)> {
    let mut all = Vec::new();
    for one in each {
        all.push(one);
        if one.1 <= 400 {
            break;
        }
    }
    all
}

#[test]
fn the_second_commit_says_how_long_it_will_take_and_its_end_is_noticed_at_once() {
    let world = slow(2300);
    let (text, code) = Terminal::begin(&again(&world), &[]).end();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("s left"), "nobody knows the device yet: {text}");
    let first_polls = polls(&world);
    let again = || {
        world.device.clear_requests();
        world.renew();
        let (text, code) = Terminal::begin(&again(&world), &[]).end();
        assert_eq!(code, Some(0), "{text}");
        let seen = Seen::of(&text);
        let left = seen.with(", about 2 s left");
        assert!(left.iter().any(|row| row.contains(&format!("{}: commit", world.target()))), "{left:#?}");
        (polls(&world), late(&world))
    };
    // A machine that does much else is late itself, and not each time.
    let each = in_time(std::iter::repeat_with(again).take(3));
    assert!(each.iter().any(|(_, late)| *late <= 400), "{each:?}");
    let fewest = each.iter().map(|(polls, _)| *polls).min().unwrap();
    assert!(first_polls > 0 && fewest <= first_polls, "{each:?}, {first_polls} before");
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
