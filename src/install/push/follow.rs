//! One push job: asked for, found again where the answer was lost, and followed to each firewall's own result.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join;
use panos_xmlapi::{
    CommitReply, Error, Job, JobOutcome, JobState, Push, PushTarget, PushedDevice, Reason, Refusal, Session,
};
use tokio::time::Instant;

use super::scope::says_selective;
use super::state::Standing;
use crate::install::blockers::retry_while_locked;
use crate::install::error::{Activity, InstallError};
use crate::install::events::{Event, Events, Wait};
use crate::install::journal::Journal;
use crate::install::retry::RetryPolicy;
use crate::install::rollback::may_have_taken_effect;

/// How often a push is asked for whose request got lost on the way.
const ATTEMPTS: u32 = 3;
/// How the jobs of this program are recognised.
const OURS: &str = "pan_getcert: ";

/// One push that is wanted.
pub(super) struct PushOrder<'a> {
    pub(super) stack: &'a str,
    /// The firewalls.
    pub(super) only: &'a BTreeSet<String>,
    /// Only this administrator's changes.
    pub(super) administrator: Option<String>,
    pub(super) description: String,
    pub(super) time: Duration,
}

/// How a push ended.
pub(super) enum Pushed {
    /// It was refused, and nothing was pushed.
    Refused(Refusal),
    /// It is over, or its time is; what the job says of each firewall. `None` is a success by the firewall's own word.
    Over(BTreeMap<String, Option<Standing>>),
}

/// Where pushes are asked for.
pub(super) struct Follower<'a> {
    pub(super) session: &'a Session,
    pub(super) events: &'a Events,
    /// How long a job usually takes, where that is known.
    pub(super) usual: Option<Duration>,
    pub(super) retry_policy: &'a RetryPolicy,
}

impl Follower<'_> {
    /// Pushes, and waits until each firewall has a result of its own.
    pub(super) async fn push(
        &self,
        order: &PushOrder<'_>,
        journal: &mut dyn Journal,
    ) -> Result<Pushed, InstallError> {
        let deadline = Instant::now() + order.time;
        let begun = Instant::now();
        self.events.tell(Event::PushBegun {
            stack: order.stack.to_owned(),
            firewalls: order.only.len(),
            everybody: order.administrator.is_none(),
        });
        let job = match self.enqueue(order, deadline).await? {
            Ok(CommitReply::Job(job)) => job,
            // Panorama has nothing that the firewalls do not have: they are looked at.
            Ok(CommitReply::NoChanges(words)) => {
                self.events.note(format!("push: nothing to push: \"{words}\""));
                return Ok(Pushed::Over(BTreeMap::new()));
            }
            Err(refusal) => return Ok(Pushed::Refused(refusal)),
        };
        self.events.tell(Event::PushJob { stack: order.stack.to_owned(), job: job.clone() });
        self.usual.into_iter().for_each(|usual| self.events.tell(Event::CommitUsual(usual)));
        let (noted, (last, is_over)) = join(journal.sync(), self.follow(&job, self.usual, deadline)).await;
        if let Err(error) = noted {
            self.events.trouble(error.to_string());
        }
        let Some(last) = last else { return Ok(Pushed::Over(BTreeMap::new())) };
        if let Some(refusal) = refused_by_job(order, &last) {
            return Ok(Pushed::Refused(refusal));
        }
        let results = results(&last);
        if is_over {
            self.events.tell(Event::PushEnded { job, took: begun.elapsed() });
        }
        Ok(Pushed::Over(results))
    }

    /// Asks for the push, for as long as Panorama is busy or locked.
    async fn enqueue(
        &self,
        order: &PushOrder<'_>,
        deadline: Instant,
    ) -> Result<Result<CommitReply, Refusal>, InstallError> {
        let target = PushTarget::TemplateStack {
            name: order.stack.to_owned(),
            administrator: order.administrator.clone(),
        };
        let push = Push {
            devices: order.only.iter().cloned().collect(),
            description: order.description.clone(),
            ..Push::new(target)
        };
        let pushing = InstallError::during(Activity::Pushing);
        for _ in 0..ATTEMPTS {
            let ask = async || self.session.push(&push).await;
            let error = match retry_while_locked(self.session, self.events, deadline, ask).await {
                Ok(reply) => return Ok(Ok(reply)),
                Err(Error::Refused(refusal)) if is_about_the_push(&refusal) => return Ok(Err(refusal)),
                Err(error) if may_have_taken_effect(&error) => error,
                Err(error) => return Err(pushing(error)),
            };
            self.events.note(format!("{error}; checking whether the push started."));
            let jobs = self.retry_policy.retry(async || self.session.jobs().await.map_err(pushing)).await?;
            let ours = |job: &&Job| {
                let description = job.description.as_deref().unwrap_or_default();
                is_push(job) && description.contains(&order.description)
            };
            let number = |job: &Job| job.id.as_ref()?.parse::<u64>().ok();
            if let Some(id) =
                jobs.iter().filter(ours).max_by_key(|job| number(job)).and_then(|job| job.id.clone())
            {
                return Ok(Ok(CommitReply::Job(id)));
            }
        }
        // Nothing was begun, so nothing has arrived: the firewalls are looked at all the same.
        Ok(Ok(CommitReply::NoChanges("the request got lost".to_owned())))
    }

    /// Waits until no firewall is pending any more; the job as it was seen last, and whether it is over.
    async fn follow(&self, id: &str, usual: Option<Duration>, deadline: Instant) -> (Option<Job>, bool) {
        let (mut last, mut told) = (None, None);
        let ended = self
            .session
            .wait_for_usual_job(id, usual, deadline, |job| {
                let count = |word: &str| {
                    job.devices.iter().filter(|device| device.result.as_deref() == Some(word)).count()
                };
                let percent = job.progress.as_deref().and_then(|percent| percent.parse().ok());
                let progress =
                    (percent.filter(|percent| *percent <= 100), count("OK"), count("FAIL"), count("PEND"));
                if told != Some(progress) {
                    told = Some(progress);
                    let (percent, done, failed, pending) = progress;
                    self.events.tell(Event::PushProgress {
                        job: id.to_owned(),
                        percent,
                        done,
                        failed,
                        pending,
                    });
                }
                last = Some(job.clone());
            })
            .await;
        let note = match ended {
            JobOutcome::Done(_) | JobOutcome::Failed(_) => return (last, true),
            JobOutcome::NotFound => "is not known to Panorama any more".to_owned(),
            JobOutcome::TimedOut(None) => "is not over on every firewall in the time allowed".to_owned(),
            JobOutcome::TimedOut(Some(error)) | JobOutcome::Unavailable(error) => {
                format!("can't be followed any more: {error}")
            }
        };
        self.events.note(format!("push: job {id} {note}; looking at the firewalls themselves."));
        (last, false)
    }

    /// Waits for pushes that an earlier run has begun and not followed to their end.
    pub(super) async fn await_earlier(&self, deadline: Instant) -> Result<(), InstallError> {
        let pushing = InstallError::during(Activity::Pushing);
        let jobs = self.retry_policy.retry(async || self.session.jobs().await.map_err(pushing)).await?;
        let ours = |job: &&Job| job.description.as_deref().is_some_and(|text| text.starts_with(OURS));
        // One that is over but for firewalls that did not answer is not waited for again.
        let is_over = |job: &Job| matches!(job.status.as_deref(), None | Some("FIN"));
        let open = |job: &&Job| is_push(job) && !is_over(job);
        for id in jobs.iter().filter(ours).filter(open).filter_map(|job| job.id.as_ref()) {
            self.events.tell(Event::Waiting(Wait::EarlierPush(id.clone())));
            self.follow(id, None, deadline).await;
            self.events.tell(Event::WaitOver);
        }
        Ok(())
    }
}

