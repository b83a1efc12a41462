//! Ctrl-C and SIGTERM during a commit: the device goes on, the record says so, and so do the words.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::trouble::wait_until;
use crate::common::world::{Ended, NAME, PORTAL, World};
use crate::screen::{drawn, slow};
use crate::terminal::Terminal;

fn command(world: &World) -> Command {
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target());
    command
}

fn commits(world: &World) -> bool {
    wait_until(|| world.device.commits() == 1 && world.record()["job"].is_string())
}

/// The words, and what a retry makes of it.
fn is_told_and_settled(world: &World, text: &str, signal: &str) {
    let (device, record) = (world.target(), world.record());
    let job = record["job"].as_str().unwrap();
    let state = world.path("state");
    let state = format!("--state-dir {}", state.display());
    let place = format!("{device}: {NAME}: ");
    for line in [
        format!("pan_instcert: ended by {signal}"),
        format!(
            "pan_instcert: {place}the device goes on with commit job {job} by itself; the installation is recorded as pending"
        ),
        format!("pan_instcert: to verify it, or to try it again: pan_certctl retry --now {state}"),
        format!("pan_instcert: to look: pan_certctl status --cert {NAME} --device {device} {state}"),
    ] {
        assert!(text.replace("\r\n", "\n").contains(&line), "no '{line}' in {text}");
    }
    assert!(record["pending_since"].is_string() && record["state"]["is"] == "pending", "{record:#}");
    let mut retry = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    retry.args(["retry", "--now", "--state-dir"]).arg(world.path("state"));
    retry.arg("--log-file").arg(world.path("log")).env_clear();
    Ended::of(&mut retry).exits(0);
    assert_eq!(world.device.commits(), 1, "the commit that went on was the one");
    assert!(world.record()["pending_since"].is_null());
}

#[test]
fn ctrl_c_during_a_commit_says_what_goes_on_and_how_to_look() {
    let world = slow(2500);
    let mut terminal = Terminal::begin(&command(&world), &[]);
    assert!(commits(&world));
    terminal.keyboard.write_all(b"\x03").unwrap();
    terminal.keyboard.flush().unwrap();
    let (text, code) = terminal.end();
    assert_eq!(code, Some(130), "{text:?}");
    // The live line does not stay behind.
    let last = drawn(&text).pop().unwrap();
    assert!(last.contains("to look: pan_certctl"), "{last} in {text:?}");
    let plain = console::strip_ansi_codes(&text).into_owned();
    is_told_and_settled(&world, &plain, "SIGINT");
}

#[test]
fn sigterm_without_a_terminal_says_the_same() {
    let world = slow(1500);
    let child = command(&world).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.unwrap();
    assert!(commits(&world));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(output.stdout.is_empty());
    is_told_and_settled(&world, &String::from_utf8(output.stderr).unwrap(), "SIGTERM");
}

#[test]
fn whoever_is_started_to_ignore_it_goes_on() {
    let world = slow(1000);
    let inner = command(&world);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    let child = shell.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    assert!(commits(&world));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains(": installed the certificate"));
}

#[test]
fn before_anything_was_changed_it_says_so_and_the_request_is_not_lost() {
    let world = World::new();
    world.device.set_listening(panos_sim::Listening::Silent);
    let child = command(&world).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun, and waits for an answer.
    let record = format!("state/installations/{}/shared/{NAME}.json", world.target());
    assert!(wait_until(|| world.path(&record).exists()));
    // What a shell starts in the background ignores SIGINT, and so would the program.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("nothing was changed on the device; the installation is recorded as pending"),
        "{text}"
    );
    assert!(world.record()["pending_since"].is_string());
}

/// Ended by SIGTERM; what it said.
fn ended(child: std::process::Child) -> String {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    String::from_utf8(output.stderr).unwrap()
}

fn spawn(mut command: Command) -> std::process::Child {
    command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn whoever_interrupts_the_next_run_too_is_told_of_the_job_that_goes_on() {
    let world = slow(4000);
    let first = spawn(command(&world));
    assert!(commits(&world));
    let job = world.record()["job"].as_str().unwrap().to_owned();
    ended(first);
    let before = world.record()["run_id"].clone();
    let second = spawn(command(&world));
    // Its beginning is on the disk, and it waits for the job.
    assert!(wait_until(|| world.record()["run_id"] != before));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let text = ended(second);
    assert!(!text.contains("takes it back"), "{text}");
    assert!(text.contains(&format!("commit job {job} of an earlier run may go on")), "{text}");
    assert_eq!(world.record()["job"], job.as_str(), "the next run has to know it");
}

#[test]
fn whoever_only_waits_for_another_process_says_so() {
    let world = slow(3000);
    let first = spawn(command(&world));
    assert!(commits(&world));
    let second = spawn(command(&world));
    std::thread::sleep(std::time::Duration::from_millis(700));
    let text = ended(second);
    let place = format!("{}: {NAME}: ", world.target());
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(&place)).collect();
    assert_eq!(
        lines,
        [format!(
            "pan_instcert: {place}another process works on the device, and goes on; the installation is recorded as pending"
        ),],
        "{text}"
    );
    assert!(first.wait_with_output().unwrap().status.success());
}

#[test]
fn of_two_installations_on_one_device_each_has_one_line() {
    let world = World::new();
    world.device.set_listening(panos_sim::Listening::Silent);
    let device = world.target();
    let target = |name: &str, vsys: &str| {
        format!("[target.{name}]\ndevice = \"{device}\"\nvsys = \"{vsys}\"\nprofile = \"{PORTAL}\"\n")
    };
    std::fs::write(world.path("pan.toml"), target("one", "vsys1") + &target("two", "vsys2")).unwrap();
    let mut both = world.command();
    both.args(["--target", "one", "--target", "two", "--config"]).arg(world.path("pan.toml"));
    let child = spawn(both);
    let record = |vsys: &str| world.path(&format!("state/installations/{device}/vsys:{vsys}/{NAME}.json"));
    assert!(wait_until(|| record("vsys1").exists() && record("vsys2").exists()));
    let text = ended(child);
    for vsys in ["vsys1", "vsys2"] {
        let lines = text.lines().filter(|line| line.contains(&format!("{device} vsys:{vsys} ")));
        assert_eq!(lines.count(), 1, "{vsys}: {text}");
    }
}
