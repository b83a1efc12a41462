//! How an end is told: to a person, or as JSON.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use panos_xmlapi::Location;
use serde::Serialize;

use super::firewalls::{JsonFirewalls, proven_on};
use super::live::aside;
use super::told::{Told, quoted};
use crate::delivery::Installation;
use crate::delivery::hold::Hold;
use crate::delivery::waiting::Waiting;
use crate::error::Exit;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::result::Outcome;
use crate::text::{escape_control, is_printable};

/// What to do about a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// In words.
    Hint(String),
    /// A command to be copied as it is.
    Command(String),
}

/// A problem, and on a line of its own what to do about it. Each line begins with the program's name; its words are
/// written as in the middle of a sentence, without a full stop at the end (`tests/project_rules/voice.rs`).
pub fn problem(program: &str, what: &str, advice: Option<&str>) {
    problem_in_lines(program, &[what], advice);
}

/// The same, for a problem that is told in several lines.
pub fn problem_in_lines(program: &str, what: &[&str], advice: Option<&str>) {
    let lines: Vec<String> = what.iter().map(|line| escape_control(line)).collect();
    to_stderr(&format!("{program}: {}", lines.join("\n  ")));
    if let Some(advice) = advice {
        note(program, advice);
    }
}

/// Whole lines. Whether standard error is gone is nothing that could be told anywhere.
fn to_stderr(lines: &str) {
    aside(|| {
        let _ = writeln!(io::stderr().lock(), "{lines}");
    });
}

/// The same with several lines of advice.
pub fn problem_with_advice(program: &str, what: &str, advice: &[Advice]) {
    problem(program, what, None);
    for line in advice {
        match line {
            Advice::Hint(hint) => note(program, hint),
            Advice::Command(command) => data(command),
        }
    }
}

/// A line on standard output.
pub fn line(text: &str) {
    aside(|| {
        let _ = writeln!(io::stdout().lock(), "{}", escape_control(text));
    });
}

/// A line on standard error that is no problem.
pub fn note(program: &str, text: &str) {
    to_stderr(&format!("{program}: {}", escape_control(text)));
}

/// A line of a result, where standard output is for JSON only. Indented ones belong to the one before.
fn beside_json(program: &str, text: &str) {
    match text.strip_prefix("  ") {
        Some(more) => data(more),
        None => note(program, &within_a_line(text)),
    }
}

/// A line of a result: on standard output, or beside the JSON that is for it alone.
pub fn result(program: &str, is_json: bool, text: &str) {
    if is_json { beside_json(program, text) } else { line(text) }
}

/// A sentence as it stands behind the program's name.
fn within_a_line(text: &str) -> String {
    let first = text.split([' ', ':']).next().unwrap_or_default();
    let is_word = first.chars().skip(1).all(|c| c.is_ascii_lowercase());
    let text = text.trim_end_matches('.');
    match text.split_at_checked(1) {
        Some((letter, rest)) if is_word => format!("{}{rest}", letter.to_ascii_lowercase()),
        _ => text.to_owned(),
    }
}

/// A line on standard error that is to be copied, or belongs to the one before.
pub fn data(text: &str) {
    to_stderr(&format!("  {}", escape_control(text)));
}

