//! Where records lie: `STATE/installations/DEVICE/LOCATION/NAME.json`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use panos_xmlapi::{Address, NextIdentity};

use super::clock::Clock;
use super::error::StoreError;
use super::files::{self, entries, is_stored, make_folder};
use super::format1;
use super::installation::Installation;
use super::key::InstallationKey;

/// The directory of all records.
#[derive(Debug, Clone)]
pub struct InstallationStore {
    folder: PathBuf,
    clock: Clock,
}

/// Records that were found, and what could not be read.
#[derive(Debug, Default)]
pub struct LoadedInstallations {
    /// The records, in the order of their keys.
    pub records: Vec<Installation>,
    /// Files that are no records, or not in their place, or those of a later version.
    pub errors: Vec<StoreError>,
}

impl InstallationStore {
    /// The records below a state directory; nothing is made yet.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("installations"), clock: Clock::default() }
    }

    /// The same with another clock.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// What time it is for these records.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The state directory.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// Where the record of an installation lies.
    #[must_use]
    pub fn path(&self, key: &InstallationKey) -> PathBuf {
        self.folder.join(key.path())
    }

    /// Where version 0.1.0 had it.
    fn old_path(&self, key: &InstallationKey) -> PathBuf {
        self.folder.join(key.device.to_string()).join(format!("{}.json", key.name))
    }

    /// Writes a record so that a crash leaves either the old one or this one.
    ///
    /// # Errors
    /// Directories or files that can't be written.
    pub fn write(&self, record: &Installation) -> Result<(), StoreError> {
        let key = record.key();
        let path = self.path(&key);
        make_folder(path.parent().unwrap_or(&self.folder))?;
        files::write(&path, record)?;
        let old = self.old_path(&key);
        match self.read_file(&old) {
            Ok(Some(before)) if before.key() == key => files::remove(&old),
            _ => Ok(()),
        }
    }

    /// As [`InstallationStore::write`], in the background. The caller waits before it writes the same records again.
    ///
    /// # Errors
    /// As [`InstallationStore::write`].
    pub async fn write_in_background(&self, records: Vec<Installation>) -> Result<(), StoreError> {
        let store = self.clone();
        let written = files::in_background(move || records.iter().try_for_each(|record| store.write(record)));
        written.await.unwrap_or_else(|error| Err(StoreError::new("write", &self.folder, error)))
    }

    /// Reads a record, if there is one.
    ///
    /// # Errors
    /// A file that can't be read, is no record, or was written by a later version.
    pub fn read(&self, key: &InstallationKey) -> Result<Option<Installation>, StoreError> {
        match self.read_file(&self.path(key))? {
            Some(record) if record.key() == *key => Ok(Some(record)),
            Some(record) => Err(misplaced(&self.path(key), &record)),
            None => Ok(self.read_file(&self.old_path(key))?.filter(|record| record.key() == *key)),
        }
    }

    /// Removes a record.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn remove(&self, key: &InstallationKey) -> Result<(), StoreError> {
        let old = self.old_path(key);
        if matches!(self.read_file(&old), Ok(Some(record)) if record.key() == *key) {
            files::remove(&old)?;
        }
        files::remove(&self.path(key))
    }

    fn read_file(&self, path: &Path) -> Result<Option<Installation>, StoreError> {
        let Some(stored) = files::read(path)? else { return Ok(None) };
        if stored.version > 1 {
            return stored.parse(path).map(Some);
        }
        let record: format1::Record = stored.parse(path)?;
        record.convert().map(Some).map_err(|error| StoreError::left(path, error.to_string()))
    }

    /// All records of one device.
    ///
    /// # Errors
    /// A directory that can't be read.
    pub fn of_device(&self, device: &Address) -> Result<LoadedInstallations, StoreError> {
        self.in_directory(&self.folder.join(device.to_string()))
    }

    /// All records.
    ///
    /// # Errors
    /// A directory that can't be read.
    pub fn all(&self) -> Result<LoadedInstallations, StoreError> {
        let mut all = LoadedInstallations::default();
        for folder in entries(&self.folder)?.into_iter().filter(|path| path.is_dir()) {
            let found = self.in_directory(&folder)?;
            all.records.extend(found.records);
            all.errors.extend(found.errors);
        }
        Ok(all)
    }

    /// What is in a directory that should be a device's. A record whose place says something else than itself is not
    /// used: nobody knows which of the two is true.
    fn in_directory(&self, folder: &Path) -> Result<LoadedInstallations, StoreError> {
        let (mut found, mut old) = (LoadedInstallations::default(), Vec::new());
        for entry in entries(folder)? {
            if entry.is_dir() {
                for path in entries(&entry)?.into_iter().filter(|path| is_stored(path)) {
                    match self.read_file(&path) {
                        Ok(Some(record)) if self.path(&record.key()) == path => found.records.push(record),
                        Ok(Some(record)) => found.errors.push(misplaced(&path, &record)),
                        Ok(None) => {}
                        Err(error) => found.errors.push(error),
                    }
                }
            } else if is_stored(&entry) {
                match self.read_file(&entry) {
                    Ok(Some(record)) if self.old_path(&record.key()) == entry => old.push(record),
                    Ok(Some(record)) => found.errors.push(misplaced(&entry, &record)),
                    Ok(None) => {}
                    Err(error) => found.errors.push(error),
                }
            }
        }
        // Written anew, by a process that died before it could remove the old one.
        old.retain(|old| found.records.iter().all(|record| record.key() != old.key()));
        found.records.extend(old);
        found.records.sort_by_key(Installation::key);
        Ok(found)
    }

    /// By which certificates these devices are recognised, as runs that did not come to their end have noted.
    #[must_use]
    pub fn next_identities(&self, devices: &[&Address]) -> Vec<NextIdentity> {
        let found = devices.iter().filter_map(|device| self.of_device(device).ok());
        found.flat_map(|found| found.records).flat_map(|record| record.next_identities).collect()
    }

    /// The highest number in the records.
    #[must_use]
    pub fn highest_number(&self) -> u64 {
        let all = self.all().unwrap_or_default().records;
        let of_one = |record: &Installation| {
            let requests = record.requests.iter().map(|request| request.sequence);
            let verified = record.verified.as_ref().map(|verified| verified.sequence);
            requests.chain(verified).chain([record.spec.sequence]).max().unwrap_or(0)
        };
        all.iter().map(of_one).max().unwrap_or(0)
    }
}

fn misplaced(path: &Path, record: &Installation) -> StoreError {
    let what = format!("its place says something else than its content, which is for '{}'", record.key());
    StoreError::left(path, what)
}
