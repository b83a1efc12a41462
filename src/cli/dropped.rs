//! What a new request leaves out that an earlier one had: whoever leaves it out may not mean it.

use std::path::Path;

use panos_xmlapi::{Address, Location};

use super::post_save::PostSave;
use super::report;
use crate::delivery::InstallationStore;
use crate::delivery::watch::Awaited;
use crate::settings::destination::Destination;
use crate::text::some_of;

const NAME: &str = "pan_getcert";

/// Whoever leaves a place out may not mean it. Places are compared, not the words that name them: a group that is
/// named by its members now leaves nobody out.
pub fn tell_places(post_save: Option<&str>, now: &[Awaited]) {
    let Some(before) = post_save.and_then(PostSave::read) else { return };
    let dropped: Vec<String> = match before.all_places() {
        Some(places) => {
            let is_named = |place: &Destination, location: &Location| {
                now.iter().any(|now| now.key.device == place.device && now.key.location == *location)
            };
            let left_out = places.iter().filter(|(place, location)| !is_named(place, location));
            left_out.map(|(place, _)| place.to_string()).collect()
        }
        // What a group or a target was that is not there any more, nobody knows.
        None => {
            let list = &before.arguments.list;
            let is_named = |device: &Address| now.iter().any(|now| now.key.device == *device);
            let devices = before.devices().into_iter().filter(|device| !is_named(device));
            let groups = list.group.iter().map(|name| format!("--group={name}"));
            let targets = list.target.iter().map(|name| format!("--target={name}"));
            devices.map(|device| device.to_string()).chain(groups).chain(targets).collect()
        }
    };
    if !dropped.is_empty() {
        let what = format!("WARNING: renewals will no longer be installed on: {}", some_of(&dropped, " "));
        report::problem(NAME, &what, Some("to keep them, run the command again with all devices"));
    }
}

/// The profiles that are named now are the whole list. What is in a record that can't be read can't be told.
pub fn tell_profiles(awaited: &[Awaited], state_dir: &Path) {
    let records = InstallationStore::below(state_dir);
    for Awaited { key, profiles } in awaited {
        let Ok(Some(record)) = records.read(key) else { continue };
        let dropped: Vec<String> = record
            .profiles()
            .iter()
            .filter(|name| !profiles.contains(name))
            .map(|name| format!("'{name}'"))
            .collect();
        if !dropped.is_empty() {
            let (device, name) = (&key.device, &key.name);
            let what = format!(
                "WARNING: {device}: '{name}' is not installed in these SSL/TLS profiles any more: {}",
                dropped.join(", ")
            );
            report::problem(
                NAME,
                &what,
                Some("to keep them, run the command again with all profiles (-p, -s)"),
            );
        }
    }
}
