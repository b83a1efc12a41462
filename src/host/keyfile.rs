//! The API key file: which key may go to which device.
//!
//! The format is pan-python's `.panrc`: lines `NAME=VALUE` or `NAME%TAG=VALUE`, with blanks around each part
//! ignored, empty lines and lines starting with `#` too. Of the names, `api_key`, `hostname` and
//! `api_username` are used; all others (`api_password`, `port`, `serial`, anything unknown) are ignored, as
//! pan-python does. A value may stand in one pair of quotes. What is stricter here than there:
//!
//! - Lines with the same tag, or all without one, are one entry. An entry with `hostname` lines is for
//!   those devices and no others; several such lines are several devices, where pan-python takes the last.
//! - An untagged entry without `hostname` is for every device that no other entry names.
//! - A tagged entry without `hostname` is for none: nothing says where its key may go.
//! - Two different keys in one entry, or for one device, are an error, as is a key that no HTTP header
//!   can carry, or one of more than 4096 bytes.
//! - Ports and case of host names don't matter; IP addresses are compared as addresses.

mod error;
mod parse;
mod write;

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

pub use error::KeyFileError;
use parse::Entry;
pub use write::NewKey;

use crate::files::{self, ReadError, UnsafeFile};

/// Where the key file is when nobody says otherwise.
pub const DEFAULT: &str = "/etc/ipa/.panrc";

/// The most that is read of a key file: room for thousands of devices.
const LIMIT: usize = 1 << 20;
/// The longest key, in bytes. What PAN-OS makes has some hundred, and no more than this fits into an HTTP header
/// everywhere.
pub const LONGEST_KEY: usize = 4096;

/// The path that the option stands for.
///
/// A word without `/` is an ending: `/etc/ipa/.panrc.WORD`, whatever lies in the current directory, which is
/// another one when certmonger calls. A path that is a directory, or ends in `/`, means `.panrc` in it.
/// Nothing, or an empty word, means [`DEFAULT`].
pub fn resolve(option: Option<&str>) -> PathBuf {
    match option {
        None | Some("") => PathBuf::from(DEFAULT),
        Some(folder @ ("." | "..")) => Path::new(folder).join(".panrc"),
        Some(word) if !word.contains('/') => PathBuf::from(format!("{DEFAULT}.{word}")),
        Some(path) if path.ends_with('/') || Path::new(path).is_dir() => Path::new(path).join(".panrc"),
        Some(path) => PathBuf::from(path),
    }
}

/// The command that makes a key for a device, and puts it into this file.
pub fn keygen(device: &str, path: Option<&Path>) -> String {
    let file = match path.and_then(Path::to_str) {
        Some(DEFAULT) | None => String::new(),
        Some(path) => format!(" -k {}", shlex::try_quote(path).unwrap_or_default()),
    };
    format!("pan_certctl keygen {device} -l ADMINISTRATOR{file}")
}

/// A key file that nobody else can read or change, and what is in it.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    owner: u32,
    entries: Vec<Entry>,
}

/// The files whose drafts were looked for. With hundreds of devices a directory would be listed for each of them.
static LOOKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A run that was killed while it wrote keys may have left a draft with them: looked for once in a process.
fn remove_drafts(path: &Path) {
    let is_first = LOOKED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    if is_first && let Ok(real) = path.canonicalize() {
        files::remove_stale_of(&real);
    }
}

