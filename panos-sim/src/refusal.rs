//! A request the device does not carry out, in the device's words.

use crate::xml::{Element, Style};

/// Why and how a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    http_status: u16,
    /// `status` of the envelope.
    status: &'static str,
    code: Option<u16>,
    lines: Vec<String>,
    shape: Shape,
}

/// Where the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `msg/line`.
    Lines,
    /// `msg/line` with CDATA sections.
    CdataLines,
    /// `result/msg/line`.
    ResultLines,
    /// `result/msg`, attributes spaced and single-quoted, the way credentials are refused.
    Spaced,
}

impl Refusal {
    fn new(code: Option<u16>, lines: Vec<String>, shape: Shape) -> Self {
        Self { http_status: 200, status: "error", code, lines, shape }
    }

    /// An error with one line of text and no code.
    pub(crate) fn line(text: impl Into<String>) -> Self {
        Self::new(None, vec![text.into()], Shape::Lines)
    }

    /// An error with a code.
    pub(crate) fn code(code: u16, text: impl Into<String>) -> Self {
        Self::new(Some(code), vec![text.into()], Shape::Lines)
    }

    /// An error with a code and several lines in CDATA sections.
    pub(crate) fn cdata(code: u16, lines: Vec<String>) -> Self {
        Self::new(Some(code), lines, Shape::CdataLines)
    }

    /// An error whose text stands inside `result`.
    pub(crate) fn in_result(text: &str) -> Self {
        Self::new(None, vec![text.to_owned()], Shape::ResultLines)
    }

    /// HTTP 400: a parameter is missing or wrong, or a key is over its time.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self { http_status: 400, ..Self::new(Some(400), vec![text.into()], Shape::Spaced) }
    }

    /// HTTP 400: a parameter has a value that it cannot have. That the legal ones are told is measured, the words are ours.
    pub(crate) fn illegal(parameter: &str, legal: &[&str]) -> Self {
        Self::bad_request(format!(
            "Illegal value for parameter {parameter}. Legal values: {}",
            legal.join(", ")
        ))
    }

    /// HTTP 403: not this caller.
    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self { http_status: 403, ..Self::new(Some(403), vec![text.into()], Shape::Spaced) }
    }

    /// The credential is wrong.
    pub(crate) fn invalid_credential() -> Self {
        Self::forbidden("Invalid Credential")
    }

    /// A required parameter is missing.
    pub(crate) fn missing(parameter: &str, doing: &str) -> Self {
        Self::bad_request(format!("Parameter \"{parameter}\" is required while {doing}"))
    }

    /// The role does not reach that far.
    pub(crate) fn unauthorized() -> Self {
        Self { status: "unauth", ..Self::code(16, "Unauthorized request") }
    }

    /// Whatever a test wants said.
    pub(crate) fn told(http_status: u16, code: Option<u16>, text: &str) -> Self {
        let shape = if [400, 403].contains(&http_status) { Shape::Spaced } else { Shape::Lines };
        Self { http_status, ..Self::new(code, vec![text.to_owned()], shape) }
    }

    /// What only a superuser may do; the text comes without a code, as others have published it.
    pub(crate) fn superuser() -> Self {
        Self::line("You need superuser privileges to do that")
    }

    pub(crate) fn http_status(&self) -> u16 {
        self.http_status
    }

    /// The message for HTTP's reason phrase, where it goes there.
    pub(crate) fn reason(&self) -> Option<&str> {
        (self.shape == Shape::Spaced).then(|| self.lines.first().map(String::as_str)).flatten()
    }

    pub(crate) fn style(&self) -> Style {
        match self.shape {
            Shape::Spaced => Style::Spaced,
            _ => Style::Usual,
        }
    }

    /// The envelope.
    pub(crate) fn envelope(&self) -> Element {
        let mut response = Element::new("response").attribute("status", self.status);
        if let Some(code) = self.code {
            response = response.attribute("code", code.to_string());
        }
        let lines = || self.lines.iter().map(|text| Element::leaf("line", text));
        let message = Element::new("msg");
        match self.shape {
            Shape::Lines => response.child(message.with(lines())),
            Shape::CdataLines => response.child(message.with(lines().map(Element::in_cdata))),
            Shape::ResultLines => response.child(Element::new("result").child(message.with(lines()))),
            Shape::Spaced => {
                response.child(Element::new("result").child(Element::leaf("msg", self.lines.join("\n"))))
            }
        }
    }
}
