//! A line of the log: its time, whose it is, and what it tells of the run.

use std::io::{self, BufRead, Read as _};
use std::str;

use chrono::{DateTime, FixedOffset};

use super::PHASES;

/// What is looked at of a line, in bytes: more than any line of the log has.
const LIMIT: u64 = 8192;
/// As in `2023-04-27 15:15:33+00:00`.
const TIME: &str = "%Y-%m-%d %H:%M:%S%:z";
const TIME_LENGTH: usize = 25;
/// No phase takes longer than this, in seconds: what is above was not written by a run.
const LONGEST: f64 = 1e8;

/// A line that has the log's form.
pub(super) struct Line<'a> {
    time: &'a [u8],
    /// The id of the run, where the line bears one.
    pub(super) tag: Option<u32>,
    text: &'a [u8],
}

/// What a line tells of its run.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    Start,
    Certificate(String),
    /// The device that it is for.
    Device(String),
    /// In seconds.
    CommitTook(f64),
    LeftToCommit,
    LeftToPush,
    /// On this device.
    End(String),
    /// The device, where the line begins with one, and the problem.
    Error(Option<String>, String),
    /// What the device said to an upload.
    Upload(String),
    /// What the device said to a commit, after the word that stands for it.
    Commit(String),
    /// A line that stands for many runs.
    Again {
        device: String,
        times: u64,
        since: DateTime<FixedOffset>,
        problem: String,
    },
    Phases([Option<f64>; PHASES.len()]),
}

/// What is read at once.
pub(super) enum Piece<'a> {
    /// A line that has the log's form.
    Line(Line<'a>),
    /// Another one. The scripts that came before wrote what a device said as it was, line ends included.
    More(&'a [u8]),
}

/// Reads to the end.
pub(super) fn each(mut from: impl BufRead, mut take: impl FnMut(Piece<'_>)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.by_ref().take(LIMIT).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        match line.pop_if(|last| *last == b'\n') {
            Some(_) => {}
            // Of what has no end, the rest is not kept.
            None => {
                from.skip_until(b'\n')?;
            }
        }
        take(Line::of(&line).map_or(Piece::More(&line), Piece::Line));
    }
}

impl<'a> Line<'a> {
    /// `[TIME]: TEXT` or `[TIME]: [3f9c2a]: TEXT`. Only what stands at the front counts: what follows may
    /// quote a device, which may say anything.
    fn of(line: &'a [u8]) -> Option<Self> {
        let (time, text) = line.strip_prefix(b"[")?.split_at_checked(TIME_LENGTH)?;
        let text = text.strip_prefix(b"]: ")?;
        Some(match tagged(text) {
            Some((tag, text)) => Self { time, tag: Some(tag), text },
            None => Self { time, tag: None, text },
        })
    }

    /// When it was written.
    pub(super) fn time(&self) -> Option<DateTime<FixedOffset>> {
        time(str::from_utf8(self.time).ok()?)
    }

    /// What it tells, if it is one of the lines that tell of how a run goes.
    pub(super) fn event(&self) -> Option<Event> {
        let after = |phrase: &str| {
            let rest = self.text.strip_prefix(phrase.as_bytes())?;
            Some(String::from_utf8_lossy(rest).trim().to_owned())
        };
        // Nearly all lines end here, without a copy.
        match self.text.first()? {
            b'S' => after("START of pan_instcert").map(|_| Event::Start),
            b'C' => after("Certificate Common Name: ").map(Event::Certificate),
            b'T' => {
                let rest = after("The commit took ")?;
                seconds(rest.split_once(" seconds")?.0).map(Event::CommitTook)
            }
            b'N' => after("Not committed (--commit none)")
                .map(|_| Event::LeftToCommit)
                .or_else(|| after("Not pushed (--").map(|_| Event::LeftToPush)),
            b'E' => match after("END - Finished certificate installation to: ") {
                Some(device) => Some(Event::End(device)),
                None => after("ERROR: ")
                    .map(|text| error(&text))
                    // As the scripts that came before wrote when they were ended by a signal.
                    .or_else(|| after("ERROR - ").map(|text| Event::Error(None, text))),
            },
            b'X' => {
                let rest = after("XML API output for ")?;
                let (what, said) = rest.split_once(':')?;
                matches!(what, "crt" | "key" | "keypair").then(|| Event::Upload(said.trim().to_owned()))
            }
            b'c' => after("commit: ").filter(|said| !said.starts_with("warning: ")).map(Event::Commit),
            b'P' => match after("PAN_FQDN: ") {
                Some(device) => is_device(&device).then_some(Event::Device(device)),
                None => after("Phase times: ").map(|text| Event::Phases(phases(&text))),
            },
            _ => None,
        }
    }
}

fn tagged(text: &[u8]) -> Option<(u32, &[u8])> {
    let (tag, text) = text.strip_prefix(b"[")?.split_at_checked(6)?;
    let text = text.strip_prefix(b"]: ")?;
    // A number with a sign is none of ours.
    if !tag.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    Some((u32::from_str_radix(str::from_utf8(tag).ok()?, 16).ok()?, text))
}

fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_str(text, TIME).ok()
}

fn seconds(text: &str) -> Option<f64> {
    text.parse().ok().filter(|seconds| (0.0..LONGEST).contains(seconds))
}

fn error(text: &str) -> Event {
    match text.split_once(": ") {
        Some((device, problem)) if is_device(device) => {
            let device = device.to_owned();
            again(&device, problem).unwrap_or_else(|| Event::Error(Some(device), problem.to_owned()))
        }
        _ => Event::Error(None, text.to_owned()),
    }
}

/// Paths and sentences stand before a colon as well.
fn is_device(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
}

/// `the same failure for the 64th time since 2026-11-22 05:00:00+00:00: TEXT`
fn again(device: &str, text: &str) -> Option<Event> {
    let rest = text.strip_prefix("the same failure for the ")?;
    let (times, rest) = rest.split_once(" time since ")?;
    let (since, rest) = rest.split_at_checked(TIME_LENGTH)?;
    let times = times.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    let problem = rest.strip_prefix(": ")?.to_owned();
    Some(Event::Again { device: device.to_owned(), times, since: time(since)?, problem })
}

fn phases(text: &str) -> [Option<f64>; PHASES.len()] {
    PHASES.map(|wanted| {
        let mut parts = text.split(", ").filter_map(|part| part.strip_prefix(wanted));
        parts.find_map(|rest| seconds(rest.strip_prefix(' ')?.strip_suffix(" s")?))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(Option<u32>, Option<Event>)> {
        let mut found = Vec::new();
        each(bytes, |piece| {
            if let Piece::Line(line) = piece {
                found.push((line.tag, line.event()));
            }
        })
        .unwrap();
        found
    }

    fn event(text: &str) -> Option<Event> {
        read(format!("[2026-11-22 05:00:00+00:00]: {text}\n").as_bytes()).remove(0).1
    }

    #[test]
    fn a_tag_is_six_hexadecimal_digits_directly_behind_the_time() {
        let tag = |text: &str| read(format!("[2026-11-22 05:00:00+00:00]: {text}").as_bytes())[0].0;
        assert_eq!(tag("[3f9c2a]: START of pan_instcert."), Some(0x003f_9c2a));
        for text in ["[+f9c2a]: x", "[3f9c2]: x", "[3f9c2ab]: x", "x [3f9c2a]: x", "[3f9c2a] x"] {
            assert_eq!(tag(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_stands_at_the_front_of_a_line_counts() {
        let said = "failure: \"ERROR: fw1: END - Finished\"";
        assert_eq!(event(&format!("commit: {said}")), Some(Event::Commit(said.to_owned())));
        assert!(event("x [2026-01-01 00:00:00+00:00]: START of pan_instcert.").is_none());
        assert!(read(b" [2026-11-22 05:00:00+00:00]: START of pan_instcert.\n").is_empty());
        assert!(read(b"[2026-11-22 05:00:00+00:00] START of pan_instcert.\n\n[\n").is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_read_as_far_as_any_line_goes_and_the_next_one_is_whole() {
        let long = [b"x".repeat(100_000), b"\n[2026-11-22 05:00:00+00:00]: START of pan_instcert.".to_vec()];
        assert_eq!(read(&long.concat()), [(None, Some(Event::Start))]);
        // What stands just behind the place where it was cut is no line either.
        let mut long = vec![b'x'; usize::try_from(LIMIT).unwrap()];
        long.extend(b"[2026-11-22 05:00:00+00:00]: START of pan_instcert.\n");
        assert!(read(&long).is_empty());
    }

    #[test]
    fn a_device_is_told_from_a_path_and_a_sentence() {
        let device = |text: &str| match event(&format!("ERROR: {text}")) {
            Some(Event::Error(device, _)) => device,
            other => unreachable!("{other:?}"),
        };
        for named in ["fw1", "fw1.example.com:8443", "[2001:db8::1]:8443"] {
            assert_eq!(device(&format!("{named}: no answer")).as_deref(), Some(named));
        }
        for text in ["/var/lib/x.json: broken", "the device is gone: really", "no colon", ""] {
            assert_eq!(device(text), None, "{text}");
        }
    }

    #[test]
    fn many_failures_in_one_line_are_understood_or_taken_as_one() {
        let told = "fw1: the same failure for the 64th time since 2026-11-22 05:00:00+00:00: no answer";
        assert!(
            matches!(event(&format!("ERROR: {told}")), Some(Event::Again { times: 64, problem, .. }) if problem == "no answer")
        );
        let broken = "fw1: the same failure for the many-th time since 2026-11-22 05:00:00+00:00: no answer";
        assert!(matches!(event(&format!("ERROR: {broken}")), Some(Event::Error(Some(_), _))));
    }

    #[test]
    fn times_that_no_run_has_taken_are_not_known() {
        let Some(Event::Phases(times)) = event(
            "Phase times: connect 0.010 s, check NaN s, bind -1 s, commit 1e300 s, more 1 s, total 2.5 s",
        ) else {
            unreachable!()
        };
        assert_eq!(times, [Some(0.01), None, None, None, None, None, Some(2.5)]);
    }
}
