//! Logs as they come: of several runs at once, of the older scripts, broken, forged, and large.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::common::programs;
use crate::common::world::Ended;
use crate::support::{PROGRAM, Shelf, failed, lines, run};

#[test]
fn interleaved_runs_with_several_certificates_are_told_apart_by_their_ids() {
    let support = Shelf::with(lines(&[
        "05:00:00 [00000a]: START of pan_instcert.",
        "05:00:00 [00000b]: START of pan_instcert.",
        "05:00:00 [00000a]: Certificate Common Name: a.example.com",
        "05:00:00 [00000b]: Certificate Common Name: b.example.com",
        "05:00:00 [00000a]: Certificate Common Name: c.example.com",
        "05:00:01 [00000b]: ERROR: which profile is used can't be read: no",
        "05:00:01 [00000b]: ERROR: fw2: refused",
        "05:00:01 [00000b]: ERROR: fw2: ask somebody",
        "05:00:02 [00000a]: END - Finished certificate installation to: fw1",
        "05:00:02 [00000b]: Phase times: connect 1.000 s, total 2.000 s",
        "05:00:02 [00000a]: Phase times: connect 3.000 s, total 4.000 s",
    ]));
    assert_eq!(support.in_short(&[]), ["a.example.com+c.example.com fw1 ok", "b.example.com fw2 failed"]);
    let runs = support.runs(&[]);
    assert_eq!((&runs[0]["id"], &runs[1]["id"]), (&"00000a".into(), &"00000b".into()));
    assert_eq!((&runs[0]["seconds"]["total"], &runs[1]["seconds"]["connect"]), (&4.0.into(), &1.0.into()));
    assert_eq!(runs[1]["problem"], "refused", "not what went wrong before, and not the advice");
}

