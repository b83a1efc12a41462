//! What comes first, which exit code says what, and what can't be read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use pancert::delivery::Installation;
use pancert::error::Exit;
use pancert::install::result::Outcome;

use crate::common::programs;
use crate::common::world::Ended;
use crate::support::{Desk, PROGRAM, ago, installed, order, problem, profile};

#[test]
fn what_is_pending_for_too_long_ends_with_the_code_of_its_last_problem() {
    let support = Desk::new();
    support.installed("a.example.com", "fw1", 90);
    support.pending("b.example.com", "fw1", 23, 3, &problem(Exit::Commit, "no commit"));
    support.exits(0, &[]).says("2 certificates on 1 device: 1 pending.").says("failed 3 times: no commit");
    support.exits(14, &["--pending-for", "22h"]).says("1 pending, for longer than 22h.");
    // Its name in version 0.1.0.
    support.exits(14, &["--owed-for", "22h"]).says("1 pending, for longer than 22h.");
    support.pending("c.example.com", "fw2", 30, 1, &problem(Exit::Commit, "no commit"));
    support.exits(14, &[]).says("2 pending, 1 of them for longer than 24h.");
    support.exits(0, &["--pending-for", "2d"]);
    // Never tried: nobody knows why.
    support.pending("d.example.com", "fw2", 30, 0, &problem(Exit::Commit, ""));
    support.exits(20, &[]).says("not tried yet");
    support.exits(10, &["-c", "d.example.com"]);
    support.exits(14, &["-c", "c.example.com"]);
    support.exits(0, &["-c", "a.example.com"]);
}

#[test]
fn an_order_that_is_anew_is_pending_since_the_first_one_and_keeps_the_reason() {
    let support = Desk::new();
    let before = support.pending("a.example.com", "fw1", 40, 2, &problem(Exit::Busy, "fw1 is busy"));
    support.queue(&order("a.example.com", "fw1", Utc::now(), 90));
    support.exits(18, &[]).says("  40h ").says("in the queue; failed: fw1 is busy");
    let told = support.told(&[]);
    let since: chrono::DateTime<Utc> =
        told["installations"][0]["pending_since"].as_str().unwrap().parse().unwrap();
    assert!((since - before.pending_since.unwrap()).abs() < TimeDelta::seconds(2), "{told}");
    // One that was taken over already counts no more.
    let done = support.installed("b.example.com", "fw1", 90);
    support.queue(&done.spec);
    assert_eq!(support.told(&["-c", "b.example.com"])["summary"]["installed"], 1);
}

#[test]
fn what_has_expired_or_expires_soon_is_told_apart() {
    let support = Desk::new();
    support.installed("a.example.com", "fw1", 6);
    support.exits(10, &[]).says("installed; 1 expires within 7d.").says(" (6d)  as ordered  expires soon");
    support.exits(0, &["--expires-in", "6d"]);
    support.installed("b.example.com", "fw1", -3);
    support.exits(10, &["--expires-in", "1d"]).says("all installed; 1 has expired.").says("(expired)");
    support.exits(10, &["--expires-in", "14d"]).says("1 has expired; 1 expires within 14d.");
}

#[test]
fn numbers_of_certificates_and_of_installations_are_told_apart() {
    let support = Desk::new();
    for device in ["fw1", "fw2"] {
        support.installed("a.example.com", device, 6);
    }
    let busy = problem(Exit::Busy, "busy");
    support.pending("a.example.com", "fw3", 3, 1, &busy);
    let says = "1 certificate on 3 devices: 1 pending";
    let ended = support.exits(10, &["--pending-for", "9d"]).says(says);
    assert!(
        ended.stdout.contains("; 1 certificate expires within 7d.")
            || ended.stdout.contains("; 2 certificates expire within 7d."),
        "{ended:#?}"
    );
}

