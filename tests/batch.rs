//! Many certificates for one device: one plan and one commit, and a bad one among them fails alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::pair::count;
use common::pki::{self, CertificateSpec, KeyKind};
use common::trouble::wait_until;
use common::world::{ADMINISTRATOR, Ended, NAME, PORTAL, World, settings};
use panos_sim::{Fault, Listening, Matcher, Profile, Settings, What, When};

const CERTIFICATES: usize = 20;

fn name(number: usize) -> String {
    format!("host{number}.example.com")
}

fn profile(number: usize) -> String {
    format!("profile {number}")
}

/// A device with a profile for each of twenty certificates, which are issued.
fn crowd(change: impl FnOnce(&mut Settings)) -> World {
    let mut settings = settings();
    settings.profiles = (0..CERTIFICATES).map(|number| Profile::unbound(&profile(number))).collect();
    settings.served_profile = Some(profile(0));
    change(&mut settings);
    let ca = pki::root("Example CA", KeyKind::P256);
    let world = World::of(panos_sim::Simulator::start(settings).unwrap(), ca);
    for number in 0..CERTIFICATES {
        let name = name(number);
        world.ca.issue(&CertificateSpec::named(&name).san(&name)).write(world.folder.path(), &name);
    }
    world
}

/// The program for one certificate, without trust and without devices.
fn command_for(world: &World, common_name: &str, profile: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_instcert"));
    command.args(["-b", "-c", common_name, "-p", profile]);
    for option in ["-C", "-K"] {
        command.arg(option).arg(world.folder.path());
    }
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.arg("-k").arg(world.path(".panrc"));
    command.env_clear().env("TZ", "UTC");
    command
}

/// The program for one of the twenty, in place.
fn command(world: &World, number: usize) -> Command {
    let mut command = command_for(world, &name(number), &profile(number));
    command.args(["--pin", &world.device.certificate_fingerprint()]);
    command.arg(world.target());
    command
}

fn queue(world: &World, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        Ended::of(command(world, number).arg("--queue")).exits(0);
    }
}

