//! Orders: what somebody wants, on the disk before anything is done about it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::installation::{CertificateFacts, VERSION};
use super::store::{RecordError, make_folder, read_json, unreadable, write_json};
use crate::files;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::panos::Address;
use crate::settings::certificate::Files;

/// A certificate that somebody wants on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its own name, by which whoever gave it finds it again.
    pub id: String,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// Who gave it.
    pub by: Asker,
    /// The certificate's common name.
    pub common_name: CommonName,
    /// The object's name as it was asked for.
    pub name: ObjectName,
    /// The device, as typed.
    pub device: Address,
    /// The other member of its HA pair, where somebody said which that is.
    pub peer: Option<Address>,
    /// The profiles that are to present it.
    pub profiles: Vec<ProfileName>,
    /// The certificate; unknown where its file could not be read.
    pub certificate: Option<CertificateFacts>,
    /// Where it is to be seen besides.
    #[serde(default)]
    pub served: Vec<Address>,
    /// The files it comes from; unknown where they were not found.
    pub files: Option<Files>,
    /// What the installer was called with: the same words again have the same effect.
    pub words: Vec<String>,
}

/// Who gave an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The user id of the process.
    pub uid: u32,
    /// Who stands behind it, as sudo tells.
    pub sudo_user: Option<String>,
}

/// The folder of orders that nobody has taken over yet.
#[derive(Debug, Clone)]
pub struct Queue {
    folder: PathBuf,
}

/// An order with the file it is in.
#[derive(Debug)]
pub struct Queued {
    /// The order.
    pub order: Order,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Filed {
    version: u32,
    #[serde(flatten)]
    order: Order,
}

impl Queue {
    /// The queue below a state folder; nothing is made yet.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("queue") }
    }

    /// Where the orders lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes an order; when this returns, a power cut does not lose it.
    ///
    /// # Errors
    /// Folders or files that can't be written.
    pub fn put(&self, order: &Order) -> Result<(), RecordError> {
        make_folder(&self.folder)?;
        // In the order of their names they are in the order of their times.
        let time = order.at.format("%Y%m%dT%H%M%S%.6fZ");
        let path = self.folder.join(format!("{time}-{}.json", order.id));
        write_json(&path, &Filed { version: VERSION, order: order.clone() })
    }

    /// All orders, the oldest first, and what could not be read: that is set aside, so that it is neither lost
    /// nor in the way.
    ///
    /// # Errors
    /// A folder that can't be read.
    pub fn all(&self) -> Result<(Vec<Queued>, Vec<RecordError>), RecordError> {
        let bad = |cause: io::Error| RecordError::new("read", &self.folder, cause);
        files::remove_stale_in(&self.folder);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(error) => return Err(bad(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(bad)?.path();
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.extension().is_some_and(|ending| ending == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        let (mut orders, mut troubles) = (Vec::new(), Vec::new());
        for path in paths {
            match read_json::<Filed>(&path) {
                Ok(Some(filed)) => orders.push(Queued { order: filed.order, path }),
                // Somebody else has just taken it over.
                Ok(None) => {}
                Err(error) => troubles.push(unreadable(&path, error)),
            }
        }
        Ok((orders, troubles))
    }

    /// The orders for one device, as [`Queue::all`].
    ///
    /// # Errors
    /// As [`Queue::all`].
    pub fn for_device(&self, device: &Address) -> Result<(Vec<Queued>, Vec<RecordError>), RecordError> {
        let (mut orders, troubles) = self.all()?;
        orders.retain(|queued| queued.order.device == *device);
        Ok((orders, troubles))
    }
}

impl Queued {
    /// Takes it out of the queue: it stands in a record now.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn taken(self) -> Result<(), RecordError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RecordError::new("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }
}
