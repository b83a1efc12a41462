//! What is seen while many devices are worked on, and what is said to whoever interrupts that.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use panos_sim::{LockKind, Simulator};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::trouble::wait_until;
use crate::common::world::{Ended, NAME, PORTAL, World, settings};
use crate::screen::slow;
use crate::terminal::{COLUMNS, ROWS, Seen, Terminal};

/// An installation on all these, whoever they are.
pub fn command(world: &World, devices: &[String], options: &[&str]) -> Command {
    let mut command = world.bare_command();
    command.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", "-p", PORTAL]);
    command.args(options).args(devices);
    command
}

/// Four devices with a commit of so many milliseconds.
fn four(milliseconds: u64) -> (World, Vec<Simulator>, Vec<String>) {
    let world = slow(milliseconds);
    let mut settings = settings();
    settings.commit_duration = Duration::from_millis(milliseconds);
    let others: Vec<Simulator> = (0..3).map(|_| Simulator::start(settings.clone()).unwrap()).collect();
    let devices = others.iter().map(|device| device.address().to_string());
    let devices = std::iter::once(world.target()).chain(devices).collect();
    (world, others, devices)
}

/// Rows of devices that are worked on.
fn working(frame: &[String]) -> Vec<&String> {
    frame.iter().filter(|row| row.starts_with(' ') && row.contains(" s ")).collect()
}

#[test]
fn of_four_devices_each_has_a_row_with_phase_percentage_and_whom_it_waits_for() {
    let (world, others, devices) = four(1500);
    others[0].take_lock(LockKind::Commit, "jane", "my change");
    let terminal = Terminal::begin(&command(&world, &devices, &[]), &[]);
    assert!(wait_until(
        || world.path("log").exists() && world.log().iter().any(|line| line.contains("Waiting: "))
    ));
    others[0].release_lock(LockKind::Commit, "jane");
    let (text, code) = terminal.end();
    assert_eq!(code, Some(0), "{text}");
    let seen = Seen::of(&text);
    let all = seen.frames().iter().find(|frame| {
        devices.iter().all(|device| working(frame).iter().any(|row| row.contains(&format!(" s {device}: "))))
    });
    let all = all.unwrap_or_else(|| panic!("not each had a row: {:#?}", seen.frames()));
    assert!(all.iter().any(|row| row.contains("s in all: 0 of 4 done, 4 in progress")), "{all:#?}");
    let waiting = seen.with("waiting: jane holds a commit lock");
    assert!(
        waiting.iter().any(|row| row.contains(&format!("{}: commit, waiting", devices[1]))),
        "{waiting:#?}"
    );
    for device in &devices {
        let percent = |row: &String| row.contains(&format!("{device}: commit ")) && row.contains(" % (job ");
        assert!(seen.frames().iter().flatten().any(percent), "{device}: {:#?}", seen.frames());
    }
    // In the end there are the results, and nothing of the rows.
    let left = seen.left();
    assert!(left.iter().all(|row| !row.contains(" in all: ") && !row.contains(": commit")), "{left:#?}");
    for device in &devices {
        assert!(left.iter().any(|row| row.starts_with(&format!("{device}: installed the"))), "{left:#?}");
    }
}

#[test]
fn a_window_that_gets_narrower_and_shorter_meanwhile_gets_narrower_and_fewer_rows() {
    let (world, _others, devices) = four(2500);
    let name = world.path("terminal");
    let first = format!("tty > {};", name.display());
    let terminal = Terminal::begin_after(&first, &command(&world, &devices, &[]), &[], 60);
    assert!(wait_until(|| world.device.commits() == 1));
    let tty = std::fs::read_to_string(&name).unwrap();
    let stty = Command::new("stty").args(["-F", tty.trim(), "cols", "40", "rows", "6"]).status().unwrap();
    assert!(stty.success());
    let (text, code) = terminal.end();
    assert_eq!(code, Some(0), "{text}");
    let seen = Seen::of(&text);
    let last = seen.frames().iter().rfind(|frame| frame.iter().any(|row| row.contains(" in all: 0 of 4")));
    let last = last.expect(&text);
    assert_eq!(working(last).len(), 1, "{last:#?}");
    assert!(last.iter().all(|row| row.chars().count() < 40), "{last:#?}");
    assert!(!seen.left().iter().any(|row| row.contains("in all")), "{:#?}", seen.left());
}

/// So many devices that let themselves be connected to and keep silent: this machine has as many addresses.
fn silent(count: usize) -> Vec<String> {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in listener.incoming() {
            kept.extend(connection);
        }
    });
    (0..count).map(|number| format!("127.0.{}.{}:{port}", number / 250, number % 250 + 1)).collect()
}

