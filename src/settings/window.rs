//! Change windows: the days and hours in which a device may be changed, by the clock on the wall.

use std::str::FromStr;

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Weekday,
};

/// The minutes of a day.
const DAY: i64 = 24 * 60;
/// How far ahead an opening is looked for: every window opens once a week, and one that a change of the clocks leaves
/// out opens a week later.
const AHEAD: u64 = 15;

/// Some days, and the hours that begin on them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes since midnight.
    start: i64,
    /// It may end on the next day.
    minutes: i64,
}

/// Several windows, of which one has to be open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    each: Vec<Window>,
    text: String,
}

/// When an opening began, and when it ends, by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Its first minute.
    pub from: NaiveDateTime,
    /// The first minute after it.
    pub to: NaiveDateTime,
}

/// What is no window.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{text}' is no change window: {why}; write for instance \"Mon-Fri 20:00-06:00\", \"Sat,Sun\" or \"22:00-24:00\""
)]
pub struct InvalidWindow {
    text: String,
    why: &'static str,
}

impl Windows {
    /// Reads a list of windows; how many of them are well, and what is wrong with the next one.
    ///
    /// # Errors
    /// The first that is none.
    pub fn read(texts: &[String]) -> Result<Self, (usize, InvalidWindow)> {
        let each = texts.iter().enumerate().map(|(number, text)| {
            text.parse().map_err(|why| {
                let text = text.chars().take(60).collect();
                (number, InvalidWindow { text, why })
            })
        });
        Ok(Self { each: each.collect::<Result<_, _>>()?, text: texts.join(" or ") })
    }

    /// Whether there is none: then nothing is waited for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// As they were written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The opening in which a moment lies, by the clock on the wall; of several the one that ends last.
    #[must_use]
    pub fn opening(&self, wall: NaiveDateTime) -> Option<Opening> {
        let days = [wall.date().checked_sub_days(Days::new(1)), Some(wall.date())];
        let all =
            days.into_iter().flatten().flat_map(|day| self.each.iter().filter_map(move |one| one.on(day)));
        all.filter(|opening| opening.from <= wall && wall < opening.to).max_by_key(|opening| opening.to)
    }

    /// The moments after this one at which a window opens, the next first.
    fn openings<Z: TimeZone>(&self, after: &DateTime<Z>) -> Vec<DateTime<Z>> {
        let wall = after.naive_local();
        let days = (0..AHEAD).filter_map(|ahead| wall.date().checked_add_days(Days::new(ahead)));
        let starts = days.flat_map(|day| self.each.iter().filter_map(move |one| one.on(day)));
        let zone = after.timezone();
        let moments = starts.flat_map(|opening| moments(&zone, opening));
        let mut moments: Vec<DateTime<Z>> = moments.filter(|moment| moment > after).collect();
        moments.sort();
        moments
    }
}

/// When all of these are open together for the first time after a moment; nothing where that is not soon.
#[must_use]
pub fn next_opening<Z: TimeZone>(all: &[Windows], after: &DateTime<Z>) -> Option<DateTime<Z>> {
    let mut moments: Vec<DateTime<Z>> = all.iter().flat_map(|windows| windows.openings(after)).collect();
    moments.sort();
    moments.into_iter().find(|moment| are_open(all, moment))
}

/// Whether there is a minute of the week in which all of these are open, on days on which no clock is changed.
#[must_use]
pub fn ever_meet(all: &[&Windows]) -> bool {
    (0..7 * DAY).any(|minute| all.iter().all(|windows| windows.each.iter().any(|one| one.covers(minute))))
}

/// Whether all of these are open.
#[must_use]
pub fn are_open<Z: TimeZone>(all: &[Windows], now: &DateTime<Z>) -> bool {
    all.iter().all(|windows| windows.opening(now.naive_local()).is_some())
}

