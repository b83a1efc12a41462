//! From the queue into the records, for one device.

use std::collections::BTreeMap;

use panos_xmlapi::Address;

use super::engine::{DeliveryEngine, log_once};
use super::error::StoreError;
use super::files::in_background;
use super::ingest::{Effect, Known, ingest};
use super::installation::Installation;
use super::key::InstallationKey;
use super::leaving::{Leaving, TakenIn};
use super::spec::InstallSpec;
use super::store::InstallationStore;
use crate::host::log::RunLog;

impl DeliveryEngine<'_> {
    /// The records of a device, with the requests for it that are in the queue. The disk is looked at in the background:
    /// for a fleet that adds up.
    pub(super) async fn take_in(
        &self,
        device: &Address,
        records: &InstallationStore,
        run: &RunLog,
    ) -> Result<TakenIn, StoreError> {
        let listing = self.queue.for_device(device)?;
        listing.errors.iter().for_each(|error| log_once(error, run));
        let (store, run, device) = (records.clone(), run.clone(), device.clone());
        let work = in_background(move || take(listing.specs, &device, &store, &run));
        let folder = records.state_dir();
        work.await.unwrap_or_else(|error| Err(StoreError::new("write", folder, error)))
    }
}

fn take(
    mut queued: Leaving,
    device: &Address,
    records: &InstallationStore,
    run: &RunLog,
) -> Result<TakenIn, StoreError> {
    let specs: Vec<InstallSpec> = queued.iter().map(|queued| queued.spec.clone()).collect();
    let known = |key: &InstallationKey| match records.read(key) {
        Ok(None) => Known::Nothing,
        Ok(Some(record)) => Known::Record(Box::new(record)),
        Err(error) => {
            log_once(&error, run);
            // What was set aside is not in the way.
            match records.read(key) {
                Ok(None) => Known::Nothing,
                _ => Known::Unreadable,
            }
        }
    };
    let effects = ingest(&specs, known, records.now());
    let found = records.of_device(device)?;
    found.errors.iter().for_each(|error| log_once(error, run));
    let mut all: BTreeMap<InstallationKey, Installation> =
        found.records.into_iter().map(|record| (record.key(), record)).collect();
    let mut leaving: BTreeMap<InstallationKey, Leaving> = BTreeMap::new();
    for effect in effects {
        match effect {
            Effect::Save(record) => {
                let key = record.key();
                if let Some(before) = all.get(&key) {
                    log_dropped(before, &record, run);
                }
                leaving.entry(key.clone()).or_default();
                all.insert(key, *record);
            }
            Effect::Remove(id) => {
                let Some(at) = queued.iter().position(|queued| queued.spec.id == id) else { continue };
                let request = queued.swap_remove(at);
                match leaving.get_mut(&request.spec.key()) {
                    Some(leaving) => leaving.push(request),
                    // Its record is on the disk.
                    None => request.remove()?,
                }
            }
        }
    }
    Ok(TakenIn { records: all.into_values().collect(), leaving })
}

/// Says which profiles another list leaves out.
fn log_dropped(before: &Installation, record: &Installation, run: &RunLog) {
    let now = record.profiles();
    let dropped = before.profiles().into_iter().filter(|name| !now.contains(name));
    let dropped: Vec<String> = dropped.map(|name| format!("'{name}'")).collect();
    if !dropped.is_empty() {
        let (key, names) = (record.key(), dropped.join(", "));
        run.say(&format!("WARNING: {key} is not installed in these SSL/TLS profiles any more: {names}."));
    }
}
