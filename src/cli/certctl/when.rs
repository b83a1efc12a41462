//! Points in time as a person types them: a day, a time of day, or how long ago.

use std::time::Duration;

use chrono::{DateTime, Days, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};

/// Local times, with and without seconds.
const LOCAL: [&str; 4] = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
/// As the log has it.
const LOGGED: &str = "%Y-%m-%d %H:%M:%S%:z";

/// The first moment that is meant: of a day its beginning.
///
/// # Errors
/// What can be typed.
pub fn since(text: &str) -> Result<DateTime<Utc>, String> {
    read(text, |day| day.and_time(NaiveTime::MIN))
}

/// The last moment that is meant: of a day its end.
///
/// # Errors
/// What can be typed.
pub fn until(text: &str) -> Result<DateTime<Utc>, String> {
    read(text, |day| {
        let next = day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN);
        next.checked_sub_signed(TimeDelta::milliseconds(1)).unwrap_or(next)
    })
}

fn read(text: &str, of_day: impl Fn(NaiveDate) -> NaiveDateTime) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, LOGGED)) {
        return Ok(time.to_utc());
    }
    if let Some(time) = LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()) {
        return here(time);
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return here(of_day(day));
    }
    match humantime::parse_duration(text) {
        Ok(ago) => before_now(ago).ok_or_else(|| "that is longer ago than there are dates".to_owned()),
        Err(_) => Err("write a day like 2026-11-22, a time like '2026-11-22 05:00' or \
                       2026-11-22T05:00:00+01:00, or how long ago: 7d, 12h, 30m"
            .to_owned()),
    }
}

/// A time of this machine's clock. When the clock is put back, an hour comes twice: its first one is taken.
fn here(time: NaiveDateTime) -> Result<DateTime<Utc>, String> {
    let found = Local.from_local_datetime(&time).earliest();
    found.map(|time| time.to_utc()).ok_or_else(|| "the clock was put forward past that time".to_owned())
}

fn before_now(ago: Duration) -> Option<DateTime<Utc>> {
    Utc::now().checked_sub_signed(TimeDelta::from_std(ago).ok()?)
}

/// A length of time in its largest unit that leaves more than one of it.
#[must_use]
pub fn in_short(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    match length.num_hours() {
        hours if hours >= 48 => format!("{}d", length.num_days()),
        hours if hours >= 2 => format!("{hours}h"),
        _ if minutes >= 2 => format!("{minutes}m"),
        _ => format!("{}s", length.num_seconds().max(0)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_the_help_names() {
        let exact = "2026-11-22T05:00:00+00:00".parse::<DateTime<Utc>>().unwrap();
        for text in ["2026-11-22T06:00:00+01:00", "2026-11-22T05:00:00Z", "2026-11-22 05:00:00+00:00"] {
            assert_eq!(since(text).unwrap(), exact, "{text}");
        }
        let local = Local.with_ymd_and_hms(2026, 11, 22, 5, 0, 0).unwrap().to_utc();
        for text in ["2026-11-22 05:00", "2026-11-22 05:00:00", "2026-11-22T05:00", " 2026-11-22 05:00 "] {
            assert_eq!(since(text).unwrap(), local, "{text}");
        }
        for (text, seconds) in [("7d", 604_800), ("12h", 43_200), ("30m", 1800), ("1h 30m", 5400)] {
            let then = since(text).unwrap();
            let ago = Utc::now() - then;
            assert!((seconds..seconds + 60).contains(&ago.num_seconds()), "{text}");
        }
    }

    #[test]
    fn a_day_is_meant_whole() {
        let length = until("2026-11-22").unwrap() - since("2026-11-22").unwrap();
        assert!((23..=25).contains(&length.num_hours()));
        assert!(until("2026-11-22").unwrap() < since("2026-11-23").unwrap());
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in ["", "yesterday", "7", "2026-13-01", "2026-11-22 25:00", "-7d", "99999999999999y"] {
            assert!(since(text).is_err(), "{text}");
        }
        assert!(since("x").unwrap_err().contains("7d, 12h, 30m"));
    }

    #[test]
    fn lengths_of_time_are_told_in_one_unit() {
        for (seconds, text) in [
            (-5, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7199, "119m"),
            (7200, "2h"),
            (48 * 3600 - 1, "47h"),
            (48 * 3600, "2d"),
            (90 * 86400, "90d"),
        ] {
            assert_eq!(in_short(TimeDelta::seconds(seconds)), text);
        }
    }
}
