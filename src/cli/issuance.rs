//! Following a request until the certificate is issued.

use std::path::Path;
use std::time::Duration;

use panos_xmlapi::Fingerprint;
use tokio::time::Instant;

use super::live::StatusLine;
use crate::certificate::{SeenCertificate, fingerprint_of_pem};
use crate::files;
use crate::host::certmonger::{CaError, Changes, Getcert, GetcertError, Phase, Tracked};

/// Between two looks at certmonger, which answers within milliseconds.
const PAUSE: Duration = Duration::from_millis(300);
/// For how long certmonger may show the old state after it was asked for a new certificate.
const SLOW_START: Duration = Duration::from_secs(15);
/// While the CA can't be reached, the request is submitted again after this time, then after twice as long, and so on.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// For how long certmonger may be without a key where it is about to make one.
const NO_KEY: Duration = Duration::from_secs(5);
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
    /// certmonger has no key to make its request with.
    #[error("certmonger can't make its request to the CA ({state}): it has no private key to sign it with")]
    NoKey {
        /// The state it stays in.
        state: String,
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
        /// Whether the CA could not be reached.
        unreachable: bool,
    },
}

impl IssueError {
    /// The CA's words, where it refused.
    #[must_use]
    pub fn ca_error(&self) -> Option<&str> {
        match self {
            Self::Stuck { ca_error, .. } | Self::Denied(ca_error) => Some(ca_error),
            _ => None,
        }
    }
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
    pub timeout: Duration,
    /// The live line.
    pub live: &'a StatusLine,
}

impl IssuanceWatcher<'_> {
    /// Waits until the certificate is issued; its fingerprint, if the file can be read. The request has just been
    /// submitted: certmonger leaves its old state before it answers that (measured), so what it shows is of now.
    ///
    /// # Errors
    /// A refusal at once; the end of the time.
    pub async fn issued(&self) -> Result<Option<Fingerprint>, IssueError> {
        let begun = Instant::now();
        let mut again = Again { at: begun + AGAIN, gap: AGAIN };
        let mut without_key: Option<Instant> = None;
        loop {
            let tracked = self.tracked().await?;
            let error = || tracked.complaint().unwrap_or("the CA gives no reason").to_owned();
            let stuck = |what: &str| IssueError::Stuck { what: what.to_owned(), ca_error: error() };
            let now = fingerprint_in(self.certificate);
            match tracked.phase() {
                Phase::Saving | Phase::Done if now.is_some() && now != self.before => return Ok(now),
                // The file may be for root only; then certmonger's word has to do.
                Phase::Saving => return Ok(now),
                Phase::Done if now.is_none() && tracked.complaint().is_none() => return Ok(None),
                // Where the Kerberos server is up and its directory server is not, certmonger speaks of its set-up, or
                // stays with the certificate at hand: that passes as well.
                Phase::Done | Phase::NeedsPerson(_) if is_outage(&tracked) => {
                    again.submit(self.getcert, &tracked).await?;
                }
                Phase::Done if tracked.complaint().is_some() => return Err(IssueError::Denied(error())),
                Phase::Done if begun.elapsed() > SLOW_START => return Err(IssueError::Denied(error())),
                Phase::Rejected => return Err(stuck("the CA refused")),
                Phase::NeedsPerson(what) => return Err(stuck(what)),
                // certmonger calls unreachable also what will never be granted as it is.
                Phase::Unreachable if is_refusal(&tracked) => return Err(stuck("the CA refused")),
                // By itself it would ask again in days.
                Phase::Unreachable => again.submit(self.getcert, &tracked).await?,
                Phase::Working if tracked.has_no_request() => {
                    let since = *without_key.get_or_insert_with(Instant::now);
                    if since.elapsed() > NO_KEY {
                        return Err(IssueError::NoKey { state: tracked.state.to_string() });
                    }
                }
                Phase::Done | Phase::Working => without_key = None,
            }
            self.pause(&tracked).await?;
        }
    }

    async fn tracked(&self) -> Result<Tracked, IssueError> {
        self.getcert.tracked(self.certificate).await?.ok_or(IssueError::Gone)
    }

    async fn pause(&self, tracked: &Tracked) -> Result<(), IssueError> {
        let error = tracked.complaint().map(|error| format!(" ({error})")).unwrap_or_default();
        let doing = format!("certmonger says {}{error}", tracked.state);
        self.live.show(&doing);
        if Instant::now() >= self.deadline {
            let unreachable = tracked.phase() == Phase::Unreachable || is_outage(tracked);
            return Err(IssueError::TimedOut { seconds: self.timeout.as_secs(), doing, unreachable });
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

fn is_outage(tracked: &Tracked) -> bool {
    tracked.complaint().is_some_and(|error| CaError::read(error) == CaError::Outage)
}

fn is_refusal(tracked: &Tracked) -> bool {
    tracked.complaint().is_some_and(|error| CaError::read(error).is_permanent())
}

/// Submitting again while the CA can't be reached, less and less often.
struct Again {
    at: Instant,
    gap: Duration,
}

impl Again {
    async fn submit(&mut self, getcert: &Getcert, tracked: &Tracked) -> Result<(), GetcertError> {
        if Instant::now() < self.at {
            return Ok(());
        }
        self.gap = (self.gap * 2).min(AGAIN_AT_MOST);
        self.at = Instant::now() + self.gap;
        // What is told anything wakes up and submits. To submit it in so many words as well would do it twice. What
        // watches its certificate only notes it.
        let command = tracked.post_save.as_deref().filter(|command| !command.is_empty());
        match command.filter(|_| tracked.phase() != Phase::Done) {
            Some(command) => getcert.set_post_save(&tracked.id, command).await,
            None => getcert.resubmit(&tracked.id, &Changes::default()).await,
        }
    }
}

/// The fingerprint of the certificate in a file, if there is one that can be read.
#[must_use]
pub fn fingerprint_in(file: &Path) -> Option<Fingerprint> {
    fingerprint_of_pem(&text_in(file)?).ok()
}

/// What is in the certificate of a file, if there is one that can be read.
#[must_use]
pub fn certificate_in(file: &Path) -> Option<SeenCertificate> {
    SeenCertificate::of_pem(&text_in(file)?).ok()
}

fn text_in(file: &Path) -> Option<String> {
    let contents =
        files::open(file).and_then(|(file, metadata)| files::read(file, &metadata, LARGEST)).ok()?;
    std::str::from_utf8(&contents).ok().map(str::to_owned)
}
