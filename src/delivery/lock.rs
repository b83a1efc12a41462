//! One delivery at a time for each device.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use panos_xmlapi::Address;
use tokio::sync::oneshot;

use super::files::make_folder;
use crate::files;
use crate::text::spoken_of;

/// Where the locks lie in the state directory.
const FOLDER: &str = "locks";
/// How often it is looked whether whoever has a lock was stopped: nothing tells of that.
const LOOK: Duration = Duration::from_secs(5);
/// When it is looked for the first time who has it.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// How long a stopped process is waited for. Whoever stopped it may be about to let it go on.
pub const STOPPED_WAIT: Duration = Duration::from_secs(60);
/// The most that is read of what a person was told.
const TOLD_LIMIT: usize = 1024;
/// The most that is read of what a holder has written about itself.
const NOTE_LIMIT: u64 = 64;

/// A device can't be reserved.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system's words.
    #[error("can't lock {}: {cause}", .path.display())]
    File {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another process does not give it back.
    #[error("another process works on {device} and has not finished within {}: {holder}", spoken_of(*.waited))]
    Held {
        /// The device.
        device: String,
        /// How long it was waited for.
        waited: Duration,
        /// Who has it.
        holder: Holder,
    },
}

impl LockError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::File { .. } => files::instead_of_state_dir().to_owned(),
            Self::Held { holder: Holder { process: Some(process), stopped: true, .. }, .. } => {
                format!(
                    "let it go on: kill -CONT {process}; or end it: kill -KILL {process}; what was begun is finished by the next retry"
                )
            }
            Self::Held { holder: Holder { process: Some(process), .. }, .. } => {
                format!(
                    "look at it: ps -fp {process}; if it is stuck, end it: kill {process}; what was begun is finished by the next retry"
                )
            }
            Self::Held { .. } => {
                "find out which process has its lock: fuser -v on the device's file in the directory 'locks'"
                    .to_owned()
            }
        }
    }
}

/// The process that works on a device, as far as it can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: Option<i32>,
    /// Since when it has worked on the device.
    pub since: Option<DateTime<Utc>>,
    /// Whether it was stopped, so that it will never end by itself.
    pub stopped: bool,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(process) = self.process else { return f.write_str("which one is not known") };
        write!(f, "process {process}")?;
        if let Some(since) = self.since {
            write!(f, ", since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        }
        if self.stopped { f.write_str(", which is stopped") } else { Ok(()) }
    }
}

/// Whether a device is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtWork {
    /// Nobody works on it.
    Nobody,
    /// This process does.
    Somebody(Holder),
}

impl AtWork {
    /// Looks; nothing where that can't be told: nobody has worked on it from here, or the lock is not for us to read.
    #[must_use]
    pub fn on(state_dir: &Path, device: &Address) -> Option<Self> {
        let path = state_dir.join(FOLDER).join(device.to_string());
        let file = File::open(&path).ok()?;
        let holder = Holder::of(&path);
        // Somebody who is gone has nothing; for the others the lock is tried for a moment.
        if holder.process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            return Some(Self::Nobody);
        }
        match file.try_lock_shared() {
            Ok(()) => Some(Self::Nobody),
            Err(TryLockError::WouldBlock) => Some(Self::Somebody(holder)),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Holder {
    /// What the holder has written into the lock's file.
    fn of(lock: &Path) -> Self {
        let mut text = String::new();
        let read = File::open(lock).and_then(|file| file.take(NOTE_LIMIT).read_to_string(&mut text));
        let mut words = text.split_whitespace();
        let (Ok(_), Some(process), Some(since)) = (read, words.next(), words.next()) else {
            return Self::default();
        };
        let process: Option<i32> = process.parse().ok().filter(|process| *process > 0);
        let since = DateTime::parse_from_rfc3339(since).ok().map(|since| since.with_timezone(&Utc));
        Self { process, since, stopped: process.is_some_and(is_stopped) }
    }

    /// Writes down who has the lock. It helps whoever has to wait, and nothing depends on it.
    fn note(mut file: &File) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let note = format!("{} {now}\n", std::process::id());
        // What an earlier one wrote goes first: no note is better than another process's.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
    }
}

/// Whether a process was stopped by a signal. Behind the last bracket of its line stands its state.
fn is_stopped(process: i32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = line.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('T' | 't'))
}

/// The right to work on a device, held until it is dropped; a process that dies gives it back. The files stay:
/// a lock on one that is replaced or deleted would keep nobody out.
#[derive(Debug)]
pub struct DeviceLock {
    held: Places,
}

/// The locks' files, of which a thread that waits has the same ones.
type Places = Arc<[(PathBuf, File)]>;

/// Somebody who waits. When that is over without the locks, those that were got are given back at once, and not only when
/// the thread that still waits for another one gets that.
struct Waiting {
    places: Option<Places>,
    is_over: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for (_, file) in self.places.iter().flat_map(|places| places.iter()) {
            // It fails only where nothing is locked.
            let _ = file.unlock();
        }
    }
}

