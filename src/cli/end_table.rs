//! The end of a run for several places: a table with how each ended, and what took the time.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use super::certctl::terminal::{self, Columns, Line, Severity};
use super::told::Told;
use crate::error::Exit;
use crate::install::names::CommonName;

/// The most characters of a place's name: the rest of 80 columns is for the phases.
const PLACE: usize = 34;
/// The same where two places would look alike.
const WHOLE_PLACE: usize = 160;
/// The same beside the certificates' names, and the most characters of these.
const PLACE_BESIDE: usize = 28;
const CERTIFICATE: usize = 24;
/// What takes less time than this is not told, in seconds.
const SHORT: f64 = 0.05;
/// So many phases, the longest ones.
const PHASES: usize = 3;
/// On a terminal, of so many rows those are shown that are not done, and the slowest ones.
const ROWS: usize = 40;
const SLOWEST: usize = 10;

/// How it ended at one place.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The place.
    pub(super) place: String,
    /// The certificate: it has a column where there are several. Nothing where it is about the device as such.
    pub(super) certificate: Option<String>,
    /// How it ended, in a word.
    pub(super) word: String,
    /// Whether that is as it should be.
    pub(super) mood: Severity,
    /// How long each phase took, the whole last; nothing where that is not known.
    pub(super) phases: Vec<(&'static str, f64)>,
}

impl Row {
    /// Of a place that was only looked at, which took so many seconds.
    pub(super) fn looked_at(place: String, word: String, mood: Severity, seconds: f64) -> Self {
        Self { place, certificate: None, word, mood, phases: vec![("total", seconds)] }
    }

    /// Of a place that could not be looked at.
    pub(super) fn failed(place: String, exit: Exit) -> Self {
        let word = format!("failed ({})", exit.code());
        Self { place, certificate: None, word, mood: Severity::Bad, phases: Vec::new() }
    }

    /// The same of a certificate there.
    pub(super) fn with_certificate(self, name: &CommonName) -> Self {
        Self { certificate: Some(name.to_string()), ..self }
    }

    fn of(told: &Told) -> Self {
        let about = told.about();
        let mood = match told.exit() {
            Exit::Done => Severity::Plain,
            Exit::Waiting => Severity::Odd,
            _ => Severity::Bad,
        };
        let place = about.target.clone().unwrap_or_else(|| about.place());
        let certificate = Some(about.common_name.to_string());
        Self { place, certificate, word: told.word(), mood, phases: told.phases().to_vec() }
    }

    fn total(&self) -> Option<f64> {
        self.phases.last().map(|(_, seconds)| *seconds)
    }

    /// `commit 12.1, import 0.4`.
    fn longest(&self) -> String {
        let Some((_, each)) = self.phases.split_last() else { return "-".to_owned() };
        let mut each: Vec<&(&str, f64)> = each.iter().filter(|(_, seconds)| *seconds >= SHORT).collect();
        each.sort_by(|one, other| other.1.total_cmp(&one.1));
        let texts: Vec<String> =
            each.iter().take(PHASES).map(|(name, seconds)| format!("{name} {seconds:.1}")).collect();
        if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
    }
}

/// Prints the table of installations.
pub(super) fn print(told: &[Told]) {
    print_rows(&told.iter().map(Row::of).collect::<Vec<_>>());
}

/// Prints the table; of a single place its own line says all.
pub(super) fn print_rows(rows: &[Row]) {
    if rows.len() < 2 {
        return;
    }
    let is_short = std::io::stdout().is_terminal() && rows.len() > ROWS;
    terminal::print(lines(rows, is_short));
}

fn lines(rows: &[Row], is_short: bool) -> Vec<Line> {
    // Where only was looked there are no phases.
    let has_phases = rows.iter().any(|row| row.phases.len() > 1);
    let last = if has_phases { "longest phases" } else { "" };
    let shown: Vec<&Row> = if is_short { most_telling(rows) } else { rows.iter().collect() };
    let first = rows.iter().find_map(|row| row.certificate.as_ref());
    let has_several = rows.iter().any(|row| row.certificate.is_some() && row.certificate.as_ref() != first);
    let room = room_for_places(rows, if has_several { PLACE_BESIDE } else { PLACE });
    let cells = |row: &&Row| {
        let seconds = row.total().map_or("-".to_owned(), |seconds| format!("{seconds:.1}"));
        let mut cells = vec![terminal::shortened(&row.place, room)];
        let name = row.certificate.as_deref().unwrap_or("-");
        cells.extend(has_several.then(|| terminal::shortened(name, CERTIFICATE)));
        cells.extend([row.word.clone(), seconds]);
        cells
    };
    let headings: &[&str] = match has_several {
        true => &["where", "certificate", "result", "seconds"],
        false => &["where", "result", "seconds"],
    };
    let columns = Columns::new(headings, headings.len() - 1, last, shown.iter().map(cells));
    let mut lines = vec![columns.heading()];
    for row in &shown {
        let phases = if has_phases { row.longest() } else { String::new() };
        lines.push(columns.line(&cells(row), &phases, row.mood));
    }
    if shown.len() < rows.len() {
        let text = format!("... and {} more, all of them done", rows.len() - shown.len());
        lines.push(Line { text, mood: Severity::Plain });
    }
    lines
}

/// How many characters of a place are shown: as many as are usual, unless two places are the same to there.
fn room_for_places(rows: &[Row], usual: usize) -> usize {
    let places: BTreeSet<&str> = rows.iter().map(|row| row.place.as_str()).collect();
    let shown: BTreeSet<String> = places.iter().map(|place| terminal::shortened(place, usual)).collect();
    if shown.len() == places.len() { usual } else { WHOLE_PLACE }
}

/// What is not done, and of the rest what took longest.
fn most_telling(rows: &[Row]) -> Vec<&Row> {
    let (done, mut shown): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.mood == Severity::Plain);
    let mut slowest = done;
    slowest.sort_by(|one, other| other.total().unwrap_or(0.0).total_cmp(&one.total().unwrap_or(0.0)));
    shown.extend(slowest.into_iter().take(SLOWEST));
    shown
}
