//! Replacing a file whole. What is written has no name until it is complete, where the file system can do that;
//! a draft that has a name when its process ends is recognised by that name, and removed by the next run.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{AtFlags, CWD, OFlags};

/// Stands in the name of every draft: `.NAME.draft-PROCESS-NUMBER`.
const MARK: &[u8] = b".draft-";
/// The most that a draft's name takes over from the file's own.
const LONGEST: usize = 200;
/// How many names are tried: another process with the same number is in another PID namespace.
const NAMES: u32 = 64;

/// Writes what is to stand in a file; where that file system wants it, once more.
type Contents<'c> = &'c dyn Fn(&mut dyn io::Write) -> io::Result<()>;

/// Writes a file so that a crash leaves either the old one or this one. The file is for its owner only;
/// the directory has to be there.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    write(path, &|out| out.write_all(contents), 0o600, &|_| Ok(()))
}

/// Writes a file under a name that no other has had: nothing can have been left behind of it. It is on the disk when its
/// directory is, see [`sync_directory`].
pub(crate) fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let contents: Contents<'_> = &|out| out.write_all(contents);
    let made = unnamed(directory_of(path)).and_then(|draft| {
        fill(&draft, contents, 0o600, &|_| Ok(()))?;
        link(&draft, path)
    });
    // A file system without unnamed files; or it is there all the same.
    made.or_else(|_| write(path, contents, 0o600, &|_| Ok(())))
}

/// Returns when the names in a directory are on the disk.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// As [`replace`], for a file that everybody may read, whatever the umask says, and that is written as it is made: it may
/// be large.
pub(crate) fn replace_for_all(path: &Path, contents: Contents<'_>) -> io::Result<()> {
    let buffered = |out: &mut dyn io::Write| {
        let mut out = io::BufWriter::new(out);
        contents(&mut out)?;
        out.flush()
    };
    write(path, &buffered, 0o644, &|_| Ok(()))
}

/// As [`replace`], if the draft stands a check: what is checked is what is on the disk.
pub(crate) fn replace_checked(
    path: &Path,
    contents: &[u8],
    check: &dyn Fn(File) -> io::Result<()>,
) -> io::Result<()> {
    write(path, &|out| out.write_all(contents), 0o600, check)
}

fn write(
    path: &Path,
    contents: Contents<'_>,
    mode: u32,
    check: &dyn Fn(File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let directory = directory_of(path);
    remove_stale(directory, Some(name));
    let made = unnamed(directory).and_then(|draft| {
        fill(&draft, contents, mode, check)?;
        enter(&draft, path, &directory.join(beginning(name)))
    });
    made.or_else(|_| {
        // A file system without unnamed files, or no /proc to link them from. Any other trouble comes again.
        let mut draft = named(&directory.join(beginning(name)))?;
        fill(&draft.file, contents, mode, check)?;
        draft.rename(path)
    })?;
    // The new name itself is on the disk only when the directory is.
    sync_directory(directory)
}

fn fill(
    mut file: &File,
    contents: Contents<'_>,
    mode: u32,
    check: &dyn Fn(File) -> io::Result<()>,
) -> io::Result<()> {
    // Whatever the umask says.
    file.set_permissions(Permissions::from_mode(mode))?;
    contents(&mut file)?;
    file.sync_all()?;
    io::Seek::rewind(&mut file)?;
    check(file.try_clone()?)
}

/// A file that has no name, and is gone with its process.
fn unnamed(directory: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).mode(0o600).open(directory)?;
    // Held for as long as somebody works on it: what is locked is not abandoned.
    file.try_lock()?;
    Ok(file)
}

