//! What a device is, and who we are on it.

use super::location::Location;
use super::reply::{Reply, ReplyError};

/// A device's description of itself. Every part can be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemInfo {
    /// The host name set on the device.
    pub hostname: Option<String>,
    /// `PA-3220`, `Panorama`, `M-200`, …
    pub model: Option<String>,
    /// The serial number; `unknown` where unlicensed.
    pub serial: Option<String>,
    /// `10.2.9`, `11.1.4-h7`, …
    pub sw_version: Option<String>,
    /// The model family.
    pub family: Option<String>,
    /// `on` or `off`.
    pub multi_vsys: Option<String>,
    /// `normal` or `fips-cc`.
    pub operational_mode: Option<String>,
    /// Only on Panorama.
    pub system_mode: Option<String>,
    /// The device's clock, in its own words and zone.
    pub time: Option<String>,
}

/// The longest name of a certificate object on a firewall, in characters.
pub const FIREWALL_NAME_LIMIT: usize = 63;
/// The longest name of a certificate object on Panorama, in characters.
pub const PANORAMA_NAME_LIMIT: usize = 31;

/// The values of `system-mode` that only a Panorama has.
const PANORAMA_MODES: [&str; 3] = ["panorama", "management-only", "legacy"];

impl SystemInfo {
    /// Reads the reply to `show system info` or `type=version`.
    ///
    /// # Errors
    /// A reply without a result, or with nothing in it that tells a device.
    pub fn read(reply: &Reply) -> Result<Self, ReplyError> {
        let result = reply.result().ok_or(ReplyError::Missing("a result"))?;
        let system = result.child("system").unwrap_or(result);
        let info = Self {
            hostname: system.word_of("hostname"),
            model: system.word_of("model"),
            serial: system.word_of("serial"),
            sw_version: system.word_of("sw-version"),
            family: system.word_of("family"),
            multi_vsys: system.word_of("multi-vsys"),
            operational_mode: system.word_of("operational-mode"),
            system_mode: system.word_of("system-mode"),
            time: system.word_of("time"),
        };
        if info.hostname.is_none() && info.model.is_none() && info.sw_version.is_none() {
            return Err(ReplyError::Missing("any system information"));
        }
        Ok(info)
    }

    /// The release, such as (11, 1).
    #[must_use]
    pub fn version(&self) -> Option<(u16, u16)> {
        release(self.sw_version.as_deref()?)
    }

    /// Whether it knows keys that are never given out again (`block-private-key`, 10.1 and later). One that does not tell
    /// its release is taken for one that does.
    #[must_use]
    pub fn blocks_private_keys(&self) -> bool {
        self.version().is_none_or(|version| version >= (10, 1))
    }

    /// Whether this is Panorama and not a firewall. Its model says so, or a mode that only Panorama has: firewalls tell
    /// of modes too.
    #[must_use]
    pub fn is_panorama(&self) -> bool {
        let model = self.model.as_deref().unwrap_or_default();
        let is_one = model.eq_ignore_ascii_case("panorama") || model.starts_with("M-");
        !self.is_log_collector() && (is_one || PANORAMA_MODES.contains(&self.mode().as_str()))
    }

    /// Whether this is a log collector: of Panorama's models, without its configuration of templates.
    #[must_use]
    pub fn is_log_collector(&self) -> bool {
        self.mode() == "logger"
    }

    fn mode(&self) -> String {
        self.system_mode.as_deref().unwrap_or_default().to_ascii_lowercase()
    }

    /// Where this device keeps the objects that belong to the device as a whole.
    #[must_use]
    pub fn default_location(&self) -> Location {
        if self.is_panorama() { Location::Panorama } else { Location::Shared }
    }

    /// How long a certificate object's name may be, in characters.
    #[must_use]
    pub fn name_limit(&self) -> usize {
        if self.is_panorama() { PANORAMA_NAME_LIMIT } else { FIREWALL_NAME_LIMIT }
    }
}

/// The release in `11.1.4-h7`, such as (11, 1).
pub(super) fn release(version: &str) -> Option<(u16, u16)> {
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The calling administrator's name from the reply to `show admins`: the entry marked with `<self/>`
/// (PAN-OS 10.0 and later).
#[must_use]
pub fn own_name(reply: &Reply) -> Option<String> {
    reply
        .result()?
        .child("admins")?
        .children_named("entry")
        .find(|entry| entry.child("self").is_some())?
        .word_of("admin")
}
