//! In which form each device took an upload at last, where that was not the usual one: `STATE/upload_forms/DEVICE`, one
//! word. It saves refusals, so what can't be read or written only costs these.

use std::io;
use std::path::{Path, PathBuf};

use panos_xmlapi::Address;

use super::upload::UploadForm;
use crate::files;

/// The directory's name in the state directory.
pub const NAME: &str = "upload_forms";
/// A word.
const LIMIT: usize = 100;

fn path(state_dir: &Path, device: &Address) -> PathBuf {
    state_dir.join(NAME).join(device.to_string())
}

/// What this device took.
#[must_use]
pub fn recall(state_dir: &Path, device: &Address) -> Option<UploadForm> {
    let (file, metadata) = files::open(&path(state_dir, device)).ok()?;
    let word = files::read(file, &metadata, LIMIT).ok()?;
    let word = std::str::from_utf8(&word).ok()?.trim();
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// Remembers it.
///
/// # Errors
/// A directory or file that can't be written.
pub fn remember(state_dir: &Path, device: &Address, form: UploadForm) -> io::Result<()> {
    let path = path(state_dir, device);
    files::make_directory(&state_dir.join(NAME))?;
    let word = serde_json::to_value(form).map_err(io::Error::other)?;
    files::replace(&path, format!("{}\n", word.as_str().unwrap_or_default()).as_bytes())
}
