//! An XML document from a device: the same tree as another reader sees, and what we write we read.
#![no_main]

use fuzz::second_opinion;
use libfuzzer_sys::fuzz_target;
use panos_xmlapi::{Element, MAX_ATTRIBUTES, MAX_DEPTH};

fuzz_target!(|text: &str| {
    second_opinion::ask(text);
    if let Ok(read) = Element::parse(text) {
        bounded(&read, 1);
        let written = read.to_string();
        assert_eq!(Element::parse(&written).as_ref(), Ok(&read), "{written:?}");
    }
    // Any text, as a name typed by a person: written, it is read as the same text, and stays inside its element.
    if text.chars().all(second_opinion::is_xml_character) {
        let written = Element::new("a").with(Element::new("b").with_text(text)).to_string();
        let read = Element::parse(&written).expect("our own document is read");
        assert_eq!(read.child("b").map(Element::text).as_deref(), Some(text.trim()), "{written:?}");
        assert_eq!(read.children().count(), 1, "{written:?}");
        second_opinion::ask(&written);
    }
});

fn bounded(element: &Element, depth: usize) {
    assert!(depth <= MAX_DEPTH && element.attributes.len() <= MAX_ATTRIBUTES);
    element.children().for_each(|child| bounded(child, depth + 1));
}
