//! Waiting for a job: seldom enough to be no burden, often enough to notice its end at once, and deaf to
//! the noise a management plane makes while it restarts.

use std::time::Duration;

use tokio::time::Instant;

use super::error::{Error, Reason};
use super::job::{Job, JobState};
use super::session::Session;

/// How a job ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// `FIN` and `OK`.
    Done(Job),
    /// `FIN` and anything else.
    Failed(Job),
    /// The device does not know the job any more, as after a restart: what it did has to be looked up.
    NotFound,
    /// The time is over and the job is not, or the device gave no answer; the last error, if any.
    TimedOut(Option<Error>),
    /// The device answers, but not to us any more, or for too long with nothing that tells of the job.
    Unavailable(Error),
}

/// For how long a device may answer without a word about the job: with a refused key, because the
/// authentication service starts later than the web server after a restart, or with pages, redirects and
/// half-made replies of a web server that is not all there yet. A restart takes minutes, so counting answers
/// would give up too early; what has not come to its senses in this time is not on its way to, and nobody is
/// to wait for the whole of a long deadline to learn that.
const GRACE: Duration = Duration::from_secs(300);
/// The shortest time between two questions, in seconds.
const SHORTEST: f64 = 0.45;
/// The longest time between two questions, in seconds.
const LONGEST: f64 = 30.0;

/// When to ask next. On the average at most one question a second; a job's end is noticed within half a
/// second while it is young or near its predicted end, and within 2 % of its duration otherwise.
#[derive(Debug, Clone)]
pub struct PollSchedule {
    asked: u32,
    /// What is taken for a second.
    second: Duration,
}

impl PollSchedule {
    /// A pace for a job that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self::with_unit(Duration::from_secs(1))
    }

    /// The same where all goes faster: this is taken for a second.
    #[must_use]
    pub fn with_unit(second: Duration) -> Self {
        Self { asked: 0, second }
    }

    /// The pause before the next question, given the time since the job was enqueued and its progress in
    /// percent, if it told one.
    pub fn next(&mut self, elapsed: Duration, progress: Option<u8>) -> Duration {
        self.asked += 1;
        let two_percent = elapsed.mul_f64(0.02);
        let steady = two_percent.max(self.second);
        let predicted = progress
            .filter(|percent| (1..100).contains(percent))
            .map(|percent| elapsed.mul_f64(f64::from(100 - percent) / f64::from(percent)))
            .map(|remaining| remaining + self.second / 10);
        let (shortest, longest) = (self.second.mul_f64(SHORTEST), self.second.mul_f64(LONGEST));
        let wanted = match predicted {
            Some(remaining) => remaining.min(steady),
            None if self.asked == 1 => shortest,
            None => steady,
        };
        // The n-th question comes not before n - 1 seconds: so they never exceed one a second.
        let earliest = (self.second * (self.asked - 1)).saturating_sub(elapsed);
        wanted.max(earliest).clamp(shortest, longest)
    }
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether asking again can't help.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Identity(_) | Error::Setup(_) => true,
        Error::Refused(refusal) => {
            matches!(refusal.reason, Reason::KeyExpired | Reason::PermissionMissing(_))
        }
        _ => false,
    }
}

/// Since when the device answers, and not with the job.
#[derive(Debug, Default)]
struct RestartGrace {
    since: Option<Instant>,
}

impl RestartGrace {
    /// Whether this answer is one too many. A device that is away, or visibly about to restart, begins anew.
    fn is_over(&mut self, error: &Error, now: Instant) -> bool {
        if error.is_transient() {
            self.since = None;
            return false;
        }
        now.duration_since(*self.since.get_or_insert(now)) >= GRACE
    }
}

