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
/// The time between two questions where the end is expected, in seconds, and as a part of a long time.
const NEAR: (f64, f64) = (0.25, 0.004);
/// The same of a job of some seconds, which has few questions.
const NEAR_OF_SHORT: (f64, f64) = (10.0, 0.28);
/// How much earlier than expected the end may come, in seconds, and as a part of the whole.
const BEFORE: (f64, f64) = (0.2, 0.03);
/// So many usual times between two questions are one where the end is not expected yet. With less, a device whose
/// progress misleads would leave too few questions for the end; with more, an earlier end would be noticed too late.
const SELDOM: f64 = 1.3;
/// Where the device's progress speaks of an end before this part of the time, it is asked as if that were right.
const CONTRADICTS: f64 = 0.6;
/// Until then it is asked every second at most; from then on every fiftieth of the time that has passed.
const YOUNG: f64 = 50.0;

/// When to ask next. On the average at most one question a second; a job's end is noticed within half a
/// second while it is young or near its predicted end, and within 2 % of its duration otherwise.
///
/// Where it is known how long such a job usually takes, the same number of questions is asked, or less: seldom at
/// first, and often around the expected end. It is noticed within 0.3 seconds then, or 0.5 % of a duration over a minute.
/// An end at another time costs no more questions than without it, and is noticed within 1.3 seconds or 2.6 % of the
/// duration. All of this holds whatever the device tells of its progress: one that runs backwards, or promised an end
/// that did not come, is not believed any more.
#[derive(Debug, Clone)]
pub struct PollSchedule {
    asked: u32,
    /// What is taken for a second.
    second: Duration,
    /// How long such a job usually takes.
    expected: Option<Duration>,
    told: Told,
}

/// What a device has told of a job's progress, as far as it is to be believed: one that was wrong once says nothing any more.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// Percent.
    farthest: u8,
    /// When the job was to end by it, in seconds, where that was believed and the job asked for earlier.
    end: Option<f64>,
    was_wrong: bool,
}

impl Told {
    /// How many seconds are left at this time, by what is told now.
    fn left(&mut self, now: f64, progress: Option<u8>) -> Option<f64> {
        let percent = progress.filter(|percent| (1..100).contains(percent));
        let is_late = self.end.take().is_some_and(|end| end < now);
        self.was_wrong |= is_late || percent.is_some_and(|percent| percent < self.farthest);
        let percent = percent.filter(|_| !self.was_wrong)?;
        self.farthest = percent;
        Some(now * f64::from(100 - percent) / f64::from(percent) + 0.1)
    }
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
        Self { asked: 0, second, expected: None, told: Told::default() }
    }

    /// The same for a job that usually takes this long, where that is known.
    #[must_use]
    pub fn expecting(self, expected: Option<Duration>) -> Self {
        Self { expected, ..self }
    }

    /// The pause before the next question, given the time since the job was enqueued and its progress in
    /// percent, if it told one.
    pub fn next(&mut self, elapsed: Duration, progress: Option<u8>) -> Duration {
        self.asked += 1;
        let second = self.second.as_secs_f64();
        let now = elapsed.as_secs_f64() / second;
        let steady = (now * 0.02).max(1.0);
        let left = self.told.left(now, progress);
        let usual = match left {
            Some(left) => left.min(steady),
            None if self.asked == 1 => SHORTEST,
            None => steady,
        };
        let asked = f64::from(self.asked);
        let pause = match self.expected {
            // The n-th question comes not before n - 1 seconds: so they never exceed one a second.
            None => usual.max(asked - 1.0 - now).max(SHORTEST),
            Some(expected) => {
                let expected = Expected::of(expected.as_secs_f64() / second);
                self.told.end = left.map(|left| now + left).filter(|end| expected.is_contradicted_by(*end));
                let (wanted, shortest) = expected.pause(now, (usual, steady), left);
                // What was saved before may be spent, and no more.
                wanted.max(earliest(asked) - now).max(shortest)
            }
        };
        self.second.mul_f64(pause.min(LONGEST))
    }
}

/// When the n-th question comes at the earliest, if it was asked as often as of any job.
fn earliest(number: f64) -> f64 {
    match number - 1.0 {
        young if young <= YOUNG => young,
        later => YOUNG * ((later - YOUNG) / YOUNG).exp(),
    }
}