fn record(world: &World, common_name: &str) -> serde_json::Value {
    let folder = world.path("state").join("installations").join(world.target()).join("shared");
    let text = std::fs::read_to_string(folder.join(format!("{common_name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn orders(world: &World) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(world.path("state/queue")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[track_caller]
fn is_installed(world: &World, number: usize) {
    let record = record(world, &name(number));
    assert_eq!(record["state"]["is"], "installed", "{record:#} {:#?}", world.log());
    let bound = format!("<entry name=\"{}\"><certificate>{}</certificate>", profile(number), name(number));
    let running: String = world.device.running_xml().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(running.replace("> <", "><").contains(&bound), "{number}: {running}");
}

#[track_caller]
fn is_absent(world: &World, number: usize) {
    assert!(!world.device.running_xml().contains(&format!("name=\"{}\"", name(number))), "{number}");
    assert!(!world.device.candidate_xml().contains(&format!("name=\"{}\"", name(number))), "{number}");
}

#[test]
fn queued_installs_share_one_commit() {
    let world = crowd(|_| {});
    queue(&world, 1..CERTIFICATES);
    assert_eq!((orders(&world).len(), world.device.connections()), (CERTIFICATES - 1, 0));
    Ended::of(&mut command(&world, 0)).exits(0);
    assert_eq!(count(&world.device, "commit"), 1);
    // What is the same for all of them is asked for once.
    let asks = world.device.requests().into_iter().filter_map(|request| request.xpath);
    assert_eq!(asks.filter(|xpath| xpath.starts_with("/config/predefined/")).count(), 1);
    assert_eq!(orders(&world), Vec::<PathBuf>::new());
    (0..CERTIFICATES).for_each(|number| is_installed(&world, number));
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn twenty_programs_at_once_all_end_well_in_far_fewer_commits() {
    let world = crowd(|_| {});
    let begun = Instant::now();
    let children: Vec<_> = (0..CERTIFICATES)
        .map(|number| {
            let mut command = command(&world, number);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    (0..CERTIFICATES).for_each(|number| is_installed(&world, number));
    let commits = count(&world.device, "commit");
    // Those that come while the first one works are done together by the next.
    assert!((1..=CERTIFICATES / 2).contains(&commits), "{commits} commits");
    say(&format!("twenty programs at once: {commits} commits, {:.2} s", begun.elapsed().as_secs_f64()));
    assert_eq!(orders(&world), Vec::<PathBuf>::new());
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn those_that_come_while_a_commit_runs_are_done_together_by_the_next() {
    let world = crowd(|settings| settings.commit_duration = Duration::from_secs(4));
    let mut first = command(&world, 0).stdout(Stdio::null()).spawn().unwrap();
    assert!(wait_until(|| count(&world.device, "commit") == 1));
    let others: Vec<_> = (1..CERTIFICATES)
        .map(|number| command(&world, number).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    // All of them have given their orders before the first one's commit is over.
    assert!(wait_until(|| orders(&world).len() == CERTIFICATES - 1));
    world.device.set_commit_duration(Duration::from_millis(50));
    assert_eq!(first.wait().unwrap().code(), Some(0));
    for mut other in others {
        assert_eq!(other.wait().unwrap().code(), Some(0));
    }
    assert_eq!(count(&world.device, "commit"), 2, "{:#?}", world.log());
    (0..CERTIFICATES).for_each(|number| is_installed(&world, number));
}

#[test]
fn one_whose_profile_is_missing_fails_alone() {
    let world = crowd(|settings| drop(settings.profiles.remove(3)));
    queue(&world, 1..6);
    Ended::of(&mut command(&world, 0)).exits(0);
    assert_eq!(count(&world.device, "commit"), 1);
    [0, 1, 2, 4, 5].into_iter().for_each(|number| is_installed(&world, number));
    assert_eq!(record(&world, &name(3))["state"]["exit"], 13);
    is_absent(&world, 3);
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn one_whose_upload_is_refused_fails_alone() {
    let world = crowd(|_| {});
    queue(&world, 1..6);
    let body = b"<response status=\"error\"><msg><line>Import of certificate failed</line></msg></response>";
    let refusal = What::Body { content_type: "application/xml".into(), body: body.to_vec() };
    // The third upload in both of its forms.
    let third = When::Matching { matcher: Matcher::typed("import"), nth: 3 };
    world.device.inject(Fault::new(third, refusal).times(4));
    Ended::of(&mut command(&world, 0)).exits(0);
    assert_eq!(count(&world.device, "commit"), 1);
    let failed: Vec<usize> =
        (0..6).filter(|number| record(&world, &name(*number))["state"]["exit"] == 12).collect();
    assert_eq!(failed.len(), 1, "{:#?}", world.log());
    (0..6).filter(|number| !failed.contains(number)).for_each(|number| is_installed(&world, number));
    is_absent(&world, failed[0]);
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn one_whose_files_do_not_fit_fails_alone() {
    let world = crowd(|_| {});
    let other = world.ca.issue(&CertificateSpec::named(&name(2)).san(&name(2)));
    pki::write(&world.path(&format!("{}.key", name(2))), other.key_pem().as_bytes(), 0o600);
    queue(&world, 1..4);
    Ended::of(&mut command(&world, 0)).exits(0);
    assert_eq!(count(&world.device, "commit"), 1);
    [0, 1, 3].into_iter().for_each(|number| is_installed(&world, number));
    assert_eq!(record(&world, &name(2))["state"]["exit"], 10);
    is_absent(&world, 2);
}

#[test]
fn one_that_the_commit_names_as_invalid_is_tried_for_itself_after_the_others() {
    let world = crowd(|_| {});
    queue(&world, 1..6);
    let complaint = format!(" ssl-tls-service-profile -> {} is invalid", profile(4));
    world.device.fail_next_commit(&["Validation Error:", &complaint]);
    Ended::of(&mut command(&world, 0)).exits(0);
    (0..6).for_each(|number| is_installed(&world, number));
    // All together, then the five others, then the one.
    assert_eq!(count(&world.device, "commit"), 3, "{:#?}", world.log());
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn one_that_no_commit_accepts_fails_alone_with_its_own_code() {
    let world = crowd(|_| {});
    queue(&world, 1..4);
    let complaint = format!(" ssl-tls-service-profile -> {} is invalid", profile(2));
    let lines: [&str; 2] = ["Validation Error:", &complaint];
    world.device.fail_next_commit(&lines);
    let mut run = command(&world, 0).stdout(Stdio::null()).spawn().unwrap();
    // After the first commit has failed and the second one, of the others, has begun: the third fails again.
    assert!(wait_until(|| enqueued(&world) == 2));
    world.device.fail_next_commit(&lines);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    [0, 1, 3].into_iter().for_each(|number| is_installed(&world, number));
    let bad = record(&world, &name(2));
    assert_eq!((&bad["state"]["is"], &bad["state"]["exit"]), (&"failed".into(), &14.into()), "{bad:#}");
    is_absent(&world, 2);
    assert_eq!(world.device.pending_changes(), []);
}

/// The commits that the device has answered.
fn enqueued(world: &World) -> usize {
    let is_answered = |record: &&panos_sim::RequestRecord| {
        record.r#type.as_deref() == Some("commit") && record.status.is_some()
    };
    world.device.requests().iter().filter(is_answered).count()
}

#[test]
fn failing_certificate_is_found_by_bisection() {
    let world = crowd(|_| {});
    queue(&world, 1..4);
    world.device.fail_next_commit(&["Validation Error:", " something is invalid"]);
    Ended::of(&mut command(&world, 0)).exits(0);
    (0..4).for_each(|number| is_installed(&world, number));
    assert_eq!(count(&world.device, "commit"), 3, "{:#?}", world.log());
}

#[test]
fn queueing_contacts_no_device() {
    let world = crowd(|_| {});
    world.device.set_listening(Listening::Silent);
    let mut times: Vec<Duration> = (0..11)
        .map(|number| {
            let begun = Instant::now();
            queue(&world, [number]);
            begun.elapsed()
        })
        .collect();
    times.sort();
    say(&format!("an order takes {:.1} ms (median), {:.1} ms at most", ms(times[5]), ms(times[10])));
    assert_eq!((orders(&world).len(), world.device.connections()), (11, 0));
    assert!(!world.path("state/installations").exists());
    // 50 ms are meant, for the program that is built with optimisations on a machine with nothing else to do.
    assert!(times[5] < Duration::from_millis(250), "{times:?}");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Past the test harness, so that the numbers show in every run.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[test]
fn an_order_that_was_taken_over_before_its_file_was_removed_is_not_delivered_twice() {
    let world = crowd(|_| {});
    queue(&world, [0]);
    let file = orders(&world).remove(0);
    let order = std::fs::read(&file).unwrap();
    Ended::of(&mut command(&world, 1)).exits(0);
    is_installed(&world, 0);
    let before = record(&world, &name(0));
    // As a process leaves it that dies between the two.
    pki::write(&file, &order, 0o600);
    Ended::of(&mut command(&world, 1)).exits(0);
    assert_eq!(record(&world, &name(0)), before);
    assert_eq!(orders(&world), Vec::<PathBuf>::new());
    assert_eq!(count(&world.device, "commit"), 1);
}

#[test]
fn queued_install_survives_a_killed_worker() {
    let world = crowd(|_| {});
    queue(&world, 1..4);
    world.device.inject(Fault::new(When::request(Matcher::typed("commit")), What::Silence));
    let mut dying = command(&world, 0).stdout(Stdio::null()).spawn().unwrap();
    assert!(wait_until(|| count(&world.device, "commit") == 1));
    dying.kill().unwrap();
    dying.wait().unwrap();
    assert!(!world.device.pending_changes().is_empty());
    world.device.clear_faults();
    Ended::of(&mut command(&world, 0)).exits(0);
    (0..4).for_each(|number| is_installed(&world, number));
    assert_eq!(world.device.pending_changes(), []);
}

#[test]
fn a_slow_device_keeps_no_other_one_waiting() {
    let slow = crowd(|settings| settings.commit_duration = Duration::from_secs(600));
    let fast = World::with(settings());
    fast.ca.issue(&CertificateSpec::named(&name(0)).san(&name(0))).write(slow.folder.path(), &name(0));
    // One run for both, and one that comes later for the fast one alone.
    let mut both = command_for(&slow, &name(0), &profile(0));
    both.arg("--insecure").args([slow.target(), fast.target()]).stdout(Stdio::null()).stderr(Stdio::null());
    fast.device.add_pending_change(ADMINISTRATOR, PROFILES, &entry(&profile(0))).unwrap();
    fast.device.commit_as(ADMINISTRATOR);
    assert!(fast.device.wait_idle(Duration::from_secs(10)));
    let mut both = both.spawn().unwrap();
    assert!(wait_until(|| count(&slow.device, "commit") == 1 && enqueued(&fast) == 1));
    assert!(wait_until(|| fast.device.running_xml().contains(&name(0))));
    let begun = Instant::now();
    fast.install(&["-p", PORTAL]).exits(0);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(fast.device.running_xml().contains(NAME));
    assert!(!slow.device.running_xml().contains(&name(0)) && both.try_wait().unwrap().is_none());
    both.kill().unwrap();
    both.wait().unwrap();
}

const PROFILES: &str = "/config/shared/ssl-tls-service-profile";

fn entry(name: &str) -> String {
    format!(
        "<entry name=\"{name}\"><protocol-settings><min-version>tls1-2</min-version></protocol-settings></entry>"
    )
}
