//! Texts from arguments, files and devices, made fit for a log and a terminal.

/// Whether a character can neither end a line, nor steer a terminal, nor reverse the order of writing.
pub(crate) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with all other characters escaped.
pub(crate) fn escape_control(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

/// Words as they are typed in a shell: quoted only where they have to be.
pub(crate) fn shell_words(words: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c))
    };
    let quoted = |word: &String| match is_plain(word) {
        true => word.clone(),
        false => shlex::try_quote(word).map_or_else(|_| "''".to_owned(), Into::into),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The most that is told of a list: nobody reads more, and nothing grows with what a device has.
const SOME: usize = 10;

/// The first of these, and how many more there are.
pub(crate) fn some_of(all: &[String], between: &str) -> String {
    let first = all.iter().take(SOME).map(String::as_str).collect::<Vec<_>>().join(between);
    match all.len().saturating_sub(SOME) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The names that there are, the first of them, or "none".
pub(crate) fn some_or_none<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
    if names.is_empty() { "none".to_owned() } else { some_of(&names, ", ") }
}

/// A length of time in the largest unit that it has one of, rounded down: `30 days`, `1 hour`.
pub(crate) fn spoken(length: chrono::TimeDelta) -> String {
    let length = length.abs();
    let units = [
        (length.num_days(), "day"),
        (length.num_hours(), "hour"),
        (length.num_minutes(), "minute"),
        (length.num_seconds(), "second"),
    ];
    let largest = units.iter().find(|(count, _)| *count > 0).unwrap_or(&units[3]);
    let (count, unit) = largest;
    format!("{count} {unit}{}", if *count == 1 { "" } else { "s" })
}

/// The same for a time that was measured.
pub(crate) fn spoken_of(length: std::time::Duration) -> String {
    spoken(chrono::TimeDelta::from_std(length).unwrap_or(chrono::TimeDelta::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_lines_steers_terminals_or_reverses_writing_is_escaped_and_letters_are_not() {
        assert_eq!(
            escape_control("a\n\r\t\u{1b}[2J\u{7}\u{9b}\u{7f}"),
            "a\\n\\r\\t\\u{1b}[2J\\u{7}\\u{9b}\\u{7f}"
        );
        assert_eq!(
            escape_control("\u{2028}\u{202e}\u{2066}\u{200f}"),
            "\\u{2028}\\u{202e}\\u{2066}\\u{200f}"
        );
        assert_eq!(escape_control("Zürich 漢字 'x' \\n"), "Zürich 漢字 'x' \\n");
    }

    #[test]
    fn lengths_of_time_are_told_in_their_largest_unit() {
        use chrono::TimeDelta;
        for (seconds, told) in
            [(0, "0 seconds"), (-61, "1 minute"), (7200, "2 hours"), (2_592_000, "30 days")]
        {
            assert_eq!(spoken(TimeDelta::seconds(seconds)), told);
        }
    }
}
