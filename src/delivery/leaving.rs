//! Requests on their way out of the queue: each is in a record, and leaves when that is on the disk.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::files::in_background;
use super::installation::Installation;
use super::key::InstallationKey;
use super::queue::Queued;
use super::spec::InstallSpec;
use super::store::InstallationStore;

/// Requests that leave the queue with the next write of the records that they are in.
pub(super) type Leaving = Vec<Queued<InstallSpec>>;

/// Writes records in the background, and then takes out of the queue what they have from there. A crash in between loses
/// nothing: a request that is in a record already is only removed the next time.
///
/// # Errors
/// Directories or files that can't be written or removed.
pub(super) async fn write_and_release(
    store: &InstallationStore,
    records: Vec<Installation>,
    leaving: Leaving,
) -> Result<(), StoreError> {
    let writer = store.clone();
    let written = in_background(move || {
        records.iter().try_for_each(|record| writer.write(record))?;
        leaving.into_iter().try_for_each(Queued::remove)
    });
    written.await.unwrap_or_else(|error| Err(StoreError::new("write", store.state_dir(), error)))
}

/// What is known of a device with all requests for it. Nobody has changed the disk yet: a record is written soon in any
/// case, and twice would cost a fleet its time.
pub(super) struct TakenIn {
    /// All records of the device.
    pub(super) records: Vec<Installation>,
    /// The requests that they have and their files do not.
    pub(super) leaving: BTreeMap<InstallationKey, Leaving>,
}

/// Writes those of a device's records that these requests are in and their files do not have.
pub(super) async fn keep(
    all: &[Installation],
    leaving: BTreeMap<InstallationKey, Leaving>,
    store: &InstallationStore,
) -> Result<(), StoreError> {
    for (key, requests) in leaving {
        let kept = all.iter().filter(|record| record.key() == key).cloned().collect();
        write_and_release(store, kept, requests).await?;
    }
    Ok(())
}
