//! Waiting for what somebody else delivers: what became of requests, as their records tell.

use std::path::Path;

use chrono::Utc;
use panos_xmlapi::{Address, Fingerprint};
use tokio::time::Instant;

use super::error::StoreError;
use super::gate::Gate;
use super::hold::Hold;
use super::installation::Installation;
use super::key::InstallationKey;
use super::queue::{Listing, Queue};
use super::request::{RequestEnd, RequestState};
use super::spec::InstallSpec;
use super::store::InstallationStore;
use crate::error::Exit;
use crate::host::certmonger::{Getcert, GetcertError, Phase};
use crate::install::names::{CommonName, ProfileName};
use crate::install::problem::{Problem, RetryClass};
use crate::install::result::Outcome;

/// Between two looks at the records.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// How one device stands.
#[derive(Debug)]
pub enum Standing {
    /// It was seen to run this very certificate.
    Runs(Box<Installation>),
    /// It does not, and this is why.
    Failed(Problem),
    /// It is recorded, and nothing is done before that is over.
    Waits(Hold),
    /// It is not over; what is being done.
    Open(String),
}

/// What is awaited of one device.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// The installation.
    pub key: InstallationKey,
    /// The profiles that have to present the certificate.
    pub profiles: Vec<ProfileName>,
}

/// An installation on several devices that is being followed.
pub struct Following<'a> {
    /// The state directory.
    pub state_dir: &'a Path,
    /// What is awaited, device by device.
    pub awaited: &'a [Awaited],
    /// The certificate's common name.
    pub common_name: &'a CommonName,
    /// The last number that was given before it was asked for: requests with a higher one may be ours.
    pub after: u64,
    /// The certificate, where it is known.
    pub wanted: Option<Fingerprint>,
    /// When it all has to be over.
    pub deadline: Instant,
    /// Shows what is waited for: a line for each device, the sum above them where there are several.
    pub show: &'a dyn Fn(&str),
}

