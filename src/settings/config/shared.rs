//! The file as it was read last, for as long as it stays the same: a fleet asks for it once for each device.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Config, ConfigError, DEFAULT};

/// A file, and what tells that it is the same still. Whoever changes its content, owner or mode changes a time in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    place: (u64, u64),
    size: u64,
    times: [i64; 4],
}

static LATEST: Mutex<Option<(Stamp, Arc<Config>)>> = Mutex::new(None);

impl Config {
    /// As [`Config::load`]. A file that has not changed since it was read last in this process is not read again.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn shared(named: Option<&Path>) -> Result<Arc<Self>, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        // Looked at before it is read: what changes in between is read once more.
        let stamp = path.metadata().ok().map(|found| Stamp::of(path, &found));
        let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        match latest.as_ref() {
            Some((known, config)) if stamp.as_ref() == Some(known) => Ok(Arc::clone(config)),
            _ => {
                let config = Arc::new(Self::load(named)?);
                *latest = stamp.map(|stamp| (stamp, Arc::clone(&config)));
                Ok(config)
            }
        }
    }
}

impl Stamp {
    fn of(path: &Path, found: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            place: (found.dev(), found.ino()),
            size: found.size(),
            times: [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()],
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_stays_is_read_once_and_one_that_changes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let load = || Config::shared(Some(&path));
        std::fs::write(&path, "tell_after = 1\n").unwrap();
        let first = load().unwrap();
        assert!(Arc::ptr_eq(&first, &load().unwrap()));
        let new = folder.path().join("new");
        std::fs::write(&new, "tell_after = 2\n").unwrap();
        std::fs::rename(new, &path).unwrap();
        assert_eq!(load().unwrap().notify().tell_after, 2);
        std::fs::write(&path, "tell_after = 0\n").unwrap();
        assert!(load().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(load().is_err());
    }
}
