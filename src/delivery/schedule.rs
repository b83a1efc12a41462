//! When what is pending is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::TimeDelta;

use crate::error::Exit;
use crate::install::problem::{Problem, RetryClass};
use crate::install::push::{OpenDevice, PushState, Standing};

/// The first gap, and the shortest one.
const SHORTEST: Duration = Duration::from_secs(60);
/// The longest gap.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// The gap where an operator has to act. Operators don't always say that they have.
const OPERATOR_INTERVAL: Duration = Duration::from_secs(12 * 3600);
/// The longest gap where it is for this machine alone: its files, its settings, its clock. It costs nothing to look.
const LOCAL_INTERVAL: Duration = Duration::from_secs(3600);
/// So many attempts, at least, fit into the time that the old certificate has left.
const MIN_ATTEMPTS_BEFORE_EXPIRY: i32 = 20;

/// The longest gap while a firewall is not connected to its Panorama: it is pushed to when it is there again, and looking
/// costs a few questions.
const ABSENT_INTERVAL: TimeDelta = TimeDelta::minutes(15);

/// The longest gap for what firewalls lack.
#[must_use]
pub(super) fn longest_gap(push: Option<&PushState>) -> TimeDelta {
    let is_away = |device: &OpenDevice| {
        matches!(device.standing, Standing::NotConnected { ever: true, .. } | Standing::ToTakeBack { .. })
    };
    match push {
        Some(push) if push.open.iter().any(is_away) => ABSENT_INTERVAL,
        _ => TimeDelta::MAX,
    }
}

/// How long to wait after a failure. The gaps double from a minute to six hours, with some jitter so that a fleet does
/// not come at once; they are shorter when the certificate on the device comes to its end, and where only this machine
/// has to be looked at.
#[must_use]
pub(super) fn gap(problem: &Problem, failures: u32, left: Option<TimeDelta>) -> TimeDelta {
    let is_local = matches!(problem.exit, Exit::Usage | Exit::ProfileName | Exit::Key | Exit::Certificate);
    let gap = match problem.retry_class {
        RetryClass::Clock => backoff(failures.max(1)).min(LOCAL_INTERVAL),
        RetryClass::Transient => backoff(failures.max(1)),
        RetryClass::NeedsOperator if is_local => LOCAL_INTERVAL,
        RetryClass::NeedsOperator | RetryClass::OnRequest | RetryClass::Permanent => OPERATOR_INTERVAL,
    };
    let gap = TimeDelta::from_std(gap).unwrap_or(TimeDelta::MAX);
    let shortest = TimeDelta::from_std(SHORTEST).unwrap_or_default();
    match left {
        Some(left) => gap.min((left / MIN_ATTEMPTS_BEFORE_EXPIRY).max(shortest)),
        None => gap,
    }
}

/// The gap after this many failures.
fn backoff(failures: u32) -> Duration {
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
    #![allow(clippy::expect_used)]
    use super::*;

    fn problem(exit: Exit, retry_class: RetryClass) -> Problem {
        Problem { exit, what: String::new(), advice: None, retry_class }
    }

    #[test]
    fn gaps_grow_from_a_minute_to_six_hours() {
        let minutes = |failures| backoff(failures).as_secs() / 60;
        assert!((1..=2).contains(&minutes(1)), "{}", minutes(1));
        assert!((2..=4).contains(&minutes(2)), "{}", minutes(2));
        assert!((8..=17).contains(&minutes(4)), "{}", minutes(4));
        for failures in [10, 100, u32::MAX] {
            assert_eq!(backoff(failures), LONGEST, "{failures}");
        }
    }

    #[test]
    fn as_the_old_certificates_end_comes_near_it_is_tried_more_often() {
        let minutes = |class, left| gap(&problem(Exit::Commit, class), 30, Some(left)).num_minutes();
        assert_eq!(minutes(RetryClass::Transient, TimeDelta::days(90)), 360);
        assert_eq!(minutes(RetryClass::NeedsOperator, TimeDelta::days(90)), 720);
        assert_eq!(minutes(RetryClass::NeedsOperator, TimeDelta::hours(20)), 60);
        assert_eq!(minutes(RetryClass::Transient, TimeDelta::minutes(30)), 1);
        assert_eq!(minutes(RetryClass::Transient, -TimeDelta::days(1)), 1, "what has ended is replaced soon");
    }

    #[test]
    fn a_firewall_that_is_away_is_looked_for_every_quarter_of_an_hour() {
        let open =
            |standing| OpenDevice { serial: "001".into(), hostname: None, stack: "S".into(), standing };
        let state = |standing| PushState {
            certificate: panos_xmlapi::Fingerprint::of_der(b"x"),
            object: "vpn".parse().expect("a name"),
            stacks: vec!["S".into()],
            proven: std::collections::BTreeSet::new(),
            open: vec![open(standing)],
        };
        let longest = |standing| longest_gap(Some(&state(standing)));
        assert_eq!(longest(Standing::NotConnected { ever: true, sent: false }), TimeDelta::minutes(15));
        // One that was never there, and one that somebody has to see to.
        assert_eq!(longest(Standing::NotConnected { ever: false, sent: true }), TimeDelta::MAX);
        assert_eq!(longest(Standing::Failed { why: "no".into() }), TimeDelta::MAX);
        assert_eq!(longest_gap(None), TimeDelta::MAX);
    }

    #[test]
    fn what_is_wrong_on_this_machine_is_looked_at_every_hour() {
        for class in [RetryClass::Clock, RetryClass::NeedsOperator] {
            assert_eq!(gap(&problem(Exit::Certificate, class), 30, None), TimeDelta::hours(1), "{class:?}");
        }
    }
}
