//! The worker: what is pending is delivered when its time has come, and told when it can't be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
#[path = "worker/verified.rs"]
mod verified;

use std::process::{Command, Stdio};

use common::world::{Ended, GATEWAY, NAME, PORTAL, World, print, settings};
use panos_sim::{Fault, Simulator, What, When};
use serde_json::Value;

/// `pan_certctl` with the usual folders.
fn certctl(world: &World, arguments: &[&str]) -> Ended {
    Ended::of(&mut certctl_command(world, arguments))
}

fn certctl_command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pan_certctl"));
    command.arg("--log-file").arg(world.path("log")).arg("--state-dir").arg(world.path("state"));
    command.arg("--config").arg(world.path("config.toml"));
    command.args(arguments).env_clear().env("TZ", "UTC");
    command
}

fn world() -> World {
    let world = World::new();
    configure(&world, "");
    world
}

/// The worker's configuration; without any other words.
fn configure(world: &World, text: &str) {
    common::pki::write(&world.path("config.toml"), text.as_bytes(), 0o600);
}

fn queued(world: &World) -> usize {
    std::fs::read_dir(world.path("state/queue")).map_or(0, |entries| entries.count())
}

/// Lets the time of the next try come.
fn make_due(world: &World) {
    let path =
        world.path("state/installations").join(world.target()).join("shared").join(format!("{NAME}.json"));
    let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    record["next_attempt"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(path, record.to_string()).unwrap();
}

fn away() -> Fault {
    Fault::new(When::Always, What::Close).times(u32::MAX)
}

#[test]
fn what_is_queued_is_delivered_by_the_worker_and_nobody_was_spoken_to_before() {
    let world = world();
    world.install(&["-p", PORTAL, "--queue"]).exits(0).says("is queued");
    assert_eq!((queued(&world), world.device.connections()), (1, 0));
    assert!(!world.path("log").exists(), "nothing was begun");
    certctl(&world, &["retry"]).exits(0).says("installed the certificate 'gp.example.com' in 'GP portal'");
    assert_eq!(queued(&world), 0);
    assert_eq!(world.record()["state"]["is"], "installed");
    let record = world.record();
    for (what, ending) in [("certificate", "crt"), ("key", "key")] {
        assert_eq!(record["spec"]["files"][what], world.path(&format!("{NAME}.{ending}")).to_str().unwrap());
    }
    assert_eq!(record["spec"]["requested_by"]["uid"], rustix::process::getuid().as_raw());
    assert!(world.served().is_some());
    certctl(&world, &["retry"]).exits(0).says("Nothing is due.");
    certctl(&world, &["retry", "--now"]).exits(0).says("Nothing is pending.");
}

#[test]
fn a_device_that_is_away_is_tried_again_when_it_is_time_and_not_before() {
    let world = world();
    world.device.inject(away());
    world.install(&["-p", PORTAL]).exits(4);
    let record = world.record();
    assert_eq!((&record["state"]["is"], &record["failures"]), (&"failed".into(), &1.into()));
    assert!(record["pending_since"].is_string() && record["next_attempt"].is_string());
    world.device.clear_faults();
    world.device.clear_requests();
    certctl(&world, &["retry"]).exits(0).says("Nothing is due.");
    assert_eq!(world.device.requests().len(), 0);
    make_due(&world);
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
    let record = world.record();
    assert_eq!((&record["pending_since"], &record["next_attempt"]), (&Value::Null, &Value::Null));
    assert_eq!(record["history"].as_array().unwrap().len(), 2);
    assert_eq!(record["history"][0]["problem"]["exit"], 4);
}

#[test]
fn a_certificate_that_was_renewed_while_it_was_pending_is_delivered_in_its_newest_form() {
    let world = world();
    world.device.inject(away());
    world.install(&["-p", PORTAL]).exits(4);
    world.device.clear_faults();
    let newest = world.renew();
    certctl(&world, &["retry", "--now"]).exits(0);
    assert_eq!(world.served(), Some(print(&newest.certificate)));
    assert_eq!(world.record()["spec"]["certificate"]["fingerprint"], print(&newest.certificate));
}

#[test]
fn the_words_of_an_order_and_the_configuration_of_the_day_are_what_counts() {
    let world = world();
    let config = world.path("devices.toml");
    let write = |text: &str| common::pki::write(&config, text.as_bytes(), 0o600);
    let of_device = |text: &str| write(&format!("[device.\"{}\"]\n{text}\n", world.target()));
    of_device("profile = 'GP gatway'");
    world.install(&["--config", config.to_str().unwrap()]).exits(13);
    certctl(&world, &["retry", "--now"]).exits(13);
    of_device(&format!("profile = '{GATEWAY}'"));
    certctl(&world, &["retry", "--now"]).exits(0);
    let bound = format!("<entry name=\"{GATEWAY}\"><certificate>{NAME}<");
    assert!(world.device.running_xml().replace('\n', "").contains(&bound), "{}", world.device.running_xml());
    // What can't be read any more is told, and waits.
    world.renew();
    world.install(&["--config", config.to_str().unwrap(), "--queue"]).exits(0);
    write("[device");
    certctl(&world, &["retry"]).exits(1).says("line 1");
    std::fs::remove_file(&config).unwrap();
    certctl(&world, &["retry", "--now"]).exits(1).says("no such file");
    of_device(&format!("profile = '{GATEWAY}'"));
    certctl(&world, &["retry", "--now"]).exits(0);
}

#[test]
fn a_slow_device_holds_up_no_other() {
    let (slow, fast) = (world(), Simulator::start(settings()).unwrap());
    slow.device.inject(Fault::new(When::Always, What::Silence).times(u32::MAX));
    slow.install(&["-p", PORTAL, "--queue"]).exits(0);
    let mut worker = certctl_command(&slow, &["retry"]).stdout(Stdio::null()).spawn().unwrap();
    assert!(common::trouble::wait_until(|| !slow.device.requests().is_empty()), "the slow one is spoken to");
    let address = fast.address().to_string();
    let mut order = slow.bare_command();
    order.args(["-k", slow.path(".panrc").to_str().unwrap(), "--pin", &fast.certificate_fingerprint()]);
    Ended::of(order.args(["-p", PORTAL, "--queue", &address])).exits(0);
    assert!(common::trouble::wait_until(|| common::world::served(&fast).is_some()), "the fast one is served");
    assert!(worker.try_wait().unwrap().is_none(), "the worker is still with the slow one");
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[test]
fn ten_thousand_failures_are_a_few_lines() {
    let world = world();
    world.device.inject(away());
    for _ in 0..3 {
        world.install(&["-p", PORTAL]).exits(4);
    }
    let before = world.log().len();
    for _ in 3..40 {
        world.install(&["-p", PORTAL]).exits(4);
    }
    let log = world.log();
    let again = log[before..].iter().filter(|line| line.contains("the same failure for the")).count();
    assert_eq!((again, log.len() - before), (4, 4), "the 4th, 8th, 16th and 32nd: {:#?}", &log[before..]);
    assert!(log.last().unwrap().contains("for the 32th time since 20"), "{:?}", log.last());
    assert_eq!(world.record()["failures"], 40);
    // Ten thousand of them have 14 such lines, each as long as this one or a little longer.
    let longest = log[before..].iter().map(String::len).max().unwrap();
    let all = std::fs::metadata(world.path("log")).unwrap().len() as usize + 14 * (longest + 40);
    assert!(all < 2 << 20, "{all} bytes");
    // Another failure is news, and so is the end of it.
    world.device.clear_faults();
    world.install(&["-p", "GP gatway"]).exits(13);
    assert!(world.log().iter().any(|line| line.contains("'GP gatway' does not exist")));
    world.install(&["-p", PORTAL]).exits(0);
    assert!(world.log().last().unwrap().starts_with("Phase times"));
}

/// A command that notes what it is told.
fn notifier(world: &World) -> String {
    let script = "#!/bin/sh\n{ echo \"$PAN_EVENT $1 $PAN_CERTIFICATE $PAN_EXIT\"; env | sort; } >> \"$2\"\n";
    let path = world.path("tell");
    common::programs::write(&path, script);
    let told = world.path("told");
    format!("on_failure = ['{}', 'a b;c', '{}']\ntell_after = 2\n", path.display(), told.display())
}

fn told(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("told")).unwrap_or_default();
    text.lines().filter(|line| line.contains("a b;c")).map(str::to_owned).collect()
}

#[test]
fn persistent_failure_notifies_once_and_recovery_once() {
    let world = world();
    configure(&world, &notifier(&world));
    world.device.inject(away());
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(4);
    assert!(told(&world).is_empty(), "one failure does not last");
    for _ in 0..3 {
        certctl(&world, &["retry", "--now"]).exits(4);
    }
    assert_eq!(told(&world), [format!("failure a b;c {NAME} 4")]);
    world.device.clear_faults();
    certctl(&world, &["retry", "--now"]).exits(0);
    certctl(&world, &["retry", "--now"]).exits(0);
    assert_eq!(told(&world).len(), 2);
    assert!(told(&world)[1].starts_with("recovered"));
    let environment = std::fs::read_to_string(world.path("told")).unwrap();
    for fact in [
        "PAN_DEVICE=127.0.0.1:",
        "PAN_PENDING_SINCE=20",
        "PAN_OWED_SINCE=20",
        "PAN_PROBLEM=",
        "PAN_NEXT_TRY=20",
        "PAN_INSTALLED_UNTIL=20",
    ] {
        assert!(environment.contains(fact), "no {fact} in {environment}");
    }
    assert!(!environment.contains("TZ=") && !environment.contains(common::world::KEY));
}

/// A worker that is stopped while it has the device, and killed at the end.
struct Stopped(std::process::Child);

impl Stopped {
    fn with(world: &World) -> Self {
        world.device.clear_requests();
        world.device.inject(Fault::new(When::Always, What::Silence).times(u32::MAX));
        let worker = certctl_command(world, &["retry"]).stdout(Stdio::null()).spawn().unwrap();
        let stopped = Self(worker);
        assert!(
            common::trouble::wait_until(|| !world.device.requests().is_empty()),
            "it speaks to the device"
        );
        stopped.signal(rustix::process::Signal::STOP);
        let line = format!("/proc/{}/stat", stopped.0.id());
        let is_stopped = || std::fs::read_to_string(&line).unwrap().contains(") T ");
        assert!(common::trouble::wait_until(is_stopped), "it is stopped");
        stopped
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_stopped_process_that_keeps_the_device_is_told_of_once_and_so_is_its_end() {
    let world = world();
    configure(&world, &format!("lock_wait = '2s'\n{}", notifier(&world)));
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let stopped = Stopped::with(&world);
    let (device, process) = (world.target(), stopped.0.id());
    // The unit calls this code a failure.
    let ended = certctl(&world, &["retry"]).exits(1);
    for says in [
        format!(
            "another process works on {device} and has not finished within 2 seconds: process {process}, since 20"
        ),
        "which is stopped".to_owned(),
        format!("kill -CONT {process}"),
    ] {
        assert!(ended.stderr.contains(&says), "no '{says}' in {ended:#?}");
    }
    let noted = |world: &World| {
        let log = world.log();
        log.iter().filter(|line| line.contains(&format!("process {process}, since 20"))).count()
    };
    assert_eq!(noted(&world), 1, "{:#?}", world.log());
    assert_eq!(told(&world), [format!("failure a b;c {NAME} 1")]);
    certctl(&world, &["retry"]).exits(1);
    assert_eq!((noted(&world), told(&world).len()), (1, 1), "the same process is told of once");
    // Whoever installs by hand does not wait for ever either; the order stays.
    let config = world.path("config.toml");
    world.install(&["--config", config.to_str().unwrap(), "-p", PORTAL]).exits(1).says("is stopped");
    assert_eq!(queued(&world), 1);
    drop(stopped);
    world.device.clear_faults();
    certctl(&world, &["retry"]).exits(0).says("installed the certificate");
    assert_eq!(told(&world)[1..], [format!("recovered a b;c {NAME} ")]);
}

#[test]
fn a_device_that_a_stopped_process_keeps_holds_up_no_other() {
    let (stuck, other) = (world(), Simulator::start(settings()).unwrap());
    configure(&stuck, "lock_wait = '1s'\n");
    stuck.install(&["-p", PORTAL, "--queue"]).exits(0);
    let _stopped = Stopped::with(&stuck);
    let mut order = stuck.bare_command();
    order.args(["-k", stuck.path(".panrc").to_str().unwrap(), "--pin", &other.certificate_fingerprint()]);
    Ended::of(order.args(["-p", PORTAL, "--queue", &other.address().to_string()])).exits(0);
    certctl(&stuck, &["retry"]).exits(20).says("another process works on");
    assert!(common::world::served(&other).is_some(), "the other one is served");
    let looked = certctl(&stuck, &["verify"]).exits(1).says("another process works on");
    let is_row = |line: &str| line.starts_with(&stuck.target()) && line.contains("  failed (1)  ");
    assert!(looked.stdout.lines().any(is_row), "{looked:#?}");
    let told = format!("\"troubles\":[{{\"device\":\"{}\",\"exit\":1,", stuck.target());
    certctl(&stuck, &["verify", "--json"]).exits(1).says(&told);
}

#[test]
fn lock_wait_is_a_length_of_time_that_the_unit_has() {
    let world = world();
    for wait in ["'0s'", "'3h'", "'x'", "5", "''"] {
        configure(&world, &format!("lock_wait = {wait}\n"));
        certctl(&world, &["retry"]).exits(1).says("line 1, column 13");
    }
}

#[test]
fn operator_errors_notify_immediately_and_retry_rarely() {
    let world = world();
    configure(&world, &notifier(&world));
    world.install(&["-p", "GP gatway", "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(13);
    assert_eq!(told(&world), [format!("failure a b;c {NAME} 13")]);
    let record = world.record();
    let time = |name: &str| chrono::DateTime::parse_from_rfc3339(record[name].as_str().unwrap()).unwrap();
    let gap = time("next_attempt") - time("pending_since");
    assert!((700..=730).contains(&gap.num_minutes()), "{gap}");
}

#[test]
fn in_the_journal_a_lasting_failure_is_one_line_with_its_priority() {
    let world = world();
    world.device.inject(away());
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let retry = || Ended::of(certctl_command(&world, &["retry", "--now"]).env("JOURNAL_STREAM", "8:1"));
    let lines: Vec<String> = (0..6).map(|_| retry().exits(4).stderr).collect();
    let loud: Vec<&String> = lines.iter().filter(|text| !text.is_empty()).collect();
    assert_eq!(loud.len(), 1, "{lines:?}");
    assert!(loud[0].starts_with("<3>127.0.0.1:") && loud[0].matches('\n').count() == 1, "{loud:?}");
    world.device.clear_faults();
    let end = retry().exits(0).stderr;
    assert!(end.starts_with("<5>127.0.0.1:") && end.contains("installed the certificate"), "{end}");
}

#[test]
fn a_configuration_that_others_can_write_is_not_believed() {
    let world = world();
    configure(&world, &notifier(&world));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(world.path("config.toml"), open).unwrap();
    certctl(&world, &["retry"]).exits(1).says("other users can change it (mode 0666)");
}

#[test]
fn a_record_that_can_not_be_read_is_kept_loudly_and_the_others_are_delivered() {
    let world = world();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let folder = world.path("state/installations").join(world.target()).join("shared");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.json"), "{\"version\": 1").unwrap();
    std::fs::write(folder.join("later.json"), "{\"version\": 3}").unwrap();
    certctl(&world, &["retry"]).exits(20).says("format 3");
    assert!(world.served().is_some());
    let log = world.log().join("\n");
    assert!(log.contains("broken.json") && log.contains("moved to "), "{log}");
    let names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| name.contains(".unreadable-")).count(), 1, "{names:?}");
    // What a later version wrote is where that version finds it.
    assert!(names.contains(&"later.json".to_owned()), "{names:?}");
    let said = certctl(&world, &["retry", "--now"]).exits(1).says("format 3").says("it is left as it is");
    assert!(!said.stdout.contains("Nothing is pending"), "{said:?}");
}

#[test]
fn a_commit_that_nobody_saw_the_end_of_is_looked_up_and_told_and_not_repeated() {
    let world = world();
    world.device.set_commit_duration(std::time::Duration::from_millis(400));
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let mut worker = certctl_command(&world, &["retry"]).stdout(Stdio::null()).spawn().unwrap();
    let path =
        world.path("state/installations").join(world.target()).join("shared").join(format!("{NAME}.json"));
    let noted = || std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"job\": \"2\""));
    let seen = common::trouble::wait_until(noted);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(seen, "the commit is noted");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let killed = record["run_id"].as_str().unwrap().to_owned();
    certctl(&world, &["retry"]).exits(0).says("already installed; nothing to do");
    // The run that was killed is named as it is found in the log: by its id, and by its beginning.
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let told = format!("Commit job 2 of an interrupted run ({killed}, begun ");
    let told = |line: &String| line.contains(&told) && line.ends_with(") succeeded.");
    assert!(world.log().iter().any(told), "{killed} {:#?}", world.log());
    assert_ne!(record["run_id"], killed.as_str());
    assert_eq!(world.device.commits(), 1);
}

#[tokio::test]
async fn getcert_waits_for_the_workers_result() {
    use pancert::delivery::watch::{Awaited, Following, Standing};
    use pancert::delivery::{InstallationKey, Queue};
    use panos_xmlapi::Location;
    let world = world();
    let state = world.path("state");
    let after = Queue::below(&state).last_number();
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    let key = InstallationKey {
        device: world.target().parse().unwrap(),
        location: Location::Shared,
        name: NAME.parse().unwrap(),
    };
    let (awaited, common_name) =
        ([Awaited { key, profiles: vec![PORTAL.parse().unwrap()] }], NAME.parse().unwrap());
    let pem = std::fs::read_to_string(world.path(&format!("{NAME}.crt"))).unwrap();
    let wanted = Some(pancert::certificate::fingerprint_of_pem(&pem).unwrap());
    let following = |seconds: u64| Following {
        state_dir: &state,
        awaited: &awaited,
        common_name: &common_name,
        after,
        wanted,
        deadline: tokio::time::Instant::now() + std::time::Duration::from_secs(seconds),
        show: &|_: &str| (),
    };
    let standings = following(0).to_the_end(None).await.unwrap();
    assert!(matches!(&standings[0].1, Standing::Open(doing) if doing == "in the queue"), "{standings:?}");
    let mut worker = certctl_command(&world, &["retry"]).stdout(Stdio::null()).spawn().unwrap();
    let standings = following(30).to_the_end(None).await.unwrap();
    assert!(matches!(&standings[0].1, Standing::Runs(_)), "{standings:?}");
    worker.wait().unwrap();
    // A renewal that can't be delivered now: told at once, with the time of the next try.
    world.renew();
    world.device.inject(away());
    world.install(&["-p", PORTAL, "--queue"]).exits(0);
    certctl(&world, &["retry"]).exits(4);
    let pem = std::fs::read_to_string(world.path(&format!("{NAME}.crt"))).unwrap();
    let wanted = Some(pancert::certificate::fingerprint_of_pem(&pem).unwrap());
    let standings = Following { wanted, ..following(30) }.to_the_end(None).await.unwrap();
    let Standing::Failed(problem) = &standings[0].1 else { panic!("{standings:?}") };
    assert!(
        problem.exit == pancert::error::Exit::Device && problem.what.contains("next attempt at"),
        "{problem}"
    );
}

#[test]
fn the_status_tells_what_was_seen_at_the_endpoints() {
    let world = world();
    world.install(&["-p", PORTAL, "--served", &world.device.service_address().to_string()]).exits(0);
    certctl(&world, &["status", "--no-certmonger"]).exits(0).says("as ordered, served");
}