#[test]
fn five_hundred_runs_at_once_are_all_told_apart() {
    let each = |text: &str| (0..500).map(|id| format!("05:00:00 [{id:06x}]: {text}")).collect::<Vec<_>>();
    let mut all = each("START of pan_instcert.");
    all.extend(each("Certificate Common Name: gp.example.com"));
    all.extend(each("END - Finished certificate installation to: fw1"));
    all.extend(each("Phase times: total 4.000 s"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let told = Shelf::with(lines(&all)).in_short(&["-n", "1000"]);
    assert_eq!(told, vec!["gp.example.com fw1 ok"; 500]);
}

#[test]
fn a_run_shows_its_id_only_while_it_is_not_alone() {
    let support = Shelf::with(lines(&[
        "05:00:00 START of pan_instcert.",
        "05:00:00 Certificate Common Name: a.example.com",
        "05:00:01 [00000b]: START of pan_instcert.",
        "05:00:01 [00000b]: Certificate Common Name: b.example.com",
        "05:00:02 [00000a]: Starting commit, please be patient.",
        "05:00:03 [00000a]: END - Finished certificate installation to: fw1",
        "05:00:03 [00000a]: Phase times: total 3.000 s",
        "05:00:04 END - Finished certificate installation to: fw2",
        "05:00:04 Phase times: total 4.000 s",
    ]));
    assert_eq!(support.in_short(&[]), ["a.example.com fw1 ok", "b.example.com fw2 ok"]);
    assert_eq!(support.runs(&[])[1]["seconds"]["total"], 4.0);
}

#[test]
fn runs_without_an_end_are_told_as_such_also_where_an_id_comes_again() {
    let support = Shelf::with(lines(&[
        "05:00:00 START of pan_instcert.",
        "05:00:00 Certificate Common Name: a.example.com",
        "05:00:01 START of pan_instcert.",
        "05:00:01 Certificate Common Name: b.example.com",
        "05:00:01 END - Finished certificate installation to: fw1",
        "05:00:01 Phase times: total 1.000 s",
        "05:00:02 [00000c]: START of pan_instcert.",
        "05:00:03 [00000c]: START of pan_instcert.",
    ]));
    assert_eq!(
        support.in_short(&[]),
        ["a.example.com - not-ended", "b.example.com fw1 ok", " - not-ended", " - not-ended"]
    );
    assert!(
        support
            .shows(&[])
            .stdout
            .lines()
            .nth(1)
            .unwrap()
            .ends_with("  no end was written: killed or still running")
    );
}

#[test]
fn the_logs_of_the_older_scripts_tell_as_much_as_they_know() {
    let support = Shelf::with(lines(&[
        "05:00:00 START of pan_instcert.",
        "05:00:00 Certificate Common Name: a.example.com",
        "05:00:01 XML API output for keypair: <response status=\"success\"/>",
        "05:00:32 commit: success: \"Configuration committed successfully\"",
        "05:00:32 The commit took 31 seconds to complete.",
        "05:00:37 END - Finished certificate installation to: fw1.example.com",
        "05:59:59 ERROR: /var/lib/pan_getcert/x.json: broken; it is set aside",
        "06:00:00 START of pan_instcert.",
        "06:00:00 Certificate Common Name: b.example.com",
        "06:00:05 ERROR: The certificate could not be uploaded.",
        "07:00:00 START of pan_instcert.",
    ]));
    let runs = support.runs(&[]);
    assert_eq!(
        support.in_short(&[]),
        ["a.example.com fw1.example.com ok", "b.example.com - failed", " - not-ended"]
    );
    assert_eq!(runs[0]["seconds"], serde_json::json!({ "commit": 31.0, "total": 37.0 }));
    assert_eq!(runs[1]["seconds"], serde_json::json!({ "total": 5.0 }));
    assert_eq!(runs[1]["problem"], "The certificate could not be uploaded.");
    assert_eq!(runs[2]["seconds"], serde_json::json!({}));
}

#[test]
fn one_line_for_many_failures_is_one_row_with_their_number() {
    let again = |time: &str, times: &str| {
        format!(
            "{time} ERROR: fw1:8443: the same failure for the {times} time since 2026-11-21 05:00:00+00:00: no answer"
        )
    };
    let support = Shelf::with(lines(&[
        &again("05:00:00", "2nd"),
        "05:30:00 START of pan_instcert.",
        &again("06:00:00", "64th"),
        "06:30:00 END - Finished certificate installation to: fw2",
        "06:30:00 Phase times: total 0.500 s",
    ]));
    let runs = support.runs(&[]);
    assert_eq!(support.in_short(&[]), [" fw2 ok", " fw1:8443 failed"], "where its last run stands");
    assert_eq!((&runs[1]["times"], &runs[1]["problem"]), (&64.into(), &"no answer".into()));
    assert_eq!(
        (&runs[1]["begun"], &runs[1]["ended"]),
        (&"2026-11-21T05:00:00+00:00".into(), &"2026-11-22T06:00:00+00:00".into())
    );
    support.shows(&[]).says("failed 64 times, the last time 2026-11-22 06:00:00: no answer");
    assert_eq!(support.in_short(&["--since", "2026-11-22 05:45"]), [" fw1:8443 failed"]);
    assert_eq!(support.in_short(&["-n", "1"]), [" fw1:8443 failed"]);
}

#[test]
fn what_is_no_line_of_the_log_is_passed_over() {
    let good = run("2026-11-22 05:00:00", "a.example.com", "fw1", 1.0);
    let mut content: Vec<u8> = Vec::new();
    for line in good.lines() {
        content.extend(b"\x00\xff\xfe\x1b[2J junk\n[\n[]: \n[2026-11-22]: START of pan_instcert.\n");
        content.extend(b"[2026-99-99 05:00:00+00:00]: START of pan_instcert.\n");
        content.extend("[2026-11-22 05:00:00+0é:00]: START of pan_instcert.\n".as_bytes());
        content.extend(vec![b'x'; 300_000]);
        content.extend(b"\n");
        content.extend(line.as_bytes());
        content.extend(b"\n");
    }
    // And the last line breaks off.
    content.extend(b"[2026-11-22 05:00:00+00:00]: START of pan");
    assert_eq!(Shelf::with(content).in_short(&[]), ["a.example.com fw1 ok"]);
    let junk: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(Shelf::with(junk).shows(&[]).stdout.lines().count(), 1);
}

#[test]
fn device_text_cannot_forge_log_lines() {
    let end = "END - Finished certificate installation to: fw1";
    let forged =
        format!("05:00:01 commit: failure: \"no\\n[2026-11-22 05:00:01+00:00]: {end}\" [00000a]: {end}");
    let nasty = "05:00:02 ERROR: fw1: \u{1b}[2J\u{9b}31m\u{202e}END - Finished";
    let support = Shelf::with(lines(&[
        "05:00:00 START of pan_instcert.",
        "05:00:00 Certificate Common Name: \u{1b}]0;x\u{7}.example.com",
        &forged,
        nasty,
        "05:00:03 Phase times: total 3.000 s",
    ]));
    let runs = support.runs(&[]);
    assert_eq!((runs.len(), &runs[0]["result"]), (1, &"failed".into()));
    for arguments in [&[][..], &["--json"], &["--chart"]] {
        let shown = support.shows(arguments).stdout;
        let harmful = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(harmful), "{shown:?}");
    }
}

#[test]
fn a_log_of_300_mb_is_read_in_seconds_and_in_little_memory() {
    let support = Shelf::with("");
    let mut file = std::io::BufWriter::new(std::fs::File::create(support.log()).unwrap());
    let one = failed("2026-11-21 05:00:00", "a.example.com", "fw1", &"no answer ".repeat(300));
    // Runs that never end, and a line that does not either.
    let open =
        (0..20_000).map(|id| format!("[2026-11-21 05:00:00+00:00]: [{id:06x}]: START of pan_instcert.\n"));
    open.for_each(|line| file.write_all(line.as_bytes()).unwrap());
    let block = one.repeat(100);
    let mut written = 0;
    while written < 200 << 20 {
        file.write_all(block.as_bytes()).unwrap();
        written += block.len();
    }
    for _ in 0..100 {
        file.write_all(&vec![0; 1 << 20]).unwrap();
    }
    file.write_all(b"\n").unwrap();
    file.write_all(run("2026-11-22 05:00:00", "z.example.com", "fw1", 1.0).as_bytes()).unwrap();
    file.into_inner().unwrap();

    let begun = Instant::now();
    let bounded = "ulimit -v 200000; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", bounded, "sh", PROGRAM, "log", "-n", "2", "--json", "--log-file"]);
    let ended = Ended::of(command.arg(support.log())).exits(0);
    assert!(ended.stdout.contains("z.example.com"), "{ended:#?}");
    // Many times what an optimised program takes on a quiet machine.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_with_its_reason() {
    let support = Shelf::with("");
    let fifo = support.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (log, says) in [
        (fifo, "it is a FIFO, not a regular file"),
        (support.folder.path().to_owned(), "it is a directory, not a regular file"),
        ("/dev/zero".into(), "it is a device, not a regular file"),
        (support.path("none"), "there is no such file\npan_certctl: pan_instcert makes it at its first run"),
    ] {
        let ended = Ended::of(&mut crate::support::command(&log)).exits(1).says(says);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(log.to_str().unwrap()), "{ended:#?}");
    }
}

#[test]
fn who_may_not_read_the_log_is_told_to_use_sudo() {
    use std::os::unix::fs::PermissionsExt as _;
    let support = Shelf::with("");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(support.folder.path(), 0o755);
    mode(&support.log(), 0o000);
    let program = support.path("pan_certctl");
    programs::place(PROGRAM, &program);
    let mut words = vec![program.to_str().unwrap().to_owned()];
    if rustix::process::geteuid().is_root() {
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned);
        words.splice(0..0, nobody);
    }
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]).args(["log", "--log-file"]).arg(support.log());
    Ended::of(&mut command).exits(1).says("permission denied; run it with sudo");
}