/// JSON with everything escaped, in JSON's way, that could steer a terminal: it stands only inside strings.
fn harmless_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            shown.push(character);
        } else {
            let mut units = [0; 2];
            shown.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

/// One JSON object on standard output.
pub fn json(program: &str, object: &impl Serialize) {
    match serde_json::to_string(object) {
        Ok(text) => line(&harmless_json(&text)),
        Err(error) => problem(program, &error.to_string(), None),
    }
}

/// The same for an object that may have very many parts: it is written while it is made. Nothing in it may be such that
/// JSON can't say it.
pub fn json_stream(program: &str, object: &impl Serialize) {
    let written = aside(|| {
        let mut out = Harmless(BufWriter::new(io::stdout().lock()));
        let written = serde_json::to_writer(&mut out, object);
        let ended = writeln!(out.0).and_then(|()| out.0.flush());
        // A reader that has gone away is no reason to fail.
        written.map(|()| drop(ended))
    });
    match written {
        Err(error) if !error.is_io() => problem(program, &error.to_string(), None),
        _ => {}
    }
}

/// Makes JSON harmless on its way: what is written at once is whole characters.
struct Harmless<W>(W);

impl<W: io::Write> io::Write for Harmless<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let is_plain = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        match is_plain {
            true => self.0.write_all(text)?,
            false => self.0.write_all(harmless_json(&String::from_utf8_lossy(text)).as_bytes())?,
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is told of so many devices: of a single one its own object, and none where there is nothing to be told of it.
pub fn json_of_devices(program: &str, exit: Exit, count: usize, told: &[serde_json::Value]) {
    match (count, told) {
        (1, []) => {}
        (1, [only]) => json(program, only),
        _ => json(program, &serde_json::json!({ "exit": exit.code(), "devices": told })),
    }
}

/// How urgent a line in the journal is, as sd-daemon(3) writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Somebody should look.
    Error,
    /// Normal, and worth knowing. What is less than that, systemd's own lines about each run among them, the worker's
    /// unit keeps out of the journal.
    Notice,
}

/// Whether standard error is the journal.
#[must_use]
pub fn is_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// One device's end for the journal: one line, with its priority.
pub fn journal(priority: Priority, told: &Told) {
    let number = match priority {
        Priority::Error => 3,
        Priority::Notice => 5,
    };
    let text = match told.problem() {
        Some(problem) => {
            let advice = problem.advice.as_ref().map(|advice| format!(" {advice}")).unwrap_or_default();
            let what = problem.what.trim_end_matches('.');
            format!("{}: {}: {what}.{advice}", told.about.place(), told.about.common_name)
        }
        None => told.sentence(),
    };
    to_stderr(&format!("<{number}>{}", escape_control(&text)));
}

/// Several certificates on several devices, as one JSON object.
pub fn installations(program: &str, exit: Exit, told: &[Told], waiting: &[Waiting]) {
    let each: Vec<JsonInstallation<'_>> = told
        .iter()
        .map(|told| JsonInstallation {
            common_name: told.about.common_name.as_str(),
            installation: JsonDevice::of(told),
        })
        .collect();
    let waiting: Vec<_> = waiting.iter().map(json_waiting).collect();
    json(program, &serde_json::json!({ "exit": exit.code(), "installations": each, "waiting": waiting }));
}

fn json_waiting(waiting: &Waiting) -> serde_json::Value {
    serde_json::json!({
        "word": waiting.word,
        "count": waiting.count,
        "what": waiting.to_string(),
        "until": waiting.until.map(moment),
    })
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[derive(Debug, Serialize)]
struct JsonInstallation<'a> {
    common_name: &'a str,
    #[serde(flatten)]
    installation: JsonDevice<'a>,
}

/// One device's end for a person: a line on standard output, or the problem on standard error.
pub fn outcome(program: &str, told: &Told) {
    match told.problem() {
        None => {
            line(&told.sentence());
            if let Some(hold) = &told.hold {
                hold.problem(&told.about.device).advice.iter().for_each(|advice| note(program, advice));
            }
        }
        Some(found) => {
            let what = format!("{}: {found}", told.about.place());
            // A place in the configuration file is shown with the line that is there.
            let lines = match found.exit {
                Exit::Usage => what.lines().collect(),
                _ => vec![what.as_str()],
            };
            problem_in_lines(program, &lines, found.advice.as_deref());
            if told.is_pending == Some(false) {
                note(program, "it is not recorded as pending: once that is fixed, run it again");
            }
        }
    }
}

/// By which profiles the device was seen to present it.
#[must_use]
pub fn presented_by(record: &Installation) -> String {
    let profiles = record.verified.as_ref().map(|verified| verified.profiles.as_slice()).unwrap_or_default();
    let on = proven_on(record.push.as_ref());
    match profiles {
        [] if record.spec.options.device.where_used => " wherever it was used".to_owned(),
        [] => " in no SSL/TLS profile".to_owned(),
        profiles => format!(" in {}{on}", quoted(profiles)),
    }
}

/// What something waits for.
#[derive(Debug, Serialize)]
pub struct JsonHold {
    word: &'static str,
    what: String,
    until: Option<String>,
}

impl JsonHold {
    /// In a word and in words.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        let until = hold.until.map(moment);
        Self { word: hold.reason.word(), what: hold.why(), until }
    }
}

/// The result as one JSON object.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    common_name: &'a str,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    devices: Vec<JsonDevice<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonDevice<'a> {
    device: String,
    location: &'a Location,
    target: Option<&'a str>,
    result: &'static str,
    exit: u8,
    object: Option<&'a ObjectName>,
    profiles: &'a [ProfileName],
    problem: Option<&'a str>,
    advice: Option<&'a str>,
    pending: Option<bool>,
    waits_for: Option<JsonHold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<JsonFirewalls<'a>>,
    seconds: BTreeMap<&'static str, f64>,
}

impl<'a> Json<'a> {
    /// Of several devices.
    #[must_use]
    pub fn of(common_name: &'a str, exit: u8, told: &'a [Told]) -> Self {
        Self { common_name, exit, problem: None, devices: told.iter().map(JsonDevice::of).collect() }
    }

    /// The same with what went wrong as a whole.
    #[must_use]
    pub fn because(self, problem: Option<&'a str>) -> Self {
        Self { problem, ..self }
    }

    /// Prints it.
    pub fn print(&self, program: &str) {
        json(program, self);
    }
}

impl<'a> JsonDevice<'a> {
    fn of(told: &'a Told) -> Self {
        let object = match told.result.as_ref().map(|result| &result.outcome) {
            Some(Outcome::Installed { object, .. }) => Some(object),
            Some(Outcome::AwaitingCommit { object } | Outcome::AwaitingPush { object }) => {
                Some(object.as_ref().unwrap_or(&told.about.name))
            }
            Some(Outcome::Failed(_)) | None => None,
        };
        let problem = told.problem();
        let is_left =
            told.result.as_ref().is_some_and(|result| matches!(result.outcome, Outcome::AwaitingPush { .. }));
        Self {
            device: told.about.device.to_string(),
            location: &told.about.location,
            target: told.about.target.as_deref(),
            result: told.key_word(),
            exit: told.exit().code(),
            object,
            profiles: &told.about.profiles,
            problem: problem.map(|problem| problem.what.as_str()),
            advice: problem.and_then(|problem| problem.advice.as_deref()),
            pending: told.is_pending,
            waits_for: told.hold.as_ref().map(JsonHold::of),
            push: told.push.as_ref().map(|push| JsonFirewalls::of(push, is_left)),
            seconds: told.result.iter().flat_map(|result| result.phases.iter().copied()).collect(),
        }
    }
}
