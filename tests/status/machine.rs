//! What other programs read: metrics, and JSON beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use chrono::Utc;
use pancert::error::Exit;

use crate::common::world::{Ended, NAME, NOBODY, PORTAL, World};
use crate::support::{Desk, PROGRAM, command, order, problem};

type Labels = BTreeMap<String, String>;

/// The text format as node_exporter reads it, and no more generously: each family has one HELP and one TYPE line
/// directly before its samples, and no sample comes twice.
fn parsed(text: &str) -> BTreeMap<(String, Labels), f64> {
    assert!(text.ends_with('\n') && !text.contains("\n\n") && !text.contains('\r'), "{text}");
    let (mut samples, mut families, mut family) = (BTreeMap::new(), BTreeSet::new(), String::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            assert_eq!(lines.next().unwrap(), format!("# TYPE {name} gauge"));
            assert!(lines.peek().is_some_and(|next| next.starts_with(name)), "{name} has no samples");
            name.clone_into(&mut family);
            continue;
        }
        let end = line.find(['{', ' ']).expect(line);
        let name = &line[..end];
        assert_eq!(name, family, "a sample outside of its family: {line}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        let (labels, value) = match line[end..].strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (Labels::new(), &line[end..]),
        };
        let value: f64 = value.strip_prefix(' ').expect(line).parse().expect(line);
        assert!(samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
    }
    samples
}

/// `name="value",…}` and what follows.
fn labels(mut rest: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect(rest);
        assert!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        let (mut value, mut characters) = (String::new(), after.char_indices());
        let end = loop {
            match characters.next().expect("an open quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("\\{other}"),
                }),
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} comes twice");
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return (labels, after);
        }
        rest = rest.strip_prefix(',').expect(rest);
    }
}

/// The metrics of a state folder: by name and, in short, by the values of their labels.
fn metrics(state: &Path, file: &Path, code: i32) -> BTreeMap<String, f64> {
    let ended = Ended::of(command(state).arg("--no-certmonger").arg("--prometheus").arg(file)).exits(code);
    assert_eq!(ended.stdout, "");
    let short = |((name, labels), value): ((String, Labels), f64)| {
        let values: Vec<String> = labels.into_values().collect();
        (
            format!("{} {}", name.strip_prefix("pan_getcert_").unwrap(), values.join(" ")).trim().to_owned(),
            value,
        )
    };
    parsed(&fs::read_to_string(file).unwrap()).into_iter().map(short).collect()
}

#[test]
fn metrics_of_real_installations_say_what_json_says() {
    let world = World::new();
    world.install(&["-p", PORTAL]).exits(0);
    let down = NOBODY;
    Ended::of(world.bare_command().args(["-k", world.path(".panrc").to_str().unwrap(), down])).exits(4);
    let (state, file) = (world.path("state"), world.path("x.prom"));
    let metrics = metrics(&state, &file, 0);
    let all = crate::support::told(&state, &[]);
    let unix = |value: &serde_json::Value| {
        value.as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap().timestamp() as f64
    };
    let (pending, there) = (&all["installations"][0], &all["installations"][1]);
    let device = world.target();
    let of =
        |name: &str, device: &str| metrics.get(&format!("{name} {NAME} {device} shared {NAME}")).copied();
    assert_eq!(of("installed_not_after_seconds", &device), Some(unix(&there["installed_until"])));
    assert_eq!((of("pending", &device), of("pending", down)), (Some(0.0), Some(1.0)));
    assert_eq!((of("runs_ordered", &device), of("runs_ordered", down)), (Some(1.0), None));
    assert_eq!((of("pending_since_seconds", &device), of("installed_not_after_seconds", down)), (None, None));
    assert_eq!(of("pending_since_seconds", down), Some(unix(&pending["pending_since"])));
    assert_eq!(of("next_try_seconds", down), Some(unix(&pending["next_try"])));
    assert_eq!((of("failures", &device), of("failures", down)), (Some(0.0), Some(1.0)));
    assert_eq!((of("last_exit_code", &device), of("last_exit_code", down)), (Some(0.0), Some(4.0)));
    assert_eq!(of("last_attempt_seconds", &device), Some(unix(&there["last_attempt"]["begun"])));
    for (phase, seconds) in there["last_attempt"]["seconds"].as_object().unwrap() {
        let found = metrics[&format!("phase_seconds {NAME} {device} shared {NAME} {phase}")];
        assert!((found - seconds.as_f64().unwrap()).abs() < 1e-9, "{phase}");
    }
    assert!(metrics[&format!("phase_seconds {NAME} {device} shared {NAME} commit")] > 0.0);
    assert_eq!(metrics["records_unreadable"], 0.0);
    assert!((Utc::now().timestamp() as f64 - metrics["status_written_seconds"]).abs() < 60.0);
    assert!(!metrics.keys().any(|name| name.starts_with("certmonger_trouble")), "it was not asked");
}

