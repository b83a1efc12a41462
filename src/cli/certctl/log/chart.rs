//! How long runs took, as bars: one for each run, or for each stretch of time where they are many.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, Local, TimeDelta};

use super::table;
use crate::cli::certctl::terminal::{Columns, Line, Severity};
use crate::host::runlog::Run;

/// How wide a chart is where no terminal says it.
pub(super) const WIDTH: usize = 80;
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
    mood: Severity,
}

/// The lines for this width.
pub(super) fn lines(runs: &[Run], width: usize) -> Vec<Line> {
    if runs.len() <= BARS {
        let bars = runs.iter().map(|run| Bar {
            cells: vec![table::time(run.begun), known(run.total())],
            seconds: run.total(),
            mood: table::mood(run),
        });
        drawn(&["begun", "seconds"], &bars.collect::<Vec<_>>(), width)
    } else {
        drawn(&["from", "runs", "failed", "seconds (mean)"], &stretches(runs), width)
    }
}

fn drawn(headings: &[&str], bars: &[Bar], width: usize) -> Vec<Line> {
    let mut plain = Columns::new(headings, 1, "");
    bars.iter().for_each(|bar| plain.push(&bar.cells, String::new(), bar.mood));
    let room = width.saturating_sub(plain.width()).max(1);
    let longest = bars.iter().filter_map(|bar| bar.seconds).fold(0.0, f64::max);
    let mut columns = Columns::new(headings, 1, &format!("{BAR} done  {BAD} failed"));
    for bar in bars {
        let length = bar.seconds.map_or(0, |seconds| length(seconds, longest, room));
        let made_of = if bar.mood == Severity::Bad { BAD } else { BAR };
        columns.push(&bar.cells, made_of.repeat(length), bar.mood);
    }
    columns.lines()
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

/// The runs of each stretch of time together.
fn stretches(runs: &[Run]) -> Vec<Bar> {
    let mut fewest = BTreeMap::new();
    for minutes in STRETCHES {
        fewest = grouped(runs, minutes);
        if fewest.len() <= BARS {
            break;
        }
    }
    fewest.into_iter().map(|(from, runs)| together(from, &runs)).collect()
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

fn together(from: DateTime<Local>, runs: &[&Run]) -> Bar {
    let times: Vec<f64> = runs.iter().filter_map(|run| run.total()).collect();
    #[allow(clippy::cast_precision_loss)]
    let mean = (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
    let count = |wanted: &dyn Fn(&Run) -> bool| -> u64 {
        runs.iter().filter(|run| wanted(run)).map(|run| run.times).sum()
    };
    let (all, failed) = (count(&|_| true), count(&Run::failed));
    let mood = if failed == all { Severity::Bad } else { Severity::Plain };
    let from = from.format("%Y-%m-%d %H:%M").to_string();
    Bar { cells: vec![from, all.to_string(), failed.to_string(), known(mean)], seconds: mean, mood }
}
