//! Which runs are shown.

use chrono::{TimeDelta, Utc};

use crate::common::world::Ended;
use crate::support::{Shelf, command, failed, run};

fn support() -> Shelf {
    Shelf::with(
        [
            run("2026-11-20 05:00:00", "a.example.com", "fw1.example.com", 1.0),
            failed("2026-11-21 05:00:00", "a.example.com", "fw2.example.com:8443", "no"),
            run("2026-11-22 05:00:00", "b.example.com", "fw2.example.com", 2.0),
            failed("2026-11-22 23:59:59", "b.example.com", "fw22.example.com", "no"),
            run("2026-11-23 05:00:00", "b.example.com", "fw1.example.com", 3.0),
        ]
        .concat(),
    )
}

#[test]
fn each_filter_leaves_what_it_says_and_several_are_combined() {
    let support = support();
    let days = |arguments: &[&str]| -> Vec<String> {
        let runs = support.runs(arguments);
        runs.iter().map(|run| run["begun"].as_str().unwrap()[8..10].to_owned()).collect()
    };
    assert_eq!(days(&[]), ["20", "21", "22", "22", "23"]);
    assert_eq!(days(&["--cert", "A.example.com"]), ["20", "21"]);
    assert_eq!(days(&["--device", "FW2.example.com"]), ["21", "22"], "on any port");
    assert_eq!(days(&["--device", "fw2.example.com:8443"]), ["21"]);
    assert_eq!(days(&["--failed"]), ["21", "22"]);
    assert_eq!(days(&["--since", "2026-11-22"]), ["22", "22", "23"]);
    assert_eq!(days(&["--since", "2026-11-22 05:01"]), ["22", "23"]);
    assert_eq!(days(&["--since", "2026-11-22T06:00:00+01:00"]), ["22", "22", "23"]);
    assert_eq!(days(&["--until", "2026-11-22"]), ["20", "21", "22", "22"], "the whole day");
    assert_eq!(days(&["--until", "2026-11-22 05:00"]), ["20", "21", "22"]);
    assert_eq!(days(&["--since", "2026-11-22", "--until", "2026-11-22", "--failed"]), ["22"]);
    assert_eq!(days(&["-n", "2"]), ["22", "23"], "the last ones");
    assert_eq!(days(&["-n", "1", "--cert", "a.example.com"]), ["21"], "the last ones of those wanted");
}

#[test]
fn durations_count_back_from_now() {
    let at = |ago: TimeDelta| (Utc::now() - ago).format("%Y-%m-%d %H:%M:%S").to_string();
    let ages = [TimeDelta::days(8), TimeDelta::hours(13), TimeDelta::minutes(31), TimeDelta::minutes(5)];
    let support = Shelf::with(ages.map(|ago| run(&at(ago), "a.example.com", "fw1", 1.0)).concat());
    for (since, count) in [("30m", 1), ("12h", 2), ("7d", 3), ("2weeks", 4)] {
        assert_eq!(support.runs(&["--since", since]).len(), count, "{since}");
    }
    assert_eq!(support.runs(&["--since", "7d", "--until", "30m"]).len(), 2);
}

#[test]
fn twenty_runs_are_shown_unless_more_are_wanted() {
    let runs: Vec<String> =
        (0..50).map(|i| run(&format!("2026-11-22 05:{i:02}:00"), "a", "fw1", f64::from(i))).collect();
    let support = Shelf::with(runs.concat());
    assert_eq!(support.runs(&[]).len(), 20);
    assert_eq!(support.runs(&[])[0]["seconds"]["total"], 30.0);
    assert_eq!(support.runs(&["-n", "1000"]).len(), 50);
    assert_eq!(support.shows(&["--last", "3"]).stdout.lines().count(), 4);
}

#[test]
fn names_that_stand_in_no_run_are_an_error_that_says_what_there_is() {
    let support = support();
    for (arguments, wanted) in [
        (&["--device", "fw9"][..], "--device fw9"),
        (&["--device", "fw2.example"], "--device fw2.example"),
        (&["--cert", "example.com"], "--cert example.com"),
        (&["--cert", "example.com", "--failed", "--since", "1d"], "--cert example.com"),
        (&["--cert", "a.example.com", "--device", "fw22.example.com"], "--cert a.example.com --device fw22"),
    ] {
        for more in [&[][..], &["--json"], &["--chart"]] {
            let ended = Ended::of(command(&support.log()).args(arguments).args(more)).exits(1);
            assert_eq!(ended.stdout, "");
            ended
                .says(&format!("nothing matches {wanted}"))
                .says("there is: a.example.com on fw1.example.com, ");
        }
    }
}

#[test]
fn that_no_run_is_found_is_said_and_no_failure() {
    // A name that is right, at a time or with an end that no run had.
    let never = ["--device", "fw1.example.com", "--failed", "--until", "2026-11-20"];
    for (support, arguments) in
        [(Shelf::with(""), &[][..]), (support(), &never), (support(), &["--since", "2026-11-24"])]
    {
        let ended = support.shows(arguments);
        assert!(ended.stdout.starts_with("No matching runs in ") && ended.stderr.is_empty(), "{ended:#?}");
        assert_eq!(support.runs(arguments).len(), 0);
    }
}

#[test]
fn arguments_that_are_not_valid_are_refused() {
    let support = support();
    for (arguments, code, says) in [
        (&["--since", "yesterday"][..], 1, "7d, 12h, 30m"),
        (&["--since", "2026-11-22", "--until", "2026-11-21"], 1, "--since is later than --until"),
        (&["-n", "0"], 1, "0 is not in 1..=10000"),
        (&["-n", "10001"], 1, "not in 1..=10000"),
        (&["--device", "fw 1"], 4, "not a valid device name"),
        (&["--json", "--chart"], 1, "cannot be used with"),
        (&["more"], 1, "unexpected argument"),
    ] {
        let ended = Ended::of(command(&support.log()).args(arguments)).exits(code).says(says);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}
