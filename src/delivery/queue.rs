//! The queue: what somebody wants, on the disk before anything is done about it.

use std::path::{Path, PathBuf};

use panos_xmlapi::Address;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files::{self, entries, is_stored, make_folder};
use super::format1;
use super::sequence::{SequenceLock, last_given};
use super::spec::{InstallSpec, UnresolvedSpec, VERSION};
use super::store::InstallationStore;

/// The most requests that wait to be read as installations; of further ones only the log knows.
const UNRESOLVED: usize = 200;

/// The directory of requests that nobody has taken in yet.
#[derive(Debug, Clone)]
pub struct Queue {
    state_dir: PathBuf,
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
        Self { state_dir: state_dir.to_owned() }
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
        for (spec, sequence) in specs.iter_mut().zip(first..) {
            spec.sequence = sequence;
            self.write(spec.sequence, &spec.id, Content::Spec(Box::new(spec.clone())))?;
        }
        Ok(())
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
        // In the order of their names they are in the order of their numbers.
        let path = self.folder().join(format!("{sequence:020}-{id}.json"));
        files::write(&path, &Stored { version: VERSION, content })
    }

    /// A number of its own, for a run.
    ///
    /// # Errors
    /// A state directory that can't be written.
    pub fn next_number(&self) -> Result<u64, StoreError> {
        SequenceLock::acquire(&self.state_dir)?.take(1, || self.highest())
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
        // Whoever may only read sees what is there: nobody takes in anything by that.
        let _lock = match self.folder().is_dir() {
            true => SequenceLock::acquire(&self.state_dir).ok(),
            false => None,
        };
        self.listing()
    }

    fn listing(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        for path in entries(&self.folder())?.into_iter().filter(|path| is_stored(path)) {
            match read(&path) {
                Ok(Some(Content::Spec(spec))) => listing.specs.push(Queued { spec: *spec, path }),
                Ok(Some(Content::Unresolved(spec))) => {
                    listing.unresolved.push(Queued { spec: *spec, path });
                }
                // Somebody else has just taken it in.
                Ok(None) => {}
                Err(error) => listing.errors.push(error),
            }
        }
        listing.specs.sort_by(|one, other| {
            (one.spec.sequence, &one.spec.id).cmp(&(other.spec.sequence, &other.spec.id))
        });
        Ok(listing)
    }

    /// The requests for one device, as [`Queue::all`].
    ///
    /// # Errors
    /// As [`Queue::all`].
    pub fn for_device(&self, device: &Address) -> Result<Listing, StoreError> {
        let mut listing = self.all()?;
        listing.specs.retain(|queued| queued.spec.device == *device);
        Ok(listing)
    }
}

fn read(path: &Path) -> Result<Option<Content>, StoreError> {
    let Some(stored) = files::read(path)? else { return Ok(None) };
    if stored.version > 1 {
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
