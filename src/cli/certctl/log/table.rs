//! The runs as a table, or one below the other where a table has no room.

use chrono::{DateTime, FixedOffset, Local};

use crate::cli::certctl::terminal::{self, Columns, Line, Severity};
use crate::host::runlog::{PHASES, Run, RunOutcome, Unended};

/// The most that is shown of a problem, in columns: JSON has all of it.
const PROBLEM: usize = 100;
/// The most that is shown of names, in columns.
const NAMES: usize = 60;
/// Less than this for the result, in columns, and it says nothing.
const RESULT: usize = 20;
/// How far what belongs to a run stands to the right of its first line.
const INDENT: &str = "  ";
/// A terminal of no more columns has none to spare.
const NARROW: usize = 20;

/// The lines for a terminal of this width, or for a pipe.
pub(super) fn lines(runs: &[Run], width: Option<usize>) -> Vec<Line> {
    let headings = [&["begun", "certificate", "device"], &PHASES[..]].concat();
    let cells = |run: &Run| {
        let seconds = run.seconds.map(|seconds| seconds.map_or("-".to_owned(), in_short));
        [vec![time(run.begun), certificates(run), device(run)], seconds.to_vec()].concat()
    };
    let columns = Columns::new(&headings, 3, "result", runs.iter().map(cells));
    match width {
        Some(width) if columns.width() + RESULT > width => {
            runs.iter().flat_map(|run| card(run, width)).collect()
        }
        _ => {
            let rows = runs.iter().map(|run| columns.line(&cells(run), &result(run), mood(run)));
            std::iter::once(columns.heading()).chain(rows).collect()
        }
    }
}

/// One run in lines of its own.
fn card(run: &Run, width: usize) -> Vec<Line> {
    let known = PHASES.iter().zip(run.seconds);
    let known: Vec<String> =
        known.filter_map(|(name, seconds)| Some(format!("{name}\u{a0}{}", in_short(seconds?)))).collect();
    let first = format!("{} {} for {}", time(run.begun), certificates(run), device(run));
    let indent = if width > NARROW { INDENT } else { "" };
    let mut lines = terminal::wrapped(&first, width);
    for part in [result(run), known.join(", ")].iter().filter(|part| !part.is_empty()) {
        let wrapped = terminal::wrapped(part, width - indent.len());
        lines.extend(wrapped.iter().map(|line| format!("{indent}{line}")));
    }
    let mood = mood(run);
    lines.into_iter().map(|text| Line { text: text.replace('\u{a0}', " "), mood }).collect()
}

/// As this machine's clock has it, like the log.
pub(super) fn time(time: DateTime<FixedOffset>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Seconds, to the millisecond where they are few.
pub(super) fn in_short(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.3}") } else { format!("{seconds:.0}") }
}

pub(super) fn mood(run: &Run) -> Severity {
    match run.ending {
        RunOutcome::Done => Severity::Plain,
        RunOutcome::Failed(_) => Severity::Bad,
        RunOutcome::LeftToCommit | RunOutcome::LeftToPush | RunOutcome::NotEnded(_) | RunOutcome::Unknown => {
            Severity::Odd
        }
    }
}

pub(super) fn certificates(run: &Run) -> String {
    if run.certificates.is_empty() {
        return "-".to_owned();
    }
    terminal::shortened(&run.certificates.join(", "), NAMES)
}

pub(super) fn device(run: &Run) -> String {
    run.device.as_ref().map_or("-".to_owned(), |device| terminal::shortened(device, NAMES))
}

fn result(run: &Run) -> String {
    match &run.ending {
        RunOutcome::Done => "ok".to_owned(),
        RunOutcome::Failed(problem) => {
            let problem = terminal::shortened(problem, PROBLEM);
            if run.times > 1 {
                format!("failed {} times, the last time {}: {problem}", run.times, time(run.ended))
            } else {
                format!("failed: {problem}")
            }
        }
        RunOutcome::LeftToCommit => "waiting for manual commit".to_owned(),
        RunOutcome::LeftToPush => "waiting for manual push".to_owned(),
        RunOutcome::NotEnded(unended) => unended_words(*unended),
        RunOutcome::Unknown => "unknown: the log does not tell what the device said".to_owned(),
    }
}

/// What is known of a run that wrote no end.
fn unended_words(unended: Unended) -> String {
    match unended {
        Unended::Unknown => "no end was written: killed or still running".to_owned(),
        Unended::Killed => "killed: no end was written".to_owned(),
        Unended::Running(Some(process)) => format!("still running (process {process})"),
        Unended::Running(None) => "still running".to_owned(),
    }
}
