//! Why something that is pending is not delivered yet: change windows, canaries, and the delay that spreads a fleet. All
//! is decided from what is handed over; nothing here reads a clock or a file.

use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, Local, TimeDelta, TimeZone, Utc};
use panos_xmlapi::{Address, Fingerprint};

use super::installation::Installation;
use super::request::RequestEnd;
use super::state::Presented;
use crate::error::Exit;
use crate::install::problem::{Problem, RetryClass};
use crate::install::push::PushState;
use crate::install::result::LastRun;
use crate::settings::destination::Destination;
use crate::settings::schedule::Schedule;
use crate::settings::window::{self, Windows};

/// What keeps a delivery waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: Reason,
    /// Until when, as far as that is known.
    pub until: Option<DateTime<Utc>>,
    /// Whether it waits no longer then because what runs there ends soon, and not because the reason is gone.
    pub is_overridden: bool,
}

/// Why something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No change window is open.
    Window {
        /// The windows, as they were written.
        windows: String,
    },
    /// A fleet is spread over some time.
    Jitter,
    /// Another device goes first.
    Canary {
        /// Which one.
        canary: String,
        /// How it stands.
        stands: CanaryState,
    },
}

/// How a device stands that goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryState {
    /// It has not got the certificate yet.
    Awaited,
    /// The delivery to it has failed.
    Failed(String),
    /// It runs the certificate, and not long enough yet.
    Runs,
}

impl Reason {
    /// In one word, for other programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Jitter => "jitter",
            Self::Canary { .. } => "canary",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { windows } => write!(out, "the change window ({windows}) is closed"),
            Self::Jitter => out.write_str("deliveries are spread over some time (jitter)"),
            Self::Canary { canary, stands: CanaryState::Awaited } => {
                write!(out, "the canary {canary} has not got the certificate yet")
            }
            Self::Canary { canary, stands: CanaryState::Failed(why) } => {
                write!(out, "the canary {canary} has failed: {why}")
            }
            Self::Canary { canary, stands: CanaryState::Runs } => {
                write!(out, "the canary {canary} has to run the certificate for some time first")
            }
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(_) => write!(out, "waits {}", self.words()),
            None => write!(out, "waits: {}", self.words()),
        }
    }
}

/// A moment as this machine's clock has it.
#[must_use]
pub fn shown(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%a %Y-%m-%d %H:%M").to_string()
}

impl Hold {
    fn new(reason: Reason, until: Option<DateTime<Utc>>) -> Self {
        Self { reason, until, is_overridden: false }
    }

    /// The same, but no longer than until then. How long a canary takes that has yet to get the certificate nobody knows:
    /// it is not told as if it took until then.
    fn at_most_until(self, end: Option<DateTime<Utc>>) -> Self {
        match end {
            Some(end) if self.until.map_or(self.reason.word() == "window", |until| end < until) => {
                Self { until: Some(end), is_overridden: true, ..self }
            }
            _ => self,
        }
    }

    /// Why, and what ends it where the reason does not.
    #[must_use]
    pub fn why(&self) -> String {
        let more = match self.is_overridden {
            true => {
                "; then it waits no longer, as the certificate that runs there ends soon (window-override)"
            }
            false => "",
        };
        format!("{}{more}", self.reason)
    }

    /// Until when, as far as that is known, and why.
    #[must_use]
    pub fn words(&self) -> String {
        match self.until {
            Some(until) => format!("until {}: {}", shown(until), self.why()),
            None => self.why(),
        }
    }

    /// What somebody is told who waits for a delivery to a device.
    #[must_use]
    pub fn problem(&self, device: &Address) -> Problem {
        Problem {
            exit: Exit::Waiting,
            what: format!("it is recorded, and {self}"),
            advice: Some(format!(
                "the worker delivers it then; to deliver it now: pan_certctl retry --now --device {device}"
            )),
            retry_class: RetryClass::Transient,
        }
    }
}

