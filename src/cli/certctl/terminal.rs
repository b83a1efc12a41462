//! What goes to standard output: columns, colours where a terminal shows them, and no line too wide for it.

use std::io::{self, BufWriter, Write as _};

use console::{Alignment, Style, Term, measure_text_width, pad_str, truncate_str};

use crate::cli::live::aside;
use crate::text::escape_control;

/// Between two columns, in characters.
const GAP: usize = 2;

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
pub fn print(lines: impl IntoIterator<Item = Line>) {
    print_within(&mut lines.into_iter(), width());
}

/// The same with lines as wide as they are, such as commands that somebody copies.
pub fn print_whole(lines: impl IntoIterator<Item = Line>) {
    print_within(&mut lines.into_iter(), None);
}

fn print_within(lines: &mut dyn Iterator<Item = Line>, width: Option<usize>) {
    aside(|| {
        let mut out = BufWriter::new(io::stdout().lock());
        // Each line is gone before the next one is made: there may be very many.
        for line in lines {
            if print_line(&mut out, line, width).is_err() {
                return;
            }
        }
        let _ = out.flush();
    });
}

fn print_line(out: &mut impl io::Write, line: Line, width: Option<usize>) -> io::Result<()> {
    let text = match width {
        Some(width) => shortened(&line.text, width),
        None => line.text,
    };
    let style = match line.mood {
        Severity::Plain => Style::new(),
        Severity::Heading => Style::new().bold(),
        Severity::Odd => Style::new().yellow(),
        Severity::Bad => Style::new().red(),
    };
    writeln!(out, "{}", style.apply_to(text))
}

/// Columns as wide as what stands in them; the last one is as wide as it likes. All rows are seen twice, first to
/// measure them and then to write them, and none is kept.
#[derive(Debug)]
pub struct Columns {
    headings: Vec<String>,
    widths: Vec<usize>,
    first_number: usize,
    heading_of_last: String,
}

impl Columns {
    /// Columns with these headings, from the one numbered `first_number` on for numbers, and wide enough for these
    /// rows.
    #[must_use]
    pub fn new(
        headings: &[&str],
        first_number: usize,
        last: &str,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        let mut widths: Vec<usize> = headings.iter().map(|heading| measure_text_width(heading)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(&row) {
                *width = (*width).max(measure_text_width(&escape_control(cell)));
            }
        }
        Self { headings, widths, first_number, heading_of_last: last.to_owned() }
    }

    /// How wide all columns but the last one are together.
    #[must_use]
    pub fn width(&self) -> usize {
        self.widths.iter().map(|width| width + GAP).sum()
    }

    /// The line with the headings.
    #[must_use]
    pub fn heading(&self) -> Line {
        self.line(&self.headings, &self.heading_of_last, Severity::Heading)
    }

    /// The line of a row.
    #[must_use]
    pub fn line(&self, cells: &[String], last: &str, mood: Severity) -> Line {
        let mut text = String::with_capacity(self.width() + last.len());
        for (number, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            let side = if number < self.first_number { Alignment::Left } else { Alignment::Right };
            text.push_str(&pad_str(&escape_control(cell), *width, side, None));
            text.extend(std::iter::repeat_n(' ', GAP));
        }
        text.push_str(&escape_control(last));
        text.truncate(text.trim_end().len());
        Line { text, mood }
    }
}

/// A text in lines of at most this many columns, broken at blanks; a word that is wider than a line is broken as well.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for (number, word) in escape_control(text).split(' ').enumerate() {
        let width = measure_text_width(word);
        let blank = usize::from(number > 0 && !line.is_empty());
        if used + blank + width <= columns {
            line.extend(std::iter::repeat_n(' ', blank));
            line.push_str(word);
            used += blank + width;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for character in word.chars() {
            let width = measure_text_width(character.encode_utf8(&mut [0; 4]));
            if used + width > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += width;
        }
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_at_blanks_and_within_a_word_only_where_that_is_wider_than_a_line() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 80), ["one two three"]);
        assert_eq!(wrapped("a-very-long-word x", 6), ["a-very", "-long-", "word x"]);
        assert_eq!(wrapped("", 10), [""]);
        // Letters that take two columns, and what could steer a terminal.
        assert_eq!(wrapped("漢字漢字 漢", 5), ["漢字", "漢字", "漢"]);
        assert_eq!(wrapped("a\u{1b}b", 80), ["a\\u{1b}b"]);
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them_and_wide_letters_count_as_such() {
        let rows = [vec!["漢".to_owned(), "5".to_owned()], vec!["abc".to_owned(), "10".to_owned()]];
        let columns = Columns::new(&["x", "n"], 1, "last", rows.clone());
        let lines = rows.iter().map(|row| columns.line(row, "end", Severity::Plain).text);
        let lines: Vec<String> = std::iter::once(columns.heading().text).chain(lines).collect();
        assert_eq!(lines, ["x     n  last", "漢    5  end", "abc  10  end"]);
        assert_eq!(columns.width(), 9);
    }
}