/// Gives an unnamed file its name. Where there is an older file, that takes a name in between: no system call puts a file
/// without one into another's place.
fn enter(file: &File, path: &Path, beginning: &Path) -> io::Result<()> {
    match link(file, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let (name, ()) = first_free(beginning, |name| link(file, name))?;
    Named { file: file.try_clone()?, name }.rename(path)
}

/// Gives an unnamed file a name that no other has.
fn link(file: &File, name: &Path) -> io::Result<()> {
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, itself.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// A file under a draft's name; without one when it is dropped.
struct Named {
    file: File,
    name: PathBuf,
}

impl Named {
    fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.name, path)?;
        self.name = PathBuf::new();
        Ok(())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if !self.name.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.name);
        }
    }
}

fn named(beginning: &Path) -> io::Result<Named> {
    for _ in 0..NAMES {
        let create =
            |name: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(name);
        let (name, file) = first_free(beginning, create)?;
        let draft = Named { file, name };
        draft.file.lock()?;
        // Somebody else may have taken it for an abandoned one before it was locked.
        if draft.file.metadata()?.nlink() > 0 {
            return Ok(draft);
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// Tries one name after the other until one is free.
fn first_free<T>(beginning: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    for number in 0..NAMES {
        let mut name = beginning.as_os_str().to_owned();
        name.push(format!("{}-{number}", process::id()));
        match make(Path::new(&name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok((name.into(), made?)),
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists))
}

/// How the names of all drafts of a file begin.
fn beginning(name: &OsStr) -> OsString {
    let name = name.as_bytes();
    OsString::from_vec([b".", &name[..name.len().min(LONGEST)], MARK].concat())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Removes what processes that ended have left behind of this file.
pub(crate) fn remove_stale_of(path: &Path) {
    if let Some(name) = path.file_name() {
        remove_stale(directory_of(path), Some(name));
    }
}

/// The same for all files of a directory that is ours alone.
pub(crate) fn remove_stale_in(directory: &Path) {
    remove_stale(directory, None);
}

/// Whether a name is that of a draft, of whichever file.
pub(crate) fn is_draft(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") && name.windows(MARK.len()).any(|part| part == MARK)
}

fn remove_stale(directory: &Path, of: Option<&OsStr>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let begins = of.map(beginning);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_stale = match &begins {
            Some(begins) => name.as_bytes().starts_with(begins.as_bytes()),
            None => is_draft(&name),
        };
        if is_stale {
            // It is in nobody's way: who can't remove it leaves it.
            let _ = remove_abandoned(&entry.path());
        }
    }
}

fn remove_abandoned(path: &Path) -> io::Result<()> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() || opened.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    file.try_lock()?;
    if super::is_the_same(&opened, &path.symlink_metadata()?) { fs::remove_file(path) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_for_its_owner_only_and_a_failure_leaves_the_old_one_and_no_draft() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, b"a longer old one").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let occupied = directory.path().join("occupied");
        fs::create_dir_all(occupied.join("below")).unwrap();
        assert!(replace(&occupied, b"x").is_err());
        let refuse = |_: File| Err(io::Error::other("no"));
        assert!(replace_checked(&path, b"x", &refuse).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["file", "occupied"]);
    }

    #[test]
    fn an_abandoned_draft_is_removed_and_one_that_is_worked_on_or_is_no_draft_of_this_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let live = named(&directory.path().join(beginning(OsStr::new("file")))).unwrap();
        for name in [".file.draft-1-0", ".other.draft-1-0", ".file.draf"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        fs::create_dir(directory.path().join(".file.draft-d")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join(".file.draft-l")).unwrap();
        replace(&path, b"new").unwrap();
        let draft = live.name.file_name().unwrap().to_str().unwrap().to_owned();
        let mut left = [".file.draf", ".file.draft-d", ".file.draft-l", &draft, ".other.draft-1-0", "file"];
        left.sort_unstable();
        assert_eq!(names(directory.path()), left);
        drop(live);
        remove_stale_in(directory.path());
        assert_eq!(names(directory.path()), [".file.draf", ".file.draft-d", ".file.draft-l", "file"]);
    }

    #[test]
    fn the_longest_name_can_be_written_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("n".repeat(255));
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()).len(), 1);
    }
}
