//! Files of the state directory: whole or not at all, for their owner only, and of a version that is known.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::error::{Kept, StoreError};
use super::spec::VERSION;
use crate::files;

/// A record is some kilobytes; what is far larger is none of ours.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// So many write at the same time: a disk makes the files of many durable in the time of one, but each further thread
/// costs memory.
static WRITERS: Semaphore = Semaphore::const_new(32);

/// Does what has to wait for the disk in a thread beside the work.
///
/// # Errors
/// The thread has died.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let turn = WRITERS.acquire().await.map_err(io::Error::other)?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(io::Error::other)
}

/// The text of a stored file, and the version that it says it has.
pub(super) struct Stored {
    pub(super) version: u32,
    text: String,
}

impl Stored {
    /// What is in it.
    pub(super) fn parse<T: DeserializeOwned>(&self, path: &Path) -> Result<T, StoreError> {
        serde_json::from_str(&self.text).map_err(|error| set_aside(path, error.into()))
    }
}

/// Reads a file, if it is there. One of a later version, or one that is too large, is left as it is; one that is
/// nothing known is set aside, so that it is neither lost nor in the way.
pub(super) fn read(path: &Path) -> Result<Option<Stored>, StoreError> {
    let bad = |cause: io::Error| StoreError::new("read", path, cause);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error)),
    };
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(bad)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SIZE_LIMIT) {
        return Err(StoreError::left(path, format!("it has more than {SIZE_LIMIT} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| set_aside(path, io::Error::other(error)))?;
    let Version { version } = serde_json::from_str(&text).map_err(|error| set_aside(path, error.into()))?;
    if version > VERSION {
        let later = format!("it has format {version}, this program knows formats up to {VERSION}");
        return Err(StoreError::left(path, later));
    }
    Ok(Some(Stored { version, text }))
}

/// Writes a file so that a crash leaves either the old one or this one.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let bad = |cause: io::Error| StoreError::new("write", path, cause);
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| bad(error.into()))?;
    text.push(b'\n');
    if u64::try_from(text.len()).is_ok_and(|length| length > SIZE_LIMIT) {
        // It would not be read again: better said now.
        return Err(bad(io::Error::other(format!("it would have more than {} KiB", SIZE_LIMIT / 1024))));
    }
    files::replace(path, &text).map_err(bad)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Moves a file away that is nothing known.
fn set_aside(path: &Path, cause: io::Error) -> StoreError {
    let name = format!("json.unreadable-{}", Utc::now().format("%Y%m%dT%H%M%SZ"));
    let aside = path.with_extension(name);
    let moved = fs::rename(path, &aside).map(|()| aside);
    StoreError { kept: Kept::SetAside(moved), ..StoreError::new("read", path, cause) }
}

/// What is in a directory, in the order of the names; nothing where there is no such directory.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let bad = |cause: io::Error| StoreError::new("read", directory, cause);
    files::remove_stale_in(directory);
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(bad(error)),
    };
    let mut paths = listing.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    paths.sort();
    Ok(paths)
}

/// Whether a path is that of a stored file, finished and not set aside.
pub(super) fn is_stored(path: &Path) -> bool {
    has_stored_name(path) && !path.is_dir()
}

/// Whether a name is that of a stored file.
pub(super) fn has_stored_name(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|ending| ending == "json")
}

/// Makes a directory for its owner only, and what is missing above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    files::make_directory(folder).map_err(|cause| StoreError::new("write", folder, cause))
}

#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}