impl Session {
    /// Waits for a job to end, telling each state on the way.
    pub async fn wait_for_job(&self, id: &str, deadline: Instant, mut tell: impl FnMut(&Job)) -> JobOutcome {
        let begun = Instant::now();
        let mut pace = PollSchedule::with_unit(self.poll_unit());
        let mut progress = None;
        let mut grace = RestartGrace::default();
        loop {
            let pause = pace.next(begun.elapsed(), progress);
            // One last question is put at the deadline itself.
            tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
            let last_chance = Instant::now() >= deadline;
            let trouble = match self.job(id).await {
                Ok(job) => {
                    tell(&job);
                    match job.state() {
                        JobState::Done => return JobOutcome::Done(job),
                        JobState::Failed => return JobOutcome::Failed(job),
                        JobState::Running => {}
                    }
                    progress = job.progress.as_deref().and_then(|percent| percent.parse().ok());
                    grace = RestartGrace::default();
                    None
                }
                Err(Error::Refused(refusal)) if refusal.reason == Reason::NotFound => {
                    return JobOutcome::NotFound;
                }
                Err(error) if is_final(&error) || grace.is_over(&error, Instant::now()) => {
                    return JobOutcome::Unavailable(error);
                }
                // The commit goes on, whatever became of one answer.
                Err(error) => Some(error),
            };
            if last_chance {
                return JobOutcome::TimedOut(trouble);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Refusal;
    use super::super::operation::Operation;
    use super::*;

    const POLL: Operation = Operation::Op("show jobs");

    fn refused(reason: Reason) -> Error {
        Refusal { operation: POLL, reason, code: None, lines: Vec::new() }.into()
    }

    fn status(status: u16) -> Error {
        Error::Status { operation: POLL, status }
    }

    #[test]
    fn only_what_asking_again_cannot_help_is_final() {
        for reason in [Reason::KeyExpired, Reason::PermissionMissing(None)] {
            assert!(is_final(&refused(reason.clone())), "{reason:?}");
        }
        for reason in [Reason::InvalidKey, Reason::Busy, Reason::Internal, Reason::Malformed, Reason::Other] {
            assert!(!is_final(&refused(reason.clone())), "{reason:?}");
        }
        for other in [status(302), status(404), Error::TooLarge { operation: POLL, limit: 1 }] {
            assert!(!is_final(&other), "{other}");
        }
    }

    #[test]
    fn answers_without_the_job_are_borne_with_for_five_minutes_on_end() {
        let begun = Instant::now();
        let mut grace = RestartGrace::default();
        let mut at = |seconds: u64, error: &Error| grace.is_over(error, begun + Duration::from_secs(seconds));
        // One kind after the other is the same restart.
        assert!(!at(10, &refused(Reason::InvalidKey)));
        assert!(!at(200, &status(404)));
        assert!(!at(309, &refused(Reason::Other)));
        assert!(at(310, &status(302)));
        // A device that went away in between has begun its restart anew.
        assert!(!at(400, &status(503)));
        assert!(!at(500, &status(404)));
        assert!(!at(799, &status(404)));
        assert!(at(800, &status(404)));
    }

    /// Asks a job of this duration until its end is seen; how many questions, and how late.
    fn watch(duration: f64, tells_progress: bool) -> (u32, f64) {
        let (mut pace, mut now, mut progress) = (PollSchedule::new(), 0.0, None);
        loop {
            now += pace.next(Duration::from_secs_f64(now), progress).as_secs_f64();
            if now >= duration {
                return (pace.asked, now - duration);
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let percent = (now / duration * 100.0) as u8;
            progress = tells_progress.then_some(percent);
        }
    }

    #[test]
    fn the_end_is_noticed_in_time_with_at_most_one_question_a_second() {
        for tenths in [1, 3, 7, 12, 18, 25, 33, 50, 90, 201, 450, 600, 1234, 3000, 18000] {
            let duration = f64::from(tenths) / 10.0;
            let (asked, late) = watch(duration, true);
            assert!(late <= (duration * 0.02).max(0.5), "{duration} s: {late} s late");
            assert!(f64::from(asked) <= duration + late + 1.5, "{duration} s: {asked} questions");
        }
    }

    #[test]
    fn a_device_that_tells_no_progress_is_asked_every_second_at_first_and_then_every_fiftieth() {
        for seconds in [5.0, 40.0, 400.0, 4000.0] {
            let (asked, late) = watch(seconds, false);
            assert!(late <= (seconds * 0.02).max(1.0), "{seconds} s: {late} s late");
            assert!(f64::from(asked) <= seconds + 1.5, "{seconds} s: {asked} questions");
        }
    }
}
