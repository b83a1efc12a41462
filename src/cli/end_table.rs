//! The end of a run for several places: a table with how each ended, and what took the time.

use std::io::IsTerminal as _;

use super::certctl::terminal::{self, Columns, Line, Severity};
use super::report::Told;
use crate::error::Exit;

/// The most characters of a place's name: the rest of 80 columns is for the phases.
const PLACE: usize = 34;
/// What takes less time than this is not told, in seconds.
const SHORT: f64 = 0.05;
/// So many phases, the longest ones.
const PHASES: usize = 3;
/// On a terminal, of so many rows those are shown that are not done, and the slowest ones.
const ROWS: usize = 40;
const SLOWEST: usize = 10;

/// Prints the table; of a single place its own line says all.
pub(super) fn print(told: &[Told]) {
    if told.len() < 2 {
        return;
    }
    let is_short = std::io::stdout().is_terminal() && told.len() > ROWS;
    terminal::print(lines(told, is_short));
}

fn lines(told: &[Told], is_short: bool) -> Vec<Line> {
    let shown: Vec<&Told> = if is_short { most_telling(told) } else { told.iter().collect() };
    let cells = |one: &&Told| {
        let seconds = total(one).map_or("-".to_owned(), |seconds| format!("{seconds:.1}"));
        vec![place(one), one.word(), seconds]
    };
    let headings = ["where", "result", "seconds"];
    let columns = Columns::new(&headings, 2, "longest phases", shown.iter().map(cells));
    let mut lines = vec![columns.heading()];
    for one in &shown {
        let mood = match one.exit() {
            Exit::Done => Severity::Plain,
            Exit::Waiting => Severity::Odd,
            _ => Severity::Bad,
        };
        lines.push(columns.line(&cells(one), &phases(one), mood));
    }
    if shown.len() < told.len() {
        let text = format!("... and {} more, all of them done", told.len() - shown.len());
        lines.push(Line { text, mood: Severity::Plain });
    }
    lines
}

/// What is not done, and of the rest what took longest.
fn most_telling(told: &[Told]) -> Vec<&Told> {
    let (done, mut shown): (Vec<&Told>, Vec<&Told>) = told.iter().partition(|one| one.exit() == Exit::Done);
    let mut slowest = done;
    slowest.sort_by(|one, other| total(other).unwrap_or(0.0).total_cmp(&total(one).unwrap_or(0.0)));
    shown.extend(slowest.into_iter().take(SLOWEST));
    shown
}

fn place(told: &Told) -> String {
    let spec = told.spec();
    let place = spec.options.target.clone().unwrap_or_else(|| spec.place());
    terminal::shortened(&place, PLACE)
}

fn total(told: &Told) -> Option<f64> {
    told.phases().last().map(|(_, seconds)| *seconds)
}

/// `commit 12.1, import 0.4`.
fn phases(told: &Told) -> String {
    let Some((_, each)) = told.phases().split_last() else { return "-".to_owned() };
    let mut each: Vec<&(&str, f64)> = each.iter().filter(|(_, seconds)| *seconds >= SHORT).collect();
    each.sort_by(|one, other| other.1.total_cmp(&one.1));
    let texts: Vec<String> =
        each.iter().take(PHASES).map(|(name, seconds)| format!("{name} {seconds:.1}")).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
}
