//! What a terminal shows, and what a pipe gets.

use std::process::{Command, Stdio};

use pancert::error::Exit;

use crate::common::world::Ended;
use crate::support::{Desk, PROGRAM, problem};

fn support() -> Desk {
    let support = Desk::new();
    let long = "the device refused the upload because there is no room left on its disk for anything else";
    support.installed("gp.example.com", "fw1.example.com", 90);
    support.installed("old.example.com", "fw1.example.com", -2);
    support.pending("vpn.example.com", "fw2.example.com:8443", 3, 2, &problem(Exit::Upload, long));
    support.pending("mail.example.com", "fw3.example.com", 50, 5, &problem(Exit::Device, "no answer"));
    support
}

/// On a terminal of so many columns.
fn on_a_terminal(support: &Desk, columns: usize, more: &str) -> Ended {
    let line = format!(
        "stty rows 24 cols {columns}; {more} '{PROGRAM}' status --no-certmonger --state-dir '{}'",
        support.state().display()
    );
    let mut command = Command::new("timeout");
    command.args(["30", "script", "-qec", &line, "/dev/null"]).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh").env("TZ", "UTC");
    Ended::of(command.stdin(Stdio::null())).exits(20)
}

fn columns(line: &str) -> usize {
    line.chars().count()
}

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";

#[test]
fn pending_is_yellow_overdue_and_expired_are_red_and_a_pipe_or_no_color_gets_none() {
    let support = support();
    let coloured = on_a_terminal(&support, 200, "").stdout;
    for (name, colour) in [("mail.", RED), ("old.", RED), ("vpn.", YELLOW), ("4 certificates", RED)] {
        let line = coloured.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.starts_with(colour), "{name}: {line:?}");
    }
    let fine = coloured.lines().find(|line| line.contains("gp.")).unwrap();
    assert!(!fine.contains('\u{1b}'), "{fine:?}");
    for plain in [on_a_terminal(&support, 200, "NO_COLOR=1").stdout, support.exits(20, &[]).stdout] {
        assert!(!plain.contains('\u{1b}') && plain.contains("failed 5 times: no answer"), "{plain}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_that_matters_is_lost() {
    let support = support();
    for width in [300, 200, 160, 130, 120, 100, 80, 60, 40, 30] {
        let by_variable =
            || Ended::of(support.command(&[]).env("COLUMNS", width.to_string())).exits(20).stdout;
        let before = by_variable();
        let by_terminal = on_a_terminal(&support, width, "NO_COLOR=1").stdout.replace('\r', "");
        // A minute may have ended between the two, and with it "in 24m".
        assert!(by_terminal == before || by_terminal == by_variable(), "{width}: {by_terminal}{before}");
        for line in by_terminal.lines() {
            assert!(columns(line) <= width, "{width}: {line}");
        }
        let words = by_terminal.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["fw1.example.com", "mail.example.com", "failed", "expired", "as ordered", "2d", "has"] {
            assert!(words.contains(word), "{width} {word}: {by_terminal}");
        }
    }
    for width in 1..30_usize {
        let shown = Ended::of(support.command(&[]).env("COLUMNS", width.to_string())).exits(20).stdout;
        assert!(shown.lines().all(|line| columns(line) <= width), "{width}: {shown}");
    }
}

#[test]
fn a_table_is_shown_where_it_has_room_with_the_columns_below_each_other() {
    let support = support();
    let wide = Ended::of(support.command(&[]).env("COLUMNS", "130")).exits(20).stdout;
    let rows: Vec<&str> = wide.lines().collect();
    assert_eq!(rows.len(), 6, "{wide}");
    let stands = rows[0].find("how it stands").unwrap();
    for (row, word) in rows[1..].iter().zip(["failed 5 times", "has expired", "failed 2 times", "ok"]) {
        assert!(row[stands..].starts_with(word), "{wide}");
    }
    assert!(rows[3].ends_with('…') && columns(rows[3]) == 130, "shortened into the room left: {wide}");
    let narrow = Ended::of(support.command(&[]).env("COLUMNS", "70")).exits(20).stdout;
    assert!(
        narrow.starts_with("mail.example.com on fw3.example.com\n  pending for 2d, next try: in "),
        "{narrow}"
    );
    assert!(narrow.contains("\n  until ") && narrow.contains(" (expired), runs as ordered\n"), "{narrow}");
    // Where all is well, fewer columns are needed.
    let fine = Desk::new();
    fine.installed("gp.example.com", "fw1.example.com", 90);
    let shown = Ended::of(fine.command(&[]).env("COLUMNS", "80")).exits(0).stdout;
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

#[test]
fn a_closed_standard_output_is_no_reason_to_fail() {
    let support = support();
    let line = format!(
        "'{PROGRAM}' status --no-certmonger --state-dir '{}' >&-; echo $? >&2",
        support.state().display()
    );
    let ended = Ended::of(Command::new("sh").args(["-c", &line]));
    assert_eq!(ended.stderr, "20\n");
}
