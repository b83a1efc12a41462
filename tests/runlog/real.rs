//! What `pan_instcert` really wrote is read back as it was.

use std::process::Stdio;
use std::time::{Duration, Instant};

use panos_sim::{Fault, Matcher, Simulator, What, When};

use crate::common::world::{Ended, NAME, NOBODY, PORTAL, World, settings};
use crate::support::{command, in_short, runs_of};

#[test]
fn runs_that_ended_well_failed_or_were_left_to_a_person_are_told_as_they_were() {
    let world = World::new();
    let told = world.install(&["-p", PORTAL, "--json"]).exits(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    world.renew();
    let body = "<response status=\"error\" code=\"12\"><msg><line>no room</line></msg></response>";
    let what = What::Body { content_type: "application/xml".into(), body: body.into() };
    world.device.inject(Fault::new(When::request(Matcher::typed("import")), what).times(4));
    world.install(&["-p", PORTAL]).exits(12);
    world.install(&["-p", PORTAL, "--commit", "none"]).exits(0);

    let runs = runs_of(&world.path("log"), &[]);
    let device = world.target();
    let expected =
        ["ok", "failed", "left-to-commit"].map(|result| format!("{NAME} {device} {result}")).to_vec();
    assert_eq!(runs.iter().map(in_short).collect::<Vec<_>>(), expected);
    let problem = runs[1]["problem"].as_str().unwrap();
    assert!(problem.contains("no room") && !problem.starts_with(&device), "{problem}");
    assert_eq!(runs[0]["problem"], serde_json::Value::Null);
    let (before, now) = (&told["devices"][0]["seconds"], &runs[0]["seconds"]);
    assert_eq!(now.as_object().unwrap().len(), 7, "{now}");
    for (phase, seconds) in now.as_object().unwrap() {
        let off = seconds.as_f64().unwrap() - before[phase].as_f64().unwrap();
        assert!(off.abs() <= 0.000_6, "{phase}: {before} {now}");
    }

    let shown = Ended::of(&mut command(&world.path("log"))).exits(0);
    assert_eq!(shown.stderr, "");
    let rows: Vec<&str> = shown.stdout.lines().collect();
    assert!(rows[0].starts_with("begun") && rows[0].ends_with("result"), "{rows:#?}");
    assert!(rows[1].contains(&device) && rows[1].ends_with("  ok"), "{rows:#?}");
    assert!(rows[2].contains("  failed: ") && rows[2].contains("no room"), "{rows:#?}");
    assert!(rows[3].ends_with("  waiting for manual commit"), "{rows:#?}");
    assert_eq!(rows.len(), 4);
}

#[test]
fn devices_worked_on_at_once_are_told_apart() {
    let world = World::new();
    let others: Vec<Simulator> = (0..3).map(|_| Simulator::start(settings()).unwrap()).collect();
    let mut command = world.bare_command();
    command.args(["-k", world.path(".panrc").to_str().unwrap(), "--insecure", "-p", PORTAL]);
    command.arg(world.target()).args(others.iter().map(|other| other.address().to_string()));
    command.arg(NOBODY);
    Ended::of(&mut command).exits(20);
    let runs = runs_of(&world.path("log"), &[]);
    assert_eq!(runs.len(), 5);
    for device in others.iter().map(|other| other.address().to_string()).chain([world.target()]) {
        let run = runs.iter().find(|run| run["device"] == device.as_str()).expect(&device);
        assert_eq!(run["result"], "ok");
        assert!(run["seconds"]["commit"].as_f64().unwrap() > 0.0);
        assert_eq!(run["id"].as_str().unwrap().len(), 6);
    }
    assert_eq!(runs_of(&world.path("log"), &["--failed"])[0]["device"], NOBODY);
}

#[test]
fn a_run_that_was_killed_is_not_ended_and_the_next_one_is_whole() {
    let world = World::new();
    world.device.set_commit_duration(Duration::from_secs(60));
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.stdin(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !world.log().iter().any(|line| line.starts_with("Starting commit")) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no commit");
        std::thread::sleep(Duration::from_millis(5));
    }
    let seen = |running| {
        let state = world.path("state");
        let more = ["--state-dir", state.to_str().unwrap(), "--device", &world.target()];
        let found = runs_of(&world.path("log"), &more);
        // Its device is known from its beginning on.
        assert_eq!(in_short(&found[0]), format!("{NAME} {} not-ended", world.target()));
        assert_eq!(found[0]["running"], running, "{found:#?}");
        let shown = |chart: &[&str]| {
            let mut command = crate::support::command(&world.path("log"));
            Ended::of(command.args(more).args(chart)).exits(0).stdout
        };
        (shown(&[]), shown(&["--chart"]))
    };
    let (told, chart) = seen(serde_json::Value::Bool(true));
    assert!(told.trim_end().ends_with(&format!("  still running (process {})", running.id())), "{told}");
    assert!(chart.trim_end().ends_with("  still running"), "{chart}");
    running.kill().unwrap();
    running.wait().unwrap();
    let (told, chart) = seen(serde_json::Value::Bool(false));
    assert!(told.trim_end().ends_with("  killed: no end was written"), "{told}");
    assert!(chart.trim_end().ends_with("  killed"), "{chart}");
    // Where there is no state directory, nobody knows.
    assert_eq!(runs_of(&world.path("log"), &[])[0]["running"], serde_json::Value::Null);
    Ended::of(world.bare_command().args(["-k", "/nonexistent", "--insecure"]).arg(world.target())).exits(5);
    let runs = runs_of(&world.path("log"), &[]);
    let device = world.target();
    assert_eq!(
        runs.iter().map(in_short).collect::<Vec<_>>(),
        [format!("{NAME} {device} not-ended"), format!("{NAME} {device} failed")]
    );
    // The log alone tells by now: a device has one run at a time.
    assert_eq!(runs[0]["running"], false);
    assert_eq!(runs[0]["ended"], serde_json::Value::Null);
}

#[test]
fn a_run_that_gets_company_on_its_way_stays_one_run() {
    let world = World::new();
    world.device.set_commit_duration(Duration::from_secs(2));
    let mut command = world.command();
    command.args(["-p", PORTAL]).arg(world.target()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.stdin(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !world.log().iter().any(|line| line.starts_with("Starting commit")) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no commit");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ended::of(world.bare_command().args(["-k", "/nonexistent", "--insecure"]).arg("fw9.example.com"))
        .exits(5);
    assert!(running.wait().unwrap().success());
    let log = std::fs::read_to_string(world.path("log")).unwrap();
    assert!(!log.lines().next().unwrap().contains("]: ["), "it began alone: {log}");
    let runs = runs_of(&world.path("log"), &[]);
    let expected = [format!("{NAME} {} ok", world.target()), format!("{NAME} fw9.example.com failed")];
    assert_eq!(runs.iter().map(in_short).collect::<Vec<_>>(), expected, "{log}");
}
