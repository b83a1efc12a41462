//! Whether somebody else delivers, the worker that systemd starts when something is in the queue, and what it may read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The state directory that the worker looks after.
pub const STATE_DIR: &str = "/var/lib/pan_getcert";
/// The unit that starts it.
const UNIT: &str = "pan_certctl-retry.path";

/// What its unit hides from it: `ProtectHome=` and `PrivateTmp=`.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Why the worker can't read a file or directory that is there; nothing where it can. It is root without capabilities:
/// what root has no right to by owner, group or mode is closed to it.
#[must_use]
pub fn cannot_read(path: &Path) -> Option<String> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut hidden =
        HIDDEN.iter().filter(|hidden| [path, real.as_path()].iter().any(|path| path.starts_with(hidden)));
    if let Some(hidden) = hidden.next() {
        return Some(format!("{} lies below {hidden}, which the worker does not see", path.display()));
    }
    let mut places: Vec<PathBuf> = real.ancestors().map(Path::to_owned).collect();
    places.reverse();
    for place in places {
        // What is not there yet is written by root.
        let Ok(metadata) = place.metadata() else { return None };
        if !may_read(&metadata) {
            let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            let shown = place.display();
            return Some(format!("{shown} (user id {owner}, mode {mode:04o}) is closed to the worker"));
        }
    }
    None
}

fn may_read(metadata: &Metadata) -> bool {
    let needed = if metadata.is_dir() { 0o1 } else { 0o4 };
    let shift = match (metadata.uid(), metadata.gid()) {
        (0, _) => 6,
        (_, 0) => 3,
        _ => 0,
    };
    metadata.mode() & (needed << shift) != 0
}

/// Whether the worker is enabled for this state directory on this machine. Looked up in the directories that
/// `systemctl enable` writes, so that no program has to be started for it.
#[must_use]
pub fn is_enabled(state_dir: &Path) -> bool {
    state_dir == Path::new(STATE_DIR) && has_systemd() && enabled_below(Path::new("/etc/systemd/system"))
}

/// Whether this machine was booted by systemd.
#[must_use]
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn enabled_below(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    let wants = entries.filter_map(Result::ok).map(|entry| entry.path());
    wants.filter(|path| path.extension().is_some_and(|ending| ending == "wants")).any(|path| {
        // A link that may lead nowhere after the package was removed.
        path.join(UNIT).exists()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_hidden_is_what_the_unit_hides() {
        let unit = include_str!("../../systemd/pan_certctl-retry.service");
        for line in ["ProtectHome=yes", "PrivateTmp=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"] {
            assert!(unit.lines().any(|other| other == line), "{line}");
        }
        assert!(!unit.lines().any(|line| line.starts_with("User=")), "it is root");
        for path in ["/root/key", "/home/jane/key", "/tmp/key", "/run/user/0/key"] {
            assert!(cannot_read(Path::new(path)).is_some(), "{path}");
        }
        for path in ["/etc/hostname", "/etc", "/etc/no-such-file"] {
            assert_eq!(cannot_read(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_unit_is_enabled_when_something_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!enabled_below(folder.path()));
        let wants = folder.path().join("paths.target.wants");
        std::fs::create_dir(&wants).unwrap();
        std::os::unix::fs::symlink("/nonexistent", wants.join(UNIT)).unwrap();
        assert!(!enabled_below(folder.path()), "a link that leads nowhere");
        std::fs::remove_file(wants.join(UNIT)).unwrap();
        std::fs::write(wants.join(UNIT), "").unwrap();
        assert!(enabled_below(folder.path()));
        assert!(!is_enabled(Path::new("/elsewhere")));
    }
}
