//! What came later, without a clock: numbers that are counted up under a lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::files::make_folder;
use crate::files;

/// The file with the last number that was given.
const NAME: &str = "sequence";
/// The file that is locked: it stays, a lock on one that is replaced or deleted would keep nobody out.
const LOCK: &str = "sequence.lock";
/// How long another process is waited for, and between two looks at the lock.
const WAIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
/// A number has twenty digits.
const LIMIT: u64 = 64;

/// The right to give numbers, and to write and list the queue, held until it is dropped.
#[derive(Debug)]
pub(super) struct SequenceLock {
    path: PathBuf,
    _held: File,
}

impl SequenceLock {
    /// Waits for it; others hold it for milliseconds, unless they were stopped just then.
    ///
    /// # Errors
    /// A state directory that can't be written; a process that does not give it back.
    pub(super) fn acquire(state_dir: &Path) -> Result<Self, StoreError> {
        Self::acquire_within(state_dir, WAIT)
    }

    fn acquire_within(state_dir: &Path, wait: Duration) -> Result<Self, StoreError> {
        make_folder(state_dir)?;
        let path = state_dir.join(LOCK);
        let bad = |cause: io::Error| StoreError::new("lock", &path, cause);
        let file = files::open_lock(&path).map_err(bad)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < wait => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let what = format!(
                        "another process has kept its lock for {} seconds; see 'fuser -v {}'",
                        wait.as_secs(),
                        path.display()
                    );
                    return Err(bad(io::Error::other(what)));
                }
                Err(TryLockError::Error(cause)) => return Err(bad(cause)),
            }
        }
        Ok(Self { path: state_dir.join(NAME), _held: file })
    }

    /// Takes so many numbers; the first of them. `seen` finds the highest one that was ever used, where the file does
    /// not say.
    ///
    /// # Errors
    /// A state directory that can't be written.
    pub(super) fn take(&self, count: usize, seen: impl FnOnce() -> u64) -> Result<u64, StoreError> {
        let last = last(&self.path).unwrap_or_else(seen);
        let first = last.saturating_add(1);
        let next = last.saturating_add(u64::try_from(count.max(1)).unwrap_or(u64::MAX));
        files::replace(&self.path, format!("{next}\n").as_bytes())
            .map_err(|cause| StoreError::new("write", &self.path, cause))?;
        Ok(first)
    }
}

/// The last number that was given; nothing where that is not known.
#[must_use]
pub(super) fn last_given(state_dir: &Path) -> Option<u64> {
    last(&state_dir.join(NAME))
}

fn last(path: &Path) -> Option<u64> {
    let length = fs::metadata(path).ok()?.len();
    let text = (length <= LIMIT).then(|| fs::read_to_string(path).ok()).flatten()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whoever_was_stopped_with_the_lock_is_not_waited_for_without_end() {
        let state = tempfile::tempdir().unwrap();
        let held = SequenceLock::acquire(state.path()).unwrap();
        let wait = Duration::from_millis(30);
        let error = SequenceLock::acquire_within(state.path(), wait).unwrap_err().to_string();
        assert!(error.contains("another process has kept its lock"), "{error}");
        drop(held);
        SequenceLock::acquire_within(state.path(), wait).unwrap();
    }

    #[test]
    fn numbers_go_up_whatever_happens_to_the_file() {
        let state = tempfile::tempdir().unwrap();
        let take =
            |count, seen: u64| SequenceLock::acquire(state.path()).unwrap().take(count, || seen).unwrap();
        assert_eq!(take(1, 0), 1);
        assert_eq!(take(3, 0), 2);
        assert_eq!((take(1, 0), last_given(state.path())), (5, Some(5)));
        for damaged in ["", "x", "-1", "99999999999999999999999"] {
            fs::write(state.path().join(NAME), damaged).unwrap();
            assert_eq!(take(1, 41), 42, "{damaged:?}");
        }
        fs::remove_file(state.path().join(NAME)).unwrap();
        assert_eq!(take(1, 50), 51);
    }
}
