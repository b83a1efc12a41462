//! The envelope every reply comes in: `<response status="…" code="…">…</response>`.

use super::xml::{Element, XmlError};

/// One reply, understood as far as its envelope goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The `status` attribute: `success`, `error`, `unauth`, sometimes another word or none at all.
    pub status: Option<String>,
    /// The `code` attribute as it stands; it can be there and empty.
    pub code: Option<String>,
    /// The device's own words, in document order, trimmed, empty ones dropped.
    pub messages: Vec<String>,
    response: Element,
}

/// Why a body is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not text in UTF-8.
    #[error("it is not UTF-8 text")]
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
    #[error("it says success and code {0} at once")]
    Contradiction(String),
}

impl Reply {
    /// Reads a body.
    ///
    /// # Errors
    /// A body that is no single well-formed `<response>` element.
    pub fn parse(body: &[u8]) -> Result<Self, ReplyError> {
        let text = std::str::from_utf8(body).map_err(|_| ReplyError::NotUtf8)?;
        Self::read(Element::parse(text)?)
    }

    fn read(response: Element) -> Result<Self, ReplyError> {
        if response.name != "response" {
            return Err(ReplyError::WrongRoot(response.name.chars().take(40).collect()));
        }
        let mut messages = Vec::new();
        for child in response.children() {
            match child.name.as_str() {
                "msg" => collect_lines(child, &mut messages),
                "result" => collect_result(child, &mut messages),
                _ => {}
            }
        }
        Ok(Self {
            status: response.attribute("status").map(str::to_owned),
            code: response.attribute("code").map(str::to_owned),
            messages,
            response,
        })
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

/// The texts of the innermost `msg` and `line` elements.
pub(super) fn collect_lines(element: &Element, into: &mut Vec<String>) {
    let inner: Vec<&Element> =
        element.children().filter(|child| child.name == "msg" || child.name == "line").collect();
    if inner.is_empty() {
        into.extend(Some(element.text()).filter(|text| !text.is_empty()));
    }
    for child in inner {
        collect_lines(child, into);
    }
}

fn collect_result(result: &Element, into: &mut Vec<String>) {
    if result.children().next().is_none() {
        into.extend(Some(result.text()).filter(|text| !text.is_empty()));
    }
    for message in result.children_named("msg") {
        collect_lines(message, into);
    }
}
