//! Another XML reader's opinion (`roxmltree`) of what ours reads.
//!
//! Both are to refuse the same documents and to see the same tree in the others. Where they differ on purpose is
//! said here, once; docs/fuzzing.md says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, unreachable_pub)]

use panos_xmlapi::{Element, Node, XmlError};
use roxmltree::{Document, Error};

/// An element as both readers can tell it: name, attributes, content.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    name: String,
    attributes: Vec<(String, String)>,
    content: Vec<Piece>,
}

impl Seen {
    /// Forgets how lines end, and how many end at once.
    fn end_lines(&mut self) {
        for piece in &mut self.content {
            match piece {
                Piece::Element(child) => child.end_lines(),
                Piece::Text(text) => {
                    let lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
                    *text = lines.collect::<Vec<_>>().join("\n");
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Element(Seen),
    Text(String),
}

/// What the two readers made of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// Both see the same tree.
    Same,
    /// Both refuse it.
    Refused,
    /// They differ in a way that is meant.
    Meant,
}

/// Asks both.
///
/// # Panics
/// Where they differ in a way that is not meant.
pub fn ask(text: &str) -> Opinion {
    match (Element::parse(text), Document::parse(text)) {
        (Ok(ours), Ok(theirs)) => {
            let (mut ours, mut theirs) = (of_ours(&ours), of_theirs(theirs.root_element(), text));
            // In front of anything but text the other reader leaves a lone carriage return as it is; it is a line end.
            if text.contains('\r') {
                ours.end_lines();
                theirs.end_lines();
            }
            assert_eq!(ours, theirs, "the trees differ: {text:?}");
            Opinion::Same
        }
        (Err(_), Err(_)) => Opinion::Refused,
        (Ok(ours), Err(error)) if we_may_accept(&error, &ours) => Opinion::Meant,
        (Err(error), Ok(_)) if we_may_refuse(&error, text) => Opinion::Meant,
        (Ok(_), Err(error)) => panic!("we accept what is not well-formed ({error}): {text:?}"),
        (Err(error), Ok(_)) => panic!("we refuse what is well-formed ({error}): {text:?}"),
    }
}

/// What XML 1.0 allows in a document.
pub fn is_xml_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn we_may_accept(error: &Error, ours: &Element) -> bool {
    match error {
        // Namespaces mean nothing to us: a name is what is written.
        Error::UnknownNamespace(..)
        | Error::DuplicatedNamespace(..)
        | Error::InvalidXmlPrefixUri(_)
        | Error::UnexpectedXmlUri(_)
        | Error::UnexpectedXmlnsUri(_)
        | Error::InvalidElementNamePrefix(_) => true,
        // Text is text, also with characters in it that no document may have: whoever shows it escapes them.
        Error::NonXmlChar(..) | Error::InvalidCharacterData(_) => true,
        // A number that is no character is U+FFFD: one bad byte does not make a reply unreadable.
        Error::MalformedEntityReference(_) => {
            has(ours, &|text| text.contains(|c| !is_xml_character(c) || c == char::REPLACEMENT_CHARACTER))
        }
        // Where there are no namespaces, a colon is a letter like any other.
        Error::InvalidName(_) => has_odd_colon(ours),
        _ => false,
    }
}

fn has(element: &Element, wanted: &dyn Fn(&str) -> bool) -> bool {
    element.attributes.iter().any(|(_, value)| wanted(value))
        || element.content.iter().any(|node| match node {
            Node::Element(child) => has(child, wanted),
            Node::Text(text) => wanted(text),
        })
}

fn has_odd_colon(element: &Element) -> bool {
    // What may stand in a name, and not at the beginning of one.
    let later = |c: char| matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}');
    let odd = |name: &str| {
        let parts: Vec<&str> = name.split(':').collect();
        parts.len() > 2
            || (parts.len() == 2 && parts.iter().any(|part| part.is_empty() || part.starts_with(later)))
    };
    odd(&element.name)
        || element.attributes.iter().any(|(name, _)| odd(name))
        || element.children().any(has_odd_colon)
}

fn we_may_refuse(error: &XmlError, text: &str) -> bool {
    match error {
        // Limits that only we have.
        XmlError::Doctype | XmlError::TooDeep | XmlError::TooMany => true,
        // The other reader takes what is no character (a surrogate) for U+FFFD.
        XmlError::Malformed(problem) if problem.contains("codepoint") => text.contains("&#"),
        // It knows a declaration only by one blank behind `<?xml`, and takes others for an instruction.
        XmlError::Malformed(problem) if problem.contains("declaration") => true,
        // It wants no blank between an instruction's name and what follows.
        XmlError::Malformed(problem) if problem.contains("instruction") => true,
        _ => false,
    }
}

fn of_ours(element: &Element) -> Seen {
    let content = element.content.iter().filter_map(|node| match node {
        Node::Element(child) => Some(Piece::Element(of_ours(child))),
        Node::Text(text) if text.is_empty() => None,
        Node::Text(text) => Some(Piece::Text(text.clone())),
    });
    let is_namespace = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
    Seen {
        name: element.name.clone(),
        attributes: element.attributes.iter().filter(|(name, _)| !is_namespace(name)).cloned().collect(),
        content: content.collect(),
    }
}

fn of_theirs(node: roxmltree::Node<'_, '_>, text: &str) -> Seen {
    let mut content: Vec<Piece> = Vec::new();
    for child in node.children() {
        if child.is_element() {
            content.push(Piece::Element(of_theirs(child, text)));
        } else if let Some(more) = child.text().filter(|_| child.is_text()) {
            match content.last_mut() {
                Some(Piece::Text(before)) => before.push_str(more),
                _ if more.is_empty() => {}
                _ => content.push(Piece::Text(more.to_owned())),
            }
        }
    }
    // With its prefix, which the other reader takes off.
    let begun = &text[node.range().start + 1..];
    let end = begun.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(begun.len());
    let attributes = node.attributes();
    Seen {
        name: begun[..end].to_owned(),
        attributes: attributes
            .map(|attribute| (text[attribute.range_qname()].to_owned(), attribute.value().to_owned()))
            .collect(),
        content,
    }
}
