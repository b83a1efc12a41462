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
//!   can carry.
//! - Ports and case of host names don't matter; IP addresses are compared as addresses.

mod error;
mod parse;
mod write;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

pub use error::KeyFileError;
use parse::Entry;
pub use write::NewKey;

use crate::files::{self, Foreign, Trouble};

/// Where the key file is when nobody says otherwise.
pub const DEFAULT: &str = "/etc/ipa/.panrc";

/// The most that is read of a key file.
const LIMIT: usize = 64 << 10;

/// The path that the option stands for.
///
/// A word without `/` is an ending: `/etc/ipa/.panrc.WORD`, whatever lies in the current folder, which is
/// another one when certmonger calls. A path that is a folder, or ends in `/`, means `.panrc` in it.
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

/// A key file that nobody else can read or change, and what is in it.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    owner: u32,
    entries: Vec<Entry>,
}

impl KeyFile {
    /// Reads a key file, having made sure that its keys are still secret and really its owner's.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::load_as(path, rustix::process::geteuid().as_raw())
    }

    fn load_as(path: &Path, caller: u32) -> Result<Self, KeyFileError> {
        let (contents, owner) = contents(path, caller)?;
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

    fn named_hosts(&self) -> Option<String> {
        let keyed = self.entries.iter().filter(|entry| entry.key.is_some());
        let hosts: Vec<&str> = keyed.flat_map(|entry| &entry.hosts).map(String::as_str).collect();
        (!hosts.is_empty()).then(|| hosts.join(", "))
    }
}

/// What is in a key file that nobody else can read or change, and whose it is.
fn contents(path: &Path, caller: u32) -> Result<(Zeroizing<Vec<u8>>, u32), KeyFileError> {
    let named = || path.to_path_buf();
    let trouble = |trouble| match trouble {
        Trouble::Missing => KeyFileError::Missing { path: named() },
        Trouble::Denied => KeyFileError::Unreadable { path: named() },
        Trouble::NotAFile(found) => KeyFileError::NotAFile { path: named(), found },
        Trouble::TooLarge => KeyFileError::TooLarge { path: named(), limit: LIMIT },
        Trouble::Io(source) => KeyFileError::Io { path: named(), source },
    };
    let (file, metadata) = files::open(path).map_err(trouble)?;
    files::only_of(&metadata, caller, files::ANYTHING).map_err(|foreign| match foreign {
        Foreign::Owner { owner, caller } => KeyFileError::Owner { path: named(), owner, caller },
        Foreign::Open { mode } => KeyFileError::Open { path: named(), mode },
    })?;
    let contents = files::read(file, &metadata, LIMIT).map_err(trouble)?;
    Ok((contents, metadata.uid()))
}

#[cfg(test)]
#[path = "keyfile/tests.rs"]
mod tests;
