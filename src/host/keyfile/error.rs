//! Why there is no API key to use, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::{LONGEST_KEY, keygen};
use crate::files::instead_of_denied;

/// Why there is no API key to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No such file.
    #[error("API key file {} not found", path.display())]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The caller may not read it.
    #[error("no permission to read the API key file {}; {}", path.display(), instead_of_denied())]
    Unreadable {
        /// The key file.
        path: PathBuf,
    },
    /// A directory, FIFO or device.
    #[error("the API key file {} is {found}, not a regular file", path.display())]
    NotAFile {
        /// The key file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// Other users can read or change it.
    #[error("the API key file {} is accessible by other users (mode {mode:04o})", path.display())]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else, who could have put any key into it.
    #[error("the API key file {} belongs to user id {owner}, must be owned by root or by user id {caller}", path.display())]
    Owner {
        /// The key file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who wants to read it.
        caller: u32,
    },
    /// More bytes than any such file has.
    #[error("the API key file {} holds more than {} KiB, the most that is read", path.display(), limit / 1024)]
    TooLarge {
        /// The key file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// Nothing in it.
    #[error("the API key file {} is empty", path.display())]
    Empty {
        /// The key file.
        path: PathBuf,
    },
    /// No line with a key.
    #[error("the API key file {} has no line 'api_key=KEY'", path.display())]
    NoKey {
        /// The key file.
        path: PathBuf,
    },
    /// The line's key is empty or has characters that no key has.
    #[error("line {line} of the API key file {}: that is not an API key of at most {LONGEST_KEY} printable characters", path.display())]
    BadKey {
        /// The key file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
    /// What a device gave as its key is none that could be used.
    #[error("the API key that {host} made {problem}")]
    Unusable {
        /// The key file.
        path: PathBuf,
        /// The device.
        host: String,
        /// What is wrong with it.
        problem: String,
    },
    /// One entry, two keys.
    #[error("line {line} of the API key file {} has another key than an earlier line for the same entry", path.display())]
    TwoKeys {
        /// The key file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
    /// The keys in it are for other devices.
    #[error("the API key file {} has no key for {host}{}", path.display(), .named.as_ref().map(|named| format!(", only for {named}")).unwrap_or_default())]
    NotForHost {
        /// The key file.
        path: PathBuf,
        /// The device.
        host: String,
        /// The devices it names.
        named: Option<String>,
    },
    /// Nothing but another device's word says that the key is for this one.
    #[error("the API key file {} has no entry for {host}, which only {by} names, and its key for all devices is not the one of {by}", path.display())]
    NamedByDevice {
        /// The key file.
        path: PathBuf,
        /// The device.
        host: String,
        /// The one that has named it.
        by: String,
    },
    /// Two entries name the device, with different keys.
    #[error("the API key file {} has several keys for {host}", path.display())]
    Ambiguous {
        /// The key file.
        path: PathBuf,
        /// The device.
        host: String,
    },
    /// It can't be written.
    #[error("cannot write the API key file {}: {source}", path.display())]
    Unwritable {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system failed.
    #[error("cannot read the API key file {}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl KeyFileError {
    /// The key file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::Unreadable { path }
            | Self::NotAFile { path, .. }
            | Self::Open { path, .. }
            | Self::Owner { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Empty { path }
            | Self::NoKey { path }
            | Self::BadKey { path, .. }
            | Self::Unusable { path, .. }
            | Self::TwoKeys { path, .. }
            | Self::NotForHost { path, .. }
            | Self::NamedByDevice { path, .. }
            | Self::Ambiguous { path, .. }
            | Self::Unwritable { path, .. }
            | Self::Io { path, .. } => path,
        }
    }

    /// What to do about it, where that can be said.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Missing { path }
            | Self::Empty { path }
            | Self::NoKey { path }
            | Self::BadKey { path, .. } => Some(format!(
                "make a key for the device: {}; or write one into {} as a line: api_key=KEY",
                keygen("FQDN", Some(path)),
                path.display()
            )),
            Self::Open { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Owner { path, .. } => Some(format!("chown root: {}", path.display())),
            Self::TwoKeys { .. } => {
                Some("keep one of them, or give each a tag: api_key%TAG=KEY and hostname%TAG=FQDN".to_owned())
            }
            Self::NotForHost { host, path, .. } => Some(format!(
                "make a key for the device: {}; or, if the key is meant for it, add a line hostname={host} to the key's entry",
                keygen(host, Some(path))
            )),
            Self::NamedByDevice { host, path, .. } => Some(format!(
                "name the peer with --ha-peer {host}, or make a key for it: {}; or, if the key is meant for it, add a line hostname={host} to the key's entry",
                keygen(host, Some(path))
            )),
            Self::Unwritable { path, .. } => Some(match path.parent() {
                Some(folder) if !folder.is_dir() => format!("mkdir -m 755 {}", folder.display()),
                _ => instead_of_denied().to_owned(),
            }),
            Self::Unusable { path, .. } => Some(format!(
                "{} is as it was. Check that this is the management address of a PAN-OS device",
                path.display()
            )),
            Self::Ambiguous { host, .. } => Some(format!("leave hostname={host} in one entry only")),
            _ => None,
        }
    }
}
