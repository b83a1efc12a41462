//! How long a device's commits take, and a Panorama's pushes, as the records of its last ones tell.

use std::collections::BTreeMap;
use std::time::Duration;

use super::installation::Installation;
use super::state::Attempt;

/// The last so many commits count: what was long ago was another configuration, or another release.
const COUNTED: usize = 5;
/// What takes longer is no usual commit.
const LONGEST: Duration = Duration::from_secs(3600);

impl Installation {
    /// Notes how long the commit job of the last attempt took.
    pub(super) fn note_commit_time(&mut self, took: Duration) {
        if let Some(attempt) = self.history.last_mut() {
            attempt.commit_milliseconds = u64::try_from(took.as_millis()).ok();
        }
    }

    /// The same of its push job.
    pub(super) fn note_push_time(&mut self, took: Duration) {
        if let Some(attempt) = self.history.last_mut() {
            attempt.push_milliseconds = u64::try_from(took.as_millis()).ok();
        }
    }
}

/// The median of a device's last commits that have succeeded, if any has. These are all its records; several
/// certificates may share a commit.
pub(super) fn usual_commit(records: &[Installation]) -> Option<Duration> {
    usual(records, |attempt| attempt.commit_milliseconds)
}

/// The same of a Panorama's pushes.
pub(super) fn usual_push(records: &[Installation]) -> Option<Duration> {
    usual(records, |attempt| attempt.push_milliseconds)
}

fn usual(records: &[Installation], of: impl Fn(&Attempt) -> Option<u64>) -> Option<Duration> {
    let attempts = records.iter().flat_map(|record| &record.history);
    let jobs = attempts.filter_map(|attempt| {
        let took = Duration::from_millis(of(attempt)?);
        Some(((attempt.started_at, attempt.run_id.as_str()), took))
    });
    let by_run: BTreeMap<_, Duration> = jobs.filter(|(_, took)| *took <= LONGEST).collect();
    let mut last: Vec<Duration> = by_run.into_values().rev().take(COUNTED).collect();
    last.sort();
    last.get(last.len() / 2).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};

    use super::super::tests::spec;
    use super::*;

    /// A record with attempts: in which run, and how many seconds the commit took if it has succeeded.
    fn record(attempts: &[(i64, Option<u64>)]) -> Installation {
        let mut record = Installation::new(spec("gp", DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH);
        record.history = attempts
            .iter()
            .map(|(run, seconds)| Attempt {
                run_id: format!("{run:06x}"),
                started_at: DateTime::UNIX_EPOCH + TimeDelta::days(*run),
                problem: None,
                job: None,
                milliseconds: BTreeMap::new(),
                commit_milliseconds: seconds.map(|seconds| seconds * 1000),
                push_milliseconds: seconds.map(|seconds| seconds * 2000),
            })
            .collect();
        record
    }

    #[test]
    fn the_median_of_the_last_five_commits_is_expected_each_counted_once() {
        let seconds = |records: &[Installation]| usual_commit(records).map(|usual| usual.as_secs());
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[record(&[(1, None)])]), None);
        assert_eq!(seconds(&[record(&[(1, Some(40)), (2, None)])]), Some(40));
        assert_eq!(usual_push(&[record(&[(1, Some(40))])]), Some(Duration::from_secs(80)));
        // Two certificates in the same commits, and one that is no usual commit.
        let one = record(&[(1, Some(900)), (2, Some(900)), (3, Some(50)), (4, Some(52)), (5, Some(7200))]);
        let other = record(&[(3, Some(50)), (4, Some(52)), (6, Some(51)), (7, Some(300)), (8, Some(49))]);
        assert_eq!(seconds(&[one, other]), Some(51));
    }

    #[test]
    fn what_was_noted_stands_in_the_last_attempt() {
        let mut record = record(&[(1, Some(40)), (2, None)]);
        record.note_commit_time(Duration::from_millis(1500));
        assert_eq!(record.history[1].commit_milliseconds, Some(1500));
        assert_eq!(record.history[0].commit_milliseconds, Some(40_000));
    }
}
