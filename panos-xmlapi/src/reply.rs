//! The envelope every reply comes in: `<response status="…" code="…">…</response>`.

use std::borrow::Cow;

use super::redact::Redactor;
use super::words;
use super::xml::{Element, XmlError};

/// One reply, understood as far as its envelope goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The `status` attribute: `success`, `error`, `unauth`, sometimes another word or none at all.
    pub status: Option<String>,
    /// The `code` attribute as it stands; it can be there and empty.
    pub code: Option<String>,
    /// The device's own words, in document order, trimmed, empty ones dropped, cut to [`words::LINES`].
    pub messages: Vec<String>,
    response: Element,
}

/// Why a body is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No text at all.
    #[error("it is not text")]
    NotUtf8,
    /// No acceptable XML document.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// XML, but of another kind.
    #[error("its root element is <{0}>, not <response>")]
    WrongRoot(String),
    /// A reply that lacks what was asked for.
    #[error("it lacks {0}")]
    Missing(&'static str),
    /// A success is claimed with a code that says otherwise.
    #[error("status \"success\" contradicts code {0}")]
    Contradiction(String),
}

impl ReplyError {
    /// Without the secrets that the names in it may repeat.
    pub(super) fn cleaned(self, redactor: &Redactor) -> Self {
        match self {
            Self::Xml(XmlError::Malformed(why)) => Self::Xml(XmlError::Malformed(redactor.clean(why))),
            Self::WrongRoot(name) => Self::WrongRoot(redactor.clean(name)),
            Self::Contradiction(code) => Self::Contradiction(redactor.clean(code)),
            other => other,
        }
    }
}

impl Reply {
    /// Reads a body. A byte order mark is passed over, and bytes that are no UTF-8 are replaced: devices quote
    /// what administrators have typed, in whatever encoding.
    ///
    /// # Errors
    /// A body that is no single well-formed `<response>` element.
    pub fn parse(body: &[u8]) -> Result<Self, ReplyError> {
        Self::read(Element::parse(&text_of(body)?)?)
    }

    fn read(response: Element) -> Result<Self, ReplyError> {
        if response.name != "response" {
            return Err(ReplyError::WrongRoot(response.name.chars().take(40).collect()));
        }
        Ok(Self::of(response))
    }

    fn of(response: Element) -> Self {
        let messages = words::lines(&spoken(&response));
        Self {
            status: response.attribute("status").map(words::word),
            code: response.attribute("code").map(words::word),
            messages,
            response,
        }
    }

    /// The same without secrets that were written with references, and so could not be seen in the body.
    pub(super) fn cleaned(mut self, redactor: &Redactor) -> Self {
        redactor.clean_element(&mut self.response);
        Self::of(self.response)
    }

    /// The `result` element, if there is one.
    #[must_use]
    pub fn result(&self) -> Option<&Element> {
        self.response.child("result")
    }

    /// The replies inside this one, as a multi-config request has them.
    pub(super) fn parts(&self) -> Vec<Self> {
        let parts = self.response.children_named("response");
        parts.filter_map(|part| Self::read(part.clone()).ok()).collect()
    }

    /// The whole reply as XML again, for a log.
    #[must_use]
    pub fn as_xml(&self) -> String {
        self.response.to_string()
    }

    /// The container of a listing, or the blank result that stands for an empty one. Any other content
    /// is not a listing, so not an empty one.
    pub(super) fn listing(&self, containers: &[&str]) -> Result<&Element, ReplyError> {
        let result = self.result().ok_or(ReplyError::Missing("a result"))?;
        match containers.iter().find_map(|name| result.child(name)) {
            Some(container) => Ok(container),
            None if result.is_blank() => Ok(result),
            None => Err(ReplyError::Missing("the list that was asked for")),
        }
    }

    /// The code as a number, if there is one.
    #[must_use]
    pub fn numeric_code(&self) -> Option<u16> {
        self.code.as_deref().and_then(|code| code.trim().parse().ok())
    }

    /// Whether the envelope says `success` in so many words.
    #[must_use]
    pub fn says_success(&self) -> bool {
        self.status.as_deref() == Some("success")
    }
}

/// The body as text.
fn text_of(body: &[u8]) -> Result<Cow<'_, str>, ReplyError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    // What is compressed, or a picture, is better told as that than as XML that is not well-formed.
    if matches!(text, Cow::Owned(_)) && !text.trim_start().starts_with('<') {
        return Err(ReplyError::NotUtf8);
    }
    Ok(text)
}

/// The parts of a reply in which a device speaks.
fn spoken(response: &Element) -> Vec<&Element> {
    let mut parts = Vec::new();
    for child in response.children() {
        match child.name.as_str() {
            "msg" => parts.push(child),
            "result" if child.children().next().is_none() => parts.push(child),
            "result" => parts.extend(child.children_named("msg")),
            _ => {}
        }
    }
    parts
}
