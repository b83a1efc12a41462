//! What time it is for a device: certificates are valid, or not yet, by its own clock.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::error::Error;
use super::session::Session;
use super::xml::Element;

/// What time it is on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceClock {
    /// The time.
    pub at: DateTime<Utc>,
    /// How far it may be from that in either direction, because the zone was told by a name that several zones have.
    pub uncertainty: TimeDelta,
}

/// Zones lie between UTC-12 and UTC+14.
const ZONES: (TimeDelta, TimeDelta) = (TimeDelta::hours(-12), TimeDelta::hours(14));

impl DeviceClock {
    /// Reads the answer to `show clock`: `Sun Nov 22 02:01:17 UTC 2026`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [_, month, day, time, zone, year] = words.as_slice() else { return None };
        let local = format!("{month} {day} {time} {year}");
        let local = NaiveDateTime::parse_from_str(&local, "%b %d %H:%M:%S %Y").ok()?.and_utc();
        let (least, most) = offset(zone).map_or(ZONES, |known| (known, known));
        let (earliest, latest) = (local.checked_sub_signed(most)?, local.checked_sub_signed(least)?);
        let uncertainty = (latest - earliest) / 2;
        Some(Self { at: earliest.checked_add_signed(uncertainty)?, uncertainty })
    }

    /// Whether a validity that begins then has certainly not begun, even for a clock that is this much later.
    #[must_use]
    pub fn is_before(&self, begin: DateTime<Utc>, leeway: TimeDelta) -> bool {
        begin - self.at > self.uncertainty + leeway
    }

    /// Whether a validity that ends then is certainly over.
    #[must_use]
    pub fn is_after(&self, end: DateTime<Utc>) -> bool {
        self.at - end > self.uncertainty
    }
}

/// What a zone is ahead of UTC, where its name says so: abbreviations such as `CST` and `IST` are used by several.
fn offset(zone: &str) -> Option<TimeDelta> {
    if ["UTC", "GMT", "Z"].contains(&zone) {
        return Some(TimeDelta::zero());
    }
    let (sign, digits) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    let total = hours.parse::<u8>().ok().map(i64::from)? * 60 + minutes.parse::<u8>().ok().map(i64::from)?;
    Some(TimeDelta::minutes(sign * total))
}

impl Session {
    /// What time it is for the device: by the header `Date` of its latest answer, or, where there is none, by
    /// `show clock`. Nothing where it tells neither.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn clock(&self) -> Result<Option<DeviceClock>, Error> {
        // What Panorama passes on bears Panorama's own date.
        let ahead = if self.target.is_none() { self.transport.clock_ahead() } else { None };
        if let Some(at) = ahead.and_then(|ahead| Utc::now().checked_add_signed(ahead)) {
            return Ok(Some(DeviceClock { at, uncertainty: TimeDelta::zero() }));
        }
        let command = Element::nested(&["show", "clock"], None);
        let told = self.named_op("show clock", &command).await?.read(|reply| {
            let result = reply.result().map(Element::text);
            Ok(result
                .into_iter()
                .chain(reply.messages.iter().cloned())
                .find_map(|text| DeviceClock::read(&text)))
        })?;
        Ok(told)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, i64)> {
        DeviceClock::read(text).map(|clock| (clock.at.to_rfc3339(), clock.uncertainty.num_hours()))
    }

    #[test]
    fn a_zone_that_says_what_it_is_leaves_no_doubt_and_any_other_one_thirteen_hours() {
        let exact = |time: &str| Some((format!("2026-11-{time}+00:00"), 0));
        assert_eq!(read("Sun Nov 22 02:01:17 UTC 2026 "), exact("22T02:01:17"));
        assert_eq!(read("Sun Nov 22 02:01:17 GMT 2026"), exact("22T02:01:17"));
        assert_eq!(read("Mon Nov  2 02:01:17 +03 2026"), exact("01T23:01:17"));
        assert_eq!(read("Sun Nov 22 02:01:17 -0330 2026"), exact("22T05:31:17"));
        assert_eq!(read("Sun Nov 22 02:01:17 CST 2026"), Some(("2026-11-22T01:01:17+00:00".to_owned(), 13)));
        for none in [
            "",
            "Sun Nov 22 02:01:17 2026",
            "Sun Nov 32 02:01:17 UTC 2026",
            "a b c d e f",
            "Sun Nov 22 02:01:17 UTC 999999999",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn what_may_be_valid_in_some_zone_is_not_called_invalid() {
        let clock = DeviceClock::read("Sun Nov 22 12:00:00 CST 2026").unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let none = TimeDelta::zero();
        assert!(!clock.is_before(at("2026-11-23T00:00:00Z"), none));
        assert!(clock.is_before(at("2026-11-23T00:00:01Z"), none));
        assert!(!clock.is_before(at("2026-11-23T00:00:01Z"), TimeDelta::seconds(1)));
        assert!(!clock.is_after(at("2026-11-21T22:00:00Z")));
        assert!(clock.is_after(at("2026-11-21T21:59:59Z")));
    }
}
