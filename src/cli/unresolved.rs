//! What was asked for and can't be read as a request is recorded as it was typed, and read again later.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Parser as _;

use super::arguments::UsageError;
use super::installer::{Arguments, NAME};
use super::report;
use crate::delivery::{InstallSpec, Queue, Requester, StoreError, UnresolvedSpec, new_id};
use crate::error::Exit;
use crate::files;
use crate::host::log::{LOG_FILE, Log, RunLog, Verbosity};
use crate::host::worker::STATE_DIR;
use crate::install::problem::{Problem, RetryClass};

/// The most words, and the most bytes of them, that are recorded.
const LONGEST: (usize, usize) = (500, 100_000);

/// Whether somebody can be asked, and sees how it ends: certmonger and cron have no terminal.
#[must_use]
pub fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether somebody sees at least one of them: the output may go through a pipe.
fn is_seen() -> bool {
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

/// Records what can't be read, unless somebody sees that it was refused, or it names no certificate: then nothing was
/// handed over. What is more than was delegated is refused for good, and help and a dry run are nothing to be done
/// later.
pub fn record(argv: &[OsString], exit: Exit, what: &str) {
    let words: Option<Vec<String>> =
        argv.iter().skip(1).map(|word| word.to_str().map(str::to_owned)).collect();
    let Some(words) = words else { return };
    let has = |options: &[&str]| words.iter().any(|word| options.contains(&word.as_str()));
    // However it is stretched: what comes through sudo is refused or done, and not kept.
    let is_delegated = words.iter().any(|word| word.starts_with("--delegated"));
    let size: usize = words.iter().map(String::len).sum();
    let is_refused = (is_seen() && !has(&["--queue"])) || is_delegated;
    let is_nothing = has(&["--dry-run", "--help", "-h", "--version", "-V"]) || certificate(&words).is_none();
    if is_refused || is_nothing || words.len() > LONGEST.0 || size > LONGEST.1 {
        return;
    }
    let place = |option: &str, usual: &str| {
        let path = PathBuf::from(value_of(&words, option).unwrap_or(usual));
        files::settled(&path).is_ok().then_some(path)
    };
    let state_dir = place("--state-dir", STATE_DIR);
    let log_file = place("--log-file", LOG_FILE);
    let mut spec = UnresolvedSpec {
        id: new_id(),
        sequence: 0,
        requested_at: Utc::now(),
        requested_by: Requester::current(),
        problem: problem(exit, what, &words),
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        argv: words,
    };
    let recorded = state_dir.map(|state_dir| Queue::below(&state_dir).put_unresolved(&mut spec));
    let consequence = match &recorded {
        Some(Ok(true)) => "it is recorded, and read again before each run of the worker".to_owned(),
        Some(Ok(false)) => "too much like this is recorded already: it is lost".to_owned(),
        Some(Err(error)) => format!("it is lost: {error}"),
        None => "it is lost: its state directory can't be relied on".to_owned(),
    };
    report::note(NAME, &format!("{consequence}; see 'pan_certctl status'"));
    if let Some(log) = log_file.and_then(|file| Log::open(&file, Verbosity::Quiet).ok()) {
        let run = log.run(&crate::delivery::engine::run_id(), true);
        run.error(&format!("{NAME} was called with what can't be carried out: {what}; {consequence}"));
    }
}

fn problem(exit: Exit, what: &str, words: &[String]) -> Problem {
    let what = what.lines().next().unwrap_or_default().chars().take(1000).collect();
    let name = certificate(words).and_then(|name| shlex::try_quote(name).ok()).unwrap_or_default();
    let advice = format!(
        "fix it; or run pan_instcert with the right words, and forget these: pan_certctl forget --unresolved {name}"
    );
    Problem { exit, what, advice: Some(advice), retry_class: RetryClass::NeedsOperator }
}

/// The certificate that words name, whatever else is wrong with them.
#[must_use]
pub fn certificate(words: &[String]) -> Option<&str> {
    let short =
        |word: &str| word.strip_prefix('-').filter(|letters| !letters.starts_with('-')).map(str::to_owned);
    let named = words.iter().enumerate().rev().find_map(|(at, word)| {
        let next = || words.get(at + 1).map(String::as_str);
        match word.strip_prefix("--common-name") {
            Some("") => next(),
            Some(rest) => rest.strip_prefix('='),
            // Other short options may stand before it: -bc NAME.
            None => match short(word)?.find('c')? {
                at if word.len() == at + 2 => next(),
                0 => Some(word[2..].trim_start_matches('=')),
                _ => None,
            },
        }
    });
    named.filter(|name| !name.is_empty())
}

/// What stands behind an option, wherever it stands; of several the last counts.
fn value_of<'w>(words: &'w [String], option: &str) -> Option<&'w str> {
    words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix(option)? {
        "" => words.get(at + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// Reads everything again that could not be read before: what can be now is put into the queue.
///
/// # Errors
/// A state directory that can't be used.
pub fn resolve(state_dir: &Path, log: &RunLog) -> Result<(), StoreError> {
    let queue = Queue::below(state_dir);
    for earlier in queue.all()?.unresolved {
        if let Ok(mut specs) = read(&earlier.spec, state_dir) {
            let words = earlier.spec.argv.join(" ");
            queue.resolve(earlier, &mut specs)?;
            log.say(&format!("What could not be read before is read now: {words}"));
        }
    }
    Ok(())
}

fn read(earlier: &UnresolvedSpec, state_dir: &Path) -> Result<Vec<InstallSpec>, UsageError> {
    let words = std::iter::once(NAME).chain(earlier.argv.iter().map(String::as_str));
    let arguments = Arguments::try_parse_from(words).map_err(|error| UsageError::Other(error.to_string()))?;
    let requests = arguments.requests(state_dir, &earlier.directory, false)?;
    Ok(requests.into_iter().map(|(spec, _)| spec).collect())
}
