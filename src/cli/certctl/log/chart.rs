//! How long runs took, as bars: one for each run, or for each stretch of time where they are many.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound as _, Local, TimeDelta};

use super::table;
use crate::cli::certctl::terminal::{self, Columns, Line, Severity};
use crate::host::runlog::{Run, RunOutcome, Unended};

/// How wide a chart is where no terminal says it.
pub(super) const WIDTH: usize = 80;
/// What the other columns take, and as much for bars: the rest is for the two names.
const OTHERS: usize = 54;
/// The least and the most of a name, in columns.
const NAME: (usize, usize) = (8, 40);
/// The most bars.
const BARS: usize = 40;
/// Stretches of time, in minutes: one of them is taken.
const STRETCHES: [i64; 9] = [1, 5, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60, 30 * 24 * 60, 365 * 24 * 60];
const BAR: &str = "█";
/// What a bar of failed runs is made of, so that it is told apart without colours.
const BAD: &str = "░";

/// A bar and what stands before it.
struct Bar {
    cells: Vec<String>,
    seconds: Option<f64>,
    /// What stands in the place of a bar.
    note: String,
    mood: Severity,
}

/// The lines for this width.
pub(super) fn lines(runs: &[Run], width: usize) -> Vec<Line> {
    let room = (width.saturating_sub(OTHERS) / 2).clamp(NAME.0, NAME.1);
    if runs.len() <= BARS {
        let bars = runs.iter().map(|run| Bar {
            cells: vec![
                table::time(run.begun),
                short(table::certificates(run), room),
                short(table::device(run), room),
                known(run.total()),
            ],
            seconds: run.total(),
            note: match &run.ending {
                RunOutcome::NotEnded(unended) => in_a_word(*unended).to_owned(),
                _ => String::new(),
            },
            mood: table::mood(run),
        });
        drawn(&["begun", "certificate", "device", "seconds"], 3, &bars.collect::<Vec<_>>(), width)
    } else {
        let headings = ["from", "certificate", "device", "runs", "failed", "mean"];
        let mut lines = drawn(&headings, 3, &stretches(runs, room), width);
        let unended = runs.iter().filter(|run| matches!(run.ending, RunOutcome::NotEnded(_))).count();
        if unended > 0 {
            let text =
                format!("{unended} of these runs wrote no end: killed or still running; 'log' has each");
            let wrapped = terminal::wrapped(&text, width).into_iter();
            lines.extend(wrapped.map(|text| Line { text, mood: Severity::Odd }));
        }
        lines
    }
}

fn drawn(headings: &[&str], first_number: usize, bars: &[Bar], width: usize) -> Vec<Line> {
    let legend = format!("{BAR} done  {BAD} failed");
    let columns = Columns::new(headings, first_number, &legend, bars.iter().map(|bar| bar.cells.clone()));
    let room = width.saturating_sub(columns.width()).max(1);
    let longest = bars.iter().filter_map(|bar| bar.seconds).fold(0.0, f64::max);
    let drawn = bars.iter().map(|bar| {
        let length = bar.seconds.map_or(0, |seconds| length(seconds, longest, room));
        let made_of = if bar.mood == Severity::Bad { BAD } else { BAR };
        let last = if bar.note.is_empty() { made_of.repeat(length) } else { bar.note.clone() };
        columns.line(&bar.cells, &last, bar.mood)
    });
    std::iter::once(columns.heading()).chain(drawn).collect()
}

/// The longest bar takes all the room; what took any time at all is seen.
fn length(seconds: f64, longest: f64, room: usize) -> usize {
    if longest <= 0.0 {
        return 0;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let length = (seconds / longest * room as f64).round() as usize;
    length.clamp(usize::from(seconds > 0.0), room)
}

fn known(seconds: Option<f64>) -> String {
    seconds.map_or("-".to_owned(), table::in_short)
}

/// What is known of a run that wrote no end, as short as a bar.
fn in_a_word(unended: Unended) -> &'static str {
    match unended {
        Unended::Unknown => "no end was written",
        Unended::Killed => "killed",
        Unended::Running(_) => "still running",
    }
}

/// The runs of each stretch of time together.
fn stretches(runs: &[Run], room: usize) -> Vec<Bar> {
    let mut fewest = BTreeMap::new();
    for minutes in STRETCHES {
        fewest = grouped(runs, minutes);
        if fewest.len() <= BARS {
            break;
        }
    }
    fewest.into_iter().map(|(from, runs)| together(from, &runs, room)).collect()
}

fn grouped(runs: &[Run], minutes: i64) -> BTreeMap<DateTime<Local>, Vec<&Run>> {
    let mut groups: BTreeMap<_, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        let begun = run.begun.with_timezone(&Local);
        let from = begun.duration_trunc(TimeDelta::minutes(minutes)).unwrap_or(begun);
        groups.entry(from).or_default().push(run);
    }
    groups
}

fn together(from: DateTime<Local>, runs: &[&Run], room: usize) -> Bar {
    let times: Vec<f64> = runs.iter().filter_map(|run| run.total()).collect();
    #[allow(clippy::cast_precision_loss)]
    let mean = (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
    let count = |wanted: &dyn Fn(&Run) -> bool| -> u64 {
        runs.iter().filter(|run| wanted(run)).map(|run| run.times).sum()
    };
    let (all, failed) = (count(&|_| true), count(&Run::failed));
    let mood = if failed == all { Severity::Bad } else { Severity::Plain };
    let from = from.format("%Y-%m-%d %H:%M").to_string();
    let certificates = runs.iter().map(|run| table::certificates(run));
    let devices = runs.iter().map(|run| table::device(run));
    let names = [one_or_how_many(certificates, room), one_or_how_many(devices, room)];
    let numbers = [all.to_string(), failed.to_string(), known(mean)];
    let cells = std::iter::once(from).chain(names).chain(numbers).collect();
    let unended = runs.iter().filter(|run| matches!(run.ending, RunOutcome::NotEnded(_))).count();
    let note = match unended {
        count if count == runs.len() => "no end was written".to_owned(),
        _ => String::new(),
    };
    Bar { cells, seconds: mean, note, mood }
}

/// The name, where all have the same; else how many there are.
fn one_or_how_many(names: impl Iterator<Item = String>, room: usize) -> String {
    let mut different: BTreeSet<String> = names.collect();
    match different.len() {
        1 => short(different.pop_first().unwrap_or_default(), room),
        many => many.to_string(),
    }
}

/// So much of a name that there is room for bars.
fn short(name: String, room: usize) -> String {
    terminal::shortened(&name, room)
}
