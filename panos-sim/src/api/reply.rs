//! Replies: as the API makes them, and as they go out.

use crate::{
    Encoding,
    refusal::Refusal,
    xml::{Element, Style, document},
};

/// A successful reply.
#[derive(Debug)]
pub(super) enum Reply {
    /// An envelope.
    Xml(Element),
    /// An envelope in the style of key generation: `status = 'success'`.
    Spaced(Element),
    /// An envelope in the style of the version: `status = "success"`.
    DoublySpaced(Element),
    /// A file, not XML.
    File { name: String, content: Vec<u8> },
}

impl Reply {
    /// `status="success"` with a `result` that holds these elements.
    pub(super) fn result(children: impl IntoIterator<Item = Element>) -> Self {
        Self::Xml(success().child(Element::new("result").with(children)))
    }

    /// `status="success"` with a text as the `result`.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Xml(success().child(Element::leaf("result", text)))
    }

    /// `status="success"` with a text in `result/msg/line`.
    pub(super) fn message(text: &str) -> Self {
        let message = Element::new("msg").child(Element::leaf("line", text));
        Self::result([message])
    }

    /// `status="success"` with a code and a text in `msg`.
    pub(super) fn code(code: u16, text: &str) -> Self {
        Self::Xml(success().attribute("code", code.to_string()).child(Element::leaf("msg", text)))
    }

    /// Code 20: done, nothing to show.
    pub(super) fn done() -> Self {
        Self::code(20, "command succeeded")
    }
}

/// `<response status="success">`.
pub(super) fn success() -> Element {
    Element::new("response").attribute("status", "success")
}

/// A reply as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) http_status: u16,
    /// Another reason phrase than HTTP's own.
    pub(crate) reason: Option<String>,
    pub(crate) content_type: &'static str,
    /// Name under which a file is offered.
    pub(crate) file_name: Option<String>,
    pub(crate) body: Vec<u8>,
    /// `status` and `code` of the envelope.
    pub(crate) status: Option<String>,
    pub(crate) code: Option<String>,
}

impl Answer {
    fn xml(http_status: u16, envelope: &Element, style: Style) -> Self {
        Self {
            http_status,
            reason: None,
            content_type: "application/xml; charset=UTF-8",
            file_name: None,
            body: document(envelope, style).into_bytes(),
            status: envelope.get("status").map(str::to_owned),
            code: envelope.get("code").map(str::to_owned),
        }
    }

    /// The same in other bytes; files stay as they are.
    pub(super) fn encoded(mut self, encoding: Encoding) -> Self {
        if self.file_name.is_some() {
            return self;
        }
        match encoding {
            Encoding::Utf8 => {}
            Encoding::Utf8WithMark => self.body.splice(..0, *b"\xEF\xBB\xBF").for_each(drop),
            Encoding::Latin1 => {
                let text = String::from_utf8_lossy(&self.body).into_owned();
                let mut buffer = [0; 4];
                self.body.clear();
                for character in text.chars() {
                    match u8::try_from(character) {
                        Ok(byte) => self.body.push(byte),
                        Err(_) => self.body.extend(character.encode_utf8(&mut buffer).bytes()),
                    }
                }
            }
        }
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason().map(str::to_owned),
            ..Self::xml(refusal.http_status(), &refusal.envelope(), refusal.style())
        }
    }
}

impl From<Result<Reply, Refusal>> for Answer {
    fn from(reply: Result<Reply, Refusal>) -> Self {
        match reply {
            Ok(Reply::Xml(envelope)) => Self::xml(200, &envelope, Style::Usual),
            Ok(Reply::Spaced(envelope)) => Self::xml(200, &envelope, Style::Spaced),
            Ok(Reply::DoublySpaced(envelope)) => Self::xml(200, &envelope, Style::DoublySpaced),
            Ok(Reply::File { name, content }) => Self {
                http_status: 200,
                reason: None,
                content_type: "application/octet-stream",
                file_name: Some(name),
                body: content,
                status: None,
                code: None,
            },
            Err(refusal) => refusal.into(),
        }
    }
}
