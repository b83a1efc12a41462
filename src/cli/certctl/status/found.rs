//! Records and requests, put together as they would be when the requests are taken in.

use std::fs;
use std::path::{Path, PathBuf};

use super::installation::Row;
use chrono::Utc;
use panos_xmlapi::Address;

use crate::cli::certctl::selection::is_meant;
use crate::delivery::gate::Gate;
use crate::delivery::{InstallSpec, Installation, InstallationStore, Queue, StoreError, UnresolvedSpec};

/// In the names of files that were set aside.
const ASIDE: &str = ".json.unreadable-";

/// What lies in a state directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each object on each device.
    pub(super) installations: Vec<Row>,
    /// What was asked for and can't be read as a request yet.
    pub(super) unresolved: Vec<UnresolvedSpec>,
    /// What could not be read, now or before, in words.
    pub(super) troubles: Vec<String>,
}

/// Which installations are wanted.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// By the common name, in any case.
    pub(super) certificate: Option<String>,
    /// On this device; on port 443 it is meant with any port.
    pub(super) device: Option<Address>,
}

impl Filter {
    pub(super) fn wants(&self, order: &InstallSpec) -> bool {
        self.wants_named(order.common_name.as_str(), &order.device)
    }

    pub(super) fn wants_named(&self, common_name: &str, on: &Address) -> bool {
        self.certificate.as_ref().is_none_or(|name| common_name.eq_ignore_ascii_case(name))
            && self.device.as_ref().is_none_or(|device| is_meant(device, on))
    }
}

/// Reads a state directory; one that is missing has nothing in it.
///
/// # Errors
/// Directories that can't be read.
pub(super) fn below(state_dir: &Path) -> Result<Found, StoreError> {
    // Before anything is read: what is set aside now is told with its reason.
    let mut troubles: Vec<String> = set_aside(state_dir)
        .iter()
        .map(|path| {
            let path = path.display();
            format!("{path} could not be read and was moved aside; inspect it, then delete it")
        })
        .collect();
    // The queue first: a request that is taken in meanwhile is seen twice rather than not at all.
    let queued = Queue::below(state_dir).all()?;
    let records = InstallationStore::below(state_dir).all()?;
    troubles.extend(queued.errors.iter().chain(&records.errors).map(ToString::to_string));
    let mut installations: Vec<Row> =
        records.records.into_iter().map(|record| Row::of(record, false)).collect();
    for queued in queued.specs {
        enter(queued.spec, &mut installations);
    }
    let gate = Gate::default();
    for row in &mut installations {
        row.hold = gate.hold(&row.record, state_dir, Utc::now());
    }
    let unresolved = queued.unresolved.into_iter().map(|queued| queued.spec).collect();
    Ok(Found { installations, unresolved, troubles })
}

fn enter(spec: InstallSpec, installations: &mut Vec<Row>) {
    let (key, now) = (spec.key(), Utc::now());
    match installations.iter_mut().find(|row| row.record.key() == key) {
        // Taken in already.
        Some(row) if row.record.request(&spec.id).is_some() => {}
        Some(row) => {
            let before = row.record.clone();
            *row = Row::of(Installation::ingest(spec, Some(before), now), true);
        }
        None => installations.push(Row::of(Installation::ingest(spec, None, now), true)),
    }
}

/// What was set aside lies there until a person has looked at it: an alarm that comes only once is overlooked.
fn set_aside(state_dir: &Path) -> Vec<PathBuf> {
    // Directories that can't be read are found out about when the records are.
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let listing = fs::read_dir(folder).into_iter().flatten();
        listing.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let devices = entries(&state_dir.join("installations"));
    let locations: Vec<PathBuf> = devices.iter().flat_map(|device| entries(device)).collect();
    let folders = devices.into_iter().chain(locations).chain([state_dir.join("queue")]);
    let mut found: Vec<PathBuf> = folders.flat_map(|folder| entries(&folder)).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(ASIDE)));
    found.sort();
    found
}
