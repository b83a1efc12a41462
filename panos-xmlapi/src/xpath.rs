//! Paths into the configuration, built step by step and quoted so that a name can't leave its place.

use std::fmt;

const DEVICE: &str = "/config/devices/entry[@name='localhost.localdomain']";

/// Where certificates and SSL/TLS service profiles live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A firewall's shared configuration.
    Shared,
    /// Panorama's own configuration.
    Panorama,
    /// One virtual system of a firewall.
    Vsys(VsysName),
}

/// The name of a virtual system as PAN-OS has it: `vsys` and a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VsysName(String);

/// Text that is no virtual system's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the name of a virtual system: it is 'vsys' and a number, not its display name", .0.escape_debug())]
pub struct BadVsys(String);

impl VsysName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for VsysName {
    type Err = BadVsys;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("vsys").filter(|number| (1..=5).contains(&number.len()));
        match number {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(text.to_owned())),
            _ => Err(BadVsys(text.chars().take(100).collect())),
        }
    }
}

/// An absolute path into the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XPath(String);

/// A name that XPath 1.0 can't express: it holds both kinds of quotes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name '{0}' holds both ' and \", which no path can express")]
pub struct Unquotable(String);

impl Place {
    /// The path below which this place's objects stand.
    #[must_use]
    pub fn base(&self) -> XPath {
        XPath(match self {
            Self::Shared => "/config/shared".to_owned(),
            Self::Panorama => "/config/panorama".to_owned(),
            Self::Vsys(name) => format!("{DEVICE}/vsys/entry[@name='{}']", name.as_str()),
        })
    }

    /// The virtual system, where it is one.
    #[must_use]
    pub fn vsys(&self) -> Option<&str> {
        match self {
            Self::Vsys(name) => Some(name.as_str()),
            Self::Shared | Self::Panorama => None,
        }
    }

    /// The certificate object of this name.
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn certificate(&self, name: &str) -> Result<XPath, Unquotable> {
        self.base().step("certificate").entry(name)
    }

    /// All SSL/TLS service profiles.
    #[must_use]
    pub fn profiles(&self) -> XPath {
        self.base().step("ssl-tls-service-profile")
    }

    /// The SSL/TLS service profile of this name.
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn profile(&self, name: &str) -> Result<XPath, Unquotable> {
        self.profiles().entry(name)
    }
}

impl XPath {
    /// The name of the profile that the management interface uses (the path's text).
    #[must_use]
    pub fn management_profile() -> Self {
        Self(format!("{DEVICE}/deviceconfig/system/ssl-tls-service-profile"))
    }

    /// All local administrators.
    #[must_use]
    pub fn administrators() -> Self {
        Self("/config/mgt-config/users".to_owned())
    }

    /// How long API keys are good for, in minutes (the path's text; 0 means for ever).
    #[must_use]
    pub fn key_lifetime() -> Self {
        Self(format!("{DEVICE}/deviceconfig/setting/management/api/key/lifetime"))
    }

    /// The device's own part of the configuration: network, device settings, virtual systems.
    #[must_use]
    pub fn device() -> Self {
        Self(DEVICE.to_owned())
    }

    /// A path given as a whole, for places this module has no word for.
    #[must_use]
    pub fn absolute(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// One element further down.
    #[must_use]
    pub fn step(mut self, element: &str) -> Self {
        self.0.push('/');
        self.0.push_str(element);
        self
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn entry(mut self, name: &str) -> Result<Self, Unquotable> {
        let quote = match (name.contains('\''), name.contains('"')) {
            (false, _) => '\'',
            (true, false) => '"',
            (true, true) => return Err(Unquotable(name.to_owned())),
        };
        self.0.push_str(&format!("/entry[@name={quote}{name}{quote}]"));
        Ok(self)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_stay_inside_their_quotes() {
        let path = |name| Place::Shared.profile(name).map(|path| path.to_string());
        assert_eq!(
            path("GP portal").unwrap(),
            "/config/shared/ssl-tls-service-profile/entry[@name='GP portal']"
        );
        assert_eq!(path("it's").unwrap(), "/config/shared/ssl-tls-service-profile/entry[@name=\"it's\"]");
        assert_eq!(
            path("a']|//x['").unwrap(),
            "/config/shared/ssl-tls-service-profile/entry[@name=\"a']|//x['\"]"
        );
        assert!(path("'\"").is_err());
    }
}
