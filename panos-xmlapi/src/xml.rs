//! XML as a small tree: read with a bound on depth and without any DTD, written with everything escaped.

use quick_xml::XmlVersion;
use quick_xml::escape::{EscapeError, ParseCharRefError, escape};
use quick_xml::events::attributes::{Attribute, Attributes};
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::name::QName;
use quick_xml::{Reader, Writer};

use super::words;

/// Elements nested deeper than this are refused. PAN-OS configuration paths stay below 30.
pub const MAX_DEPTH: usize = 100;

/// Documents of more elements are refused: in memory an element takes some thirty times its text.
pub const MAX_ELEMENTS: usize = 300_000;

/// Elements with more attributes are refused: looking for duplicates takes quadratic time.
pub const MAX_ATTRIBUTES: usize = 100;

/// One element with its attributes and content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// The element's name, prefix included.
    pub name: String,
    /// Attributes in document order.
    pub attributes: Vec<(String, String)>,
    /// Content in document order.
    pub content: Vec<Node>,
}

/// A piece of an element's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, references resolved.
    Text(String),
}

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed.
    #[error("it is not well-formed XML: {0}")]
    Malformed(String),
    /// Ended before the root element was closed.
    #[error("it ends in the middle")]
    Truncated,
    /// A document type definition, which PAN-OS never sends.
    #[error("it carries a DOCTYPE")]
    Doctype,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("its elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More than [`MAX_ELEMENTS`], or one with more than [`MAX_ATTRIBUTES`].
    #[error("it has more than {MAX_ELEMENTS} elements, or {MAX_ATTRIBUTES} attributes in one")]
    TooMany,
    /// No element at all.
    #[error("it holds no XML element")]
    Empty,
    /// Something stands beside the root element.
    #[error("there is content outside the root element")]
    BesideRoot,
}

impl Element {
    /// An element without content.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// `<a><b><c/></b></a>` for `["a", "b", "c"]`, with `inner` put into the last one.
    #[must_use]
    pub fn nested(names: &[&str], inner: Option<Self>) -> Self {
        let mut built = inner;
        for name in names.iter().rev() {
            let mut outer = Self::new(name);
            outer.content.extend(built.take().map(Node::Element));
            built = Some(outer);
        }
        built.unwrap_or_default()
    }

