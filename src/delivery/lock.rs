//! One delivery at a time for each device.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::store::make_folder;
use crate::panos::Address;

/// A device can't be reserved.
#[derive(Debug, thiserror::Error)]
#[error("can't lock {}: {cause}", .path.display())]
pub struct LockError {
    path: PathBuf,
    cause: io::Error,
}

/// The right to work on a device, held until it is dropped; a process that dies gives it back. The files stay:
/// a lock on one that is replaced or deleted would keep nobody out.
#[derive(Debug)]
pub struct DeviceLock {
    _held: Vec<File>,
}

impl DeviceLock {
    /// Reserves these devices, in an order that is the same for everybody, so that no two wait for each other.
    /// Waits for as long as another process works on one of them.
    ///
    /// # Errors
    /// A state folder that can't be written.
    pub async fn acquire(state_dir: &Path, devices: &[Address]) -> Result<Self, LockError> {
        let files = open_all(state_dir, devices)?;
        let waiting = tokio::task::spawn_blocking(move || {
            for (path, file) in &files {
                file.lock().map_err(|cause| LockError { path: path.clone(), cause })?;
            }
            Ok(Self { _held: files.into_iter().map(|(_, file)| file).collect() })
        });
        waiting.await.unwrap_or_else(|error| {
            Err(LockError { path: state_dir.to_owned(), cause: io::Error::other(error) })
        })
    }

    /// Reserves these devices if nobody works on one of them.
    ///
    /// # Errors
    /// A state folder that can't be written.
    pub fn try_acquire(state_dir: &Path, devices: &[Address]) -> Result<Option<Self>, LockError> {
        let files = open_all(state_dir, devices)?;
        for (path, file) in &files {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) => return Err(LockError { path: path.clone(), cause }),
            }
        }
        Ok(Some(Self { _held: files.into_iter().map(|(_, file)| file).collect() }))
    }
}

fn open_all(state_dir: &Path, devices: &[Address]) -> Result<Vec<(PathBuf, File)>, LockError> {
    let folder = state_dir.join("locks");
    let bad = |path: &Path| {
        let path = path.to_owned();
        move |cause: io::Error| LockError { path, cause }
    };
    make_folder(&folder)
        .map_err(|error| LockError { path: folder.clone(), cause: io::Error::other(error) })?;
    let mut names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let open = |name: &String| {
        let path = folder.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        file.map_err(bad(&path)).map(|file| (path, file))
    };
    names.iter().map(open).collect()
}