#[test]
fn what_needs_attention_comes_first() {
    let support = Desk::new();
    let busy = problem(Exit::Busy, "busy");
    support.installed("a.example.com", "fw1", 90);
    support.installed("b.example.com", "fw1", 80);
    support.installed("c.example.com", "fw1", 5);
    support.pending("d.example.com", "fw1", 3, 1, &busy);
    support.pending("e.example.com", "fw1", 5, 1, &busy);
    support.installed("f.example.com", "fw1", -1);
    support.pending("g.example.com", "fw1", 90, 1, &busy);
    let mut left = Installation::ingest(order("h.example.com", "fw1", ago(1), 90), None, ago(1));
    left.finish(&Outcome::AwaitingCommit { object: None }, &[profile("h.example.com")], &[], 1, ago(1));
    support.write(&left);
    let first_letters: String = support.names(&[]).iter().map(|name| &name[..1]).collect();
    assert_eq!(first_letters, "gfedchba");
}

#[test]
fn runs_that_were_interrupted_and_failures_that_nobody_owes_are_shown_as_such() {
    let support = Desk::new();
    let mut record = Installation::ingest(order("a.example.com", "fw1", ago(3), 90), None, ago(3));
    record.begin("00000c", ago(3));
    support.write(&record);
    support.exits(0, &[]).says("run started 3h ago, still running or interrupted");
    let mut given_up = Installation::ingest(order("b.example.com", "fw1", ago(3), 90), None, ago(3));
    given_up.begin("00000d", ago(3));
    given_up.finish(&problem(Exit::Rebind, "no such profile"), &[profile("b.example.com")], &[], 1, ago(3));
    (given_up.pending_since, given_up.next_attempt) = (None, None);
    support.write(&given_up);
    // Nobody tries it again, so somebody has to know.
    support.exits(13, &[]).says("1 pending; 1 failed.").says("failed: no such profile");
    assert_eq!(support.told(&["-c", "b.example.com"])["installations"][0]["state"], "failed");
}

#[test]
fn filters_select_by_certificate_and_device() {
    let support = Desk::new();
    for (name, device) in [("a", "fw1"), ("a", "fw2:8443"), ("b", "fw2"), ("c", "fw22")] {
        support.installed(&format!("{name}.example.com"), device, 90);
    }
    let count = |arguments: &[&str]| support.names(arguments).len();
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["-c", "A.example.com"]), 2);
    // A filter that leaves nothing is misspelt: an error, and what there is.
    support.exits(1, &["--cert", "example.com"]).says("there is: a.example.com on fw1");
    assert_eq!(count(&["--device", "FW2"]), 2, "on any port");
    assert_eq!(count(&["--device", "fw2:8443"]), 1);
    assert_eq!(count(&["--device", "fw2", "-c", "b.example.com"]), 1);
    let ended = support.exits(1, &["-c", "z.example.com", "--json"]);
    assert_eq!(ended.stdout, "");
    ended.says("nothing matches --cert z.example.com; there is: a.example.com on fw1, ");
    support.exits(1, &["--device", "fw9"]).says("nothing matches --device fw9; there is: ");
    support.exits(1, &["--device", "fw1", "-c", "b.example.com"]).says("nothing matches");
    support.exits(4, &["--device", "fw 1"]).says("not a valid device name");
}

