//! Jobs: what a device does in the background, a commit above all.

use super::managed_devices::PushedDevice;
use super::reply::{Reply, ReplyError};
use super::words;
use super::xml::Element;

/// A job as `show jobs` tells it. Old and odd releases leave parts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's number, kept as text.
    pub id: Option<String>,
    /// `Commit`, `CommitAll`, `AutoCom`, `Validate`, …
    pub kind: Option<String>,
    /// The administrator; empty for the device's own jobs.
    pub user: Option<String>,
    /// `PEND`, `ACT` or `FIN`.
    pub status: Option<String>,
    /// `PEND`, `OK` or `FAIL`: it means something only when the status is `FIN`.
    pub result: Option<String>,
    /// Usually 0 to 100, sometimes a time: for showing, never for deciding.
    pub progress: Option<String>,
    /// The description given with a commit.
    pub description: Option<String>,
    /// The job's lines, cut to [`words::LINES`].
    pub details: Vec<String>,
    /// Warnings, which don't make a job fail, cut likewise.
    pub warnings: Vec<String>,
    /// The devices of a push.
    pub devices: Vec<PushedDevice>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waiting or running.
    Running,
    /// Over, and the device says it is OK.
    Done,
    /// Over, and anything but OK.
    Failed,
}

impl Job {
    /// Reads the reply to `show jobs id N`.
    ///
    /// # Errors
    /// A reply without a job that has a status.
    pub fn read(reply: &Reply) -> Result<Self, ReplyError> {
        let job =
            reply.result().and_then(|result| result.child("job")).ok_or(ReplyError::Missing("a job"))?;
        let job = Self::read_element(job);
        if job.status.is_none() { Err(ReplyError::Missing("the job's status")) } else { Ok(job) }
    }

    /// As [`Job::read`]; a job that bears another number is not the one that was asked for.
    pub(super) fn read_numbered(reply: &Reply, number: &str) -> Result<Self, ReplyError> {
        let job = Self::read(reply)?;
        match &job.id {
            Some(id) if id != number => Err(ReplyError::Missing("the job that was asked for")),
            _ => Ok(job),
        }
    }

    /// Reads the reply to `show jobs all`. Entries of failed jobs can lack everything but their type.
    ///
    /// # Errors
    /// A reply without a result, or with one that is no list of jobs.
    pub fn read_all(reply: &Reply) -> Result<Vec<Self>, ReplyError> {
        let result = reply.result().ok_or(ReplyError::Missing("a result"))?;
        let jobs: Vec<&Element> = result.children_named("job").collect();
        // A commit's answer has a `job` too, which is but a number.
        if jobs.iter().any(|job| job.children().next().is_none()) || (jobs.is_empty() && !result.is_blank()) {
            return Err(ReplyError::Missing("the list that was asked for"));
        }
        Ok(jobs.into_iter().map(Self::read_element).collect())
    }

    fn read_element(job: &Element) -> Self {
        let lines = |name: &str| words::lines(job.child(name).as_slice());
        Self {
            id: job.word_of("id"),
            kind: job.word_of("type"),
            user: job.word_of("user"),
            status: job.word_of("status"),
            result: job.word_of("result"),
            progress: job.word_of("progress"),
            description: job.word_of("description"),
            details: lines("details"),
            warnings: lines("warnings"),
            devices: PushedDevice::read_all(job),
        }
    }

    /// How far it is. Over is only what says `FIN`; well ended only what says `OK` besides. A push is
    /// over when no device is pending, and well ended when every device listed says `OK`; whether every
    /// device that was meant is listed, the caller has to look.
    #[must_use]
    pub fn state(&self) -> JobState {
        let device_says = |device: &PushedDevice, word: &str| device.result.as_deref() == Some(word);
        match (self.status.as_deref(), self.result.as_deref()) {
            (Some("FIN"), _) if self.devices.iter().any(|device| device_says(device, "PEND")) => {
                JobState::Running
            }
            (Some("FIN"), Some("OK")) if self.devices.iter().all(|device| device_says(device, "OK")) => {
                JobState::Done
            }
            (Some("FIN"), _) => JobState::Failed,
            _ => JobState::Running,
        }
    }
}
