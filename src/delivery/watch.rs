//! What became of an installation, as its record tells: followed until it is over.

use std::path::Path;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::installation::{Record, State};
use super::queue::Queue;
use super::store::{RecordError, Records};
use crate::error::Exit;
use crate::fingerprint::Fingerprint;
use crate::host::certmonger::{Getcert, GetcertError, Phase};
use crate::install::names::ObjectName;
use crate::install::problem::{Mender, Problem};
use crate::panos::Address;

/// Between two looks at the records.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// How one device stands.
#[derive(Debug)]
pub enum Standing {
    /// It was seen to run this very certificate.
    Runs(Box<Record>),
    /// It does not, and this is why.
    Failed(Problem),
    /// It is not over; what is being done.
    Open(String),
}

/// An installation on several devices that is being followed.
pub struct Following<'a> {
    /// The state folder.
    pub state_dir: &'a Path,
    /// The devices.
    pub devices: &'a [Address],
    /// The object's name as it was asked for.
    pub name: &'a ObjectName,
    /// Since when orders are ours.
    pub since: DateTime<Utc>,
    /// The certificate, where it is known.
    pub wanted: Option<Fingerprint>,
    /// When it all has to be over.
    pub deadline: Instant,
    /// Shows what is waited for.
    pub show: &'a dyn Fn(&str),
}

impl Following<'_> {
    /// Follows the records until all is over, or the time is, or the post-save command that should have delivered
    /// has ended: with a worker nobody waits for that one, but only by its end is it known that it left no order.
    ///
    /// # Errors
    /// Records that can't be read; certmonger that can't be asked.
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
                    *standing = Seen::Standing(Standing::Open("the post-save command begins".to_owned()));
                }
            }
            let standings = judged(standings);
            let open = standings.iter().find_map(|(device, standing)| match standing {
                Standing::Open(doing) => Some(format!("{device}: {doing}")),
                _ => None,
            });
            let Some(doing) = open else { return Ok(standings) };
            if (delivers && !runs) || Instant::now() >= self.deadline {
                return Ok(standings);
            }
            (self.show)(&doing);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How each device stands now.
    ///
    /// # Errors
    /// Records that can't be read.
    pub fn standings(&self) -> Result<Vec<(Address, Standing)>, FollowError> {
        self.each().map(judged)
    }

    fn each(&self) -> Result<Vec<(Address, Seen)>, FollowError> {
        let stand = |device: &Address| Ok((device.clone(), self.seen(device)?));
        self.devices.iter().map(stand).collect()
    }

    fn seen(&self, device: &Address) -> Result<Seen, RecordError> {
        // The queue first: an order that is gone from there stands in the record.
        let (queued, _) = Queue::below(self.state_dir).for_device(device)?;
        let is_queued = queued.iter().any(|queued| queued.order.name == *self.name);
        let record = Records::below(self.state_dir).read(device, self.name)?;
        Ok(Seen::Standing(match record {
            _ if is_queued => Standing::Open("in the queue".to_owned()),
            Some(record) if self.wanted.is_some_and(|wanted| record.proves(wanted)) => {
                Standing::Runs(Box::new(record))
            }
            Some(record) if record.order.at >= self.since => told(record),
            _ => return Ok(Seen::Nothing),
        }))
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
            Standing::Failed(not_installed("the post-save command left no record of this certificate"))
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

fn told(record: Record) -> Standing {
    match (&record.state, &record.job) {
        (State::Failed { problem, .. }, _) => {
            let again = record
                .next_try
                .map(|at| format!(". It is owed, and tried again from {} on", at.format("%H:%M")));
            let what = format!("{}{}", problem.what.trim_end_matches('.'), again.unwrap_or_default());
            Standing::Failed(Problem { what, ..problem.clone() })
        }
        (State::LeftToCommit { .. }, _) => {
            Standing::Failed(not_installed("the certificate waits for a commit by a person (--commit none)"))
        }
        (State::Installed { .. }, _) => {
            Standing::Failed(not_installed("the installed certificate is not the one that was issued"))
        }
        (State::Owed, Some(job)) => Standing::Open(format!("commit job {job}")),
        (State::Owed, None) if record.begun.is_some() => Standing::Open("being installed".to_owned()),
        (State::Owed, None) => Standing::Open("recorded".to_owned()),
    }
}

/// What is said of a device that nothing better is known of.
#[must_use]
pub fn not_installed(what: &str) -> Problem {
    Problem {
        exit: Exit::Certificate,
        what: what.to_owned(),
        advice: Some("See the log, then run pan_instcert by hand.".to_owned()),
        mended_by: Mender::Time,
    }
}

/// The records can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// They can't be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// certmonger can't be asked.
    #[error(transparent)]
    Certmonger(#[from] GetcertError),
}