#[test]
fn the_file_is_replaced_whole_and_everybody_may_read_it() {
    let support = Desk::new();
    support.installed("a.example.com", "fw1", 90);
    let file = support.path("metrics/pan_getcert.prom");
    fs::create_dir(support.path("metrics")).unwrap();
    fs::write(&file, "old\n".repeat(10_000)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let reader = fs::File::open(&file).unwrap();
    let line = format!(
        "umask 077; exec '{PROGRAM}' status --no-certmonger --state-dir '{}' --prometheus '{}'",
        support.state().display(),
        file.display()
    );
    Ended::of(Command::new("sh").args(["-c", &line])).exits(0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(support.path("metrics")).unwrap().count(), 1, "no draft is left");
    assert_eq!(parsed(&fs::read_to_string(&file).unwrap()).len(), 16);
    // Whoever has the old one open reads it to its end.
    assert_eq!(std::io::read_to_string(reader).unwrap().len(), 40_000);
}

#[test]
fn labels_are_escaped() {
    let support = Desk::new();
    let record = support.installed("a.example.com", "[2001:db8::1]:8443", 90);
    let path = support.write(&record);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"connect\"", r#""a\"b\\c\nd{},""#)).unwrap();
    let metrics = metrics(&support.state(), &support.path("x"), 0);
    let name = "phase_seconds a.example.com [2001:db8::1]:8443 shared a.example.com a\"b\\c\nd{},";
    assert_eq!(metrics.get(name), Some(&0.012), "{metrics:#?}");
}

#[test]
fn metrics_are_written_with_the_same_exit_code_and_also_where_nothing_is_installed() {
    let support = Desk::new();
    let file = support.path("x.prom");
    // Of the state directory as a whole.
    assert_eq!(metrics(&support.state(), &file, 0).len(), 4);
    support.pending("a.example.com", "fw1", 30, 1, &problem(Exit::Busy, "busy"));
    support.queue(&order("b.example.com", "fw1", Utc::now(), 90));
    let found = metrics(&support.state(), &file, 18);
    assert_eq!(
        (
            found["pending a.example.com fw1 shared a.example.com"],
            found["pending b.example.com fw1 shared b.example.com"]
        ),
        (1.0, 1.0)
    );
    fs::write(support.state().join("queue/x.json"), "{").unwrap();
    assert_eq!(metrics(&support.state(), &file, 20)["records_unreadable"], 1.0);
    // JSON beside it.
    let both = support.exits(20, &["--json", "--prometheus", file.to_str().unwrap()]);
    assert!(both.stdout.starts_with("{\"installations\":["), "{both:#?}");
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_what_is_no_file_is_left_alone() {
    let support = Desk::new();
    support.installed("a.example.com", "fw1", 90);
    let fifo = support.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink(support.path("elsewhere"), support.path("link")).unwrap();
    for (file, says) in [
        (fifo.clone(), "no ordinary file"),
        (support.path("link"), "no ordinary file"),
        (support.folder.path().to_owned(), "no ordinary file"),
        (support.path("missing/x.prom"), "No such file"),
    ] {
        let ended = support.exits(1, &["--prometheus", file.to_str().unwrap()]).says(says);
        assert!(ended.stderr.contains(file.to_str().unwrap()), "{ended:#?}");
    }
    assert!(!fs::symlink_metadata(fifo).unwrap().is_file());
    assert!(!support.path("elsewhere").exists());
}