impl KeyFile {
    /// Reads a key file, having made sure that its keys are still secret and really its owner's.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::load_as(path, rustix::process::geteuid().as_raw())
    }

    fn load_as(path: &Path, caller: u32) -> Result<Self, KeyFileError> {
        remove_drafts(path);
        let (contents, owner) = contents(path, caller)?;
        let entries = parse::entries(path, &contents)?;
        Ok(Self { path: path.to_path_buf(), owner, entries })
    }

    /// Reads a file that is open already as it would be read under this path.
    fn of_opened(path: &Path, file: File) -> Result<Self, KeyFileError> {
        let metadata =
            file.metadata().map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
        let caller = rustix::process::geteuid().as_raw();
        let (contents, owner) = contents_of(path, caller, file, &metadata)?;
        let entries = parse::entries(path, &contents)?;
        Ok(Self { path: path.to_path_buf(), owner, entries })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The user id of the file's owner. Root and the owner can load it, nobody else: root only if it is root's.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// The key that may go to this device.
    pub fn key_for(&self, host: &str) -> Result<&SecretString, KeyFileError> {
        self.entry_for(host)?.key.as_ref().ok_or_else(|| KeyFileError::NoKey { path: self.path.clone() })
    }

    /// The key that may go to this device, of which nothing is known but that another one has named it: an entry's that
    /// names it, or the one for every device where the other gets that very key.
    pub fn key_for_named_by(&self, host: &str, by: &str) -> Result<&SecretString, KeyFileError> {
        let (entry, its) = (self.entry_for(host)?, self.entry_for(by));
        if entry.is_for_any_host() && !its.is_ok_and(|its| its.same_key(entry)) {
            let (path, host, by) = (self.path.clone(), parse::host(host), by.to_owned());
            return Err(KeyFileError::NamedByDevice { path, host, by });
        }
        self.key_for(host)
    }

    /// The administrator whose key it is, if the entry says so.
    pub fn username_for(&self, host: &str) -> Option<&str> {
        self.entry_for(host).ok()?.username.as_deref()
    }

    fn entry_for(&self, host: &str) -> Result<&Entry, KeyFileError> {
        let wanted = parse::host(host);
        let mut naming =
            self.entries.iter().filter(|entry| entry.key.is_some() && entry.hosts.contains(&wanted));
        let refused =
            |named| KeyFileError::NotForHost { path: self.path.clone(), host: wanted.clone(), named };
        match naming.next() {
            Some(entry) if naming.all(|other| other.same_key(entry)) => Ok(entry),
            Some(_) => Err(KeyFileError::Ambiguous { path: self.path.clone(), host: wanted.clone() }),
            None => {
                let unbound =
                    self.entries.iter().find(|entry| entry.key.is_some() && entry.is_for_any_host());
                unbound.ok_or_else(|| refused(self.named_hosts()))
            }
        }
    }

    /// The hosts that the file names, as far as there is a key for them.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let keyed = self.entries.iter().filter(|entry| entry.key.is_some());
        keyed.flat_map(|entry| &entry.hosts).map(String::as_str)
    }

    fn named_hosts(&self) -> Option<String> {
        let hosts: Vec<&str> = self.hosts().collect();
        (!hosts.is_empty()).then(|| hosts.join(", "))
    }
}

/// What is in a key file that nobody else can read or change, and whose it is.
fn contents(path: &Path, caller: u32) -> Result<(Zeroizing<Vec<u8>>, u32), KeyFileError> {
    let (file, metadata) = files::open(path).map_err(|trouble| of_trouble(path, trouble))?;
    contents_of(path, caller, file, &metadata)
}

fn of_trouble(path: &Path, trouble: ReadError) -> KeyFileError {
    let path = path.to_owned();
    match trouble {
        ReadError::Missing => KeyFileError::Missing { path },
        ReadError::Denied => KeyFileError::Unreadable { path },
        ReadError::NotAFile(found) => KeyFileError::NotAFile { path, found },
        ReadError::TooLarge => KeyFileError::TooLarge { path, limit: LIMIT },
        other => KeyFileError::Io { path, source: other.into() },
    }
}

fn contents_of(
    path: &Path,
    caller: u32,
    file: File,
    metadata: &Metadata,
) -> Result<(Zeroizing<Vec<u8>>, u32), KeyFileError> {
    let named = || path.to_path_buf();
    files::check_owner_and_mode(metadata, caller, files::ANYTHING).map_err(|foreign| match foreign {
        UnsafeFile::Owner { owner, caller } => KeyFileError::Owner { path: named(), owner, caller },
        UnsafeFile::Open { mode } => KeyFileError::Open { path: named(), mode },
    })?;
    let contents = files::read(file, metadata, LIMIT).map_err(|trouble| of_trouble(path, trouble))?;
    Ok((contents, metadata.uid()))
}

#[cfg(test)]
#[path = "keyfile/tests.rs"]
mod tests;
