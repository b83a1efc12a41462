//! Installation records: what is installed where, and what is owed. One file for each certificate object on
//! each device, written whole or not at all, never with a secret in it.
//!
//! `STATE/installations/DEVICE/OBJECT.json`; the folders are for their owner only.

use std::fs::{self, DirBuilder};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::names::{CommonName, ObjectName, ProfileName};
use crate::error::Exit;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::panos::address::Address;

/// The format this program writes. A record of a later one is refused, not guessed at.
pub const VERSION: u32 = 1;
/// A record is a few hundred bytes; what is far larger is none.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// What is known of one certificate object on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format, see [`VERSION`].
    pub version: u32,
    /// The certificate's common name.
    pub common_name: CommonName,
    /// The object's name as it was asked for.
    pub name: ObjectName,
    /// The device, as typed.
    pub device: String,
    /// The profiles that are to present it.
    pub profiles: Vec<ProfileName>,
    /// The certificate that is to be installed; unknown until its file was read.
    pub certificate: Option<CertificateFacts>,
    /// The run that wrote this.
    pub run: String,
    /// When that run began.
    pub begun: DateTime<Utc>,
    /// The commit job, once there is one.
    pub job: Option<String>,
    /// The objects that were made on the device for this name, the latest last: what may be deleted again.
    #[serde(default)]
    pub made: Vec<Made>,
    /// The places on the device where something may be left that was changed and not committed.
    #[serde(default)]
    pub touches: Vec<String>,
    /// How it stands.
    pub state: State,
}

/// An object that was made on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Its name.
    pub object: ObjectName,
    /// The certificate in it.
    pub fingerprint: Fingerprint,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// A certificate, as far as a record needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// Its end.
    pub not_after: DateTime<Utc>,
}

/// How an installation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Begun, and not known to be over.
    Owed,
    /// The device was seen to run this very certificate.
    Installed {
        /// When that was seen.
        at: DateTime<Utc>,
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before this run.
        unchanged: bool,
    },
    /// Uploaded and bound; a person has to commit.
    LeftToCommit {
        /// When.
        at: DateTime<Utc>,
    },
    /// The run failed.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// The exit code.
        exit: Exit,
        /// What happened.
        what: String,
        /// What to do next.
        advice: Option<String>,
    },
}

/// A record can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} the installation record {}: {cause}", .path.display())]
pub struct RecordError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

/// The folder of all records.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// The records below a state folder; nothing is made yet.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("installations") }
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
    pub fn write(&self, device: &Address, record: &Record) -> Result<(), RecordError> {
        let path = self.path(device, &record.name);
        let bad = |cause: io::Error| RecordError { action: "write", path: path.clone(), cause };
        let folder = path.parent().unwrap_or(&self.folder);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(bad)?;
        let mut text = serde_json::to_vec_pretty(record).map_err(|error| bad(error.into()))?;
        text.push(b'\n');
        files::replace(&path, &text).map_err(bad)
    }

    /// As [`Records::write`], beside the event loop: a disk takes longer than a request, and neither this
    /// device's work nor that of others waits for it. The caller waits before it writes the same record again.
    ///
    /// # Errors
    /// As [`Records::write`].
    pub async fn write_aside(&self, device: &Address, record: &Record) -> Result<(), RecordError> {
        let (records, to, text) = (self.clone(), device.clone(), record.clone());
        let writing = tokio::task::spawn_blocking(move || records.write(&to, &text));
        writing.await.unwrap_or_else(|error| {
            let path = self.path(device, &record.name);
            Err(RecordError { action: "write", path, cause: io::Error::other(error) })
        })
    }

    /// Reads a record, if there is one.
    ///
    /// # Errors
    /// A file that can't be read, is no record, or was written by a later version.
    pub fn read(&self, device: &Address, name: &ObjectName) -> Result<Option<Record>, RecordError> {
        let path = self.path(device, name);
        let bad = |cause: io::Error| RecordError { action: "read", path: path.clone(), cause };
        let file = match fs::File::open(&path) {
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
}

impl Records {
    /// Moves a record away that can't be read, so that it is neither lost nor in the way.
    ///
    /// # Errors
    /// A file that can't be renamed.
    pub fn set_aside(&self, device: &Address, name: &ObjectName) -> Result<(), RecordError> {
        let path = self.path(device, name);
        let aside = path.with_extension(format!("json.unreadable-{}", Utc::now().format("%Y%m%dT%H%M%SZ")));
        fs::rename(&path, aside).map_err(|cause| RecordError { action: "set aside", path, cause })
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Record {
    /// Notes an object that was made; one that was made before is the latest now.
    pub fn note_made(&mut self, made: Made) {
        self.made.retain(|other| other.object != made.object);
        self.made.push(made);
    }

    /// Whether the device was seen to run the certificate with this fingerprint.
    #[must_use]
    pub fn proves(&self, fingerprint: Fingerprint) -> bool {
        matches!(self.state, State::Installed { .. })
            && self.certificate.as_ref().is_some_and(|certificate| certificate.fingerprint == fingerprint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record() -> Record {
        Record {
            version: VERSION,
            common_name: "gp.example.com".parse().unwrap(),
            name: "gp".parse().unwrap(),
            device: "fw1".to_owned(),
            profiles: vec!["GP portal".parse().unwrap()],
            certificate: None,
            run: "3f9c2a".to_owned(),
            begun: Utc::now(),
            job: None,
            made: Vec::new(),
            touches: Vec::new(),
            state: State::Owed,
        }
    }

    #[test]
    fn what_is_written_is_read_and_only_for_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (records, device) = (Records::below(folder.path()), "[::1]:8443".parse().unwrap());
        assert!(records.read(&device, &record().name).unwrap().is_none());
        let mut written = record();
        records.write(&device, &written).unwrap();
        written.state =
            State::Failed { at: written.begun, exit: Exit::Commit, what: "x".into(), advice: None };
        records.write(&device, &written).unwrap();
        assert_eq!(records.read(&device, &written.name).unwrap(), Some(written.clone()));
        let path = records.path(&device, &written.name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_record_of_a_later_version_or_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (records, device) = (Records::below(folder.path()), "fw1".parse().unwrap());
        let mut later = record();
        later.version = VERSION + 1;
        records.write(&device, &later).unwrap();
        assert!(records.read(&device, &later.name).unwrap_err().to_string().contains("format 2"));
        fs::write(records.path(&device, &later.name), "{").unwrap();
        assert!(records.read(&device, &later.name).is_err());
    }
}
