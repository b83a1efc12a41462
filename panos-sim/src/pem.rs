//! PEM text given inline or as the path of a file.

use std::path::PathBuf;

use crate::{Error, Result};

/// Returns `value` itself when it is PEM text, else the content of the file it names.
pub(crate) fn text(value: &str) -> Result<String> {
    if value.trim_start().starts_with("-----BEGIN") {
        return Ok(value.to_owned());
    }
    let path = PathBuf::from(value);
    std::fs::read_to_string(&path).map_err(|cause| Error::File { path, cause })
}
