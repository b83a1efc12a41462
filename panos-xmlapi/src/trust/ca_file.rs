//! A file of CA certificates, and who reads it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest file of CA certificates that is read, in bytes; a whole system's bundle has a quarter of a megabyte.
pub const MAX_CA_FILE_BYTES: usize = 8 << 20;

/// Reads a file of CA certificates; an error is a text that says what is wrong with the file.
pub type CaFileReader = fn(&Path) -> Result<Vec<u8>, String>;

/// A file with CA certificates in PEM. It is read when a session is prepared, each time anew, so a file that was
/// replaced counts from the next session on.
#[derive(Debug, Clone)]
pub struct CaFile {
    path: PathBuf,
    reader: CaFileReader,
}

impl CaFile {
    /// A file at this path, whoever can write it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::read_with(path, read)
    }

    /// A file at this path that this function reads, for a program that has its own rules about files: who writes
    /// this one decides which devices are trusted.
    #[must_use]
    pub fn read_with(path: impl Into<PathBuf>, reader: CaFileReader) -> Self {
        Self { path: path.into(), reader }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, String> {
        (self.reader)(&self.path)
    }
}

impl From<PathBuf> for CaFile {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

/// Two are the same if they name the same path.
impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for CaFile {}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // Looked at before it is opened: opening a FIFO waits for whoever writes it.
    let metadata = path.metadata().map_err(|error| in_words(&error))?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut contents = Vec::new();
    let limit = u64::try_from(MAX_CA_FILE_BYTES).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut contents))
        .map_err(|error| in_words(&error))?;
    if contents.len() > MAX_CA_FILE_BYTES {
        return Err("it is larger than any file of CA certificates".to_owned());
    }
    Ok(contents)
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_file_or_too_large_is_refused_without_waiting() {
        assert!(read(Path::new("/nonexistent")).is_err());
        assert_eq!(read(Path::new("/")).unwrap_err(), "it is not a file");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err(), "it is not a file");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path).unwrap_err().contains("larger"));
        std::fs::write(&path, "PEM").unwrap();
        assert_eq!(read(&path).unwrap(), b"PEM");
    }
}
