//! The queue: what somebody wants, on the disk before anything is done about it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use panos_xmlapi::Address;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files::{self, entries, has_stored_name, make_folder};
use super::format1;
use super::sequence::{SequenceLock, last_given};
use super::spec::{InstallSpec, UnresolvedSpec, VERSION};
use super::store::InstallationStore;

/// Requests are written by so many threads at the most, each of which has so many to write at least.
const WRITERS: usize = 16;
const FEW: usize = 8;
/// What was seen so long ago was seen lately.
const LATELY: Duration = Duration::from_millis(100);
/// The most requests that wait to be read as installations; of further ones only the log knows.
const UNRESOLVED: usize = 200;

/// For which device the files are that were read so far, by their names.
#[derive(Debug, Default)]
struct KnownFiles {
    files: BTreeMap<OsString, KnownFile>,
    /// How often it was looked.
    looks: u64,
    /// When the directory was listed last.
    listed: Option<Instant>,
}

#[derive(Debug)]
struct KnownFile {
    inode: u64,
    /// None where it can't be said yet.
    device: Option<Address>,
    /// The last look at which it was there.
    seen: u64,
}

/// The directory of requests that nobody has taken in yet.
#[derive(Debug, Clone)]
pub struct Queue {
    state_dir: PathBuf,
    /// What is in a file never changes, and with hundreds of devices all files would be read for each of them.
    known: Arc<Mutex<KnownFiles>>,
}

/// A request with the file it is in.
#[derive(Debug, Clone)]
pub struct Queued<T> {
    /// The request.
    pub spec: T,
    path: PathBuf,
}

/// What is in the queue, the oldest first.
#[derive(Debug, Default)]
pub struct Listing {
    /// The requests.
    pub specs: Vec<Queued<InstallSpec>>,
    /// What can't be read as a request yet.
    pub unresolved: Vec<Queued<UnresolvedSpec>>,
    /// Files that are nothing known, and those of a later version.
    pub errors: Vec<StoreError>,
    /// Files that had been set aside before.
    pub aside: Vec<PathBuf>,
}

impl Listing {
    /// Adds what was read of a file; of one that is gone somebody else has just taken in.
    fn add(&mut self, content: Result<Option<Content>, StoreError>, path: PathBuf) {
        match content {
            Ok(Some(Content::Spec(spec))) => self.specs.push(Queued { spec: *spec, path }),
            Ok(Some(Content::Unresolved(spec))) => self.unresolved.push(Queued { spec: *spec, path }),
            Ok(None) => {}
            Err(error) => self.errors.push(error),
        }
    }

    fn sort(&mut self) {
        let key = |queued: &Queued<InstallSpec>| (queued.spec.sequence, queued.spec.id.clone());
        self.specs.sort_by_cached_key(key);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Spec(Box<InstallSpec>),
    Unresolved(Box<UnresolvedSpec>),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(flatten)]
    content: Content,
}

