//! What a device says, cut to a length that every reader can hold: a log line, a record, a terminal, the
//! environment of a command. It is cut here, where it is read, and nowhere else.

use std::borrow::Cow;

use super::xml::Element;

/// The most lines that are kept of one message; what was left out is counted in one more.
pub const LINES: usize = 10;
/// The most characters of one line.
pub const LINE: usize = 600;
/// The most characters of all lines together.
pub const ALL: usize = 3000;
/// The most characters of a name, a word or a path: no name on a device is nearly as long.
pub const WORD: usize = 1024;

/// Words of lines that say why something failed. Where a message is too long, these lines are kept first.
const TELLING: [&str; 16] = [
    "error",
    "fail",
    "invalid",
    "not valid",
    "refused",
    "denied",
    "cannot",
    "can't",
    "could not",
    "mismatch",
    "missing",
    "not found",
    "duplicate",
    "lock",
    "try again",
    "privilege",
];

/// The text with what is above `limit` characters left out.
#[must_use]
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()),
    }
}

/// A name or a word, at most [`WORD`] characters of it.
pub(super) fn word(text: &str) -> String {
    cut(text, WORD).into_owned()
}

/// The texts of the innermost `msg` and `line` elements, cut: at most [`LINES`] of them.
pub(super) fn lines(parts: &[&Element]) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts {
        collect(part, &mut all);
    }
    keep_some(all)
}

fn collect(element: &Element, into: &mut Vec<String>) {
    let mut inner =
        element.children().filter(|child| matches!(child.name.as_str(), "msg" | "line")).peekable();
    if inner.peek().is_none() {
        let text = element.text();
        if text.chars().nth(LINE).is_some() && text.contains('\n') {
            // Lines that only line breaks tell apart.
            into.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        } else if !text.is_empty() {
            into.push(text);
        }
    }
    for child in inner {
        collect(child, into);
    }
}

/// The lines that are kept, in their order, and how many are not.
#[must_use]
pub fn keep_some(all: Vec<String>) -> Vec<String> {
    let fits = all.len() <= LINES
        && all.iter().all(|line| line.chars().nth(LINE).is_none())
        && all.iter().map(|line| line.chars().count()).sum::<usize>() <= ALL;
    if fits {
        return all;
    }
    let kept = choose(&all);
    let left_out = all.len() - kept.len();
    let mut lines: Vec<String> = kept.into_iter().map(|at| cut(&all[at], LINE).into_owned()).collect();
    if left_out > 0 {
        lines.push(format!(
            "… and {} more line{}",
            with_commas(left_out),
            if left_out == 1 { "" } else { "s" }
        ));
    }
    lines
}

/// Which lines are kept: those that say why something failed before others, the first ones before later ones.
fn choose(all: &[String]) -> Vec<usize> {
    let tells = |line: &String| {
        let line = cut(line, LINE).to_ascii_lowercase();
        TELLING.iter().any(|word| line.contains(word))
    };
    let (first, then): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|at| tells(&all[*at]));
    let (mut kept, mut length) = (Vec::new(), 0);
    for at in first.into_iter().chain(then).take(LINES) {
        length += all[at].chars().take(LINE).count();
        if length > ALL && !kept.is_empty() {
            break;
        }
        kept.push(at);
    }
    kept.sort_unstable();
    kept
}

fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn numbered(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("line {number}")).collect()
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        assert_eq!(keep_some(numbered(LINES)), numbered(LINES));
        assert_eq!(keep_some(vec!["x".repeat(LINE)]), ["x".repeat(LINE)]);
    }

    #[test]
    fn of_many_lines_the_first_ones_and_a_count_are_kept() {
        let mut wanted = numbered(LINES);
        wanted.push("… and 2,990 more lines".to_owned());
        assert_eq!(keep_some(numbered(3000)), wanted);
        assert_eq!(keep_some(numbered(LINES + 1)).last().unwrap(), "… and 1 more line");
    }

    #[test]
    fn lines_that_say_why_are_kept_wherever_they_stand() {
        let mut all = numbered(3000);
        all[1500] = "vsys1 -> profile 'x' is invalid".to_owned();
        all[2999] = "Commit failed".to_owned();
        let kept = keep_some(all);
        assert_eq!(kept[..2], ["line 1", "line 2"]);
        assert_eq!(kept[8..], ["vsys1 -> profile 'x' is invalid", "Commit failed", "… and 2,990 more lines"]);
    }

    #[test]
    fn whatever_is_said_the_whole_is_short() {
        for all in
            [vec!["é".repeat(100_000)], vec!["x".repeat(599); 5000], vec![String::from("a\n"); 100_000]]
        {
            let kept = keep_some(all);
            assert!(kept.len() <= LINES + 1);
            assert!(kept.iter().map(|line| line.chars().count()).sum::<usize>() <= ALL + 40);
        }
    }

    #[test]
    fn lines_in_one_element_are_told_apart_where_they_are_many() {
        let text: String = (1..=3000).map(|number| format!("line {number}\n")).collect();
        let element = Element::new("details").with(Element::new("line").with_text(&text));
        assert_eq!(lines(&[&element])[1], "line 2");
        assert_eq!(lines(&[&element]).last().unwrap(), "… and 2,990 more lines");
    }
}
