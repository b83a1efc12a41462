//! Reading small files that may hold secrets: bounded, wiped, and never stuck; and replacing files whole.
//!
//! The file is opened first and looked at afterwards through the same descriptor, so what was checked
//! is what is read. Symbolic links are followed: what counts is the file that was opened in the end.

mod draft;
mod private;
mod settled;

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use secrecy::zeroize::Zeroizing;

pub(crate) use draft::{
    create, is_draft, remove_stale_in, remove_stale_of, replace, replace_checked, replace_for_all,
    sync_directory,
};
pub(crate) use private::{make_directory, open_lock};
pub(crate) use settled::settled;
use settled::{UnsafePath, handed_over_by};

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// There is no such file.
    Missing,
    /// The caller may not read it, or not search a directory above it.
    Denied,
    /// It is something else than a file: what.
    NotAFile(&'static str),
    /// It holds more than was allowed.
    TooLarge,
    /// Somebody else has a say in where its path leads.
    UnsafePath(UnsafePath),
    /// Another file was put in its place while it was opened.
    Swapped,
    /// Anything else.
    Io(io::Error),
}

/// What helps where a file may not be used: root is already who one becomes with sudo.
pub(crate) fn instead_of_denied() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "the worker's sandbox has no right to it: it has to belong to root, and not to lie below /root, /home or /tmp"
    } else {
        "run it with sudo"
    }
}

/// What helps where the state directory can't be used.
pub(crate) fn instead_of_state_dir() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "look at the directory's owner, mode and file system, or name another one with --state-dir"
    } else {
        "run it with sudo, or name a directory of your own with --state-dir"
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Denied => write!(f, "permission denied; {}", instead_of_denied()),
            Self::NotAFile(found) => write!(f, "it is {found}, not a regular file"),
            Self::TooLarge => f.write_str("the file is too large"),
            Self::UnsafePath(unsettled) => unsettled.fmt(f),
            Self::Swapped => f.write_str("another file was put in its place while it was opened"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(trouble: ReadError) -> Self {
        match trouble {
            ReadError::Io(error) => error,
            other => Self::other(other.to_string()),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A file where a directory was expected means the same to whoever typed the path.
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io(error),
        }
    }
}

/// Why a file is not believed that decides who is trusted, where keys go or what is run: somebody else could have
/// written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnsafeFile {
    /// It belongs to somebody else.
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who wants to read it.
        caller: u32,
    },
    /// Others may write it.
    Open {
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for UnsafeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { owner, caller: 0 } => write!(f, "it belongs to user id {owner}, not to root"),
            Self::Owner { owner, caller } => {
                write!(f, "it belongs to user id {owner}, must be owned by root or by user id {caller}")
            }
            Self::Open { mode } => write!(f, "other users can change it (mode {mode:04o})"),
        }
    }
}

impl UnsafeFile {
    /// What to do about it.
    pub(crate) fn advice(&self, path: &Path) -> String {
        let command = match self {
            Self::Owner { .. } => "chown root:",
            Self::Open { .. } => "chmod go-w",
        };
        format!("check its contents, then run: {command} {}", path.display())
    }
}

/// Whether only root or the caller can have written a file.
pub(crate) fn check_owner(metadata: &Metadata) -> Result<(), UnsafeFile> {
    check_owner_and_mode(metadata, rustix::process::geteuid().as_raw(), WRITE)
}

/// What others may do with a file, as bits of its mode: change it, or even read it.
pub(crate) const WRITE: u32 = 0o022;
/// Anything at all.
pub(crate) const ANYTHING: u32 = 0o077;

/// Whether a file belongs to root or to this user, and nobody else may do this with it.
pub(crate) fn check_owner_and_mode(metadata: &Metadata, caller: u32, refused: u32) -> Result<(), UnsafeFile> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && owner != caller {
        return Err(UnsafeFile::Owner { owner, caller });
    }
    if mode & refused != 0 {
        return Err(UnsafeFile::Open { mode });
    }
    Ok(())
}

/// Opens an ordinary file for reading. A FIFO or a device is an error, not a wait.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), ReadError> {
    open_with(path, OFlags::empty())
}

