//! The configuration file: device options under `[device."FQDN"]`, in TOML.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::incident::Teller;
use super::options::DeviceOptions;
use crate::files::{self, Trouble};
use crate::panos::address::{Address, BadAddress};
use crate::text::harmless;

/// Where the file is when nobody says otherwise; it need not be there.
pub const DEFAULT: &str = "/etc/pan_getcert.toml";
/// The most that is read: room for thousands of devices.
const LIMIT: usize = 4 << 20;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    device: BTreeMap<String, DeviceOptions>,
    /// What is run when a failure lasts, and when it is over.
    #[serde(default)]
    on_failure: Vec<String>,
    /// After how many failures in a row.
    #[serde(default = "usual_patience")]
    tell_after: u32,
    /// What becomes of a device that does not run any more what it did.
    #[serde(default)]
    drift: Drift,
}

/// Some minutes: a device that is rebooted is no news.
fn usual_patience() -> u32 {
    4
}

/// What becomes of a device that does not run any more what it was proven to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// It is owed anew, and delivered.
    #[default]
    Deliver,
    /// A person is told.
    Warn,
}

/// What is set for which device.
#[derive(Debug, Clone, Default)]
pub struct Config {
    devices: BTreeMap<Address, DeviceOptions>,
    teller: Teller,
    drift: Drift,
}

/// A configuration file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration file {}: {problem}", harmless(&.path.to_string_lossy()))]
pub struct ConfigError {
    path: PathBuf,
    /// One line, or several that show a place in the file.
    problem: String,
}

impl Config {
    /// Reads the file that was named, or the default one if it is there.
    ///
    /// # Errors
    /// A named file that is missing; a file that can't be read; unknown keys, wrong types, names that are no
    /// device, with line and column.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let bad = |problem: String| ConfigError { path: path.to_owned(), problem };
        let contents = files::open(path).and_then(|(file, metadata)| files::read(file, &metadata, LIMIT));
        let contents = match contents {
            Ok(contents) => contents,
            Err(Trouble::Missing) if named.is_none() => return Ok(Self::default()),
            Err(trouble) => return Err(bad(trouble.to_string())),
        };
        let text = std::str::from_utf8(&contents).map_err(|_| bad("it is not UTF-8 text".to_owned()))?;
        let file: File = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        let mut devices = BTreeMap::new();
        for (name, options) in file.device {
            let address: Address =
                name.parse().map_err(|error: BadAddress| bad(harmless(&error.to_string())))?;
            if options.trust_choices() > 1 {
                return Err(bad(format!(
                    "[device.\"{name}\"]: only one of ca-file, pin and insecure can be set"
                )));
            }
            if devices.insert(address, options).is_some() {
                return Err(bad(format!("[device.\"{name}\"]: the device is there twice")));
            }
        }
        if !file.on_failure.is_empty() {
            check_owner(path).map_err(bad)?;
        }
        let teller = Teller { command: file.on_failure, patience: file.tell_after.max(1) };
        Ok(Self { devices, teller, drift: file.drift })
    }

    /// Whom to tell of failures that last.
    #[must_use]
    pub fn teller(&self) -> &Teller {
        &self.teller
    }

    /// What becomes of a device that does not run any more what it did.
    #[must_use]
    pub fn drift(&self) -> Drift {
        self.drift
    }

    /// What is set for a device.
    #[must_use]
    pub fn device(&self, address: &Address) -> DeviceOptions {
        self.devices.get(address).cloned().unwrap_or_default()
    }
}

/// Whoever can change the file decides which program is run.
fn check_owner(path: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let caller = rustix::process::geteuid().as_raw();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && owner != caller {
        return Err(format!("on_failure names a program, and the file belongs to user id {owner}"));
    }
    if mode & 0o022 != 0 {
        return Err(format!("on_failure names a program, and others can write the file (mode {mode:04o})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path())).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_found_by_device_and_port() {
        let config =
            load("[device.\"FW1.example.com\"]\nprofile = 'GP portal'\nca-file = ['/a']\ncommit = 'full'\n")
                .unwrap();
        let options = config.device(&"fw1.example.com:443".parse().unwrap());
        assert_eq!(options.profile.as_deref(), Some("GP portal"));
        assert_eq!(config.device(&"fw1.example.com:8443".parse().unwrap()), DeviceOptions::default());
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        for (text, says) in [
            ("[device.fw1]\nprofil = 'x'\n", "line 2, column 1"),
            ("[device.fw1]\nexportable = 'yes'\n", "line 2"),
            ("devices = 1\n", "unknown field"),
            ("[device.'a b']\n", "not a valid device name"),
            ("[device.fw1]\npin = 'a'\ninsecure = true\n", "only one of"),
            ("[device.fw1]\n[device.FW1]\n", "twice"),
            ("[device", "line 1"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Config::load(Some(Path::new("/nonexistent/x.toml"))).is_err());
    }
}