/// An end that is expected, all in seconds.
struct Expected {
    end: f64,
    near: f64,
    /// From when on it may come. A question is put before the end is expected: so what is learned from one job for the
    /// next one does not get longer by itself.
    from: f64,
    /// After this it is an end like any other.
    until: f64,
}

impl Expected {
    fn of(end: f64) -> Self {
        let shortest = if end < NEAR_OF_SHORT.0 { NEAR_OF_SHORT.1 } else { NEAR.0 };
        let near = shortest.max(end * NEAR.1);
        let before = BEFORE.0.max(end * BEFORE.1);
        Self { end, near, from: (end - before).max(SHORTEST), until: end + before.max(near) + near }
    }

    /// Whether an end by the device's own progress is another one.
    fn is_contradicted_by(&self, end: f64) -> bool {
        end < CONTRADICTS * self.end
    }

    /// The pause, and how short it may be.
    fn pause(&self, now: f64, (usual, steady): (f64, f64), left: Option<f64>) -> (f64, f64) {
        if now >= self.until {
            return (usual, SHORTEST);
        }
        if now >= self.from {
            return (self.near, self.near);
        }
        let until_then = self.from - now;
        let shortest = until_then.min(SHORTEST);
        let gap = match left {
            Some(left) if self.is_contradicted_by(now + left) => {
                return (usual.max(1.0).min(until_then), shortest);
            }
            _ => SELDOM * steady,
        };
        // In equal steps, so that none is wasted on a short one.
        (until_then / (until_then / gap).ceil().max(1.0), shortest)
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
    pub async fn wait_for_job(&self, id: &str, deadline: Instant, tell: impl FnMut(&Job)) -> JobOutcome {
        self.wait_for_usual_job(id, None, deadline, tell).await
    }

    /// The same for a job that usually takes so long from its begin on, where that is known: its end is noticed sooner.
    pub async fn wait_for_usual_job(
        &self,
        id: &str,
        usual: Option<Duration>,
        deadline: Instant,
        tell: impl FnMut(&Job),
    ) -> JobOutcome {
        self.wait_for_job_since(id, Instant::now(), usual, deadline, tell).await
    }

    /// The same for a job that has begun earlier than its end is waited for.
    pub async fn wait_for_job_since(
        &self,
        id: &str,
        begun: Instant,
        usual: Option<Duration>,
        deadline: Instant,
        mut tell: impl FnMut(&Job),
    ) -> JobOutcome {
        let mut pace = PollSchedule::with_unit(self.poll_unit()).expecting(usual);
        let mut progress = None;
        let mut grace = RestartGrace::default();
        let mut from = begun;
        loop {
            let pause = pace.next(from - begun, progress);
            // One last question is put at the deadline itself.
            tokio::time::sleep_until((from + pause).min(deadline)).await;
            let last_chance = Instant::now() >= deadline;
            let answer = self.job(id).await;
            from = Instant::now();
            let trouble = match answer {
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
    #![allow(clippy::print_stdout)]
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

    /// What a device tells of its progress, for the part that is done.
    type Tells = fn(f64) -> Option<u8>;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn evenly(part: f64) -> Option<u8> {
        Some((part * 100.0) as u8)
    }

    fn nothing(_part: f64) -> Option<u8> {
        None
    }

    /// As devices do: in jumps, and for long on one of them.
    fn in_jumps(part: f64) -> Option<u8> {
        const JUMPS: [(f64, u8); 5] = [(0.1, 0), (0.3, 10), (0.5, 55), (0.8, 70), (1.0, 98)];
        JUMPS.iter().find(|(until, _)| part < *until).map(|(_, percent)| *percent)
    }

    /// Soon at the last but one, and there until the end.
    fn too_soon(part: f64) -> Option<u8> {
        Some(if part < 0.1 { 5 } else { 99 })
    }

    /// Backwards: soon far, then at the beginning again.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn backwards(part: f64) -> Option<u8> {
        Some(99 - (part * 99.0) as u8)
    }

    /// Hardly begun, all the time.
    fn stuck(_part: f64) -> Option<u8> {
        Some(7)
    }

    /// To and fro.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn to_and_fro(part: f64) -> Option<u8> {
        Some(if (part * 10.0) as u8 & 1 == 0 { 60 } else { 30 })
    }

    const ALL: [Tells; 7] = [evenly, in_jumps, nothing, too_soon, backwards, stuck, to_and_fro];

    /// Asks a job of this duration until its end is seen; how many questions, and how late.
    fn watch(duration: f64, tells: Tells, expected: Option<f64>) -> (u32, f64) {
        let mut pace = PollSchedule::new().expecting(expected.map(Duration::from_secs_f64));
        let (mut now, mut progress) = (0.0, None);
        loop {
            now += pace.next(Duration::from_secs_f64(now), progress).as_secs_f64();
            if now >= duration {
                return (pace.asked, now - duration);
            }
            progress = tells(now / duration);
        }
    }

    /// How late an end may be noticed where it was expected.
    fn in_time(duration: f64) -> f64 {
        if duration <= 60.0 { 0.3 } else { duration * 0.005 }
    }

    #[test]
    fn the_end_of_a_job_that_takes_as_long_as_usual_is_noticed_at_once_and_with_no_more_questions() {
        let mut table = String::new();
        for usual in [1.0, 5.0, 20.0, 60.0, 300.0] {
            let (mut before, mut after) = ((0, 0.0_f64), (0, 0.0_f64));
            for (number, tells) in ALL.into_iter().enumerate() {
                for thousandth in -30..=30_i32 {
                    let duration = usual * (1.0 + f64::from(thousandth) / 1000.0);
                    let (asked, late) = watch(duration, tells, Some(usual));
                    let (asked_before, late_before) = watch(duration, tells, None);
                    assert!(late <= in_time(duration), "{number}: {duration} s of {usual}: {late} s late");
                    assert!(asked <= asked_before, "{duration} s: {asked} questions, {asked_before} before");
                    before = (before.0.max(asked_before), before.1.max(late_before));
                    after = (after.0.max(asked), after.1.max(late));
                }
            }
            table.push_str(&format!(
                "{usual:5} s: {:3} questions and {:.2} s late without it, {:3} and {:.2} s with it\n",
                before.0, before.1, after.0, after.1
            ));
        }
        println!("{table}");
    }

    #[test]
    fn an_end_that_was_expected_at_another_time_costs_no_more_than_one_that_was_not() {
        let durations = [0.3, 0.7, 1.0, 1.7, 3.0, 5.0, 12.0, 20.0, 47.0, 60.0, 150.0, 300.0, 1800.0];
        let expected = [0.1, 0.6, 1.0, 1.5, 3.0, 5.0, 12.0, 20.0, 60.0, 300.0, 3600.0, 1e9];
        for (number, tells) in ALL.into_iter().enumerate() {
            for duration in durations {
                let (asked_before, late_before) = watch(duration, tells, None);
                for expected in expected {
                    let (asked, late) = watch(duration, tells, Some(expected));
                    let what = format!("{number}: {duration} s, {expected} s expected: {asked} and {late}");
                    assert!(asked <= asked_before + 1, "{what}, {asked_before} before");
                    let bound = late_before.max(1.3).max(duration * 0.026);
                    assert!(late <= bound, "{what}, {late_before} before");
                }
            }
        }
    }

    #[test]
    fn the_end_is_noticed_in_time_with_at_most_one_question_a_second() {
        for tenths in [1, 3, 7, 12, 18, 25, 33, 50, 90, 201, 450, 600, 1234, 3000, 18000] {
            let duration = f64::from(tenths) / 10.0;
            let (asked, late) = watch(duration, evenly, None);
            assert!(late <= (duration * 0.02).max(0.5), "{duration} s: {late} s late");
            assert!(f64::from(asked) <= duration + late + 1.5, "{duration} s: {asked} questions");
        }
    }

    #[test]
    fn a_device_that_tells_no_progress_is_asked_every_second_at_first_and_then_every_fiftieth() {
        for seconds in [5.0, 40.0, 400.0, 4000.0] {
            let (asked, late) = watch(seconds, nothing, None);
            assert!(late <= (seconds * 0.02).max(1.0), "{seconds} s: {late} s late");
            assert!(f64::from(asked) <= seconds + 1.5, "{seconds} s: {asked} questions");
        }
    }
}
