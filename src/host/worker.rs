//! Whether somebody else delivers: the worker that systemd starts when something is in the queue.

use std::path::Path;

/// The state folder that the worker looks after.
pub const STATE_DIR: &str = "/var/lib/pan_getcert";
/// The unit that starts it.
const UNIT: &str = "pan_certctl-retry.path";

/// Whether the worker is enabled for this state folder on this machine. Looked up in the folders that
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
