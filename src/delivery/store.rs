//! Where records lie: `STATE/installations/DEVICE/NAME.json`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clock::Clock;
use super::installation::{Record, VERSION};
use crate::files;
use crate::install::names::ObjectName;
use crate::panos::Address;

/// A record is some kilobytes; what is far larger is none.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// A record or an order can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} the installation record {}: {cause}{}", .path.display(), aside(.set_aside))]
pub struct RecordError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
    /// Where it was moved to.
    set_aside: Option<Result<PathBuf, io::Error>>,
}

fn aside(moved: &Option<Result<PathBuf, io::Error>>) -> String {
    match moved {
        None => String::new(),
        Some(Ok(path)) => format!("; it is set aside as {}", path.display()),
        Some(Err(error)) => format!("; it can't be set aside: {error}"),
    }
}

impl RecordError {
    pub(super) fn new(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { action, path: path.to_owned(), cause, set_aside: None }
    }
}

/// The folder of all records.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
    clock: Clock,
}

/// Records that were found, and what could not be read.
#[derive(Debug, Default)]
pub struct Found {
    /// The records, in the order of their devices and names.
    pub records: Vec<Record>,
    /// Files that are no records, or those of a later version; they have been set aside.
    pub troubles: Vec<RecordError>,
}

impl Records {
    /// The records below a state folder; nothing is made yet.
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

    /// The state folder.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// Where the record of this object on this device lies.
    #[must_use]
    pub fn path(&self, device: &Address, name: &ObjectName) -> PathBuf {
        self.folder.join(device.to_string()).join(format!("{name}.json"))
    }

    /// Writes a record so that a crash leaves either the old one or this one.
    ///
    /// # Errors
    /// Folders or files that can't be written.
    pub fn write(&self, record: &Record) -> Result<(), RecordError> {
        let path = self.path(&record.order.device, &record.order.name);
        make_folder(path.parent().unwrap_or(&self.folder))?;
        write_json(&path, record)
    }

    /// As [`Records::write`], beside the event loop. The caller waits before it writes the same records again.
    ///
    /// # Errors
    /// As [`Records::write`].
    pub async fn write_aside(&self, texts: Vec<Record>) -> Result<(), RecordError> {
        let records = self.clone();
        let writing =
            tokio::task::spawn_blocking(move || texts.iter().try_for_each(|record| records.write(record)));
        writing
            .await
            .unwrap_or_else(|error| Err(RecordError::new("write", &self.folder, io::Error::other(error))))
    }

    /// Reads a record, if there is one.
    ///
    /// # Errors
    /// A file that can't be read, is no record, or was written by a later version.
    pub fn read(&self, device: &Address, name: &ObjectName) -> Result<Option<Record>, RecordError> {
        read_json(&self.path(device, name))
    }

    /// As [`Records::read`]; what is no record is set aside.
    ///
    /// # Errors
    /// A file that can't be opened.
    pub fn read_or_set_aside(
        &self,
        device: &Address,
        name: &ObjectName,
    ) -> Result<Result<Option<Record>, RecordError>, RecordError> {
        let path = self.path(device, name);
        match read_json(&path) {
            Ok(record) => Ok(Ok(record)),
            Err(error) if error.cause.raw_os_error().is_some() => Err(error),
            Err(error) => Ok(Err(unreadable(&path, error))),
        }
    }

    /// All records of one device. What can't be read is set aside.
    ///
    /// # Errors
    /// A folder that can't be read.
    pub fn of_device(&self, device: &Address) -> Result<Found, RecordError> {
        let mut found = Found::default();
        let folder = self.folder.join(device.to_string());
        files::remove_stale_in(&folder);
        for path in entries(&folder)? {
            if path.extension().is_none_or(|ending| ending != "json") || is_hidden(&path) {
                continue;
            }
            match read_json(&path) {
                Ok(record) => found.records.extend(record),
                Err(error) => found.troubles.push(unreadable(&path, error)),
            }
        }
        Ok(found)
    }

    /// All records. What can't be read is set aside.
    ///
    /// # Errors
    /// A folder that can't be read.
    pub fn all(&self) -> Result<Found, RecordError> {
        let mut all = Found::default();
        for folder in entries(&self.folder)? {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            // Folders are named after devices; whatever else lies here is not ours.
            let Some(device) = name.and_then(|name| name.parse().ok()) else { continue };
            let found = self.of_device(&device)?;
            all.records.extend(found.records);
            all.troubles.extend(found.troubles);
        }
        Ok(all)
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let bad = |cause: io::Error| RecordError::new("read", folder, cause);
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(bad(error)),
    };
    let mut paths = listing.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    paths.sort();
    Ok(paths)
}

/// Makes a directory for its owner only, and what is missing above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), RecordError> {
    files::make_directory(folder).map_err(|cause| RecordError::new("write", folder, cause))
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let bad = |cause: io::Error| RecordError::new("write", path, cause);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| bad(error.into()))?;
    text.push(b'\n');
    if u64::try_from(text.len()).is_ok_and(|length| length >= SIZE_LIMIT) {
        // It would not be read again: better said now than found set aside.
        return Err(bad(io::Error::other(format!("it would have more than {} KiB", SIZE_LIMIT / 1024))));
    }
    files::replace(path, &text).map_err(bad)
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let bad = |cause: io::Error| RecordError::new("read", path, cause);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error)),
    };
    let mut text = String::new();
    file.take(SIZE_LIMIT).read_to_string(&mut text).map_err(bad)?;
    let Version { version } = serde_json::from_str(&text).map_err(|error| bad(error.into()))?;
    if version > VERSION {
        let later = format!("it has format {version}, this program knows formats up to {VERSION}");
        return Err(bad(io::Error::other(later)));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| bad(error.into()))
}

/// Moves a file away that can't be read, so that it is neither lost nor in the way. What could not even be opened
/// stays: that is no fault of the file.
pub(super) fn unreadable(path: &Path, mut error: RecordError) -> RecordError {
    if error.cause.raw_os_error().is_none() {
        let name = format!("json.unreadable-{}", Utc::now().format("%Y%m%dT%H%M%SZ"));
        let aside = path.with_extension(name);
        error.set_aside = Some(fs::rename(path, &aside).map(|()| aside));
    }
    error
}

#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}