/// What keeps an installation waiting at a moment, if anything does; a canary is looked for among `others`, in which the
/// requests of the queue are taken in. Where a run that was interrupted may have left the device in between, that is
/// finished whatever the hour.
#[must_use]
pub fn hold<Z: TimeZone>(
    record: &Installation,
    schedule: &Schedule,
    others: &[Installation],
    now: &DateTime<Z>,
) -> Option<Hold> {
    let moment = now.with_timezone(&Utc);
    if may_be_in_between(record) || is_urgent(record, schedule, moment) {
        return None;
    }
    closed(&schedule.windows, now)
        .or_else(|| behind(record, schedule, others, moment))
        .or_else(|| spread(record, schedule, now))
        .map(|hold| hold.at_most_until(urgent_from(record, schedule)))
}

/// Whether a run that did not come to its end may have left the device in between: with changes, a commit, or a push or a
/// way back that is not over.
fn may_be_in_between(record: &Installation) -> bool {
    let is_pushed = record.push.as_ref().is_none_or(PushState::is_complete);
    record.last_run() == LastRun::Interrupted
        && (!record.uncommitted_paths.is_empty()
            || record.job.is_some()
            || !record.next_identities.is_empty()
            || record.way_back.is_some()
            || !is_pushed)
}

/// When what runs there ends too soon for waiting.
fn urgent_from(record: &Installation, schedule: &Schedule) -> Option<DateTime<Utc>> {
    match runs_until(record) {
        Runs::Until(end) => end.checked_sub_signed(schedule.window_override),
        Runs::Unseen | Runs::Nothing => None,
    }
}

/// Whether what runs there ends too soon for waiting.
fn is_urgent(record: &Installation, schedule: &Schedule, now: DateTime<Utc>) -> bool {
    match runs_until(record) {
        Runs::Until(end) => end <= now || end - now < schedule.window_override,
        Runs::Unseen => true,
        Runs::Nothing => false,
    }
}

/// What runs there, as far as it was seen.
enum Runs {
    /// Nothing that was ever seen: a first delivery waits.
    Nothing,
    /// A certificate that ends then.
    Until(DateTime<Utc>),
    /// Something else than was installed, and nobody knows for how long it is good.
    Unseen,
}

fn runs_until(record: &Installation) -> Runs {
    let proven = record.verified.as_ref().map(|verified| verified.certificate.not_after);
    match (record.drift.as_ref().and_then(|drift| drift.presents), proven) {
        (Some(Presented { until: None }), _) => Runs::Unseen,
        // Not all of its profiles need present something else.
        (Some(Presented { until: Some(end) }), proven) => {
            Runs::Until(proven.map_or(end, |proven| proven.min(end)))
        }
        (None, Some(proven)) => Runs::Until(proven),
        (None, None) => Runs::Nothing,
    }
}

fn closed<Z: TimeZone>(windows: &[Windows], now: &DateTime<Z>) -> Option<Hold> {
    if window::are_open(windows, now) {
        return None;
    }
    let texts: Vec<&str> = windows.iter().map(Windows::text).collect();
    let until = window::next_opening(windows, now).map(|next| next.with_timezone(&Utc));
    Some(Hold::new(Reason::Window { windows: texts.join(" and ") }, until))
}

/// The canary of its groups that got the same request and that is waited for longest, of those that have yet to run the
/// very same certificate: one that has failed, then one that has not got it, then the one that needs more time. The time
/// of another one would be no time at which it goes on.
fn behind(
    record: &Installation,
    schedule: &Schedule,
    others: &[Installation],
    now: DateTime<Utc>,
) -> Option<Hold> {
    let all =
        schedule.canaries.iter().flat_map(|rule| rule.canaries.iter().map(move |canary| (rule, canary)));
    let holds = all.filter_map(|(rule, canary)| {
        let its = others.iter().find(|other| goes_before(other, canary, record))?;
        waits_for(record, its, canary, rule.proven_for, now)
    });
    holds.min_by_key(|hold| {
        let rank = match &hold.reason {
            Reason::Canary { stands: CanaryState::Failed(_), .. } => 0,
            _ if hold.until.is_none() => 1,
            _ => 2,
        };
        (rank, Reverse(hold.until))
    })
}