impl Queue {
    /// The queue below a state directory; nothing is made yet.
    #[must_use]
    pub fn below(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), known: Arc::default() }
    }

    /// Where the requests lie.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.state_dir.join("queue")
    }

    /// Writes requests, in this order, and gives each its number; when this returns, a power cut does not lose them.
    ///
    /// # Errors
    /// Directories or files that can't be written.
    pub fn put(&self, specs: &mut [InstallSpec]) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let first = lock.take(specs.len(), || self.highest())?;
        specs.iter_mut().zip(first..).for_each(|(spec, sequence)| spec.sequence = sequence);
        let write = |specs: &[InstallSpec]| {
            let mut each = specs.iter();
            each.try_for_each(|spec| {
                let content = Content::Spec(Box::new(spec.clone()));
                files::create(&self.path(spec.sequence, &spec.id), &Stored { version: VERSION, content })
            })
        };
        // A disk takes milliseconds to make one durable, and hardly more for those of several threads at once.
        let share = specs.len().div_ceil(WRITERS).max(FEW);
        if specs.len() <= share {
            write(specs)?;
        } else {
            std::thread::scope(|scope| {
                let writers: Vec<_> = specs.chunks(share).map(|part| scope.spawn(|| write(part))).collect();
                let ended =
                    writers.into_iter().map(|writer| writer.join().unwrap_or_else(|_| Err(self.died())));
                ended.collect::<Result<(), _>>()
            })?;
        }
        files::sync(&self.folder())
    }

    fn died(&self) -> StoreError {
        StoreError::new("write", &self.folder(), io::Error::other("a thread has died"))
    }

    /// Writes what can't be read as a request yet. The same words again take the place of the earlier ones. Whether
    /// there was room for it.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn put_unresolved(&self, spec: &mut UnresolvedSpec) -> Result<bool, StoreError> {
        let lock = self.lock()?;
        let (same, others): (Vec<_>, Vec<_>) =
            self.listing()?.unresolved.into_iter().partition(|other| other.spec.argv == spec.argv);
        if others.len() >= UNRESOLVED {
            return Ok(false);
        }
        spec.sequence = lock.take(1, || self.highest())?;
        self.write(spec.sequence, &spec.id, Content::Unresolved(Box::new(spec.clone())))?;
        same.into_iter().try_for_each(Queued::remove)?;
        Ok(true)
    }

    /// Writes what an earlier request turned out to mean, with that one's number, and removes that one. Where they are
    /// there already, a process has died in between.
    ///
    /// # Errors
    /// As [`Queue::put`].
    pub fn resolve(
        &self,
        earlier: Queued<UnresolvedSpec>,
        specs: &mut [InstallSpec],
    ) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        for (number, spec) in specs.iter_mut().enumerate() {
            (spec.sequence, spec.id) = (earlier.spec.sequence, format!("{}-{number}", earlier.spec.id));
            (spec.requested_at, spec.requested_by) =
                (earlier.spec.requested_at, earlier.spec.requested_by.clone());
            self.write(spec.sequence, &spec.id, Content::Spec(Box::new(spec.clone())))?;
        }
        earlier.remove()
    }

    fn lock(&self) -> Result<SequenceLock, StoreError> {
        make_folder(&self.folder())?;
        SequenceLock::acquire(&self.state_dir)
    }

    fn write(&self, sequence: u64, id: &str, content: Content) -> Result<(), StoreError> {
        files::write(&self.path(sequence, id), &Stored { version: VERSION, content })
    }

    /// In the order of their names they are in the order of their numbers.
    fn path(&self, sequence: u64, id: &str) -> PathBuf {
        self.folder().join(format!("{sequence:020}-{id}.json"))
    }

    /// A number of its own, for a run.
    ///
    /// # Errors
    /// A state directory that can't be written.
    pub fn next_number(&self) -> Result<u64, StoreError> {
        self.next_numbers(1)
    }

    /// So many numbers, for as many runs; the first of them.
    ///
    /// # Errors
    /// As [`Queue::next_number`].
    pub(super) fn next_numbers(&self, count: usize) -> Result<u64, StoreError> {
        SequenceLock::acquire(&self.state_dir)?.take(count, || self.highest())
    }

    /// The highest number that was given so far.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        last_given(&self.state_dir).unwrap_or_else(|| self.highest())
    }

    /// The highest number in queue and records.
    fn highest(&self) -> u64 {
        let queued = self.listing().unwrap_or_default();
        let specs = queued.specs.iter().map(|queued| queued.spec.sequence);
        let unresolved = queued.unresolved.iter().map(|queued| queued.spec.sequence);
        let known = InstallationStore::below(&self.state_dir).highest_number();
        specs.chain(unresolved).max().unwrap_or(0).max(known)
    }

    /// All requests, the oldest first, as they are at one moment.
    ///
    /// # Errors
    /// A directory that can't be read or, where there is one, not locked.
    pub fn all(&self) -> Result<Listing, StoreError> {
        let _lock = self.lock_to_list();
        self.listing()
    }

    /// Whoever may only read sees what is there: nobody takes in anything by that.
    fn lock_to_list(&self) -> Option<SequenceLock> {
        match self.folder().is_dir() {
            true => SequenceLock::acquire(&self.state_dir).ok(),
            false => None,
        }
    }

    fn listing(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        let folder = self.folder();
        for entry in entries(&folder)? {
            let path = folder.join(&entry.name);
            if entry.is_aside() {
                listing.aside.push(path);
            } else if entry.is_stored() {
                listing.add(read(&path), path);
            }
        }
        listing.sort();
        Ok(listing)
    }

    /// The requests for one device as they were a moment ago: for what another process may change a moment later anyway.
    /// With hundreds of devices the directory would be listed for each of them.
    pub(super) fn lately_for_device(&self, device: &Address) -> Result<Listing, StoreError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.listed.is_none_or(|listed| listed.elapsed() > LATELY) {
            drop(known);
            return self.for_device(device);
        }
        let mut listing = Listing::default();
        let folder = self.folder();
        for (name, file) in &known.files {
            if file.device.as_ref() == Some(device) {
                let path = folder.join(name);
                listing.add(read(&path), path);
            }
        }
        listing.specs.retain(|queued| queued.spec.device == *device);
        listing.sort();
        Ok(listing)
    }

    /// The requests for one device, as [`Queue::all`], without what can't be read as a request yet.
    ///
    /// # Errors
    /// As [`Queue::all`].
    pub fn for_device(&self, device: &Address) -> Result<Listing, StoreError> {
        let _lock = self.lock_to_list();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.looks += 1;
        known.listed = None;
        let KnownFiles { files, looks, listed } = &mut *known;
        let mut listing = Listing::default();
        let folder = self.folder();
        let bad = |cause: io::Error| StoreError::new("read", &folder, cause);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
            Err(error) => return Err(bad(error)),
        };
        for entry in entries {
            let entry = entry.map_err(bad)?;
            let (name, inode) = (entry.file_name(), entry.ino());
            if let Some(file) = files.get_mut(&name).filter(|file| file.inode == inode)
                && file.device.as_ref() != Some(device)
            {
                file.seen = *looks;
                continue;
            }
            if !has_stored_name(Path::new(&name)) || entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            let content = read(&path);
            if let Ok(Some(content)) = &content {
                let device = match content {
                    Content::Spec(spec) => Some(spec.device.clone()),
                    Content::Unresolved(_) => None,
                };
                files.insert(name, KnownFile { inode, device, seen: *looks });
            }
            listing.add(content, path);
        }
        // Files that are gone are forgotten.
        files.retain(|_, file| file.seen == *looks);
        *listed = Some(Instant::now());
        drop(known);
        listing.specs.retain(|queued| queued.spec.device == *device);
        listing.unresolved.clear();
        listing.errors.sort_by(|one, other| one.path().cmp(other.path()));
        listing.sort();
        Ok(listing)
    }
}

fn read(path: &Path) -> Result<Option<Content>, StoreError> {
    let Some(stored) = files::read(path)? else { return Ok(None) };
    if let Some(current) = stored.current(|stored: &Stored| stored.version) {
        return Ok(Some(current.content));
    }
    if stored.version(path)? > 1 {
        return Ok(Some(stored.parse::<Stored>(path)?.content));
    }
    let order: format1::Order = stored.parse(path)?;
    Ok(Some(match order.clone().convert() {
        Ok(spec) => Content::Spec(Box::new(spec)),
        Err(error) => Content::Unresolved(Box::new(order.unresolved(&error))),
    }))
}

impl<T> Queued<T> {
    /// Takes it out of the queue.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn remove(self) -> Result<(), StoreError> {
        files::remove(&self.path)
    }
}