fn is_push(job: &Job) -> bool {
    job.kind.as_deref() == Some("CommitAll")
}

/// Whether a refusal may be about whose changes are pushed, and not about who asks, or when.
fn is_about_the_push(refusal: &Refusal) -> bool {
    !matches!(
        refusal.reason,
        Reason::InvalidKey
            | Reason::KeyExpired
            | Reason::Locked(_)
            | Reason::Busy
            | Reason::SessionTimedOut
            | Reason::NotConnected
    )
}

/// The same said by a job that was taken and has failed.
fn refused_by_job(order: &PushOrder<'_>, job: &Job) -> Option<Refusal> {
    order.administrator.as_ref()?;
    let failed = |device: &PushedDevice| device.result.as_deref() == Some("FAIL");
    if job.state() != JobState::Failed || !job.devices.iter().all(failed) {
        return None;
    }
    let told: Vec<String> =
        job.details.iter().chain(job.devices.iter().flat_map(|device| &device.lines)).cloned().collect();
    says_selective(&told).then(|| Refusal {
        operation: panos_xmlapi::Operation::Push,
        reason: Reason::Other,
        code: None,
        lines: told.into_iter().take(3).collect(),
    })
}

/// What a job says of each firewall. Only `OK` and `FAIL` are a firewall's own word. Of one that is listed more than once
/// the worst counts, in whatever order.
fn results(job: &Job) -> BTreeMap<String, Option<Standing>> {
    let mut results: BTreeMap<String, Option<Standing>> = BTreeMap::new();
    for device in &job.devices {
        let standing = match device.result.as_deref() {
            Some("OK") => None,
            Some("FAIL") if says_not_connected(device) => {
                Some(Standing::NotConnected { ever: true, sent: false })
            }
            Some("FAIL") => Some(Standing::Failed { why: why(device) }),
            _ => Some(Standing::Unconfirmed),
        };
        let known = results.entry(device.serial.clone()).or_insert_with(|| standing.clone());
        if gravity(&standing) > gravity(known) {
            *known = standing;
        }
    }
    results
}

fn gravity(standing: &Option<Standing>) -> u8 {
    match standing {
        None => 0,
        Some(Standing::Failed { .. }) => 2,
        Some(_) => 1,
    }
}

fn says_not_connected(device: &PushedDevice) -> bool {
    device.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("not connected"))
}

/// Why it failed: the lines that say more than that it did.
fn why(device: &PushedDevice) -> String {
    let says_little = |line: &&String| matches!(line.as_str(), "Commit failed" | "Configuration is invalid");
    let telling: Vec<&str> =
        device.lines.iter().filter(|line| !says_little(line)).map(|line| line.trim()).collect();
    match (telling.is_empty(), &device.status) {
        (false, _) => telling.join(" "),
        (true, Some(status)) => status.clone(),
        (true, None) => device.lines.join(" "),
    }
}
