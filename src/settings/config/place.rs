//! What is wrong in a configuration file, told with its place and the line itself.

use std::ops::Range;

use console::measure_text_width;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::text::escape_control;

/// The most that is shown of a line, in characters.
const WIDEST: usize = 150;
/// A word may be the one that was meant if no more than one letter in so many is another.
const LIKENESS: usize = 3;

/// What stands behind a key.
type Entry<'a, 't> = (&'a Spanned<DeString<'t>>, &'a Spanned<DeValue<'t>>);

/// The text of a file with the places of all that stands in it.
pub(super) struct Document<'t> {
    text: &'t str,
    tables: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Reads a text.
    ///
    /// # Errors
    /// What is no TOML, with its place.
    pub(super) fn parse(text: &'t str) -> Result<Self, String> {
        let tables = DeTable::parse(text).map_err(|error| explain(text, &error))?;
        Ok(Self { text, tables: tables.into_inner() })
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Where a key stands; where it is missing, the name of its table.
    pub(super) fn key(&self, path: &[&str]) -> Range<usize> {
        match (self.entry(path), path.split_last()) {
            (Some((key, _)), _) => key.span(),
            (None, Some((_, table))) => self.key(table),
            (None, None) => Range::default(),
        }
    }

    /// Where a key's value stands, or one item of it.
    pub(super) fn value(&self, path: &[&str], item: Option<usize>) -> Range<usize> {
        let Some((_, value)) = self.entry(path) else { return self.key(path) };
        let items = value.get_ref().as_array();
        items.zip(item).and_then(|(items, index)| items.get(index)).map_or(value.span(), Spanned::span)
    }

    fn entry(&self, path: &[&str]) -> Option<Entry<'_, 't>> {
        let (last, folders) = path.split_last()?;
        let mut table = &self.tables;
        for name in folders {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        table.get_key_value(*last)
    }

    /// The tables in a table, with their names and where these stand, in the order of the text.
    pub(super) fn tables_in(&self, name: &str) -> Vec<(&str, Range<usize>, &DeTable<'t>)> {
        let tables = self.tables.get(name).and_then(|value| value.get_ref().as_table());
        let each = tables.into_iter().flat_map(|tables| tables.iter());
        let each = each.filter_map(|(name, value)| {
            Some((name.get_ref().as_ref(), name.span(), value.get_ref().as_table()?))
        });
        let mut each: Vec<_> = each.collect();
        each.sort_by_key(|(_, span, _)| span.start);
        each
    }

    /// Tells what is wrong there.
    pub(super) fn tell(&self, span: &Range<usize>, what: &str) -> String {
        tell(self.text, span, what)
    }
}

/// The number of the line that a place is on.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Tells what the reader of TOML did not understand.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    explain_message(text, error, error.message())
}

/// The same for a part of a table that can have these keys as well.
pub(super) fn explain_beside(document: &Document<'_>, error: &toml::de::Error, keys: &[&str]) -> String {
    let mut message = error.message().to_owned();
    if message.starts_with("unknown field") {
        keys.iter().for_each(|key| message.push_str(&format!(", `{key}`")));
    }
    explain_message(document.text, error, &message)
}

fn explain_message(text: &str, error: &toml::de::Error, message: &str) -> String {
    let what = suggest(message).unwrap_or_else(|| message.to_owned());
    error.span().map_or_else(|| what.clone(), |span| tell(text, &span, &what))
}

/// The place, what is wrong there, and the line with a mark below.
fn tell(text: &str, span: &Range<usize>, what: &str) -> String {
    // At the end of the text something is missing from the last line that there is.
    let start = boundary(text, span.start.min(text.trim_end().len()));
    let (before, _) = text.split_at(start);
    let (_, left) = before.rsplit_once('\n').unwrap_or(("", before));
    let (_, from_there) = text.split_at(start - left.len());
    let line = from_there.lines().next().unwrap_or_default();
    // The end of a line is no part of it, be it one character or two.
    let (left, rest) = line.split_at_checked(left.len()).unwrap_or((line, ""));
    let (number, column) = (line_of(text, start), left.chars().count() + 1);
    let place = format!("line {number}, column {column}: {}", escape_control(what));
    if line.chars().count() > WIDEST {
        return place;
    }
    let (marked, _) = rest.split_at(boundary(rest, span.end.saturating_sub(start)));
    let (indent, width) =
        (measure_text_width(&escape_control(left)), measure_text_width(&escape_control(marked)).max(1));
    let gutter = " ".repeat(number.to_string().len());
    format!(
        "{place}\n{gutter} |\n{number} | {}\n{gutter} | {}{}",
        escape_control(line),
        " ".repeat(indent),
        "^".repeat(width)
    )
}

/// The last place at or before this one that does not lie within a character, nor outside of the text.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// What serde says of a key or word that it does not know, with the one that may have been meant.
fn suggest(message: &str) -> Option<String> {
    let kinds = [("unknown field `", "unknown key"), ("unknown variant `", "unknown value")];
    let (kind, rest) =
        kinds.into_iter().find_map(|(begin, kind)| Some((kind, message.strip_prefix(begin)?)))?;
    let (word, known) = rest.rsplit_once("`, expected ")?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let distance = |other: &str| strsim::osa_distance(&plain(word), &plain(other));
    let nearest = known.iter().min_by_key(|other| distance(other))?;
    let word_shown = word.chars().take(100).collect::<String>();
    Some(if distance(nearest) * LIKENESS <= word.chars().count().max(nearest.len()) {
        format!("{kind} '{word_shown}', did you mean '{nearest}'?")
    } else {
        format!("{kind} '{word_shown}'; known here: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_below_the_word_whatever_stands_before_it() {
        let text = "# a\n\t'漢' = 'x'\n";
        let at = text.find("'x'").unwrap_or_default();
        let told = tell(text, &(at..at + 3), "why");
        assert_eq!(told, "line 2, column 8: why\n  |\n2 | \\t'漢' = 'x'\n  |          ^^^");
    }

    #[test]
    fn no_place_is_outside_of_the_text() {
        for text in ["", "\n", "x", "ä\r\n\r\n", "a\r", &"y".repeat(200)] {
            for start in 0..text.len() + 3 {
                for end in 0..text.len() + 3 {
                    assert!(tell(text, &(start..end), "why").starts_with("line 1, column "));
                }
            }
        }
        for text in ["a\r\nb\r\n\r\nc", "'ä\r\n漢\r\n", "\r\n\r\r\n\n\r", "\u{feff}x\r\n= 'y"] {
            for start in 0..text.len() + 3 {
                for end in 0..text.len() + 3 {
                    assert!(tell(text, &(start..end), "why").starts_with("line "));
                }
            }
        }
    }

    #[test]
    fn a_likely_word_is_suggested_and_for_an_unlikely_one_all_are_named() {
        let known = "expected one of `profile`, `ha-peer`";
        for (word, end) in [
            ("profil", ", did you mean 'profile'?"),
            ("ha_peer", ", did you mean 'ha-peer'?"),
            ("HA-Peer", ", did you mean 'ha-peer'?"),
            ("colour", "; known here: profile, ha-peer"),
            ("a`, expected `b", "; known here: profile, ha-peer"),
        ] {
            let told = suggest(&format!("unknown field `{word}`, {known}"));
            assert_eq!(told, Some(format!("unknown key '{word}'{end}")));
        }
        assert_eq!(suggest("invalid type: `x`"), None);
    }
}
