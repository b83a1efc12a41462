//! Where records lie: `STATE/installations/DEVICE/LOCATION/NAME.json`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use panos_xmlapi::{Address, NextIdentity};

use super::clock::Clock;
use super::error::StoreError;
use super::files::{self, Entry, entries, make_folder};
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

/// What could not be used on a way through the records.
#[derive(Debug, Default)]
pub struct Unread {
    /// Files that are no records, or not in their place, or those of a later version.
    pub errors: Vec<StoreError>,
    /// Files that had been set aside before.
    pub aside: Vec<PathBuf>,
}

impl Unread {
    fn note(&mut self, directory: &Path, entry: &Entry) {
        if entry.is_aside() {
            self.aside.push(directory.join(&entry.name));
        }
    }
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
            // What this record does not know, 0.1.0 has written since it was read.
            Ok(Some(before)) if before.key() == key && record.request(&before.spec.id).is_some() => {
                files::remove(&old)
            }
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
        let record = match self.read_file(&self.path(key))? {
            Some(record) if record.key() != *key => return Err(misplaced(&self.path(key), &record)),
            record => record,
        };
        let old = self.read_file(&self.old_path(key))?.filter(|record| record.key() == *key);
        Ok(match (record, old) {
            (Some(record), Some(old)) => Some(format1::both(record, old, self.now())),
            (record, old) => record.or(old),
        })
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
        if let Some(record) = stored.current(|record: &Installation| record.version) {
            return Ok(Some(record));
        }
        if stored.version(path)? > 1 {
            return stored.parse(path).map(Some);
        }
        let record: format1::Record = stored.parse(path)?;
        record.convert().map(Some).map_err(|error| StoreError::left(path, error.to_string()))
    }

    /// All records of one device, in the order of their keys.
    ///
    /// # Errors
    /// A directory that can't be read.
    pub fn of_device(&self, device: &Address) -> Result<LoadedInstallations, StoreError> {
        let (mut records, mut unread) = (Vec::new(), Unread::default());
        let folder = self.folder.join(device.to_string());
        self.in_directory(&folder, &mut unread, &mut |record| records.push(record))?;
        records.sort_by_key(Installation::key);
        Ok(LoadedInstallations { records, errors: unread.errors })
    }

    /// Goes through all records, one device after the other. Each record is handed on as soon as it is read: with many
    /// thousands, what is kept of it is what counts.
    ///
    /// # Errors
    /// A directory that can't be read.
    pub fn each(&self, mut take: impl FnMut(Installation)) -> Result<Unread, StoreError> {
        let mut unread = Unread::default();
        for device in entries(&self.folder)?.into_iter().filter(|entry| entry.is_directory) {
            self.in_directory(&self.folder.join(device.name), &mut unread, &mut take)?;
        }
        Ok(unread)
    }

    /// What is in a directory that should be a device's. A record whose place says something else than itself is not
    /// used: nobody knows which of the two is true.
    fn in_directory(
        &self,
        folder: &Path,
        unread: &mut Unread,
        take: &mut dyn FnMut(Installation),
    ) -> Result<(), StoreError> {
        let (directories, others): (Vec<Entry>, Vec<Entry>) =
            entries(folder)?.into_iter().partition(|entry| entry.is_directory);
        // Those of 0.1.0: one that was written anew since is no record of its own.
        let mut old: Vec<Installation> = Vec::new();
        for entry in others {
            unread.note(folder, &entry);
            if entry.is_stored() {
                let path = folder.join(&entry.name);
                old.extend(self.read_in_place(&path, |key| self.old_path(key), unread));
            }
        }
        for directory in directories {
            let place = folder.join(directory.name);
            for entry in entries(&place)? {
                unread.note(&place, &entry);
                if !entry.is_stored() {
                    continue;
                }
                let path = place.join(&entry.name);
                let Some(record) = self.read_in_place(&path, |key| self.path(key), unread) else { continue };
                match old.iter().position(|old| old.key() == record.key()) {
                    Some(at) => take(format1::both(record, old.swap_remove(at), self.now())),
                    None => take(record),
                }
            }
        }
        old.into_iter().for_each(take);
        Ok(())
    }

    fn read_in_place(
        &self,
        path: &Path,
        place: impl Fn(&InstallationKey) -> PathBuf,
        unread: &mut Unread,
    ) -> Option<Installation> {
        match self.read_file(path) {
            Ok(Some(record)) if place(&record.key()) == path => return Some(record),
            Ok(Some(record)) => unread.errors.push(misplaced(path, &record)),
            Ok(None) => {}
            Err(error) => unread.errors.push(error),
        }
        None
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
        let of_one = |record: &Installation| {
            let requests = record.requests.iter().map(|request| request.sequence);
            let verified = record.verified.as_ref().map(|verified| verified.sequence);
            requests.chain(verified).chain([record.spec.sequence]).max().unwrap_or(0)
        };
        let mut highest = 0;
        // What can't be read has no number that is known.
        let _ = self.each(|record| highest = highest.max(of_one(&record)));
        highest
    }
}

fn misplaced(path: &Path, record: &Installation) -> StoreError {
    let what = format!("its place says something else than its content, which is for '{}'", record.key());
    StoreError::left(path, what)
}
