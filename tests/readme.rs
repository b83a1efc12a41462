//! The README's recording shows what the demo prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use roxmltree::{Document, Node};

/// Without what differs from run to run (numbers, the serial number, the date), and without blanks and line ends: the
/// recording's screen breaks long lines.
fn without_what_varies(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        match line.split_once('=') {
            Some((name @ ("serial" | "notAfter"), _)) => plain.push_str(name),
            _ => {
                line.chars().filter(|c| !c.is_ascii_digit() && !c.is_whitespace()).for_each(|c| plain.push(c))
            }
        }
    }
    plain
}

/// The rows of the last frame: each is defined once, and used wherever a frame shows it.
fn last_screen(recording: &str) -> String {
    let document = Document::parse(recording).unwrap();
    let id = |node: &Node<'_, '_>| node.attribute("id").map(str::to_owned);
    let text = |node: Node<'_, '_>| {
        node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect::<String>()
    };
    let rows: BTreeMap<String, String> = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "g")))
        .filter_map(|node| Some((id(&node)?, text(node))))
        .collect();
    let frames = document.descendants().find(|node| node.attribute("id") == Some("screen_view")).unwrap();
    let last = frames.last_element_child().unwrap();
    let used = last.children().filter_map(|node| {
        let target = node.attributes().find(|attribute| attribute.name() == "href")?;
        rows.get(target.value().strip_prefix('#')?)
    });
    used.cloned().collect::<Vec<_>>().join("\n")
}

/// The processes that have this in their environment.
fn marked(mark: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let number = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        environment.windows(mark.len()).any(|part| part == mark.as_bytes()).then_some(number)
    });
    all.collect()
}

#[test]
fn the_recording_ends_with_what_the_demo_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recording = std::fs::read_to_string(root.join("docs/demo.svg")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_pan_getcert")).parent().unwrap();
    // Another package's program: `cargo test --workspace` and `make demo` build it.
    assert!(programs.join("panos-sim").is_file(), "the simulator is not built: run make test");
    let mark = format!("of_the_demo_of_{}", std::process::id());
    let demo = Command::new(root.join("demo/run"))
        .env("PAN_GETCERT_TEST", &mark)
        .env("CARGO_TARGET_DIR", programs.parent().unwrap())
        .output()
        .unwrap();
    assert!(demo.status.success(), "{demo:?}");
    let left = marked(&mark);
    assert!(left.is_empty(), "something of the demo runs on: {left:?}");
    // Such processes are seen.
    let mut waits = Command::new("cat").env("PAN_GETCERT_TEST", &mark).stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(marked(&mark), [waits.id()]);
    drop(waits.stdin.take());
    waits.wait().unwrap();
    let (printed, shown) = (String::from_utf8(demo.stdout).unwrap(), last_screen(&recording));
    assert!(printed.contains("### The firewall serves, after:\nsubject="), "{printed}");
    assert_eq!(
        without_what_varies(&printed),
        without_what_varies(&shown),
        "docs/demo.svg is not current: run make recording. The demo prints:\n{printed}"
    );
}
