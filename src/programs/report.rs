//! How an end is told: to a person, or as JSON.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::install::deliver::{Outcome, Success};
use crate::install::request::Wish;
use crate::text::{harmless, is_harmless};

/// A problem, and on a line of its own what to do about it.
pub fn problem(program: &str, what: &str, advice: Option<&str>) {
    problem_in_lines(program, &[what], advice);
}

/// The same, for a problem that is told in several lines.
pub fn problem_in_lines(program: &str, what: &[&str], advice: Option<&str>) {
    let mut stderr = io::stderr().lock();
    let lines: Vec<String> = what.iter().map(|line| harmless(line)).collect();
    // Whether standard error is gone is nothing that could be told anywhere.
    let _ = writeln!(stderr, "{program}: {}", lines.join("\n  "));
    if let Some(advice) = advice {
        let _ = writeln!(stderr, "  {}", harmless(advice));
    }
}

/// A line on standard output.
pub fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{}", harmless(text));
}

/// JSON with everything escaped, in JSON's way, that could steer a terminal: it stands only inside strings.
fn harmless_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmless(character) {
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

/// One device's end for a person: a line on standard output, or the problem on standard error.
pub fn outcome(program: &str, wish: &Wish, outcome: &Outcome) {
    let seconds = outcome.phases.last().map_or(0.0, |(_, seconds)| *seconds);
    match &outcome.result {
        Ok(Success::Installed(object)) => {
            line(&format!(
                "{}: runs the certificate '{object}'{} now ({seconds:.0} s).",
                wish.device,
                bound(wish)
            ));
        }
        Ok(Success::AlreadyThere(object)) => {
            line(&format!(
                "{}: runs this very certificate '{object}'{} already, nothing to do.",
                wish.device,
                bound(wish)
            ));
        }
        Ok(Success::LeftToCommit(object)) => {
            line(&format!(
                "{}: has the certificate '{object}'{} as a candidate; commit it on the device.",
                wish.device,
                bound(wish)
            ));
        }
        Err(failure) => {
            problem(program, &format!("{}: {failure}", wish.device), failure.advice().as_deref());
        }
    }
}

fn bound(wish: &Wish) -> String {
    let names: Vec<String> = wish.profiles.iter().map(|name| format!("'{name}'")).collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" and ")) }
}

/// The result as one JSON object.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    common_name: &'a str,
    exit: u8,
    devices: Vec<JsonDevice>,
}

#[derive(Debug, Serialize)]
struct JsonDevice {
    device: String,
    result: &'static str,
    exit: u8,
    object: Option<String>,
    profiles: Vec<String>,
    problem: Option<String>,
    advice: Option<String>,
    seconds: serde_json::Map<String, serde_json::Value>,
}

impl<'a> Json<'a> {
    /// Of several devices.
    #[must_use]
    pub fn of(common_name: &'a str, exit: u8, outcomes: &[(Wish, Outcome)]) -> Self {
        Self {
            common_name,
            exit,
            devices: outcomes.iter().map(|(wish, outcome)| JsonDevice::of(wish, outcome)).collect(),
        }
    }

    /// Prints it.
    pub fn print(&self) {
        json("pan_instcert", self);
    }
}

impl JsonDevice {
    fn of(wish: &Wish, outcome: &Outcome) -> Self {
        let (result, object) = match &outcome.result {
            Ok(Success::Installed(object)) => ("installed", Some(object)),
            Ok(Success::AlreadyThere(object)) => ("unchanged", Some(object)),
            Ok(Success::LeftToCommit(object)) => ("left-to-commit", Some(object)),
            Err(_) => ("failed", None),
        };
        let failure = outcome.result.as_ref().err();
        Self {
            device: wish.device.to_string(),
            result,
            exit: failure.map_or(0, |failure| failure.exit().code()),
            object: object.map(ToString::to_string),
            profiles: wish.profiles.iter().map(ToString::to_string).collect(),
            problem: failure.map(ToString::to_string),
            advice: failure.and_then(crate::install::Failure::advice),
            seconds: outcome
                .phases
                .iter()
                .map(|(name, seconds)| ((*name).to_owned(), (*seconds).into()))
                .collect(),
        }
    }
}
