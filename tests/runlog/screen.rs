//! What a terminal shows, and what a pipe gets.

use std::process::{Command, Stdio};

use crate::common::world::Ended;
use crate::support::{PROGRAM, Shelf, command, failed, lines, run};

fn support() -> Shelf {
    let killed = lines(&["05:30:00 START of pan_instcert."]);
    let problem = "the device refused the upload because there is no room left on its disk for anything else";
    Shelf::with(
        [
            run("2026-11-22 05:00:00", "gp.example.com", "fw1.example.com", 40.25),
            killed,
            failed("2026-11-22 06:00:00", "vpn.bücher.example.com", "fw2.example.com:8443", problem),
            run("2026-11-22 07:00:00", "漢字.example.com", "fw1.example.com", 10.0),
        ]
        .concat(),
    )
}

/// On a terminal of so many columns.
fn on_a_terminal(support: &Shelf, columns: usize, more: &str) -> Ended {
    let line = format!(
        "stty rows 24 cols {columns}; {more} '{PROGRAM}' log --log-file '{}'",
        support.log().display()
    );
    let mut command = Command::new("timeout");
    command.args(["30", "script", "-qec", &line, "/dev/null"]).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh").env("TZ", "UTC");
    Ended::of(command.stdin(Stdio::null())).exits(0)
}

/// How many columns a line takes.
fn columns(line: &str) -> usize {
    line.chars().map(|c| if ('\u{2e80}'..='\u{9fff}').contains(&c) { 2 } else { 1 }).sum()
}

const RED: &str = "\u{1b}[31m";

#[test]
fn a_terminal_gets_failures_in_red_and_a_pipe_or_no_color_gets_none() {
    let support = support();
    let coloured = on_a_terminal(&support, 200, "").stdout;
    let red: Vec<&str> = coloured.lines().filter(|line| line.contains(RED)).collect();
    assert!(red.len() == 1 && red[0].contains("failed: the device refused"), "{coloured}");
    for plain in [on_a_terminal(&support, 200, "NO_COLOR=1").stdout, support.shows(&[]).stdout] {
        assert!(!plain.contains('\u{1b}') && plain.contains("failed: the device refused"), "{plain}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_that_matters_is_lost() {
    let support = support();
    for width in [300, 160, 130, 120, 100, 80, 60, 40, 30] {
        let by_terminal = on_a_terminal(&support, width, "NO_COLOR=1").stdout.replace('\r', "");
        let by_variable =
            Ended::of(command(&support.log()).env("COLUMNS", width.to_string())).exits(0).stdout;
        assert_eq!(by_terminal, by_variable, "{width}");
        for line in by_terminal.lines() {
            assert!(columns(line) <= width, "{width}: {line}");
        }
        for word in ["fw1.example.com", "漢字.example.com", "vpn.bücher", "failed:", "40.250"]
            .iter()
            .chain(["no end", "killed or"].iter().filter(|_| width >= 40))
        {
            assert!(by_terminal.contains(word), "{width} {word}: {by_terminal}");
        }
    }
    for width in 1..30_usize {
        for more in [&[][..], &["--chart"]] {
            let mut command = command(&support.log());
            let shown = Ended::of(command.args(more).env("COLUMNS", width.to_string())).exits(0).stdout;
            assert!(shown.lines().all(|line| columns(line) <= width), "{width}: {shown}");
        }
    }
}

#[test]
fn the_columns_of_the_table_stand_below_each_other() {
    let shown = support().shows(&[]).stdout;
    let rows: Vec<&str> = shown.lines().collect();
    let place = |row: &str, word: &str| columns(&row[..row.find(word).unwrap_or_else(|| panic!("{row}"))]);
    let result = place(rows[0], "result");
    for (row, word) in
        rows[1..].iter().zip(["ok", "no end was written: killed or still running", "failed: ", "ok"])
    {
        assert_eq!(place(row, word), result, "{shown}");
    }
    assert_eq!(place(rows[1], "fw1"), place(rows[4], "fw1"), "{shown}");
}

#[test]
fn a_chart_has_a_bar_for_each_run_as_long_as_it_took() {
    let support = support();
    let bars = |shown: &str| -> Vec<(usize, usize)> {
        let count = |line: &str, bar: char| line.chars().filter(|c| *c == bar).count();
        shown.lines().skip(1).map(|line| (count(line, '█'), count(line, '░'))).collect()
    };
    let piped = support.shows(&["--chart"]).stdout;
    let found = bars(&piped);
    assert_eq!(found.len(), 4);
    assert_eq!(piped.lines().map(columns).max(), Some(80), "{piped}");
    let (longest, none) = (found[0].0, found[0].1);
    assert!(longest > 15 && none == 0, "{piped}");
    for name in ["certificate", "device", "fw1"] {
        assert!(piped.contains(name), "{name}: {piped}");
    }
    assert_eq!(found[1], (0, 0), "no end");
    assert!(piped.lines().nth(2).unwrap().contains("no end was written"), "{piped}");
    assert!(found[2].0 == 0 && found[2].1 > 0, "failed: {piped}");
    assert!(found[3].0.abs_diff(longest / 4) <= 1, "a quarter of the time: {piped}");
    let wide = Ended::of(command(&support.log()).arg("--chart").env("COLUMNS", "160")).exits(0).stdout;
    // The names take a part of the room, and the bars the rest.
    assert!(bars(&wide)[0].0 > longest && wide.contains("fw1.example.com"), "{wide}");
    assert_eq!(wide.lines().map(columns).max(), Some(160), "{wide}");
}

#[test]
fn many_runs_share_bars_in_a_chart() {
    let mut log = String::new();
    for hour in 0..24 {
        for minute in 0..10 {
            let time = format!("2026-11-22 {hour:02}:{minute:02}:00");
            log += &match (hour, minute) {
                (7, 0) => failed(&time, "a", "fw1", "no"),
                (9, _) => run(&time, "a", "fw1", 20.0),
                _ => run(&time, "a", "fw1", 10.0),
            };
        }
    }
    let shown = Shelf::with(log).shows(&["--chart"]).stdout;
    let rows: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 24, "{shown}");
    assert_eq!(rows[7][..6], ["2026-11-22", "07:00", "a", "fw1", "10", "1"], "{shown}");
    assert_eq!(rows[9][..7], ["2026-11-22", "09:00", "a", "fw1", "10", "0", "20.000"], "{shown}");
    assert!(rows[8][7].chars().count().abs_diff(rows[9][7].chars().count() / 2) <= 1, "{shown}");
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_fail() {
    let support = Shelf::with(run("2026-11-22 05:00:00", "a", "fw1", 1.0).repeat(20_000));
    let line = format!("'{PROGRAM}' log -n 10000 --log-file '{}' | head -n 1", support.log().display());
    let ended = Ended::of(Command::new("bash").args(["-o", "pipefail", "-c", &line])).exits(0);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""));
    let closed = format!("'{PROGRAM}' log --log-file '{}' >&-", support.log().display());
    assert_eq!(Ended::of(Command::new("sh").args(["-c", &closed])).exits(0).stderr, "");
}
