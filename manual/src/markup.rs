//! The little markup of the manual's texts: `*bold*` and `<italic>`.

use roff::{Inline, bold, italic, roman};

/// A text as pieces of their fonts.
pub(crate) fn inlines(text: &str) -> Vec<Inline> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '<']) {
        let end = if rest[at..].starts_with('*') { '*' } else { '>' };
        let Some(length) = rest[at + 1..].find(end) else { break };
        pieces.push(roman(&rest[..at]));
        let inside = &rest[at + 1..at + 1 + length];
        pieces.push(if end == '*' { bold(inside) } else { italic(inside) });
        rest = &rest[at + length + 2..];
    }
    pieces.push(roman(rest));
    pieces
}

/// A text without its markup.
#[cfg(test)]
pub(crate) fn plain(text: &str) -> String {
    text.replace(['*', '<', '>'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_angles_choose_the_font() {
        let seen = inlines("see *man*(1) or <FILE>, 2 * 3");
        let wanted = [roman("see "), bold("man"), roman("(1) or "), italic("FILE"), roman(", 2 * 3")];
        assert_eq!(seen, wanted);
        assert_eq!(plain("*a* <b>"), "a b");
    }
}