#[test]
fn a_file_that_cannot_be_read_is_an_alarm_until_somebody_has_looked_at_it() {
    let support = Desk::new();
    support.installed("a.example.com", "fw1", 90);
    let broken = support.installed("b.example.com", "fw1", 90);
    fs::write(support.write(&broken), "{ broken").unwrap();
    let said = support
        .exits(1, &[])
        .says("1 certificate on 1 device: installed; 1 file in the state directory can't be read.");
    assert!(said.stderr.contains("b.example.com.json: ") && said.stderr.contains("moved to"), "{said:#?}");
    let again = support.exits(1, &[]).says("1 file in the state directory can't be read.");
    assert!(again.stderr.contains("inspect it, then delete it"), "{again:#?}");
    assert_eq!(again.stderr.lines().count(), 1, "{again:#?}");
    // In the queue as well; and together with something else it is one of several.
    fs::create_dir(support.state().join("queue")).unwrap();
    fs::write(support.state().join("queue/x.json"), "").unwrap();
    support.exits(1, &[]).says("2 files in the state directory can't be read.");
    support.exits(20, &["--expires-in", "1y"]);
    support.exits(1, &["-c", "z.example.com"]).says("No matching certificates; 2 files");
    let folder = support.state().join("installations/fw1");
    let left = [folder.join("shared"), support.state().join("queue")];
    for entry in left.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("unreadable") {
            fs::remove_file(path).unwrap();
        }
    }
    support.exits(0, &[]).says("1 certificate on 1 device: installed.");
}

#[test]
fn a_folder_that_is_missing_or_empty_has_nothing_in_it_and_is_not_made() {
    let support = Desk::new();
    assert_eq!(support.exits(0, &[]).stdout, "No installations yet.\n");
    assert!(!support.state().exists());
    assert_eq!(support.told(&[])["installations"], serde_json::json!([]));
    fs::create_dir(support.state()).unwrap();
    assert_eq!(support.exits(0, &[]).stdout, "No installations yet.\n");
    assert_eq!(fs::read_dir(support.state()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_with_what_to_do() {
    let support = Desk::new();
    fs::write(support.state(), "a file").unwrap();
    // Root is not told to become root.
    let advice =
        if rustix::process::geteuid().is_root() { "mode and file system" } else { "run it with sudo" };
    let ended = support.exits(1, &[]).says(advice);
    assert_eq!(ended.stdout, "");
    fs::remove_file(support.state()).unwrap();

    support.installed("a.example.com", "fw1", 90);
    fs::set_permissions(support.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = support.path("pan_certctl");
    programs::place(PROGRAM, &program);
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(support.state(), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let mut words = vec![program.to_str().unwrap()];
    if rustix::process::geteuid().is_root() {
        words.splice(0..0, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let metrics = support.path("x.prom");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("status").arg("--state-dir").arg(support.state());
    let ended = Ended::of(command.arg("--prometheus").arg(&metrics)).exits(1).says("run it with sudo");
    assert!(ended.stderr.contains("Permission denied") && ended.stdout.is_empty(), "{ended:#?}");
    assert!(!metrics.exists());
    fs::set_permissions(support.state(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn arguments_that_are_not_valid_are_refused() {
    let support = Desk::new();
    for (arguments, says) in [
        (&["--pending-for", "soon"][..], "36h, 14d"),
        (&["--expires-in", "7"], "36h, 14d"),
        (&["--session-bus", "--no-certmonger"], "cannot be used with"),
        (&["--prometheus", "x", "-c", "a"], "cannot be used with"),
        (&["--prometheus", "x", "--device", "a"], "cannot be used with"),
        (&["more"], "unexpected argument"),
    ] {
        let mut command = crate::support::command(&support.state());
        let ended = Ended::of(command.args(arguments)).exits(1).says(says);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn what_a_device_said_steers_no_terminal() {
    let support = Desk::new();
    let nasty = "\u{1b}[2J\u{9b}31m\u{202e}\nEND";
    support.pending("a.example.com", "fw1", 1, 1, &problem(Exit::Upload, nasty));
    let mut other = Installation::ingest(order("b.example.com", "fw1", ago(1), 90), None, ago(1));
    other.finish(&installed("b_1"), &[profile("b.example.com")], &[], 1, ago(1));
    support.write(&other);
    for arguments in [&[][..], &["--json"]] {
        let shown = support.exits(0, arguments).stdout;
        let harmful = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(harmful), "{shown:?}");
        assert!(arguments.is_empty() == shown.contains("b.example.com (b_1)"), "{shown}");
    }
    assert_eq!(support.exits(0, &[]).stdout.lines().count(), 4);
}
