//! Whether nobody but root can decide where a path leads, for runs as root.
//!
//! In a directory that others can write, a name may be anybody's link to any file. Where such a directory is sticky, or only a
//! group can write it (as `/var/log` on Ubuntu), what is ours can be told from what is not; in any other it can't.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// A place on a path where somebody else decides how it goes on.
#[derive(Debug)]
pub(crate) struct UnsafePath {
    place: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Open,
    Owner(u32),
    Linked,
    Endless,
    Io(io::Error),
}

impl fmt::Display for UnsafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.display();
        match &self.why {
            Why::Open => {
                write!(f, "the directory {place} is world-writable, so any user can redirect this path")
            }
            Why::Owner(owner) => {
                write!(f, "{place} belongs to user id {owner}, who can decide where the path leads")
            }
            Why::Linked => write!(f, "{place} is a hard link in a directory that other users can write to"),
            Why::Endless => write!(f, "too many symbolic links at {place}"),
            Why::Io(error) => write!(f, "{place}: {error}"),
        }
    }
}

/// Who alone decides how the path goes on, where that is one user.
pub(super) fn handed_over_by(unsettled: &UnsafePath) -> Option<u32> {
    match unsettled.why {
        Why::Owner(owner) => Some(owner),
        _ => None,
    }
}

/// Where a path leads, all links followed: for root only if nobody else has a say in it. What is not there yet is
/// settled if its directory is.
///
/// # Errors
/// The first place where somebody else has a say.
pub(crate) fn settled(path: &Path) -> Result<PathBuf, UnsafePath> {
    let caller = rustix::process::geteuid();
    if caller.is_root() { settled_for_root(path) } else { Ok(path.to_owned()) }
}

fn settled_for_root(path: &Path) -> Result<PathBuf, UnsafePath> {
    let whole = std::path::absolute(path)
        .map_err(|error| UnsafePath { place: path.to_owned(), why: Why::Io(error) })?;
    let mut waiting: VecDeque<OsString> = parts(&whole);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = waiting.pop_front() {
        if part == ".." {
            here.pop();
            continue;
        }
        let unsettled = |place: &Path, why: Why| Err(UnsafePath { place: place.to_owned(), why });
        let next = here.join(&part);
        let Ok(folder) = here.symlink_metadata() else { return Ok(rest(next, waiting)) };
        if folder.uid() != 0 {
            return unsettled(&here, Why::Owner(folder.uid()));
        }
        if folder.mode() & 0o1002 == 0o0002 {
            return unsettled(&here, Why::Open);
        }
        let found = match next.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return unsettled(&next, Why::Io(error));
            }
            Err(_) => return Ok(rest(next, waiting)),
        };
        if folder.mode() & 0o022 != 0 {
            ours(&found).map_err(|why| UnsafePath { place: next.clone(), why })?;
        }
        if !found.is_symlink() {
            here = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return unsettled(&next, Why::Endless);
        }
        let target = next.read_link().map_err(|why| UnsafePath { place: next, why: Why::Io(why) })?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        parts(&target).into_iter().rev().for_each(|part| waiting.push_front(part));
    }
    Ok(here)
}

/// Whether what lies where others can put things is root's own, and no second name of a file that lies elsewhere.
fn ours(found: &Metadata) -> Result<(), Why> {
    match found.uid() {
        0 if found.is_file() && found.nlink() > 1 => Err(Why::Linked),
        0 => Ok(()),
        owner => Err(Why::Owner(owner)),
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(named).collect()
}

fn rest(next: PathBuf, waiting: VecDeque<OsString>) -> PathBuf {
    waiting.into_iter().fold(next, |path, part| path.join(part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{Permissions, create_dir, hard_link, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    use super::*;

    const STRANGER: Option<u32> = Some(65534);

    /// What is said of a path below a directory of this mode, made ready by root.
    fn said(mode: u32, make: impl Fn(&Path), name: &str) -> String {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("directory");
        create_dir(&folder).unwrap();
        write(top.path().join("secret"), "x").unwrap();
        make(&folder);
        set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        match settled_for_root(&folder.join(name)) {
            Ok(path) => path.strip_prefix(top.path().canonicalize().unwrap()).unwrap().display().to_string(),
            Err(unsettled) => unsettled.to_string(),
        }
    }

    #[test]
    fn only_roots_own_ways_are_gone() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let nothing = |_: &Path| {};
        let file = |folder: &Path| write(folder.join("f"), "x").unwrap();
        let foreign_file = |folder: &Path| {
            write(folder.join("f"), "x").unwrap();
            chown(folder.join("f"), STRANGER, None).unwrap();
        };
        let link = |folder: &Path| symlink("../secret", folder.join("f")).unwrap();
        let foreign_link = |folder: &Path| {
            symlink("../secret", folder.join("f")).unwrap();
            lchown(folder.join("f"), STRANGER, None).unwrap();
        };
        let name = |folder: &Path| hard_link(folder.join("../secret"), folder.join("f")).unwrap();
        let foreign_folder = |folder: &Path| chown(folder, STRANGER, None).unwrap();
        let endless = |folder: &Path| symlink("f", folder.join("f")).unwrap();
        for (mode, make, says) in [
            (0o755, &nothing as &dyn Fn(&Path), "directory/f"),
            (0o755, &file, "directory/f"),
            (0o755, &link, "secret"),
            (0o755, &foreign_file, "directory/f"),
            (0o755, &name, "directory/f"),
            (0o755, &foreign_folder, "belongs to user id 65534"),
            (0o755, &endless, "too many symbolic links"),
            (0o777, &nothing, "is world-writable"),
            (0o777, &file, "is world-writable"),
            (0o1777, &nothing, "directory/f"),
            (0o1777, &file, "directory/f"),
            (0o1777, &link, "secret"),
            (0o1777, &foreign_link, "f belongs to user id 65534"),
            (0o1777, &foreign_file, "f belongs to user id 65534"),
            (0o1777, &name, "is a hard link"),
            (0o775, &file, "directory/f"),
            (0o775, &foreign_link, "f belongs to user id 65534"),
            (0o775, &name, "is a hard link"),
        ] {
            let told = said(mode, make, "f");
            assert!(told.contains(says), "{mode:o} {says}: {told}");
        }
        assert_eq!(said(0o755, nothing, "a/b/../c"), "directory/a/b/../c");
        assert_eq!(said(0o755, nothing, "../secret"), "secret");
        assert_eq!(said(0o755, nothing, "../secret/below"), "secret/below");
    }
}
