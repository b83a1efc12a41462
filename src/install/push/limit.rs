//! On how many firewalls a push may fail before it is stopped and taken back.

use std::fmt;
use std::str::FromStr;

/// The most that a push may fail on: `3`, or `10%` of the firewalls that it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFailures {
    /// So many firewalls.
    Count(u32),
    /// So many per cent of those that are connected.
    Percent(u8),
}

/// A limit that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a number of firewalls nor a share of them from 0% to 100%")]
pub struct InvalidLimit(String);

impl FromStr for MaxFailures {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidLimit(text.to_owned());
        // A number alone: no sign, no blanks.
        let number = text.strip_suffix('%').unwrap_or(text);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        if number == text {
            return Ok(Self::Count(number.parse().map_err(|_| invalid())?));
        }
        let percent = number.parse().ok().filter(|percent| *percent <= 100);
        Ok(Self::Percent(percent.ok_or_else(invalid)?))
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

impl MaxFailures {
    /// Whether so many failures are more than that, of so many firewalls that a push reaches.
    pub(super) fn is_exceeded_by(self, failed: usize, of: usize) -> bool {
        match self {
            Self::Count(count) => failed > usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => failed.saturating_mul(100) > usize::from(percent).saturating_mul(of),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        for (text, limit) in [
            ("0", MaxFailures::Count(0)),
            ("12", MaxFailures::Count(12)),
            ("0%", MaxFailures::Percent(0)),
            ("100%", MaxFailures::Percent(100)),
        ] {
            assert_eq!(text.parse(), Ok(limit));
        }
        for bad in ["", "%", "-1", "+1", "101%", "1.5%", " 3", "3 %", "99999999999", "many"] {
            assert!(bad.parse::<MaxFailures>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_more_than_the_limit_exceeds_it() {
        for (limit, failed, of, exceeded) in [
            ("0", 0, 10, false),
            ("0", 1, 10, true),
            ("2", 2, 10, false),
            ("2", 3, 10, true),
            ("25%", 2, 8, false),
            ("25%", 3, 8, true),
            ("0%", 1, 5_000, true),
            ("100%", 8, 8, false),
        ] {
            let limit: MaxFailures = limit.parse().unwrap();
            assert_eq!(limit.is_exceeded_by(failed, of), exceeded, "{limit}: {failed} of {of}");
        }
    }
}