    /// This element with a child added.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.content.push(Node::Element(child));
        self
    }

    /// This element with text added.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.content.push(Node::Text(text.to_owned()));
        self
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The child elements.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.content.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The child elements of this name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children().filter(move |child| child.name == name)
    }

    /// The first child element of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children().find(|child| child.name == name)
    }

    /// The element at the end of a path of first children.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The element's own character data, without its children's, trimmed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut all = String::new();
        for node in &self.content {
            if let Node::Text(text) = node {
                all.push_str(text);
            }
        }
        all.trim().to_owned()
    }

    /// The trimmed text of a child, if the child is there and not empty.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.child(name).map(Self::text).filter(|text| !text.is_empty())
    }

    /// As [`Element::text_of`], for a name or a word: at most [`words::WORD`] characters of it.
    #[must_use]
    pub fn word_of(&self, name: &str) -> Option<String> {
        self.text_of(name).map(|text| words::word(&text))
    }

    /// The attribute `name`, at most [`words::WORD`] characters of it; empty where there is none.
    #[must_use]
    pub fn name_attribute(&self) -> String {
        words::word(self.attribute("name").unwrap_or_default())
    }

    /// Whether there is neither a child element nor any text but blanks.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.children().next().is_none() && self.text().is_empty()
    }

    /// Whether all names in it are names, and all text can stand in XML.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut waiting = vec![(self, 1_usize)];
        while let Some((element, depth)) = waiting.pop() {
            if depth > MAX_DEPTH {
                return Err(format!("its elements are nested more than {MAX_DEPTH} deep"));
            }
            let names = element.attributes.iter().map(|(name, _)| name).chain([&element.name]);
            if let Some(bad) = names.into_iter().find(|name| !is_name(name)) {
                let shown: String = bad.chars().take(40).collect();
                return Err(format!("'{}' is no name of an element or attribute", shown.escape_debug()));
            }
            let own = element.content.iter().filter_map(|node| match node {
                Node::Text(text) => Some(text),
                Node::Element(_) => None,
            });
            if own.chain(element.attributes.iter().map(|(_, value)| value)).any(|text| !is_text(text)) {
                return Err(format!("<{}> holds a control character", element.name));
            }
            waiting.extend(element.children().map(|child| (child, depth + 1)));
        }
        Ok(())
    }

    /// Reads a whole document.
    ///
    /// # Errors
    /// Everything that is not exactly one well-formed root element without a DTD.
    pub fn parse(document: &str) -> Result<Self, XmlError> {
        // A byte order mark may stand in front of the document; the library takes it off.
        let mut reader = Reader::from_str(document);
        reader.config_mut().check_comments = true;
        let mut open: Vec<Self> = Vec::new();
        let mut root: Option<Self> = None;
        let mut elements: usize = 0;
        let mut at_the_beginning = true;
        loop {
            let event = reader.read_event().map_err(malformed)?;
            if matches!(event, Event::Start(_) | Event::Empty(_)) {
                elements += 1;
                if elements > MAX_ELEMENTS {
                    return Err(XmlError::TooMany);
                }
            }
            match event {
                Event::Start(start) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::TooDeep);
                    }
                    open.push(Self::read_start(&start)?);
                }
                Event::Empty(start) => Self::close(Self::read_start(&start)?, &mut open, &mut root)?,
                Event::End(_) => {
                    let done = open.pop().ok_or(XmlError::BesideRoot)?;
                    Self::close(done, &mut open, &mut root)?;
                }
                Event::Text(text) => push_text(&text.xml10_content(), &mut open)?,
                // Not even blanks of this kind may stand beside the root.
                Event::CData(_) | Event::GeneralRef(_) if open.is_empty() => {
                    return Err(XmlError::BesideRoot);
                }
                Event::CData(text) => push_text(&text.xml10_content(), &mut open)?,
                Event::GeneralRef(reference) => {
                    let text = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character.to_string(),
                        // A number that is no character: one bad byte of somebody's text.
                        Err(quick_xml::Error::Escape(EscapeError::InvalidCharRef(
                            ParseCharRefError::InvalidCodepoint(_) | ParseCharRefError::IllegalCharacter(_),
                        ))) => char::REPLACEMENT_CHARACTER.to_string(),
                        Err(error) => return Err(malformed(error)),
                        Ok(None) => quick_xml::escape::resolve_xml_entity(&reference.xml10_content())
                            .ok_or_else(|| malformed("unknown entity"))?
                            .to_owned(),
                    };
                    push_text(&text, &mut open)?;
                }
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Decl(_) if !at_the_beginning => {
                    return Err(malformed("an XML declaration that is not at the beginning"));
                }
                Event::Decl(declaration) => check_declaration(&declaration)?,
                Event::PI(instruction) => {
                    name(instruction.target()).map_err(|_| malformed("an instruction without a name"))?;
                }
                Event::Comment(_) => {}
                Event::Eof => break,
            }
            at_the_beginning = false;
        }
        if !open.is_empty() {
            return Err(XmlError::Truncated);
        }
        root.ok_or(XmlError::Empty)
    }

    fn read_start(start: &BytesStart<'_>) -> Result<Self, XmlError> {
        let mut element = Self::new(name(start.name().as_ref())?);
        if !is_spaced(start) {
            return Err(malformed("attributes without a blank between them"));
        }
        for attribute in start.attributes() {
            if element.attributes.len() >= MAX_ATTRIBUTES {
                return Err(XmlError::TooMany);
            }
            let attribute = attribute.map_err(malformed)?;
            if attribute.value.contains('<') {
                return Err(malformed("a '<' in an attribute's value"));
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?;
            element.attributes.push((name(attribute.key.as_ref())?.to_owned(), value.into_owned()));
        }
        Ok(element)
    }

    fn close(done: Self, open: &mut [Self], root: &mut Option<Self>) -> Result<(), XmlError> {
        match open.last_mut() {
            Some(parent) => parent.content.push(Node::Element(done)),
            None if root.is_some() => return Err(XmlError::BesideRoot),
            None => *root = Some(done),
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        // Line ends and tabs as they stand would be read as other ones, in attributes as blanks.
        let value = |value: &str| {
            let value = escape(value).replace('\r', "&#13;");
            value.replace('\n', "&#10;").replace('\t', "&#9;")
        };
        let attributes = self
            .attributes
            .iter()
            .map(|(key, text)| Attribute { key: QName(key.as_str()), value: value(text).into() });
        let element = writer.create_element(self.name.as_str()).with_attributes(attributes);
        element.write_inner_content(|writer| {
            for node in &self.content {
                match node {
                    Node::Element(child) => child.write(writer)?,
                    Node::Text(text) => {
                        let text = escape(text.as_str()).replace('\r', "&#13;");
                        writer.write_event(Event::Text(BytesText::from_escaped(text)))?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

/// Whether a text has only characters that XML 1.0 allows.
fn is_text(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}')))
}

impl std::str::FromStr for Element {
    type Err = XmlError;

    /// As [`Element::parse`].
    fn from_str(document: &str) -> Result<Self, Self::Err> {
        Self::parse(document)
    }
}

fn push_text(text: &str, open: &mut [Element]) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(_) if text.is_empty() => {}
        Some(parent) => match parent.content.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => parent.content.push(Node::Text(text.to_owned())),
        },
        None if text.chars().all(is_blank) => {}
        None => return Err(XmlError::BesideRoot),
    }
    Ok(())
}

fn malformed(problem: impl ToString) -> XmlError {
    XmlError::Malformed(problem.to_string())
}

/// What XML takes for blanks; other scripts have more.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The library takes anything for a name. What is none would be another element's or attribute's when it is written.
fn name(text: &str) -> Result<&str, XmlError> {
    let begins = |c: char| {
        matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |c: char| {
        begins(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    if text.starts_with(begins) && text.chars().all(goes_on) {
        Ok(text)
    } else {
        Err(malformed(format!("'{}' is no name", text.chars().take(40).collect::<String>().escape_debug())))
    }
}

/// `version`, `encoding` and `standalone`, in this order, the first one in any case. What they say is of no account: a
/// reply is read as UTF-8 or not at all.
fn check_declaration(declaration: &str) -> Result<(), XmlError> {
    let mut allowed = ["version", "encoding", "standalone"].iter();
    let mut count = 0;
    for attribute in Attributes::new(declaration, "xml".len()) {
        let attribute = attribute.map_err(malformed)?;
        let known = allowed.any(|name| *name == attribute.key.as_ref());
        let first_is_another = count == 0 && attribute.key.as_ref() != "version";
        if !known || first_is_another || attribute.value.contains('<') {
            return Err(malformed("an XML declaration of another kind"));
        }
        count += 1;
    }
    if count > 0 && is_spaced(declaration) {
        Ok(())
    } else {
        Err(malformed("an XML declaration of another kind"))
    }
}

/// Whether a blank stands behind each attribute's value but the last.
fn is_spaced(start: &str) -> bool {
    let mut quote = None;
    let mut rest = start.chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            Some(open) if open == c => {
                quote = None;
                if rest.peek().is_some_and(|next| !is_blank(*next)) {
                    return false;
                }
            }
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => {}
        }
    }
    true
}

/// The element as XML text.
impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut writer = Writer::new(Vec::new());
        self.write(&mut writer).map_err(|_| std::fmt::Error)?;
        let text = String::from_utf8(writer.into_inner()).map_err(|_| std::fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
