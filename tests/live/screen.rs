//! The live line on a terminal of 80 columns and 24 lines, as it is drawn.

use std::process::Command;
use std::time::Duration;

use panos_sim::LockKind;

use crate::common::trouble::wait_until;
use crate::common::world::{GATEWAY, PORTAL, World, settings};
use crate::terminal::{COLUMNS, Seen, Terminal};

/// What stands on the terminal's lines one after the other: each piece of a line that is drawn at once, without what
/// steers the terminal.
pub fn drawn(text: &str) -> Vec<String> {
    let pieces = text.split(['\r', '\n']).map(|piece| console::strip_ansi_codes(piece).into_owned());
    pieces.map(|piece| piece.trim_end().to_owned()).filter(|piece| !piece.is_empty()).collect()
}

pub fn slow(milliseconds: u64) -> World {
    let mut settings = settings();
    settings.commit_duration = Duration::from_millis(milliseconds);
    World::with(settings)
}

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.command();
    command.args(arguments).arg(world.target());
    command
}

#[test]
fn one_line_shows_device_phase_percentage_and_seconds_and_is_gone_in_the_end() {
    let world = slow(2500);
    let (text, code) = Terminal::begin(&command(&world, &["-p", PORTAL, "-s", GATEWAY]), &[]).end();
    assert_eq!(code, Some(0), "{text}");
    let (device, pieces) = (world.target(), drawn(&text));
    let is_live = |piece: &&String| piece.contains(&format!(" s {device}: "));
    let live: Vec<&String> = pieces.iter().filter(is_live).collect();
    for part in ["commit", " % (job "] {
        assert!(live.iter().any(|line| line.contains(part)), "{part}: {live:#?}");
    }
    assert!(live.iter().any(|line| line.contains(" 2 s ")), "the seconds go on: {live:#?}");
    assert!(live.iter().all(|line| line.chars().count() <= COLUMNS), "{live:#?}");
    let result =
        format!("{device}: installed the certificate 'gp.example.com' in 'GP portal' and 'GP gateway'");
    let seen = Seen::of(&text);
    let left = seen.left();
    assert!(left.len() <= 2 && left[0].starts_with(&result), "{left:#?} of {text:?}");
}

#[test]
fn who_is_waited_for_is_shown_and_a_long_text_is_cut_at_the_edge() {
    let world = World::new();
    let comment = "a very long comment of somebody who has much to say about this night's work on it";
    world.device.take_lock(LockKind::Config, "jane", comment);
    let terminal = Terminal::begin(&command(&world, &["-p", PORTAL]), &[]);
    assert!(wait_until(
        || world.path("log").exists() && world.log().iter().any(|line| line.starts_with("Waiting: "))
    ));
    world.device.release_lock(LockKind::Config, "jane");
    let (text, code) = terminal.end();
    assert_eq!(code, Some(0), "{text}");
    let pieces = drawn(&text);
    let shown = pieces.iter().find(|piece| piece.contains("waiting: jane holds a")).expect(&text);
    assert!(shown.contains("import, waiting") && shown.chars().count() <= COLUMNS, "{shown}");
    assert!(!pieces.iter().any(|piece| piece.contains("work on it")), "{pieces:#?}");
}

#[test]
fn without_a_terminal_that_can_take_lines_away_there_are_only_whole_lines() {
    let world = slow(600);
    let steers = |text: &str| text.replace("\r\n", "\n").chars().any(|c| c.is_control() && c != '\n');
    let (text, code) = Terminal::begin(&command(&world, &["-p", PORTAL]), &[("TERM", "dumb")]).end();
    assert!(code == Some(0) && !steers(&text) && text.contains(": installed the"), "{text:?}");
    let mut piped = command(&world, &["-p", PORTAL, "--force"]);
    piped.env("TERM", "xterm");
    let ended = crate::common::world::Ended::of(&mut piped).exits(0);
    assert!(!steers(&ended.stdout) && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1);
    // Whoever sees the log's lines gets no other one between them.
    let (text, code) = Terminal::begin(&command(&world, &["-p", PORTAL, "--force", "-v"]), &[]).end();
    assert!(code == Some(0) && !steers(&text) && text.contains("The commit took"), "{text:?}");
}

#[test]
fn the_live_line_has_no_colours_where_none_are_wanted() {
    let world = slow(600);
    let (text, code) = Terminal::begin(&command(&world, &["-p", PORTAL]), &[("NO_COLOR", "1")]).end();
    assert_eq!(code, Some(0), "{text}");
    assert!(drawn(&text).iter().any(|piece| piece.contains(": commit")), "{text:?}");
    let colours = text.split("\u{1b}[").skip(1).filter(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or_default();
        rest[end..].starts_with('m') && !["0", ""].contains(&&rest[..end])
    });
    assert_eq!(colours.count(), 0, "{text:?}");
}

#[test]
fn what_is_delivered_later_and_what_is_looked_at_is_shown_in_the_same_way() {
    let world = slow(1200);
    let certctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
        command.args(words).arg("--state-dir").arg(world.path("state"));
        command.arg("--log-file").arg(world.path("log"));
        command
    };
    crate::common::world::Ended::of(command(&world, &["-p", PORTAL]).arg("--queue")).exits(0);
    let device = world.target();
    let (text, code) = Terminal::begin(&certctl(&["retry", "--now"]), &[]).end();
    let commit = |piece: &String| piece.contains(&format!("{device}: commit")) && piece.contains(" % (job ");
    assert!(code == Some(0) && drawn(&text).iter().any(commit), "{text:?}");
    let keys = world.path(".panrc");
    let reach = ["--insecure", "-k", keys.to_str().unwrap(), &device];
    let inventory = certctl(&[&["inventory"][..], &reach[..]].concat());
    let check = certctl(&[&["check", "-b"][..], &reach[..]].concat());
    for (command, doing) in [(certctl(&["verify"]), "verify"), (inventory, "list"), (check, "check")] {
        let (text, code) = Terminal::begin(&command, &[]).end();
        assert_eq!(code, Some(0), "{text}");
        let pieces = drawn(&text);
        assert!(pieces.iter().any(|piece| piece.contains(&format!(" s {device}: {doing}"))), "{text:?}");
    }
}
