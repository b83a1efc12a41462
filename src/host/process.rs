//! Programs that are started get an environment of their own: what was meant for this one, or was slipped to it, is
//! not handed on.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::files;

/// Where programs are looked for.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A program, ready to run with nothing of our environment but the time zone and the directories in which programs are
/// looked for: those in which root's programs are safe, where root runs us.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let folders = folders(env::var_os("PATH"), rustix::process::geteuid().is_root());
    // A name is looked up here: the child's own PATH counts for what it starts.
    let program = program.as_ref();
    let found = match Path::new(program).components().count() {
        1 => folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file()),
        _ => None,
    };
    let mut command = Command::new(found.as_deref().map_or(program, Path::as_os_str));
    command.env_clear().env("PATH", env::join_paths(&folders).unwrap_or_else(|_| PATH.into()));
    keep(&mut command, &["TZ"]);
    command
}

/// Hands these on, where they are set.
pub fn keep(command: &mut Command, names: &[&str]) {
    for name in names {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// What getcert needs to find certmonger. Whoever names the system's bus to root would answer in certmonger's place.
pub fn keep_bus(command: &mut Command, session_bus: bool) {
    if session_bus {
        keep(command, &["DBUS_SESSION_BUS_ADDRESS"]);
    } else if !rustix::process::geteuid().is_root() {
        keep(command, &["DBUS_SYSTEM_BUS_ADDRESS"]);
    }
}

/// The most that is read of each stream. A list of a thousand requests has a quarter of it.
pub const LIMIT: u64 = 4 << 20;

/// Why what a program prints could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It would not stop.
    #[error("it prints more than {} KiB", LIMIT / 1024)]
    TooMuch,
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a program printed on its two streams, as far as they are pipes, and how it ended.
///
/// # Errors
/// More than [`LIMIT`] bytes on one of them; a stream that can't be read.
pub async fn collect(child: &mut Child) -> Result<(String, String, ExitStatus), Trouble> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = async { Ok(child.wait().await?) };
    tokio::try_join!(read(stdout), read(stderr), status)
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(LIMIT + 1).read_to_end(&mut bytes).await?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
        return Err(Trouble::TooMuch);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn folders(path: Option<OsString>, root: bool) -> Vec<PathBuf> {
    let path = path.unwrap_or_else(|| PATH.into());
    // In a directory that is not there nothing can be found, and only root can make it.
    let ours = |folder: &PathBuf| match files::settled(folder).map(|place| place.metadata()) {
        Ok(Ok(found)) => files::check_owner(&found).is_ok(),
        Ok(Err(_)) => true,
        Err(_) => false,
    };
    let safe = |folder: &PathBuf| folder.is_absolute() && (!root || ours(folder));
    let folders: Vec<PathBuf> = env::split_paths(&path).filter(safe).collect();
    if folders.is_empty() { env::split_paths(PATH).collect() } else { folders }
}
