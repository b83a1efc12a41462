//! What the reader takes, refuses and writes.

#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn reads_references_cdata_and_attributes_in_any_quotes() {
    let read = Element::parse("\n<r a = 'x&quot;y' b=\"2\">a&amp;b&#39;<![CDATA[<c>]]><d/></r>\n").unwrap();
    assert_eq!(read.attribute("a"), Some("x\"y"));
    assert_eq!(read.attribute("b"), Some("2"));
    assert_eq!(read.text(), "a&b'<c>");
    assert_eq!(read.children().count(), 1);
}

#[test]
fn refuses_everything_that_is_not_one_whole_element() {
    assert_eq!(Element::parse(""), Err(XmlError::Empty));
    assert_eq!(Element::parse("<a><b></b>"), Err(XmlError::Truncated));
    assert_eq!(Element::parse("<a/><b/>"), Err(XmlError::BesideRoot));
    assert_eq!(Element::parse("<a/>tail"), Err(XmlError::BesideRoot));
    assert_eq!(Element::parse("plain"), Err(XmlError::BesideRoot));
    assert!(matches!(Element::parse("<a></b>"), Err(XmlError::Malformed(_))));
    assert!(matches!(Element::parse("<a x='1' x='2'/>"), Err(XmlError::Malformed(_))));
    assert!(matches!(Element::parse("<a>&bomb;</a>"), Err(XmlError::Malformed(_))));
    assert_eq!(Element::parse("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Err(XmlError::Doctype));
    assert_eq!(Element::parse(&"<a>".repeat(MAX_DEPTH + 1)), Err(XmlError::TooDeep));
    let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
    assert_eq!(Element::parse(&wide), Err(XmlError::TooMany));
    let attributes: String = (0..=MAX_ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(Element::parse(&format!("<a{attributes}/>")), Err(XmlError::TooMany));
}

#[test]
fn refuses_what_the_library_takes_and_xml_does_not() {
    for document in [
        "<r><-a/></r>",
        "<1/>",
        "<r 1='x'/>",
        "<r x='<'/>",
        "<r x='1'y='2'/>",
        "<r/><?xml version='1.0'?>",
        " <?xml version='1.0'?><r/>",
        "<?xml?><r/>",
        "<?xml encoding='UTF-8'?><r/>",
        "<?xml version='1.0'encoding='UTF-8'?><r/>",
        "<?xml version='1.0' standalone='no' encoding='UTF-8'?><r/>",
        "<?xml version='1.0' version='1.0'?><r/>",
        "<?xml version='<'?><r/>",
        "<?1?><r/>",
    ] {
        assert!(matches!(Element::parse(document), Err(XmlError::Malformed(_))), "{document}");
    }
    for document in ["<r/>&#32;", "<![CDATA[ ]]><r/>", "\u{feff}\u{feff}<r/>", "<r/>\u{feff}", "<r/>\u{a0}"] {
        assert_eq!(Element::parse(document), Err(XmlError::BesideRoot), "{document}");
    }
    assert!(
        Element::parse(
            "\u{feff}<?xml version='1.0' encoding='UTF-8' standalone='no'?><é.b-c_d a:x = '1'\ty='>'/>\n"
        )
        .is_ok()
    );
}

#[test]
fn line_ends_and_tabs_are_read_as_they_were_written() {
    let mut written = Element::new("a").with_text("x\r\ny\rz\t");
    written.attributes.push(("b".to_owned(), "1\r\n2\t3".to_owned()));
    assert_eq!(Element::parse(&written.to_string()), Ok(written));
}

#[test]
fn writes_what_it_reads_with_everything_escaped() {
    let written = Element::new("certificate").with_text("a<b>&'\"").to_string();
    assert!(!written.contains("a<b"));
    assert_eq!(Element::parse(&written).unwrap().text(), "a<b>&'\"");
    let command = Element::nested(&["show", "jobs"], Some(Element::new("id").with_text("7")));
    assert_eq!(command.to_string(), "<show><jobs><id>7</id></jobs></show>");
}
