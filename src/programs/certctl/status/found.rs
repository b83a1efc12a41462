//! Records and orders, put together as they would be when the orders are taken over.

use std::fs;
use std::path::{Path, PathBuf};

use super::installation::Installation;
use crate::delivery::{Order, Queue, Record, RecordError, Records};
use crate::panos::{Address, HTTPS};

/// In the names of files that were set aside.
const ASIDE: &str = ".json.unreadable-";

/// What lies in a state folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each object on each device.
    pub(super) installations: Vec<Installation>,
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
    pub(super) fn wants(&self, order: &Order) -> bool {
        let is_there = |device: &Address| {
            device.host() == order.device.host()
                && (device.port() == HTTPS || device.port() == order.device.port())
        };
        self.certificate.as_ref().is_none_or(|name| order.common_name.as_str().eq_ignore_ascii_case(name))
            && self.device.as_ref().is_none_or(is_there)
    }
}

/// Reads a state folder; one that is missing has nothing in it.
///
/// # Errors
/// Folders that can't be read.
pub(super) fn below(state_dir: &Path) -> Result<Found, RecordError> {
    // Before anything is read: what is set aside now is told with its reason.
    let mut troubles: Vec<String> = set_aside(state_dir)
        .iter()
        .map(|path| {
            let path = path.display();
            format!("{path} could not be read and was set aside; look at it, then delete it")
        })
        .collect();
    // The queue first: an order that is taken over meanwhile is seen twice rather than not at all.
    let (queued, unread) = Queue::below(state_dir).all()?;
    let records = Records::below(state_dir).all()?;
    troubles.extend(unread.iter().chain(&records.troubles).map(ToString::to_string));
    let mut installations: Vec<Installation> =
        records.records.into_iter().map(|record| Installation::of(record, false)).collect();
    for queued in queued {
        enter(queued.order, &mut installations);
    }
    Ok(Found { installations, troubles })
}

fn enter(order: Order, installations: &mut Vec<Installation>) {
    let same = |other: &Order| other.device == order.device && other.name == order.name;
    match installations.iter_mut().find(|installation| same(&installation.record.order)) {
        // Taken over already, or overtaken by a later one.
        Some(installation) if installation.record.order.at >= order.at => {}
        Some(installation) => {
            let before = installation.record.clone();
            *installation = Installation::of(Record::of(order, Some(before)), true);
        }
        None => installations.push(Installation::of(Record::of(order, None), true)),
    }
}

/// What was set aside lies there until a person has looked at it: an alarm that comes only once is overlooked.
fn set_aside(state_dir: &Path) -> Vec<PathBuf> {
    // Folders that can't be read are found out about when the records are.
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let listing = fs::read_dir(folder).into_iter().flatten();
        listing.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let devices = entries(&state_dir.join("installations"));
    let folders = devices.into_iter().chain([state_dir.join("queue")]);
    let mut found: Vec<PathBuf> = folders.flat_map(|folder| entries(&folder)).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(ASIDE)));
    found.sort();
    found
}