/// Runs it until the screen has shown this, and is interrupted then; what was seen, and how long the end took.
fn interrupted(mut terminal: Terminal, text: &str) -> (Seen, Option<i32>, Duration) {
    terminal.read_until(text);
    terminal.keyboard.write_all(b"\x03").unwrap();
    terminal.keyboard.flush().unwrap();
    let begun = Instant::now();
    let (text, code) = terminal.end();
    (Seen::of(&text), code, begun.elapsed())
}

#[test]
fn of_five_hundred_devices_the_screen_has_as_many_rows_as_fit_and_counts_the_rest() {
    let world = World::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(["inventory", "--insecure", "--concurrency", "50", "-k"]).arg(world.path(".panrc"));
    command.arg("--state-dir").arg(world.path("state")).arg("--log-file").arg(world.path("log"));
    command.args(silent(500));
    let (seen, code, took) =
        interrupted(Terminal::begin(&command, &[]), "0 of 500 done, 50 in progress (31 not shown)");
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let frame = seen.with("50 in progress (31 not shown)");
    assert_eq!(working(frame).len(), ROWS - 5, "{frame:#?}");
    assert!(frame.len() <= ROWS && frame.iter().all(|row| row.chars().count() < COLUMNS), "{frame:#?}");
    assert_eq!(seen.left().last(), Some(&"pan_certctl: ended by SIGINT; no device was changed".to_owned()));
}

#[test]
fn ctrl_c_tells_of_each_device_that_was_worked_on_and_counts_the_others() {
    let world = World::new();
    let command = command(&world, &silent(60), &["--concurrency", "20"]);
    let (seen, code, took) =
        interrupted(Terminal::begin(&command, &[]), "0 of 60 done, 20 in progress (1 not shown)");
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let left = seen.left();
    let told: BTreeSet<&str> = left
        .iter()
        .filter_map(|row| row.strip_prefix("pan_instcert: 127.0.")?.split_once(": gp.example.com: "))
        .map(|(device, _)| device)
        .collect();
    assert_eq!(told.len(), 20, "{left:#?}");
    let rest = "pan_instcert: 40 more: nothing was begun; the installation is recorded as pending";
    assert!(left.iter().any(|row| row == rest), "{left:#?}");
    for once in ["to verify it, or to try it again: pan_certctl retry --now", "to look: pan_certctl status"] {
        assert_eq!(left.iter().filter(|row| row.contains(once)).count(), 1, "{left:#?}");
    }
    assert!(!left.iter().any(|row| row.contains("in all")), "{left:#?}");
}

#[test]
fn an_end_during_four_commits_names_the_job_that_goes_on_on_each_device() {
    let (world, others, devices) = four(1500);
    let mut command = command(&world, &devices, &[]);
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let job = |device: &String| {
        let record = world.path("state").join(format!("installations/{device}/shared/{NAME}.json"));
        std::fs::read_to_string(record)
            .is_ok_and(|text| text.contains("\"job\": \"") || text.contains("\"job\":\""))
    };
    assert!(wait_until(|| devices.iter().all(job)));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits for the jobs: {:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(143));
    let text = String::from_utf8(output.stderr).unwrap();
    for device in &devices {
        let line = format!("pan_instcert: {device}: {NAME}: the device goes on with commit job ");
        let told: Vec<&str> = text.lines().filter(|told| told.starts_with(&line)).collect();
        assert!(told.len() == 1 && told[0].ends_with("the installation is recorded as pending"), "{text}");
    }
    let once = |what: &str| text.matches(what).count() == 1;
    assert!(once("pan_certctl retry --now") && once("pan_certctl status --cert gp.example.com"), "{text}");
    // What went on is found, and not done again.
    let mut retry = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    retry.args(["retry", "--now", "--state-dir"]).arg(world.path("state"));
    Ended::of(retry.arg("--log-file").arg(world.path("log")).env_clear()).exits(0);
    assert!(others.iter().chain([&world.device]).all(|device| device.commits() == 1));
}

#[test]
fn without_a_terminal_each_finished_device_has_one_whole_line() {
    let (world, _others, devices) = four(0);
    let ended = Ended::of(&mut command(&world, &devices, &[])).exits(0);
    assert!(ended.stderr.is_empty(), "{ended:#?}");
    for device in &devices {
        let line = format!("{device}: installed the certificate ");
        assert_eq!(ended.stdout.lines().filter(|told| told.starts_with(&line)).count(), 1, "{ended:#?}");
    }
    assert!(!ended.stdout.contains(['\r', '\u{1b}']), "{ended:#?}");
}
