//! What is pending and not delivered now, counted by what it waits for: of five hundred installations a line for each
//! reason, not one for each of them.

use std::fmt;

use chrono::{DateTime, Utc};

use super::hold::{Hold, shown};

/// How many wait for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Why, in one word for other programs.
    pub word: &'static str,
    /// The same in words.
    pub what: String,
    /// How many.
    pub count: usize,
    /// Until when the first of them waits, as far as that is known.
    pub until: Option<DateTime<Utc>>,
    /// Whether others of them wait for longer.
    differs: bool,
}

/// What fails, and is tried again.
const RETRY: &str = "retry";

/// What waits, by what it waits for.
#[derive(Debug, Default)]
pub struct WaitingList {
    all: Vec<Waiting>,
    for_a_person: usize,
}

impl WaitingList {
    /// Counts one that is kept waiting.
    pub fn add_held(&mut self, hold: &Hold) {
        self.add(hold.reason.word(), hold.why(), hold.until);
    }

    /// Counts one that has failed and is tried again then.
    pub fn add_failed(&mut self, next: DateTime<Utc>) {
        self.add(RETRY, String::new(), Some(next));
    }

    /// Counts one that is tried again only when a person asks for it.
    pub fn add_for_a_person(&mut self) {
        self.for_a_person += 1;
    }

    /// How many are tried again only when a person asks for it.
    #[must_use]
    pub fn for_a_person(&self) -> usize {
        self.for_a_person
    }

    fn add(&mut self, word: &'static str, what: String, until: Option<DateTime<Utc>>) {
        match self.all.iter_mut().find(|other| other.word == word && other.what == what) {
            Some(same) => {
                same.count += 1;
                same.differs |= same.until != until;
                same.until = same.until.min(until).or(same.until).or(until);
            }
            None => self.all.push(Waiting { word, what, count: 1, until, differs: false }),
        }
    }

    /// What was counted, most of it first.
    #[must_use]
    pub fn all(mut self) -> Vec<Waiting> {
        self.all.sort_by_key(|waiting| std::cmp::Reverse(waiting.count));
        self.all
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, count, until, differs, .. } = self;
        let at = until.map(shown).unwrap_or_default();
        let is_one = *count == 1;
        match (self.word, differs) {
            (RETRY, _) if is_one => write!(out, "1 has failed and is tried again {at}"),
            (RETRY, true) => write!(out, "{count} have failed and are tried again, the first {at}"),
            (RETRY, false) => write!(out, "{count} have failed and are tried again {at}"),
            (_, true) => write!(out, "{count} wait, the first until {at}: {what}"),
            _ => {
                let verb = if is_one { "waits" } else { "wait" };
                let until = if at.is_empty() { String::new() } else { format!(" until {at}") };
                write!(out, "{count} {verb}{until}: {what}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::delivery::hold::Reason;

    #[test]
    fn each_reason_is_told_once_with_how_many_wait_for_it_and_until_when() {
        let now = Utc::now();
        let hours = |count| now + TimeDelta::hours(count);
        let window = |until| Hold {
            reason: Reason::Window { windows: "Sun".to_owned() },
            until: Some(hours(until)),
            is_overridden: false,
        };
        let jitter = |until| Hold { reason: Reason::Jitter, until: Some(hours(until)), is_overridden: false };
        let mut list = WaitingList::default();
        [window(9), window(9), window(9), jitter(2), jitter(1)].iter().for_each(|hold| list.add_held(hold));
        list.add_failed(hours(5));
        let told = |list: WaitingList| list.all().iter().map(ToString::to_string).collect::<Vec<_>>();
        let [nine, one, five] = [9, 1, 5].map(|count| shown(hours(count)));
        assert_eq!(
            told(list),
            [
                format!("3 wait until {nine}: the change window (Sun) is closed"),
                format!("2 wait, the first until {one}: deliveries are spread over some time (jitter)"),
                format!("1 has failed and is tried again {five}"),
            ]
        );
        let mut list = WaitingList::default();
        list.add_held(&window(9));
        [6, 5].into_iter().for_each(|next| list.add_failed(hours(next)));
        assert_eq!(
            told(list),
            [
                format!("2 have failed and are tried again, the first {five}"),
                format!("1 waits until {nine}: the change window (Sun) is closed"),
            ]
        );
    }
}
