//! Directories and lock files that are their owner's alone, whatever the umask says.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::settled;

const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a directory for its owner only, and what is missing above it; when this returns, a power cut does not lose it.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_directory(above)?;
    match DirBuilder::new().mode(DIRECTORY).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {
            settled(directory).map_err(|unsettled| io::Error::other(unsettled.to_string()))?;
        }
        Ok(()) => {
            // What others put there meanwhile is not ours.
            settled(directory).map_err(|unsettled| io::Error::other(unsettled.to_string()))?;
            // The umask can only have taken rights away, from ourselves as well.
            if fs::symlink_metadata(directory)?.mode() & 0o777 != DIRECTORY {
                fs::set_permissions(directory, Permissions::from_mode(DIRECTORY))?;
            }
        }
    }
    File::open(above)?.sync_all()
}

/// Opens a file that locks are taken on, and makes it where it is missing. It stays: a lock on one that is replaced or
/// deleted would keep nobody out.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(FILE);
    match options.clone().create_new(true).open(path) {
        Ok(new) => new.set_permissions(Permissions::from_mode(FILE)).map(|()| new),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.create(true).open(path),
        Err(error) => Err(error),
    }
}
