//! Reading the log back: the runs that it tells of.
//!
//! Files are read from their beginning, a line at a time, and only the last runs asked for are kept: a log of
//! any size takes little memory. What is no line of the log is passed over.

mod assemble;
mod lines;
mod outcome;
mod rotated;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset, Utc};
use flate2::read::MultiGzDecoder;

use self::assemble::RunAssembler;
use self::lines::Piece;
use crate::files::{self, ReadError};
use crate::text::escape_control;

/// The phases of a run as the log names them, the whole run last.
pub const PHASES: [&str; 7] = ["connect", "check", "import", "bind", "commit", "verify", "total"];
/// What is read at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// The most series of failures that are remembered at once.
const SERIES: usize = 4096;

/// A run, or a series of runs that failed in the same way and share one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The six hexadecimal digits that tell it from others, where it was not alone.
    pub id: Option<String>,
    /// When it began; of a series, when the first one did.
    pub begun: DateTime<FixedOffset>,
    /// When it was last heard of.
    pub ended: DateTime<FixedOffset>,
    /// The common names of its certificates; a series tells none.
    pub certificates: Vec<String>,
    /// The device. A run tells it at its end.
    pub device: Option<String>,
    /// How it ended.
    pub ending: RunOutcome,
    /// Seconds of each of [`PHASES`] that is known.
    pub seconds: [Option<f64>; PHASES.len()],
    /// How many runs this is: more than 1 for a series.
    pub times: u64,
    /// The number of its first line in its file: what tells the order of runs that began in one second.
    pub line: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// The device has what it should have.
    Done,
    /// With this problem.
    Failed(String),
    /// All is prepared, and a person has to commit.
    LeftToCommit,
    /// Committed on Panorama, and left for a person to push.
    LeftToPush,
    /// It wrote no end.
    NotEnded(Unended),
    /// It came to its end, and the log does not tell whether the device has what it should have.
    Unknown,
}

/// What is known of a run that wrote no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unended {
    /// It was killed, or is still running.
    Unknown,
    /// It was killed.
    Killed,
    /// It is still running, in this process.
    Running(Option<i32>),
}

impl Run {
    /// Seconds from its beginning to its end, if known.
    #[must_use]
    pub fn total(&self) -> Option<f64> {
        self.seconds[PHASES.len() - 1]
    }

    /// Whether it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self.ending, RunOutcome::Failed(_))
    }

    /// Where it stands among the others: a series where its last run stands.
    fn at(&self) -> DateTime<FixedOffset> {
        if self.times > 1 { self.ended } else { self.begun }
    }
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With a certificate of this common name.
    pub certificate: Option<String>,
    /// For this device; without a port, on any port.
    pub device: Option<String>,
    /// Begun at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Begun at this time or earlier.
    pub until: Option<DateTime<Utc>>,
    /// Only those that failed.
    pub failed: bool,
}

impl Filter {
    fn wants(&self, run: &Run) -> bool {
        let is_named = |name: &String| run.certificates.iter().any(|found| found.eq_ignore_ascii_case(name));
        self.certificate.as_ref().is_none_or(is_named)
            && self.device.as_ref().is_none_or(|device| is_for(run, device))
            && self.since.is_none_or(|since| run.at() >= since)
            && self.until.is_none_or(|until| run.begun <= until)
            && (!self.failed || run.failed())
    }
}

fn is_for(run: &Run, device: &str) -> bool {
    let Some((head, tail)) = run.device.as_ref().and_then(|found| found.split_at_checked(device.len()))
    else {
        return false;
    };
    head.eq_ignore_ascii_case(device) && (tail.is_empty() || tail.starts_with(':'))
}

/// The runs found, and how they were found.
#[derive(Debug, Default)]
pub struct Review {
    /// In the order of their beginnings.
    pub runs: Vec<Run>,
    /// The files that were read.
    pub read: Vec<PathBuf>,
    /// The rotated logs that could not be read to their end, and why.
    pub missed: Vec<String>,
}