/// The moments at which an opening begins. Where the clock jumps over its start that is the one after the jump, unless the
/// whole opening is left out; where the clock is put back into it, it begins again.
fn moments<Z: TimeZone>(zone: &Z, opening: Opening) -> Vec<DateTime<Z>> {
    let at = |wall: NaiveDateTime| zone.from_local_datetime(&wall);
    let length = opening.to - opening.from;
    if let (LocalResult::Single(from), LocalResult::Single(to)) = (at(opening.from), at(opening.to))
        && to.clone() - from.clone() == length
    {
        return vec![from];
    }
    let (mut first, mut again) = (None, None);
    for minute in 0..length.num_minutes() {
        match at(opening.from + TimeDelta::minutes(minute)) {
            LocalResult::Single(moment) => first = first.or(Some(moment)),
            LocalResult::Ambiguous(moment, repeated) => {
                (first, again) = (first.or(Some(moment)), again.or(Some(repeated)));
            }
            LocalResult::None => {}
        }
    }
    first.into_iter().chain(again).collect()
}

impl Window {
    /// Whether it is open in a minute of the week, from Monday on.
    fn covers(&self, minute: i64) -> bool {
        let begins =
            (0..).zip(self.days).filter(|(_, is_meant)| *is_meant).map(|(day, _)| day * DAY + self.start);
        begins.into_iter().any(|begin| (minute - begin).rem_euclid(7 * DAY) < self.minutes)
    }

    /// The opening that begins on a day, if one does.
    fn on(&self, day: chrono::NaiveDate) -> Option<Opening> {
        let is_meant = usize::try_from(day.weekday().num_days_from_monday()).ok();
        if !is_meant.and_then(|day| self.days.get(day)).is_some_and(|is_meant| *is_meant) {
            return None;
        }
        let from = day.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::minutes(self.start))?;
        let to = from.checked_add_signed(TimeDelta::minutes(self.minutes))?;
        Some(Opening { from, to })
    }
}

impl FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let (first, second) = (words.next().ok_or("it is empty")?, words.next());
        if words.next().is_some() {
            return Err("it has more than days and hours");
        }
        let is_hours = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        let (days, (start, minutes)) = match second {
            Some(hours) => (days(first)?, self::hours(hours)?),
            None if is_hours(first) => ([true; 7], hours(first)?),
            None => (days(first)?, (0, DAY)),
        };
        Ok(Self { days, start, minutes })
    }
}

/// `Mon-Fri`, `Sat,Sun`.
fn days(text: &str) -> Result<[bool; 7], &'static str> {
    let day = |text: &str| -> Result<usize, &'static str> {
        let day: Weekday = text.parse().map_err(|_| "a day is Mon, Tue, Wed, Thu, Fri, Sat or Sun")?;
        usize::try_from(day.num_days_from_monday()).map_err(|_| "there are seven days")
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // Fri-Mon goes over the end of the week.
        let count = (last + 7 - first) % 7;
        (first..=first + count).for_each(|day| days[day % 7] = true);
    }
    Ok(days)
}

/// `20:00-06:00`: where it begins, and how long it is, in minutes.
fn hours(text: &str) -> Result<(i64, i64), &'static str> {
    let (from, to) = text.split_once('-').ok_or("hours are two times with a hyphen")?;
    let (from, to) = (minute(from)?, minute(to)?);
    if from == DAY {
        return Err("no window begins at 24:00: that is 00:00 of the next day");
    }
    if from == to {
        return Err("it ends when it begins; leave the hours out for whole days");
    }
    Ok((from, if to > from { to - from } else { to + DAY - from }))
}

fn minute(text: &str) -> Result<i64, &'static str> {
    const BAD: &str = "a time is HH:MM, from 00:00 to 24:00";
    let (hour, minute) = text.split_once(':').ok_or(BAD)?;
    let number = |text: &str| {
        let is_number = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<i64>().map_err(|_| BAD) } else { Err(BAD) }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    if minute < 60 && all <= DAY { Ok(all) } else { Err(BAD) }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