/// Whether this is the same certificate in the same name, asked for together: in the same list, or by one command, whose
/// requests have one moment.
fn goes_before(other: &Installation, canary: &Destination, record: &Installation) -> bool {
    let (one, own) = (&other.spec, &record.spec);
    let is_together = match (&one.list, &own.list) {
        (None, None) => other.requests.iter().any(|request| request.requested_at == own.requested_at),
        (one, own) => one == own,
    };
    one.destination() == *canary && one.common_name == own.common_name && one.name == own.name && is_together
}

fn waits_for(
    record: &Installation,
    canary: &Installation,
    place: &Destination,
    proven_for: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Hold> {
    let held = |stands, until| {
        let reason = Reason::Canary { canary: place.to_string(), stands };
        Some(Hold::new(reason, until))
    };
    let wanted = record.spec.certificate.as_ref().map(|certificate| certificate.fingerprint);
    match wanted.and_then(|wanted| proven_since(canary, wanted)) {
        // A time that is further ahead than it is waited for comes from another clock.
        Some(since) if since - now <= proven_for && now < since + proven_for => {
            held(CanaryState::Runs, Some(since + proven_for))
        }
        Some(_) => None,
        None => match canary.last_problem().filter(|_| canary.is_pending() && canary.failures > 0) {
            Some(problem) => held(CanaryState::Failed(problem.what.clone()), None),
            None => held(CanaryState::Awaited, None),
        },
    }
}

/// Since when a device was seen to run a certificate, if it does.
fn proven_since(canary: &Installation, wanted: Fingerprint) -> Option<DateTime<Utc>> {
    let verified = canary.verified.as_ref().filter(|verified| verified.certificate.fingerprint == wanted)?;
    if canary.is_pending() {
        return None;
    }
    let done = canary.requests.iter().filter_map(|request| match &request.end {
        RequestEnd::Done { at, .. } => {
            let is_it = request.certificate.as_ref().is_some_and(|meant| meant.fingerprint == wanted);
            is_it.then_some(*at)
        }
        _ => None,
    });
    done.chain([verified.at]).min()
}

/// Whether its own moment within the time that a fleet is spread over has yet to come. It is the same whoever asks.
fn spread<Z: TimeZone>(record: &Installation, schedule: &Schedule, now: &DateTime<Z>) -> Option<Hold> {
    let most = schedule.jitter.num_seconds();
    let is_first = record.failures == 0;
    if most <= 0 || !is_first || record.spec.attended {
        return None;
    }
    let moment = now.with_timezone(&Utc);
    let asked = record.spec.requested_at;
    let wall = now.naive_local();
    // Of several windows the one that opened last counts.
    let openings = schedule.windows.iter().filter_map(|windows| windows.opening(wall));
    let opening = openings.max_by_key(|opening| opening.from);
    let (begun, most) = match opening {
        Some(opening) => {
            let ago = wall - opening.from;
            // Half of the window is for delivering.
            let most = most.min((opening.to - opening.from).num_seconds() / 2);
            ((moment - ago).max(asked), most)
        }
        None => (asked, most),
    };
    let until = begun + TimeDelta::seconds(share(record, most));
    // What was asked for by a clock that was ahead waits for no clock.
    (begun <= moment && moment < until).then_some(Hold::new(Reason::Jitter, Some(until)))
}

/// A number of seconds below the most that is made of what is asked for: spread evenly, and the same each time.
fn share(record: &Installation, most: i64) -> i64 {
    // FNV-1a: stable over versions of this program, which the standard library's is not.
    let text = format!("{} {}", record.key(), record.spec.id);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::try_from(hash % most.max(1).unsigned_abs()).unwrap_or(0)
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