impl Following<'_> {
    /// Follows the records until all is over, or the time is, or the post-save command that should have delivered
    /// has ended: with a worker nobody waits for that one, but only by its end is it known that it left no order.
    ///
    /// # Errors
    /// InstallationStore that can't be read; certmonger that can't be asked.
    pub async fn to_the_end(&self, hook: Option<Hook<'_>>) -> Result<Vec<(Address, Standing)>, FollowError> {
        loop {
            // Asked first: what the command has written before it ended is seen then.
            let (runs, delivers) = match &hook {
                Some(hook) => (hook.runs().await?, hook.delivers),
                None => (false, false),
            };
            let mut standings = self.each()?;
            for (_, standing) in &mut standings {
                if runs && matches!(standing, Seen::Nothing) {
                    *standing =
                        Seen::Standing(Standing::Open("the post-save command is starting".to_owned()));
                }
            }
            let standings = judged(standings);
            let Some(doing) = open(&standings) else { return Ok(standings) };
            if (delivers && !runs) || Instant::now() >= self.deadline {
                return Ok(standings);
            }
            (self.show)(&doing);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows how it stands for as long as something else goes on that delivers.
    pub async fn meanwhile<T>(&self, delivery: impl Future<Output = T>) -> T {
        let mut delivery = std::pin::pin!(delivery);
        loop {
            if let Ok(done) = tokio::time::timeout(PAUSE, &mut delivery).await {
                return done;
            }
            if let Some(doing) = open(&self.standings().unwrap_or_default()) {
                (self.show)(&doing);
            }
        }
    }

    /// How each device stands now.
    ///
    /// # Errors
    /// InstallationStore that can't be read.
    pub fn standings(&self) -> Result<Vec<(Address, Standing)>, FollowError> {
        self.each().map(judged)
    }

    fn each(&self) -> Result<Vec<(Address, Seen)>, FollowError> {
        // The queue first, and once for all: a request that is gone from there stands in the record.
        let queued = Queue::below(self.state_dir).all()?;
        let stand = |awaited: &Awaited| Ok((awaited.key.device.clone(), self.seen(awaited, &queued)?));
        self.awaited.iter().map(stand).collect()
    }

    fn seen(&self, awaited: &Awaited, queued: &Listing) -> Result<Seen, StoreError> {
        let is_queued = queued.specs.iter().any(|queued| self.is_queued(awaited, &queued.spec));
        let record = InstallationStore::below(self.state_dir).read(&awaited.key)?;
        let request = record.as_ref().and_then(|record| {
            let ours = record.requests.iter().filter(|request| self.is_ours(awaited, request));
            ours.max_by_key(|request| request.sequence)
        });
        if is_queued {
            return Ok(Seen::Standing(Standing::Open("in the queue".to_owned())));
        }
        if let (Some(record), Some(request)) = (&record, request) {
            return Ok(Seen::Standing(self.standing(record, request)));
        }
        let unread = queued.unresolved.iter().map(|queued| &queued.spec);
        let name = self.common_name.as_str();
        let mut unread = unread.filter(|spec| spec.sequence > self.after);
        let unread = unread.find(|spec| spec.argv.iter().any(|word| word.eq_ignore_ascii_case(name)));
        Ok(unread.map_or(Seen::Nothing, |spec| Seen::Standing(Standing::Failed(spec.problem.clone()))))
    }

    /// What keeps it waiting: nobody needs to stay for that.
    fn hold(&self, record: &Installation) -> Option<Hold> {
        Gate::default().hold(record, self.state_dir, Utc::now())
    }

    fn is_queued(&self, awaited: &Awaited, spec: &InstallSpec) -> bool {
        spec.sequence > self.after && spec.key() == awaited.key
    }

    /// Whether its end is an answer for whoever waits: it was given since, for all these profiles and this certificate.
    fn is_ours(&self, awaited: &Awaited, request: &RequestState) -> bool {
        let meant = request.certificate.as_ref().map(|certificate| certificate.fingerprint);
        request.sequence > self.after
            && awaited.profiles.iter().all(|profile| request.profiles.contains(profile))
            && (self.wanted.is_none() || meant.is_none() || meant == self.wanted)
    }

    fn standing(&self, record: &Installation, request: &RequestState) -> Standing {
        match &request.end {
            RequestEnd::Done { .. } if self.wanted.is_some_and(|wanted| !record.runs(wanted)) => {
                Standing::Failed(not_installed("the installed certificate is not the one that was issued"))
            }
            RequestEnd::Done { .. } => Standing::Runs(Box::new(record.clone())),
            RequestEnd::AwaitingCommit { .. } => Standing::Failed(not_installed(
                "the certificate is waiting for a manual commit (--commit none)",
            )),
            RequestEnd::AwaitingPush { .. } => Standing::Failed(not_installed(
                "the certificate is committed on Panorama and waiting for a manual push (--push none, or --commit none)",
            )),
            RequestEnd::Open { problem: Some(problem) } => Standing::Failed(pending(record, problem)),
            RequestEnd::Open { problem: None } => match self.hold(record) {
                Some(hold) => Standing::Waits(hold),
                None => Standing::Open(doing(record)),
            },
            RequestEnd::Failed { .. } | RequestEnd::Superseded { .. } => match request.outcome() {
                Outcome::Failed(problem) => Standing::Failed(problem),
                _ => Standing::Open(doing(record)),
            },
        }
    }
}

/// What is being done on each device that is not done; the sum above that where there are several.
fn open(standings: &[(Address, Standing)]) -> Option<String> {
    let lines = standings.iter().filter_map(|(device, standing)| match standing {
        Standing::Open(doing) => Some(format!("{device}: {doing}")),
        _ => None,
    });
    let lines: Vec<String> = lines.collect();
    let (total, left) = (standings.len(), lines.len());
    let sum = (total > 1).then(|| format!("{} of {total} devices done", total - left));
    (left > 0).then(|| sum.into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}

/// A run that is under way after a failed one is not waited for: what is pending is tried again without an end.
fn pending(record: &Installation, problem: &Problem) -> Problem {
    let again = record.next_attempt.map(|at| format!("; next attempt at {}", at.format("%H:%M")));
    let what = format!("{}{}", problem.what.trim_end_matches('.'), again.unwrap_or_default());
    Problem { what, ..problem.clone() }
}

fn doing(record: &Installation) -> String {
    match &record.job {
        Some(job) => format!("commit job {job}"),
        None if record.started_at.is_some() => "being installed".to_owned(),
        None => "recorded".to_owned(),
    }
}

/// What is there of one device.
enum Seen {
    /// No order and no record of this certificate.
    Nothing,
    /// One of them, and what it tells.
    Standing(Standing),
}

/// Whoever should have ordered is done.
fn judged(seen: Vec<(Address, Seen)>) -> Vec<(Address, Standing)> {
    let judge = |seen| match seen {
        Seen::Standing(standing) => standing,
        Seen::Nothing => {
            Standing::Failed(not_installed("the post-save command did not record an installation"))
        }
    };
    seen.into_iter().map(|(device, seen)| (device, judge(seen))).collect()
}

/// The post-save command, as certmonger runs it.
pub struct Hook<'a> {
    /// How certmonger is asked.
    pub getcert: &'a Getcert,
    /// The certificate's file.
    pub certificate: &'a Path,
    /// Whether all is over when it ends; else a worker delivers.
    pub delivers: bool,
}

impl Hook<'_> {
    async fn runs(&self) -> Result<bool, GetcertError> {
        let tracked = self.getcert.tracked(self.certificate).await?;
        // Between the file and the command certmonger reads what it has saved.
        Ok(tracked.is_some_and(|tracked| matches!(tracked.phase(), Phase::Saving | Phase::Working)))
    }
}

/// What is said of a device that nothing better is known of.
#[must_use]
pub fn not_installed(what: &str) -> Problem {
    Problem {
        exit: Exit::Certificate,
        what: what.to_owned(),
        advice: Some("see the log, then run pan_instcert by hand".to_owned()),
        retry_class: RetryClass::Transient,
    }
}

/// The records can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// They can't be read.
    #[error(transparent)]
    Installation(#[from] StoreError),
    /// certmonger can't be asked.
    #[error(transparent)]
    Certmonger(#[from] GetcertError),
}
