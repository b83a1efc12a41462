//! When what is owed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::{DateTime, TimeDelta, Utc};

use super::installation::Record;
use crate::install::problem::{Mender, Problem};

/// The first gap, and the shortest one.
const SHORTEST: Duration = Duration::from_secs(60);
/// The longest gap.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// The gap where only a person can mend it. Persons don't always say that they have.
const SELDOM: Duration = Duration::from_secs(12 * 3600);
/// So many attempts, at least, fit into the time that the old certificate has left.
const BEFORE_THE_END: i32 = 20;

/// When a record is tried again after this problem. The gaps double from a minute to six hours, with some jitter so
/// that a fleet does not come at once; they are shorter when the certificate on the device comes to its end.
#[must_use]
pub fn next_try(record: &Record, problem: &Problem, now: DateTime<Utc>) -> DateTime<Utc> {
    let gap = match problem.mended_by {
        Mender::Time => growing(record.failures.max(1)),
        Mender::Person | Mender::Nobody => SELDOM,
    };
    let left = record.proven.as_ref().map(|proven| proven.certificate.not_after - now);
    let gap = TimeDelta::from_std(gap).unwrap_or(TimeDelta::MAX);
    let shortest = TimeDelta::from_std(SHORTEST).unwrap_or_default();
    let gap = match left {
        Some(left) => gap.min((left / BEFORE_THE_END).max(shortest)),
        None => gap,
    };
    now.checked_add_signed(gap).unwrap_or(now)
}

/// The gap after this many failures.
fn growing(failures: u32) -> Duration {
    let gaps = ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .without_max_times()
        .with_jitter();
    // After so many doublings there is only the longest one.
    let number = usize::try_from(failures.min(16)).unwrap_or(16) - 1;
    gaps.build().nth(number).unwrap_or(LONGEST).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_from_a_minute_to_six_hours() {
        let minutes = |failures| growing(failures).as_secs() / 60;
        assert!((1..=2).contains(&minutes(1)), "{}", minutes(1));
        assert!((2..=4).contains(&minutes(2)), "{}", minutes(2));
        assert!((8..=17).contains(&minutes(4)), "{}", minutes(4));
        for failures in [10, 100, u32::MAX] {
            assert_eq!(growing(failures), LONGEST, "{failures}");
        }
    }
}
