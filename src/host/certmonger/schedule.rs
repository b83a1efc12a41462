//! When certmonger renews: at which times before a certificate's end it asks for the next one.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::files;

/// Its configuration.
const CONFIGURATION: &str = "/etc/certmonger/certmonger.conf";
/// The most that is read of it.
const LARGEST: usize = 1 << 20;
/// The times before the end, in seconds, where the configuration names none: certmonger.conf(5).
const USUAL: [i64; 9] = [2_419_200, 604_800, 259_200, 172_800, 86_400, 43_200, 21_600, 7200, 3600];

/// When certmonger asks for the next certificate, if it watches this one; nothing where all its times have passed.
#[must_use]
pub fn next_renewal(not_after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = files::open(Path::new(CONFIGURATION))
        .and_then(|(file, metadata)| files::read(file, &metadata, LARGEST))
        .map(|contents| String::from_utf8_lossy(&contents).into_owned());
    next(&times(&text.unwrap_or_default()), not_after, now)
}

fn next(times: &[i64], not_after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let each =
        times.iter().filter_map(|seconds| not_after.checked_sub_signed(TimeDelta::try_seconds(*seconds)?));
    each.filter(|at| *at > now).min()
}

/// `enroll_ttls` in the section `defaults`, else `ttls` there.
fn times(text: &str) -> Vec<i64> {
    let (mut is_defaults, mut enroll, mut any) = (false, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_defaults = section.trim_end_matches(']').trim() == "defaults";
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_defaults) else { continue };
        match key.trim() {
            "enroll_ttls" => enroll = seconds(value),
            "ttls" => any = seconds(value),
            _ => {}
        }
    }
    enroll.or(any).unwrap_or_else(|| USUAL.to_vec())
}

/// Nothing where one of them is no number: what certmonger makes of it is not guessed at.
fn seconds(value: &str) -> Option<Vec<i64>> {
    let words = value.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok()).collect::<Option<Vec<i64>>>().filter(|all| !all.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_next_time_is_the_first_that_has_not_passed() {
        let end = "2027-01-29T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let at = |now: &str| next(&USUAL, end, now.parse().unwrap()).map(|at| at.to_rfc3339());
        assert_eq!(at("2026-06-01T00:00:00Z").as_deref(), Some("2027-01-01T00:00:00+00:00"));
        assert_eq!(at("2027-01-02T00:00:00Z").as_deref(), Some("2027-01-22T00:00:00+00:00"));
        assert_eq!(at("2027-01-28T23:30:00Z"), None);
    }

    #[test]
    fn the_configuration_names_other_times() {
        assert_eq!(times(""), USUAL);
        assert_eq!(times("[defaults]\n# ttls = 1\n ttls = 60, 30\n"), [60, 30]);
        assert_eq!(times("[defaults]\nttls = 60\nenroll_ttls=90,45\n[local]\nttls=1\n"), [90, 45]);
        assert_eq!(times("[local]\nttls = 60\n"), USUAL);
        assert_eq!(times("[defaults]\nttls = soon\n"), USUAL);
    }
}
