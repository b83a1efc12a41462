//! What the targets share.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

#[path = "../../panos-xmlapi/tests/common/second_opinion.rs"]
pub mod second_opinion;

/// A directory for one process, which nobody else can write to. `scripts/fuzz` puts it into memory, and removes it.
pub struct Place(TempDir);

impl Place {
    /// A new one.
    pub fn new() -> Self {
        let made = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir();
        Self(made.expect("a directory"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file there, for its owner only.
    pub fn put(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(contents)).expect("a file");
        path
    }

    /// Removes all that was put there.
    pub fn clear(&self) {
        for entry in std::fs::read_dir(self.path()).expect("the directory") {
            let path = entry.expect("an entry").path();
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.expect("removed");
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// No text that a person reads has a character that steers a terminal or reverses the order of writing; line ends are
/// allowed where the text has several lines.
pub fn is_readable(text: &str) {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.chars().any(steers), "{text:?}");
}
