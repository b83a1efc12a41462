//! The lines of a key file.

use std::path::Path;

use secrecy::SecretString;

use super::error::KeyFileError;

/// What the lines with one tag say together.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) tag: Option<String>,
    pub(super) hosts: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) key: Option<SecretString>,
}

pub(super) fn entries(path: &Path, contents: &[u8]) -> Result<Vec<Entry>, KeyFileError> {
    todo!("{path:?} {contents:?}")
}
