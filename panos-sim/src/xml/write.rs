//! From elements to text.

use quick_xml::{
    Writer,
    escape::{escape, partial_escape},
    events::{BytesCData, BytesEnd, BytesStart, BytesText, Event},
};

use super::Element;

/// How the root element's attributes are quoted, and how much of a text is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `status="error"`; quotes in texts stay as they are.
    Usual,
    /// `status = 'error'`, as the part of a device that checks credentials writes it.
    Spaced,
    /// `status = "success"`, as the version is told.
    DoublySpaced,
}

/// The document with this root.
pub(crate) fn document(root: &Element, style: Style) -> String {
    let mut writer = Writer::new(Vec::new());
    // Writing to memory fails only where memory does.
    let _ = write(&mut writer, root, style);
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

fn write(writer: &mut Writer<Vec<u8>>, element: &Element, style: Style) -> std::io::Result<()> {
    let (start, text) = match style {
        Style::Usual => (usual_start(element), partial_escape(element.text.as_str())),
        Style::Spaced => (spaced_start(element, '\''), escape(element.text.as_str())),
        Style::DoublySpaced => (spaced_start(element, '"'), escape(element.text.as_str())),
    };
    if element.children.is_empty() && element.text.is_empty() {
        return writer.write_event(Event::Empty(start));
    }
    writer.write_event(Event::Start(start))?;
    if !element.text.is_empty() {
        if element.cdata {
            for part in BytesCData::escaped(&element.text) {
                writer.write_event(Event::CData(part))?;
            }
        } else {
            writer.write_event(Event::Text(BytesText::from_escaped(text)))?;
        }
    }
    for child in &element.children {
        write(writer, child, style)?;
    }
    writer.write_event(Event::End(BytesEnd::new(element.name.as_str())))
}

fn usual_start(element: &Element) -> BytesStart<'_> {
    BytesStart::new(element.name.as_str())
        .with_attributes(element.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// quick-xml always writes `a="b"`; these two attributes hold plain words and numbers.
fn spaced_start(element: &Element, quote: char) -> BytesStart<'_> {
    let mut content = element.name.clone();
    for (name, value) in &element.attributes {
        let value = escape(value.as_str());
        content.push_str(&format!(" {name} = {quote}{value}{quote}"));
    }
    BytesStart::from_content(content, element.name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_quoting_styles_and_cdata() {
        let root = Element::new("response")
            .attribute("status", "error")
            .child(Element::leaf("line", "a < b").in_cdata())
            .child(Element::leaf("msg", "a & 'b'"));
        let body = "<line><![CDATA[a < b]]></line><msg>a &amp; 'b'</msg></response>";
        assert_eq!(document(&root, Style::Usual), format!("<response status=\"error\">{body}"));
        assert_eq!(
            document(&root, Style::Spaced),
            format!("<response status = 'error'>{}", body.replace("'b'", "&apos;b&apos;"))
        );
    }
}
