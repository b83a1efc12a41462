#![allow(clippy::unwrap_used)]

use chrono::{FixedOffset, NaiveDate, Offset, Utc};

use super::*;

/// A time zone as Europe has them: an hour ahead, and two from 2026-03-29 01:00 UTC to 2026-10-25 01:00 UTC.
#[derive(Debug, Clone, Copy)]
struct Europe;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ahead(i32);

impl Offset for Ahead {
    fn fix(&self) -> FixedOffset {
        FixedOffset::east_opt(self.0 * 3600).unwrap()
    }
}

fn utc(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

impl TimeZone for Europe {
    type Offset = Ahead;

    fn from_offset(_: &Ahead) -> Self {
        Self
    }

    fn offset_from_local_date(&self, _: &NaiveDate) -> LocalResult<Ahead> {
        LocalResult::None
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<Ahead> {
        let fits: Vec<Ahead> = [Ahead(2), Ahead(1)]
            .into_iter()
            .filter(|ahead| {
                let moment = *local - TimeDelta::hours(i64::from(ahead.0));
                self.offset_from_utc_datetime(&moment) == *ahead
            })
            .collect();
        match fits.as_slice() {
            [only] => LocalResult::Single(*only),
            [first, second] => LocalResult::Ambiguous(*first, *second),
            _ => LocalResult::None,
        }
    }

    fn offset_from_utc_date(&self, _: &NaiveDate) -> Ahead {
        Ahead(1)
    }

    fn offset_from_utc_datetime(&self, moment: &NaiveDateTime) -> Ahead {
        let is_summer = (utc("2026-03-29 01:00")..utc("2026-10-25 01:00")).contains(moment);
        Ahead(if is_summer { 2 } else { 1 })
    }
}

fn windows(texts: &[&str]) -> Windows {
    Windows::read(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
}

/// A moment by its UTC time.
fn at(text: &str) -> DateTime<Europe> {
    Europe.from_utc_datetime(&utc(text))
}

fn next(all: &[Windows], after: &str) -> String {
    let next = next_opening(all, &at(after));
    next.map_or_else(
        || "never".to_owned(),
        |next| next.with_timezone(&Utc).format("%Y-%m-%d %H:%M").to_string(),
    )
}

#[test]
fn days_and_hours_by_the_clock_on_the_wall() {
    // 2026-01-05 is a Monday; in winter the wall is an hour ahead of UTC.
    for (window, moment, open) in [
        ("Mon-Fri 20:00-06:00", "2026-01-05 18:59", false),
        ("Mon-Fri 20:00-06:00", "2026-01-05 19:00", true),
        ("Mon-Fri 20:00-06:00", "2026-01-06 04:59", true),
        ("Mon-Fri 20:00-06:00", "2026-01-06 05:00", false),
        // The night from Friday to Saturday is Friday's; the one from Sunday is nobody's.
        ("Mon-Fri 20:00-06:00", "2026-01-10 04:00", true),
        ("Mon-Fri 20:00-06:00", "2026-01-10 19:30", false),
        ("Mon-Fri 20:00-06:00", "2026-01-05 04:00", false),
        ("Sat,Sun", "2026-01-09 22:59", false),
        ("Sat,Sun", "2026-01-09 23:00", true),
        ("Sat,Sun", "2026-01-11 22:59", true),
        ("Sat,Sun", "2026-01-11 23:00", false),
        ("Fri-Mon 08:00-09:00", "2026-01-12 07:30", true),
        ("Fri-Mon 08:00-09:00", "2026-01-13 07:30", false),
        ("22:00-24:00", "2026-01-07 22:59", true),
        ("22:00-24:00", "2026-01-07 23:00", false),
        ("00:00-24:00", "2026-01-07 23:00", true),
        ("mon 8:00-8:30", "2026-01-05 07:29", true),
        // In summer it is two hours ahead.
        ("20:00-22:00", "2026-07-01 18:00", true),
        ("20:00-22:00", "2026-07-01 20:00", false),
    ] {
        assert_eq!(are_open(&[windows(&[window])], &at(moment)), open, "{window} {moment}");
    }
    assert!(are_open(&[], &at("2026-01-05 18:59")), "without a window it is always open");
}

#[test]
fn the_next_opening_is_told_whatever_the_clocks_do() {
    for (window, after, wanted) in [
        (&["Mon-Fri 20:00-06:00"][..], "2026-01-05 12:00", "2026-01-05 19:00"),
        (&["Mon-Fri 20:00-06:00"], "2026-01-10 12:00", "2026-01-12 19:00"),
        (&["Mon-Fri 20:00-06:00", "Sat,Sun"], "2026-01-10 05:30", "2026-01-10 23:00"),
        (&["Wed 03:00-04:00"], "2026-01-07 02:00", "2026-01-14 02:00"),
        // The clocks are put forward over 02:00 to 03:00: what begins in between begins after it,
        (&["Sun 02:30-05:00"], "2026-03-28 12:00", "2026-03-29 01:00"),
        // and what lies in between is left out that day.
        (&["Sun 02:15-02:45"], "2026-03-28 12:00", "2026-04-05 00:15"),
        // They are put back from 03:00 to 02:00: the first of the two counts.
        (&["Sun 02:30-05:00"], "2026-10-24 12:00", "2026-10-25 00:30"),
        (&["Sun 04:00-05:00"], "2026-10-24 12:00", "2026-10-25 03:00"),
    ] {
        assert_eq!(next(&[windows(window)], after), wanted, "{window:?} {after}");
    }
    // In the repeated hour it is open twice.
    let night = [windows(&["Sun 02:00-03:00"])];
    for moment in ["2026-10-25 00:30", "2026-10-25 01:30"] {
        assert!(are_open(&night, &at(moment)), "{moment}");
    }
    assert!(!are_open(&night, &at("2026-10-25 02:30")));
}

#[test]
fn of_several_all_have_to_be_open() {
    let both = [windows(&["Mon-Fri 20:00-06:00"]), windows(&["Wed,Sat 01:00-05:00"])];
    assert_eq!(next(&both, "2026-01-05 12:00"), "2026-01-07 00:00");
    assert!(are_open(&both, &at("2026-01-07 00:00")));
    let never = [windows(&["Mon"]), windows(&["Tue 10:00-11:00"])];
    assert_eq!(next(&never, "2026-01-05 12:00"), "never");
}

#[test]
fn every_opening_that_is_told_is_the_next_one_all_the_year() {
    let all = [
        vec![windows(&["Mon-Fri 20:00-06:00", "Sat,Sun"])],
        vec![windows(&["Sun 02:30-03:00"])],
        vec![windows(&["Sat,Sun 01:30-02:30"])],
        vec![windows(&["01:00-02:10"]), windows(&["Tue-Sun 01:30-23:00"])],
    ];
    let (spring, autumn) = (86 * 24..90 * 24, 296 * 24..300 * 24);
    for hour in (0..366 * 24).filter(|hour| hour % 29 == 0 || spring.contains(hour) || autumn.contains(hour))
    {
        let now = Europe.from_utc_datetime(&(utc("2026-01-01 00:00") + TimeDelta::hours(hour)));
        for windows in &all {
            let next = next_opening(windows, &now).unwrap();
            assert!(next > now && are_open(windows, &next), "{now:?} {next:?}");
            // Nobody who waits until then could have begun before.
            if !are_open(windows, &now) {
                let mut between = now;
                while between < next {
                    assert!(!are_open(windows, &between), "{now:?}: {between:?} is before {next:?}");
                    between += TimeDelta::minutes(30);
                }
            }
        }
    }
}

#[test]
fn what_is_no_window_is_refused_with_its_number() {
    for text in [
        "",
        "Monday-",
        "Mon-Fri 20:00",
        "20:00",
        "25:00-26:00",
        "20:60-21:00",
        "20:00-20:00",
        "24:00-06:00",
        "Mon 1-2",
        "Mon 20:00-06:00 x",
        "Mo-Fr 20:00-06:00",
        "-",
        ",",
        "Mon 020:00-06:00",
        "Mon +1:00-02:00",
        "Mon 20:00–06:00",
    ] {
        let (number, error) = Windows::read(&["Sat".to_owned(), text.to_owned()]).unwrap_err();
        assert_eq!(number, 1, "{text}");
        assert!(error.to_string().contains("Mon-Fri 20:00-06:00"), "{error}");
    }
}
