//! What identifies an installation.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use panos_xmlapi::{Address, Location};
use serde::{Deserialize, Serialize};

use crate::install::names::ObjectName;

/// This certificate object, at this location, on this device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallationKey {
    /// The device, as typed.
    pub device: Address,
    /// Where the object lies on it.
    pub location: Location,
    /// The object's name as it was asked for, without a suffix.
    pub name: ObjectName,
}

impl InstallationKey {
    /// The record's file, below the directory of all records.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let directory = PathBuf::from(self.device.to_string()).join(encoded(&self.location));
        directory.join(format!("{}.json", self.name))
    }
}

impl fmt::Display for InstallationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Shared => write!(f, "{}: {}", self.device, self.name),
            location => write!(f, "{}: {location}: {}", self.device, self.name),
        }
    }
}

/// A location as the name of a directory: what is no letter, digit, `:`, `_`, `-` or inner `.` is written as `%` and
/// two hexadecimal digits.
#[must_use]
pub(super) fn encoded(location: &Location) -> String {
    let mut text = String::new();
    for byte in location.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b":_-.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // A text takes whatever is written to it.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_location_is_a_directory_of_its_own() {
        for (location, directory) in [
            ("shared", "shared"),
            ("vsys:vsys2", "vsys:vsys2"),
            ("template:A b/vsys1", "template:A%20b%2Fvsys1"),
            ("stack:a.b", "stack:a.b"),
        ] {
            assert_eq!(encoded(&location.parse().unwrap()), directory);
        }
    }
}
