//! Programs that tests make and run.
//!
//! Another program writes them: while a file is open for writing here, each process that another test starts holds it
//! open too for a moment, and what somebody holds open for writing can't be run ("Text file busy").

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that everybody may run.
pub fn write(path: &Path, text: &str) {
    let mut child = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", path.display());
}

/// Copies a program that was built here to another place, where everybody may run it.
pub fn place(program: impl AsRef<Path>, path: &Path) {
    let copied = Command::new("install").args(["-m", "755"]).args([program.as_ref(), path]).status();
    assert!(copied.unwrap().success(), "{}", path.display());
}
