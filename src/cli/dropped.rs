//! What a new request leaves out that an earlier one had: whoever leaves it out may not mean it.

use std::path::Path;

use super::report;
use crate::delivery::InstallationStore;
use crate::delivery::watch::Awaited;

const NAME: &str = "pan_getcert";

/// Whoever leaves a device out may not mean it.
pub fn tell_devices(before: &[String], now: &[String]) {
    let dropped: Vec<&str> = before.iter().filter(|word| !now.contains(word)).map(String::as_str).collect();
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