fn open_with(path: &Path, flags: OFlags) -> Result<(File, Metadata), ReadError> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY | flags).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok((file, metadata));
    }
    Err(ReadError::NotAFile(if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}

/// Opens a file for which nobody but root may decide where its path leads. What is opened is what was looked at: a
/// link that appears in between is not followed, and another file under the name is refused.
pub(crate) fn open_settled(path: &Path) -> Result<(File, Metadata), ReadError> {
    let place = settled(path).map_err(ReadError::UnsafePath)?;
    let (file, metadata) = open_with(&place, unfollowed())?;
    still_there(path, &metadata)?;
    Ok((file, metadata))
}

/// For root a settled path is free of links; one that appears at its end is not followed.
pub(crate) fn unfollowed() -> OFlags {
    if rustix::process::geteuid().is_root() { OFlags::NOFOLLOW } else { OFlags::empty() }
}

/// Whether a path still leads to the file that was opened by it, and nobody else has a say in that.
pub(crate) fn still_there(path: &Path, opened: &Metadata) -> Result<(), ReadError> {
    let place = settled(path).map_err(ReadError::UnsafePath)?;
    leads_to(&place, opened)
}

fn leads_to(place: &Path, opened: &Metadata) -> Result<(), ReadError> {
    match place.metadata() {
        Ok(found) if is_the_same(&found, opened) => Ok(()),
        _ => Err(ReadError::Swapped),
    }
}

/// Whether two looks were at one file.
pub(crate) fn is_the_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The same for a file that may be anybody's, as those of a client that does not run as root: but whoever else has a say
/// in where the path leads can have it lead only to what is his own, not to what he could not read himself.
pub(crate) fn open_owned_by_other(path: &Path) -> Result<(File, Metadata), ReadError> {
    let (file, metadata) = open(path)?;
    match settled(path) {
        Ok(place) => leads_to(&place, &metadata)?,
        Err(unsettled) if handed_over_by(&unsettled) == Some(metadata.uid()) => leads_to(path, &metadata)?,
        Err(unsettled) => return Err(ReadError::UnsafePath(unsettled)),
    }
    Ok((file, metadata))
}

/// Reads the rest of a file into memory that is wiped when dropped; more than `limit` bytes are an error.
pub(crate) fn read(file: File, metadata: &Metadata, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let told = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if told > limit {
        return Err(ReadError::TooLarge);
    }
    // Room for the whole file from the start: a vector that grows leaves copies behind that nobody wipes.
    let mut contents = Zeroizing::new(Vec::with_capacity(told + 64));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut contents)?;
    if contents.len() > limit {
        return Err(ReadError::TooLarge);
    }
    Ok(contents)
}

/// Removes the byte order marks that some editors put in front of a text, wherever files were joined. The bytes
/// move within the same memory, so that none is left behind unwiped.
pub(crate) fn remove_marks(text: &mut Vec<u8>) {
    const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        if text[from..].starts_with(MARK) {
            from += MARK.len();
            continue;
        }
        text[to] = text[from];
        (from, to) = (from + 1, to + 1);
    }
    text.truncate(to);
}

/// The most that is read of a file of CA certificates; a whole system's bundle has a quarter of a megabyte.
const LARGEST_CA_FILE: usize = 8 << 20;

/// Reads a file of CA certificates. Whoever can change it decides who is trusted, so nobody else may.
pub(crate) fn read_ca_file(path: &Path) -> Result<Vec<u8>, String> {
    let (file, metadata) = open_settled(path).map_err(|trouble| trouble.to_string())?;
    check_owner(&metadata).map_err(|foreign| foreign.to_string())?;
    let contents = read(file, &metadata, LARGEST_CA_FILE).map_err(|trouble| trouble.to_string())?;
    let mut contents = contents.to_vec();
    remove_marks(&mut contents);
    Ok(contents)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn whole(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let (file, metadata) = open(path)?;
        read(file, &metadata, limit)
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(whole(&path, 5).unwrap().as_slice(), b"12345");
        assert!(matches!(whole(&path, 4), Err(ReadError::TooLarge)));
    }

    #[test]
    fn a_file_that_tells_an_enormous_size_is_refused_before_room_is_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(matches!(whole(&path, 5), Err(ReadError::TooLarge)));
    }

    #[test]
    fn a_file_that_tells_no_size_is_bounded_all_the_same() {
        let path = Path::new("/proc/self/status");
        assert!(matches!(whole(path, 16), Err(ReadError::TooLarge)));
        assert!(!whole(path, 1 << 20).unwrap().is_empty());
    }

    #[test]
    fn folders_fifos_and_devices_are_named_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(open(&fifo), Err(ReadError::NotAFile("a FIFO"))));
        assert!(matches!(open(folder.path()), Err(ReadError::NotAFile("a directory"))));
        assert!(matches!(open(Path::new("/dev/zero")), Err(ReadError::NotAFile("a device"))));
    }

    #[test]
    fn a_refusal_by_the_system_is_told_from_everything_else() {
        assert!(matches!(ReadError::from(io::Error::from(ErrorKind::PermissionDenied)), ReadError::Denied));
        assert!(matches!(ReadError::from(io::Error::from(ErrorKind::Other)), ReadError::Io(_)));
    }

    #[test]
    fn a_path_through_a_file_is_missing_like_any_other() {
        assert!(matches!(open(Path::new("/etc/passwd/x")), Err(ReadError::Missing)));
        assert!(matches!(open(Path::new("/nonexistent")), Err(ReadError::Missing)));
    }
}