impl DeviceLock {
    /// Reserves these devices, in an order that is the same for everybody, so that no two wait for each other.
    /// Waits while another process works on one of them, but not for ever: one that was stopped never ends.
    ///
    /// # Errors
    /// A state directory that can't be written; a process that has not given a lock back in this time, or is stopped.
    pub async fn acquire(state_dir: &Path, devices: &[Address], wait: Duration) -> Result<Self, LockError> {
        Self::acquire_telling(state_dir, devices, wait, |_| {}).await
    }

    /// The same; `tell` learns who is waited for, as soon as somebody is.
    ///
    /// # Errors
    /// As [`DeviceLock::acquire`].
    pub async fn acquire_telling(
        state_dir: &Path,
        devices: &[Address],
        wait: Duration,
        mut tell: impl FnMut(&Holder),
    ) -> Result<Self, LockError> {
        let places = open_all(state_dir, devices)?;
        // In the usual case nobody else has it, and no thread is needed. What was got of several stays locked, and is got
        // once more below, which changes nothing.
        if all_free(&places)? {
            return Ok(Self { held: places }.noted());
        }
        let mut waiter = Waiting { places: Some(Arc::clone(&places)), is_over: Arc::default() };
        let names: Vec<PathBuf> = places.iter().map(|(path, _)| path.clone()).collect();
        let failed = |cause: io::Error| LockError::File { path: state_dir.to_owned(), cause };
        let reached = Arc::new(AtomicUsize::new(0));
        let at = Arc::clone(&reached);
        let (done, mut waiting) = oneshot::channel();
        // A thread of its own: the system's wait for a lock can't be broken off, and the event loop does not end before a
        // thread of its own does that is blocked.
        let is_over = Arc::clone(&waiter.is_over);
        let work = move || {
            for (number, (path, file)) in places.iter().enumerate() {
                reached.store(number, Ordering::Relaxed);
                if let Err(cause) = file.lock() {
                    drop(done.send(Err(LockError::File { path: path.clone(), cause })));
                    return;
                }
                // Nobody waits any more: the files are closed, which gives everything back.
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
            }
            drop(done.send(Ok(Self { held: places })));
        };
        std::thread::Builder::new().name("lock".to_owned()).spawn(work).map_err(failed)?;
        let begun = Instant::now();
        let (mut stopped_for, mut is_told) = (Duration::ZERO, false);
        loop {
            let look = if is_told { LOOK } else { FIRST_LOOK };
            let slice = look.min(wait.saturating_sub(begun.elapsed()));
            match tokio::time::timeout(slice, &mut waiting).await {
                Ok(Ok(locked)) => {
                    let locked = locked?;
                    waiter.places = None;
                    return Ok(locked.noted());
                }
                Ok(Err(error)) => return Err(failed(io::Error::other(error))),
                Err(_) => {}
            }
            let place = &names[at.load(Ordering::Relaxed).min(names.len() - 1)];
            let holder = Holder::of(place);
            tell(&holder);
            is_told = true;
            stopped_for = if holder.stopped { stopped_for + slice } else { Duration::ZERO };
            if begun.elapsed() >= wait || stopped_for >= STOPPED_WAIT {
                let device = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(LockError::Held { device, waited: begun.elapsed(), holder });
            }
        }
    }

    fn noted(self) -> Self {
        self.held.iter().for_each(|(_, file)| Holder::note(file));
        self
    }
}

/// Locks these in their order, until somebody else has one; whether nobody has.
fn all_free(places: &[(PathBuf, File)]) -> Result<bool, LockError> {
    for (path, file) in places {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(cause)) => return Err(LockError::File { path: path.clone(), cause }),
        }
    }
    Ok(true)
}

fn open_all(state_dir: &Path, devices: &[Address]) -> Result<Places, LockError> {
    let folder = state_dir.join(FOLDER);
    make_folder(&folder)
        .map_err(|error| LockError::File { path: folder.clone(), cause: io::Error::other(error) })?;
    let mut names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let open = |name: &String| {
        let path = folder.join(name);
        match files::open_lock(&path) {
            Ok(file) => Ok((path, file)),
            Err(cause) => Err(LockError::File { path, cause }),
        }
    };
    names.iter().map(open).collect()
}

/// What a person was told of a device that another process does not give back: each such process is told of once.
#[derive(Debug)]
pub struct ToldOf {
    path: PathBuf,
}

impl ToldOf {
    /// For this device; nothing is made yet.
    #[must_use]
    pub fn device(state_dir: &Path, device: &Address) -> Self {
        // No device has a name like this.
        Self { path: state_dir.join(FOLDER).join(format!(".told-{device}")) }
    }

    /// Whether a person was told of any holder, and what.
    #[must_use]
    pub fn any(&self) -> Option<String> {
        let (file, metadata) = files::open(&self.path).ok()?;
        let text = files::read(file, &metadata, TOLD_LIMIT).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Notes that a person is told of this holder; whether that is new.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn note(&self, holder: &Holder) -> io::Result<bool> {
        let told = holder.to_string();
        if self.any().as_ref() == Some(&told) {
            return Ok(false);
        }
        files::replace(&self.path, told.as_bytes()).map(|()| true)
    }

    /// The device was given back.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