/// The log can't be read.
#[derive(Debug, thiserror::Error)]
#[error("can't read the log file {}: {trouble}", escape_control(&.path.to_string_lossy()))]
pub struct ReviewError {
    path: PathBuf,
    trouble: ReadError,
}

impl ReviewError {
    /// What to do about it, where that is not in the message.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        matches!(self.trouble, ReadError::Missing)
            .then(|| "pan_instcert makes it at its first run; --log-file names another one".to_owned())
    }
}

/// The last `most` runs that are wanted. Rotated logs beside the file are read as far back as they matter.
///
/// # Errors
/// A log that is missing, not allowed to be read, or no ordinary file.
pub fn review(log: &Path, filter: &Filter, most: usize) -> Result<Review, ReviewError> {
    let bad = |trouble| ReviewError { path: log.to_owned(), trouble };
    let mut found = Found { filter, most, runs: BTreeMap::new(), series: HashMap::new(), count: 0 };
    let mut review = Review::default();
    found.read(log).map_err(bad)?;
    review.read.push(log.to_owned());
    // From the newest to the oldest: what a newer one told need not be looked for in older ones.
    for path in rotated::beside(log) {
        if found.runs.len() >= most {
            break;
        }
        if filter.since.is_some_and(|since| rotated::ends_before(&path, since)) {
            continue;
        }
        if let Err(trouble) = found.read(&path) {
            review.missed.push(format!("can't read all of {}: {trouble}", path.display()));
        }
        review.read.push(path);
    }
    review.runs = found.into_runs();
    Ok(review)
}

/// What was found so far: never more than was asked for.
struct Found<'a> {
    filter: &'a Filter,
    most: usize,
    /// By their beginning; the line, and the count where the files differ, tell those of one second apart.
    runs: BTreeMap<(DateTime<FixedOffset>, u64, u64), Run>,
    /// By device and beginning: a later line of the same series replaces an earlier one.
    series: HashMap<(Option<String>, DateTime<FixedOffset>), Run>,
    count: u64,
}

impl Found<'_> {
    fn read(&mut self, path: &Path) -> Result<(), ReadError> {
        let (file, metadata) = files::open(path)?;
        // Not what is appended meanwhile: a busy log would be read for ever.
        let file = file.take(metadata.len());
        let read = if path.extension().is_some_and(|ending| ending == "gz") {
            self.read_from(MultiGzDecoder::new(BufReader::new(file)))
        } else {
            self.read_from(file)
        };
        Ok(read?)
    }

    fn read_from(&mut self, from: impl Read) -> io::Result<()> {
        let mut untangler = RunAssembler::default();
        let read = lines::each(BufReader::with_capacity(CHUNK, from), |piece| match piece {
            Piece::Line(line) => untangler.take(&line, &mut |run| self.keep(run)),
            Piece::More(text) => untangler.more(text),
        });
        // Also of a file that breaks off.
        untangler.finish(&mut |run| self.keep(run));
        read
    }

    fn keep(&mut self, run: Run) {
        if !self.filter.wants(&run) {
            return;
        }
        if run.times > 1 {
            self.keep_series(run);
            return;
        }
        self.count += 1;
        self.runs.insert((run.begun, run.line, self.count), run);
        if self.runs.len() > self.most {
            self.runs.pop_first();
        }
    }

    fn keep_series(&mut self, run: Run) {
        let key = (run.device.clone(), run.begun);
        if self.series.get(&key).is_some_and(|known| known.times > run.times) {
            return;
        }
        self.series.insert(key, run);
        if self.series.len() > SERIES {
            let oldest = self.series.iter().min_by_key(|(_, run)| run.ended).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.series.remove(&key));
        }
    }

    fn into_runs(self) -> Vec<Run> {
        let mut runs: Vec<Run> = self.runs.into_values().chain(self.series.into_values()).collect();
        runs.sort_by_key(Run::at);
        runs.drain(..runs.len().saturating_sub(self.most));
        runs
    }
}
