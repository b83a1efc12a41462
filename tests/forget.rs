//! Forgetting: what is looked after no more, and what renewals make of that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::bus::Bus;
use common::pki;
use common::world::{Ended, GATEWAY, KEY, NAME, PORTAL, World, settings};
use panos_sim::Simulator;
use serde_json::Value;

fn certctl(state: &Path, log: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.args(arguments).arg("--state-dir").arg(state).arg("--log-file").arg(log);
    command.env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn run(world: &World, arguments: &[&str]) -> Ended {
    Ended::of(&mut certctl(&world.path("state"), &world.path("log"), arguments))
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

fn status(world: &World) -> Value {
    json(&run(world, &["status", "--no-certmonger", "--json"]))
}

fn certificates(world: &World) -> Vec<String> {
    let told = status(world);
    let all = told["installations"].as_array().unwrap().iter();
    all.map(|one| format!("{} {}", one["object"].as_str().unwrap(), one["device"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_record_goes_and_the_device_stays_as_it_is() {
    let world = World::new();
    world.install(&["-p", PORTAL, "-s", GATEWAY]).exits(0);
    let (commits, served) = (world.device.commits(), world.served());

    // Nobody is there who could be asked.
    let refused = run(&world, &["forget", NAME]).exits(1);
    assert!(refused.stderr.contains("there is no terminal to ask at; say --yes"), "{refused:#?}");
    assert_eq!(certificates(&world).len(), 1);

    for wrong in [
        ["forget", "other.example.com", "--yes"].as_slice(),
        &["forget", NAME, "--yes", "--device", "other.example.com"],
        &["forget", NAME, "--yes", "--place", "vsys:vsys2"],
        &["forget", NAME, "--yes", "--profile", "Other"],
    ] {
        let ended = run(&world, wrong).exits(1);
        let there = format!("there is: {NAME} on {} in '{PORTAL}' and '{GATEWAY}'", world.target());
        assert!(ended.stderr.contains("nothing matches") && ended.stderr.contains(&there), "{ended:#?}");
    }
    assert_eq!(certificates(&world).len(), 1);

    let one = run(&world, &["forget", NAME, "--profile", GATEWAY, "--yes"]).exits(0);
    assert!(one.stdout.contains(&format!("is not looked after in '{GATEWAY}' any more")), "{one:#?}");
    assert_eq!(status(&world)["installations"][0]["profiles"], serde_json::json!([PORTAL]));
    // It is not bound again by whoever delivers the next time.
    world.renew();
    run(&world, &["verify"]).exits(15);
    run(&world, &["retry", "--now"]).exits(0);
    assert_eq!(status(&world)["installations"][0]["profiles"], serde_json::json!([PORTAL]));
    let now = world.served();
    assert_ne!(now, served);
    let commits = (world.device.commits(), commits).0;

    let whole = run(&world, &["forget", "GP.example.com", "--place", "shared", "--yes", "--json"]).exits(0);
    let told = json(&whole);
    assert_eq!((&told["exit"], &told["installations"][0]["forgotten"]), (&0.into(), &true.into()), "{told}");
    assert_eq!(told["installations"][0]["object"], NAME);
    assert!(certificates(&world).is_empty());
    assert_eq!((world.device.commits(), world.served()), (commits, now));
    assert!(
        world.log().iter().any(|line| line.contains("the installation is forgotten, by ")),
        "{:#?}",
        world.log()
    );
    run(&world, &["verify"]).exits(0);
    run(&world, &["forget", NAME, "--yes"]).exits(1);
}

#[test]
fn what_is_only_in_the_queue_is_forgotten_too_and_what_could_not_be_read() {
    let world = World::new();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let mut misspelt = world.command();
    misspelt.args(["-p", PORTAL, "--no-such-option"]).arg(world.target()).stdin(Stdio::null());
    Ended::of(&mut misspelt).exits(1);
    let before = status(&world);
    assert_eq!(
        (before["installations"].as_array().unwrap().len(), before["unresolved"].as_array().unwrap().len()),
        (1, 1)
    );
    run(&world, &["forget", NAME, "--yes"]).exits(0).says("not been delivered yet");
    let after = status(&world);
    assert_eq!(
        (after["installations"].as_array().unwrap().len(), after["unresolved"].as_array().unwrap().len()),
        (0, 0)
    );
    run(&world, &["retry", "--now"]).exits(0).says("Nothing is pending.");
    assert_eq!(world.device.commits(), 0);
}

#[test]
fn a_question_is_asked_at_a_terminal() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    for (answer, left) in [("\n", 1), ("n\n", 1), ("yes\n", 0)] {
        let line = format!(
            "{} forget {NAME} --state-dir {} --log-file {}",
            env!("CARGO_BIN_EXE_pan_certctl"),
            world.path("state").display(),
            world.path("log").display()
        );
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &line, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = terminal.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), answer.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(shown.contains("Forget this? [y/N]"), "{shown}");
        assert_eq!(certificates(&world).len(), left, "{answer:?}: {shown}");
    }
}

#[test]
fn a_device_that_another_process_works_on_is_waited_for_with_an_end() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    std::fs::write(world.path("config"), "lock_wait = \"1s\"\n").unwrap();
    let file =
        std::fs::File::options().write(true).open(world.path("state").join("locks").join(world.target()));
    let file = file.unwrap();
    file.lock().unwrap();
    let config = world.path("config");
    let forget = ["forget", NAME, "--yes", "--config", config.to_str().unwrap()];
    let ended = run(&world, &forget);
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("another process works on"), "{ended:#?}");
    assert_eq!(certificates(&world).len(), 1);
    file.unlock().unwrap();
    run(&world, &forget).exits(0);
}

fn second_device() -> Simulator {
    Simulator::start(settings()).unwrap()
}

#[test]
fn a_device_that_is_left_out_of_the_list_gets_no_further_certificate() {
    let (world, other) = (World::new(), second_device());
    let both = |list: &str, devices: &[&str]| {
        let mut command = world.bare_command();
        command.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", "-p", PORTAL]);
        Ended::of(command.args(["--profile-list", list]).args(devices)).exits(0);
    };
    let (one, two) = (world.target(), other.address().to_string());
    both("aaaa", &[&one, &two]);
    let before = common::world::served(&other);
    assert!(before.is_some());
    both("bbbb", &[&one]);
    world.renew();
    both("bbbb", &[&one]);
    let commits = other.commits();
    let ended = run(&world, &["verify", "--json"]).exits(0);
    let told = json(&ended);
    let verdicts: Vec<(&str, &str)> = told["installations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["device"].as_str().unwrap(), one["verdict"].as_str().unwrap()))
        .collect();
    assert!(
        verdicts.contains(&(two.as_str(), "left-out")) && verdicts.contains(&(one.as_str(), "good")),
        "{verdicts:?}"
    );
    run(&world, &["retry", "--now"]).exits(0).says("Nothing is pending.");
    assert_eq!((other.commits(), common::world::served(&other)), (commits, before.clone()));
    let ended = run(&world, &["verify"]).exits(0);
    let advice = format!("pan_certctl forget {NAME} --device {two}");
    assert!(ended.stderr.contains(&advice), "{ended:#?}");
    // What it says ends it.
    let words: Vec<&str> = advice.split(' ').skip(1).chain(["--yes"]).collect();
    run(&world, &words).exits(0);
    assert_eq!(run(&world, &["verify"]).exits(0).stderr, "");
    // Named again it is in the list again.
    both("cccc", &[&one, &two]);
    assert_ne!(common::world::served(&other), before);
}

#[test]
fn what_was_asked_for_by_hand_is_in_no_list() {
    let (world, other) = (World::new(), second_device());
    let two = other.address().to_string();
    let install = |more: &[&str], device: &str| {
        let mut command = world.bare_command();
        command.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", "-p", PORTAL]);
        Ended::of(command.args(more).arg(device)).exits(0);
    };
    install(&[], &two);
    install(&["--profile-list", "aaaa"], &world.target());
    world.renew();
    install(&["--profile-list", "aaaa"], &world.target());
    run(&world, &["verify"]).exits(15);
    run(&world, &["retry", "--now"]).exits(0);
    assert_eq!(common::world::served(&other), world.served());
}

#[tokio::test]
async fn certmongers_command_is_told_of_and_changed_where_that_is_wanted() {
    let bus = Bus::with_certmonger().await;
    let (one, two) = (second_device(), second_device());
    pki::write(&bus.path(".panrc"), format!("api_key={KEY}\n").as_bytes(), 0o600);
    let mut ask = Command::new(env!("CARGO_BIN_EXE_pan_getcert"));
    ask.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    ask.args(["-c", NAME, "--session-bus", "--ca", "local", "--timeout", "60", "--insecure", "-p", PORTAL]);
    ask.arg("-k").arg(bus.path(".panrc")).arg("-C").arg(bus.folder.path()).arg("-K").arg(bus.folder.path());
    ask.arg("--log-file").arg(bus.path("log")).arg("--state-dir").arg(bus.path("state"));
    let (first, second) = (one.address().to_string(), two.address().to_string());
    Ended::of(ask.args([&first, &second])).exits(0);

    let forget = |arguments: &[&str]| {
        let mut command = certctl(&bus.path("state"), &bus.path("log"), &["forget", NAME, "--yes"]);
        Ended::of(command.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).args(arguments))
    };
    let status = |code: i32| {
        let mut command = certctl(&bus.path("state"), &bus.path("log"), &["status", "--session-bus"]);
        Ended::of(command.env("DBUS_SESSION_BUS_ADDRESS", bus.address())).exits(code)
    };
    let post_save = || async { bus.getcert().list().await.unwrap().requests.remove(0).post_save.unwrap() };
    let before = post_save().await;
    assert!(before.ends_with(&format!("{first} {second}")), "{before}");

    let ended = forget(&["--untrack-device"]).exits(1);
    assert!(
        ended.stderr.contains("no device would be left") && ended.stderr.contains("stop-tracking"),
        "{ended:#?}"
    );
    assert_eq!(post_save().await, before);
    status(0).says("1 certificate on 2 devices: all installed.");

    forget(&["--profile", PORTAL, "--device", &first])
        .exits(0)
        .says("names 'GP portal': the next renewal binds it again");
    forget(&["--device", &second, "--untrack-device"]).exits(0).says("does not name it any more");
    let after = post_save().await;
    assert_eq!(after, before.replace(&format!(" {second}"), ""));

    // Only the record: the certificate is still renewed for the device, and status misses the record.
    let ended = forget(&["--device", &first]).exits(0);
    assert!(ended.stdout.contains("post-save command is unchanged and names"), "{ended:#?}");
    assert_eq!(post_save().await, after);
    let ended = status(10).says("1 certificate of certmonger's without a record");
    assert!(ended.stderr.contains("there is no record of it"), "{ended:#?}");
}

#[test]
fn what_was_delivered_meanwhile_is_not_forgotten_as_if_it_had_not_been() {
    let mut slow = common::world::settings();
    slow.commit_duration = std::time::Duration::from_millis(2500);
    let world = World::with(slow);
    let mut install = world.command();
    install.args(["-p", PORTAL]).arg(world.target()).stdin(Stdio::null()).stdout(Stdio::null());
    let mut running = install.spawn().unwrap();
    let record = world.path("state").join("installations").join(world.target()).join("shared");
    let record = record.join(format!("{NAME}.json"));
    let commits = || std::fs::read_to_string(&record).is_ok_and(|text| !text.contains("\"job\": null"));
    assert!(common::trouble::wait_until(commits));
    let ended = run(&world, &["forget", NAME, "--yes"]);
    assert!(running.wait().unwrap().success());
    let ended = ended.exits(1).says("It has not been delivered yet").says("has changed meanwhile");
    assert!(ended.stderr.contains("run it again") && !ended.stdout.contains("is forgotten"), "{ended:#?}");
    assert_eq!(certificates(&world).len(), 1);
    run(&world, &["forget", NAME, "--yes"]).exits(0).says("is forgotten");
}
