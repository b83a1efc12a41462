//! Records and requests that can't be kept or read.

use std::io;
use std::path::{Path, PathBuf};

/// A record or a request can't be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} the installation record {}: {cause}{}", .path.display(), what_was_kept(.kept))]
pub struct StoreError {
    pub(super) action: &'static str,
    pub(super) path: PathBuf,
    pub(super) cause: io::Error,
    pub(super) kept: Kept,
}

/// What was done about a file that is no record of ours.
#[derive(Debug)]
pub(super) enum Kept {
    /// Nothing; the problem is not the file's.
    AsItWas,
    /// It is left where it is: another version finds it there.
    Left,
    /// It was moved.
    SetAside(Result<PathBuf, io::Error>),
}

fn what_was_kept(kept: &Kept) -> String {
    match kept {
        Kept::AsItWas => String::new(),
        Kept::Left => "; it is left as it is, and nothing is delivered for it".to_owned(),
        Kept::SetAside(Ok(path)) => format!("; moved to {}", path.display()),
        Kept::SetAside(Err(error)) => format!("; it can't be set aside: {error}"),
    }
}

impl StoreError {
    pub(super) fn new(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { action, path: path.to_owned(), cause, kept: Kept::AsItWas }
    }

    /// A file that is to be left alone.
    pub(super) fn left(path: &Path, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kept: Kept::Left, ..Self::new("use", path, io::Error::other(why)) }
    }

    /// Whether it is the same each time, until somebody looks at the file.
    #[must_use]
    pub fn lasts(&self) -> bool {
        matches!(self.kept, Kept::Left)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
