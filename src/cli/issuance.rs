//! Following a request until the certificate is issued.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use panos_xmlapi::Fingerprint;
use tokio::time::Instant;

use crate::certificate::fingerprint_of_pem;
use crate::files;
use crate::host::certmonger::{Getcert, GetcertError, Phase, Tracked};

/// Between two looks at certmonger, which answers within milliseconds.
const PAUSE: Duration = Duration::from_millis(300);
/// For how long certmonger may show the old state after it was asked for a new certificate.
const SLOW_START: Duration = Duration::from_secs(15);
/// The most that is read of a certificate's file.
const LARGEST: usize = 1 << 20;

/// Why no certificate came.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// certmonger can't be asked.
    #[error(transparent)]
    Getcert(#[from] GetcertError),
    /// The request has vanished.
    #[error("certmonger does not know the request any more")]
    Gone,
    /// The CA refused, or a person is needed.
    #[error("{what}: {ca_error}")]
    Stuck {
        /// What the state means.
        what: String,
        /// The CA's words.
        ca_error: String,
    },
    /// Nothing new was issued, and certmonger watches the old certificate on.
    #[error("no new certificate was issued, certmonger keeps the old one: {0}")]
    Denied(String),
    /// The time is over.
    #[error("no certificate after {seconds} seconds: {doing}")]
    TimedOut {
        /// The time allowed.
        seconds: u64,
        /// The state it is in.
        doing: String,
    },
}

/// The request being followed.
pub struct IssuanceWatcher<'a> {
    /// How certmonger is asked.
    pub getcert: &'a Getcert,
    /// The certificate's file.
    pub certificate: &'a Path,
    /// What was in it before, if anything.
    pub before: Option<Fingerprint>,
    /// When it all has to be over.
    pub deadline: Instant,
    /// The time that was allowed for it.
    pub patience: Duration,
    /// The live line.
    pub live: &'a StatusLine,
}

impl IssuanceWatcher<'_> {
    /// Waits until the certificate is issued; its fingerprint, if the file can be read.
    ///
    /// # Errors
    /// A refusal at once; the end of the time.
    pub async fn issued(&self) -> Result<Option<Fingerprint>, IssueError> {
        let begun = Instant::now();
        loop {
            let tracked = self.tracked().await?;
            let error = || tracked.ca_error.clone().unwrap_or_else(|| "the CA gives no reason".to_owned());
            let now = fingerprint_in(self.certificate);
            match tracked.phase() {
                Phase::Saving | Phase::Done if now.is_some() && now != self.before => return Ok(now),
                // The file may be for root only; then certmonger's word has to do.
                Phase::Saving => return Ok(now),
                Phase::Done if now.is_none() && tracked.ca_error.is_none() => return Ok(None),
                Phase::Done if tracked.ca_error.is_some() => return Err(IssueError::Denied(error())),
                Phase::Done if begun.elapsed() > SLOW_START => return Err(IssueError::Denied(error())),
                Phase::Rejected => {
                    return Err(IssueError::Stuck { what: "the CA refused".to_owned(), ca_error: error() });
                }
                Phase::NeedsPerson(what) => {
                    return Err(IssueError::Stuck { what: what.to_owned(), ca_error: error() });
                }
                Phase::Done | Phase::Working | Phase::Unreachable => {}
            }
            self.pause(&tracked).await?;
        }
    }

    async fn tracked(&self) -> Result<Tracked, IssueError> {
        self.getcert.tracked(self.certificate).await?.ok_or(IssueError::Gone)
    }

    async fn pause(&self, tracked: &Tracked) -> Result<(), IssueError> {
        let error = tracked.ca_error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default();
        let doing = format!("certmonger says {}{error}", tracked.state);
        self.live.show(&doing);
        if Instant::now() >= self.deadline {
            return Err(IssueError::TimedOut { seconds: self.patience.as_secs(), doing });
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// The fingerprint of the certificate in a file, if there is one that can be read.
#[must_use]
pub fn fingerprint_in(file: &Path) -> Option<Fingerprint> {
    let contents =
        files::open(file).and_then(|(file, metadata)| files::read(file, &metadata, LARGEST)).ok()?;
    fingerprint_of_pem(std::str::from_utf8(&contents).ok()?).ok()
}

/// A line on a terminal that shows what is waited for and for how long; nothing elsewhere.
#[derive(Default)]
pub struct StatusLine(RefCell<Option<ProgressBar>>);

impl StatusLine {
    /// A line that is not shown yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows what is waited for.
    pub fn show(&self, text: &str) {
        let mut line = self.0.borrow_mut();
        let bar = line.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            match ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_message(text.chars().filter(|character| !character.is_control()).collect::<String>());
        bar.tick();
    }

    /// Takes the line away, so that a whole line can be printed; the next one counts anew.
    pub fn clear(&self) {
        if let Some(bar) = self.0.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}
