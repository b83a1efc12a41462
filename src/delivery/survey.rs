//! All installations, one at a time: the records, with the requests that wait in the queue taken in. There may be many
//! thousands of records, so nothing is kept of one but what whoever asks keeps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use panos_xmlapi::Address;

use super::error::StoreError;
use super::installation::Installation;
use super::key::InstallationKey;
use super::queue::{Queue, Queued};
use super::spec::{InstallSpec, UnresolvedSpec};
use super::store::InstallationStore;

/// What was found beside the installations.
#[derive(Debug, Default)]
pub struct Survey {
    /// What was asked for and can't be read as a request yet.
    pub unresolved: Vec<Queued<UnresolvedSpec>>,
    /// Files that are nothing known, or not in their place, and those of a later version.
    pub errors: Vec<StoreError>,
    /// Files that had been set aside before.
    pub aside: Vec<PathBuf>,
}

/// An installation, as it is once the requests for it are taken in.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// The installation.
    pub record: Installation,
    /// Whether a request for it is in the queue still.
    pub is_queued: bool,
}

/// Goes through all installations. Those of one device come one after the other.
///
/// # Errors
/// A state directory that can't be read.
pub fn survey(
    state_dir: &Path,
    now: DateTime<Utc>,
    mut take: impl FnMut(Surveyed),
) -> Result<Survey, StoreError> {
    // The queue first: a request that is taken in meanwhile is seen twice rather than not at all.
    let queued = Queue::below(state_dir).all()?;
    let mut requests = Requests::of(queued.specs, now);
    let mut latest: Option<Address> = None;
    let unread = InstallationStore::below(state_dir).each(|record| {
        if latest.as_ref() != Some(&record.spec.device)
            && let Some(before) = latest.replace(record.spec.device.clone())
        {
            requests.of_device(&before).for_each(&mut take);
        }
        take(requests.with(record));
    })?;
    latest.into_iter().for_each(|device| requests.of_device(&device).for_each(&mut take));
    requests.rest().for_each(&mut take);
    let (mut errors, mut aside) = (queued.errors, unread.aside);
    errors.extend(unread.errors);
    aside.extend(queued.aside);
    Ok(Survey { unresolved: queued.unresolved, errors, aside })
}

type ByKey = BTreeMap<InstallationKey, Vec<InstallSpec>>;

/// Requests that nobody has taken in yet, by what they are for.
struct Requests {
    specs: BTreeMap<Address, ByKey>,
    now: DateTime<Utc>,
}

impl Requests {
    fn of(queued: Vec<Queued<InstallSpec>>, now: DateTime<Utc>) -> Self {
        let mut specs: BTreeMap<Address, ByKey> = BTreeMap::new();
        for Queued { spec, .. } in queued {
            let of_device = specs.entry(spec.device.clone()).or_default();
            of_device.entry(spec.key()).or_default().push(spec);
        }
        Self { specs, now }
    }

    /// A record with the requests for it.
    fn with(&mut self, record: Installation) -> Surveyed {
        let mut found = Surveyed { record, is_queued: false };
        let Some(of_device) = self.specs.get_mut(&found.record.spec.device) else { return found };
        for spec in of_device.remove(&found.record.key()).into_iter().flatten() {
            // What is taken in already changes nothing.
            found.is_queued |= found.record.request(&spec.id).is_none();
            found.record = Installation::ingest(spec, Some(found.record), self.now);
        }
        found
    }

    /// What is asked for of a device and has no record yet.
    fn of_device(&mut self, device: &Address) -> impl Iterator<Item = Surveyed> + use<> {
        let now = self.now;
        let of_device = self.specs.remove(device).unwrap_or_default();
        of_device.into_values().filter_map(move |specs| asked_for(specs, now))
    }

    fn rest(self) -> impl Iterator<Item = Surveyed> {
        let now = self.now;
        let specs = self.specs.into_values().flat_map(ByKey::into_values);
        specs.filter_map(move |specs| asked_for(specs, now))
    }
}

fn asked_for(specs: Vec<InstallSpec>, now: DateTime<Utc>) -> Option<Surveyed> {
    let ingest = |before, spec| Some(Installation::ingest(spec, before, now));
    let record = specs.into_iter().fold(None, ingest)?;
    Some(Surveyed { record, is_queued: true })
}
