//! From text to elements. Refuses what no honest client sends: DOCTYPE, endless depth.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use super::Element;

/// Deeper documents are refused; the deepest configuration path has some twenty levels.
const DEEPEST: usize = 64;

/// The text is no XML document of the kind a device accepts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("malformed XML: {0}")]
pub(crate) struct BrokenXml(String);

impl BrokenXml {
    fn because(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// Reads a document with exactly one root element.
pub(crate) fn parse(text: &str) -> Result<Element, BrokenXml> {
    let mut roots = parse_fragment(text)?;
    match (roots.pop(), roots.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(BrokenXml::because("there must be one root element")),
    }
}

/// Reads any number of elements side by side, as `element=` holds them.
pub(crate) fn parse_fragment(text: &str) -> Result<Vec<Element>, BrokenXml> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(BrokenXml::because)? {
            Event::Start(start) => {
                if open.len() > DEEPEST {
                    return Err(BrokenXml::because("too deep"));
                }
                open.push(begin(&start)?);
            }
            Event::Empty(start) => {
                let element = begin(&start)?;
                add(&mut open, element);
            }
            Event::End(_) => {
                let mut done = open.pop().unwrap_or_default();
                if !done.children.is_empty() && done.text.trim().is_empty() {
                    done.text.clear();
                }
                if open.is_empty() {
                    return Err(BrokenXml::because("an end tag without its start"));
                }
                add(&mut open, done);
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?),
            Event::DocType(_) => return Err(BrokenXml::because("a DOCTYPE is not accepted")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(top), true) if top.text.trim().is_empty() => Ok(top.children),
        (Some(_), true) => Err(BrokenXml::because("text outside of any element")),
        _ => Err(BrokenXml::because("an element is not closed")),
    }
}

fn begin(start: &BytesStart<'_>) -> Result<Element, BrokenXml> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(BrokenXml::because)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(BrokenXml::because)?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, BrokenXml> {
    if let Some(character) = reference.resolve_char_ref().map_err(BrokenXml::because)? {
        return Ok(character.to_string());
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_predefined_entity(&name)
        .map(str::to_owned)
        .ok_or_else(|| BrokenXml::because(format_args!("unknown entity {name:?}")))
}

fn add(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_entities_cdata_and_quotes_of_both_kinds() {
        let read = parse("<a b = 'x&amp;y'><c>1 &lt; &#50;<![CDATA[ <3]]></c> <d/></a>").unwrap();
        assert_eq!(read.get("b"), Some("x&y"));
        assert_eq!(read.text_of("c"), Some("1 < 2 <3"));
        assert_eq!(read.children.len(), 2);
        assert_eq!(read.text, "");
    }

    #[test]
    fn refuses_what_is_not_one_well_formed_document() {
        for broken in
            ["", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>text", "<!DOCTYPE a><a/>", "<a>&bomb;</a>"]
        {
            assert!(parse(broken).is_err(), "{broken}");
        }
        assert!(parse(&"<a>".repeat(100)).is_err());
    }
}
