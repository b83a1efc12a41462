//! From the queue into the records, for one device.

use panos_xmlapi::Address;

use super::engine::{DeliveryEngine, log_once};
use super::error::StoreError;
use super::files::in_background;
use super::ingest::{Effect, Known, ingest};
use super::installation::Installation;
use super::key::InstallationKey;
use super::queue::Queued;
use super::spec::InstallSpec;
use super::store::InstallationStore;
use crate::host::log::RunLog;

impl DeliveryEngine<'_> {
    /// Moves the requests for a device into its records; all its records. What has to be durable is written in the
    /// background: disks take milliseconds for it, and for a fleet that adds up to many seconds.
    pub(super) async fn take_in(
        &self,
        device: &Address,
        records: &InstallationStore,
        run: &RunLog,
    ) -> Result<Vec<Installation>, StoreError> {
        let listing = self.queue.for_device(device)?;
        listing.errors.iter().for_each(|error| log_once(error, run));
        if !listing.specs.is_empty() {
            let (store, run) = (records.clone(), run.clone());
            let work = in_background(move || take(listing.specs, &store, &run));
            let folder = records.state_dir();
            work.await.unwrap_or_else(|error| Err(StoreError::new("write", folder, error)))?;
        }
        let found = records.of_device(device)?;
        found.errors.iter().for_each(|error| log_once(error, run));
        Ok(found.records)
    }
}

fn take(
    mut queued: Vec<Queued<InstallSpec>>,
    records: &InstallationStore,
    run: &RunLog,
) -> Result<(), StoreError> {
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
    for effect in ingest(&specs, known, records.now()) {
        match effect {
            Effect::Save(record) => {
                log_dropped(records, &record, run);
                records.write(&record)?;
            }
            Effect::Remove(id) => {
                if let Some(at) = queued.iter().position(|queued| queued.spec.id == id) {
                    queued.swap_remove(at).remove()?;
                }
            }
        }
    }
    Ok(())
}

/// Says which profiles another list leaves out.
fn log_dropped(records: &InstallationStore, record: &Installation, run: &RunLog) {
    let Ok(Some(before)) = records.read(&record.key()) else { return };
    let now = record.profiles();
    let dropped = before.profiles().into_iter().filter(|name| !now.contains(name));
    let dropped: Vec<String> = dropped.map(|name| format!("'{name}'")).collect();
    if !dropped.is_empty() {
        let (key, names) = (record.key(), dropped.join(", "));
        run.say(&format!("WARNING: {key} is not installed in these SSL/TLS profiles any more: {names}."));
    }
}
