//! What a new request leaves out that an earlier one had: whoever leaves it out may not mean it.

use std::path::Path;

use panos_xmlapi::Address;

use super::post_save::PostSave;
use super::report;
use crate::delivery::InstallationStore;
use crate::delivery::watch::Awaited;

const NAME: &str = "pan_getcert";

/// Whoever leaves a device out may not mean it. Devices are compared, not the words that name them: a group that is
/// named by its members now leaves nobody out.
pub fn tell_devices(post_save: Option<&str>, now: &[Address]) {
    let Some(before) = post_save.and_then(PostSave::read) else { return };
    let left_out = |devices: Vec<Address>| -> Vec<String> {
        devices.iter().filter(|device| !now.contains(device)).map(ToString::to_string).collect()
    };
    let dropped = match before.all_devices() {
        Some(devices) => left_out(devices),
        // Who is in a group that is not there any more, nobody knows.
        None => {
            let groups = before.arguments.list.group.iter().map(|name| format!("--group={name}"));
            left_out(before.devices()).into_iter().chain(groups).collect()
        }
    };
    if !dropped.is_empty() {
        let what = format!("WARNING: renewals will no longer be installed on: {}", dropped.join(" "));
        report::problem(NAME, &what, Some("To keep them, run the command again with all devices."));
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
            report::problem(NAME, &what, Some("To keep them, run the command again with all devices."));
        }
    }
}
