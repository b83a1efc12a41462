//! What goes to standard output: columns, colours where a terminal shows them, and no line too wide for it.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use console::{Style, Term, truncate_str};

use crate::cli::live::aside;
use crate::text::escape_control;

/// Between two columns, in characters.
const GAP: u16 = 2;

/// How a line is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Plain,
    /// The names of the columns.
    Heading,
    /// Something for a person to look at.
    Odd,
    /// A failure.
    Bad,
}

/// A line, fit for a terminal.
#[derive(Debug, Clone)]
pub struct Line {
    /// What is shown.
    pub text: String,
    /// In which colour.
    pub mood: Severity,
}

/// The columns there are on standard output: as `COLUMNS` says, else as the terminal says; nothing for a pipe.
#[must_use]
pub fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let seen = || Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    said.or_else(seen).filter(|columns| *columns > 0)
}

/// A text of at most this many columns.
#[must_use]
pub fn shortened(text: &str, columns: usize) -> String {
    truncate_str(text, columns, "…").into_owned()
}

/// Prints lines, none wider than the terminal. A reader that has gone away is no reason to fail.
pub fn print(lines: &[Line]) {
    print_within(lines, width());
}

/// The same with lines as wide as they are, such as commands that somebody copies.
pub fn print_whole(lines: &[Line]) {
    print_within(lines, None);
}

fn print_within(lines: &[Line], width: Option<usize>) {
    aside(|| print_lines(lines, width));
}

fn print_lines(lines: &[Line], width: Option<usize>) {
    let mut out = io::stdout().lock();
    for line in lines {
        let text = width.map_or_else(|| line.text.clone(), |width| shortened(&line.text, width));
        let style = match line.mood {
            Severity::Plain => Style::new(),
            Severity::Heading => Style::new().bold(),
            Severity::Odd => Style::new().yellow(),
            Severity::Bad => Style::new().red(),
        };
        if writeln!(out, "{}", style.apply_to(text)).is_err() {
            return;
        }
    }
}

/// Columns as wide as what stands in them; the last one is written by the caller, into what room is left.
#[derive(Debug)]
pub struct Columns {
    table: Table,
    moods: Vec<Severity>,
    last: Vec<String>,
    heading_of_last: String,
}

impl Columns {
    /// Columns with these headings, from the one numbered `first_number` on for numbers.
    #[must_use]
    pub fn new(headings: &[&str], first_number: usize, last: &str) -> Self {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.to_vec());
        for (number, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, GAP));
            if number >= first_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, moods: vec![Severity::Heading], last: Vec::new(), heading_of_last: last.to_owned() }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: &[String], last: String, mood: Severity) {
        self.table.add_row(cells.iter().map(|cell| Cell::new(escape_control(cell))).collect::<Vec<_>>());
        self.last.push(escape_control(&last));
        self.moods.push(mood);
    }

    /// How wide all columns but the last one are together.
    #[must_use]
    pub fn width(&self) -> usize {
        self.table.column_max_content_widths().iter().map(|width| usize::from(width + GAP)).sum()
    }

    /// The lines, the headings first.
    #[must_use]
    pub fn lines(self) -> Vec<Line> {
        let last = std::iter::once(self.heading_of_last).chain(self.last);
        let rows = self.table.lines().zip(last).zip(self.moods);
        rows.map(|((left, last), mood)| Line { text: format!("{left}{last}").trim_end().to_owned(), mood })
            .collect()
    }
}

/// A text in lines of at most this many columns.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    table.add_row([escape_control(text)]);
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 0));
    });
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}
