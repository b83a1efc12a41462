//! Each XML document is read by two readers, ours and another one: both refuse it, or both see the same tree.
//!
//! `make fuzz` asks for far longer; here it is asked of documents that are put together by chance, of those that the
//! fuzzers began with, and of every reply of others that lies beside the checkout.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "common/second_opinion.rs"]
mod second_opinion;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use panos_xmlapi::Element;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use second_opinion::{Opinion, ask};

/// What documents are made of: whole things, halves of them, and what does not belong.
const PIECES: [&str; 65] = [
    "<a>",
    "</a>",
    "<b>",
    "</b>",
    "<a/>",
    "<b />",
    "</a >",
    "<a",
    ">",
    "/>",
    "<",
    "</",
    " x='1'",
    " y=\"2\"",
    " x=\"<\"",
    " x='&lt;'",
    " x='a\tb\nc'",
    " x='&#9;&#xA;'",
    " x=1",
    " x",
    " x='&#13;&#10;&#9;'",
    "&#13;",
    "&#10;",
    "x='1'",
    " a:b='1'",
    "<a:b>",
    "</a:b>",
    "<1>",
    "<-a/>",
    "<\u{e9}/>",
    "<a.b-c_d/>",
    "text",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&apos;",
    "&#65;",
    "&#x41;",
    "&#0;",
    "&#xD800;",
    "&#x110000;",
    "&#;",
    "&x;",
    "&",
    ";",
    "<![CDATA[",
    "]]>",
    "<![CDATA[a<b]]>",
    "<!--",
    "-->",
    "<!-- c -->",
    "<!-- a--b -->",
    "<?p i?>",
    "<?xml version=\"1.0\"?>",
    "<?xml?>",
    "<!DOCTYPE a>",
    "\u{feff}",
    "\u{1}",
    "\u{fffe}",
];

#[test]
fn documents_put_together_by_chance() {
    let mut random = StdRng::seed_from_u64(10);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..300_000 {
        let count = random.random_range(1..9);
        let inside: String = (0..count).map(|_| *PIECES.choose(&mut random).unwrap()).collect();
        let document = if random.random_bool(0.7) { format!("<r>{inside}</r>") } else { inside };
        again(&document);
        let opinion = match ask(&document) {
            Opinion::Same => "same",
            Opinion::Refused => "refused",
            Opinion::Meant => "meant",
        };
        *seen.entry(opinion).or_default() += 1;
    }
    assert!(seen["same"] > 20_000 && seen["refused"] > 20_000, "{seen:?}");
}

/// What we have read we write, and read as the same again; the other reader too.
fn again(document: &str) {
    let Ok(read) = Element::parse(document) else { return };
    let written = read.to_string();
    assert_eq!(Element::parse(&written).as_ref(), Ok(&read), "{document:?} became {written:?}");
    ask(&written);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_the_fuzzers_begin_with() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for path in ["xml", "replies"].iter().flat_map(|name| files(&root.join("../fuzz/corpus").join(name))) {
        let text = std::fs::read_to_string(&path).unwrap();
        // The first character of a reply says what else was answered.
        let text = text.strip_prefix(|c: char| c.is_ascii_digit()).unwrap_or(&text);
        ask(text);
        again(text);
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn what_others_have_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/replies/panos");
    if !folder.is_dir() {
        println!("No recorded replies beside this checkout.");
        return;
    }
    let mut read = 0;
    for path in files(&folder) {
        // What is no text is refused before either reader sees it.
        if let Ok(text) = std::fs::read_to_string(&path) {
            read += usize::from(ask(&text) == Opinion::Same);
            again(&text);
        }
    }
    assert!(read > 50, "{read} replies were read by both");
}
