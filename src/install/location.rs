//! Where an object lies on a device.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::panos::xpath::VsysName;

/// The longest name of a template or a template stack, in characters.
const LONGEST: usize = 31;

/// Where certificates and profiles lie, written as `shared`, `vsys:NAME`, `panorama`, `template:NAME`,
/// `template:NAME/VSYS` or `stack:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Location {
    /// The device as a whole; on Panorama its own configuration.
    Shared,
    /// A virtual system, by its name on the device (`vsys2`).
    Vsys(String),
    /// Panorama's own configuration.
    Panorama,
    /// A template.
    Template(String),
    /// A virtual system of a template.
    TemplateVsys {
        /// The template.
        template: String,
        /// The virtual system.
        vsys: String,
    },
    /// A template stack.
    TemplateStack(String),
}

/// Text that names no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no location: it is shared, vsys:NAME, panorama, template:NAME, template:NAME/VSYS or stack:NAME", .0.escape_debug())]
pub struct InvalidLocation(String);

impl Location {
    /// The location of a virtual system, or of the device as a whole.
    #[must_use]
    pub fn of_vsys(vsys: Option<&VsysName>) -> Self {
        vsys.map_or(Self::Shared, |vsys| Self::Vsys(vsys.as_str().to_owned()))
    }

    /// The virtual system of a firewall that it is.
    #[must_use]
    pub fn vsys(&self) -> Option<VsysName> {
        match self {
            Self::Vsys(name) => name.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::Vsys(name) => write!(f, "vsys:{name}"),
            Self::Panorama => f.write_str("panorama"),
            Self::Template(name) => write!(f, "template:{name}"),
            Self::TemplateVsys { template, vsys } => write!(f, "template:{template}/{vsys}"),
            Self::TemplateStack(name) => write!(f, "stack:{name}"),
        }
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || InvalidLocation(text.chars().take(100).collect());
        let vsys =
            |name: &str| name.parse::<VsysName>().map(|name| name.as_str().to_owned()).map_err(|_| bad());
        let template = |name: &str| is_name(name).then(|| name.to_owned()).ok_or_else(bad);
        match text.split_once(':') {
            None if text == "shared" => Ok(Self::Shared),
            None if text == "panorama" => Ok(Self::Panorama),
            Some(("vsys", name)) => Ok(Self::Vsys(vsys(name)?)),
            Some(("stack", name)) => Ok(Self::TemplateStack(template(name)?)),
            Some(("template", name)) => match name.split_once('/') {
                None => Ok(Self::Template(template(name)?)),
                Some((name, part)) => Ok(Self::TemplateVsys { template: template(name)?, vsys: vsys(part)? }),
            },
            _ => Err(bad()),
        }
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !text.ends_with(' ')
        && text.len() <= LONGEST
        && text.chars().all(allowed)
}

impl TryFrom<String> for Location {
    type Error = InvalidLocation;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["shared", "vsys:vsys2", "panorama", "template:A b", "template:A b/vsys1", "stack:S.1-x"]
        {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        for text in ["", "vsys2", "vsys:", "vsys:gp", "template:", "template:../x", "stack:a/b", "Shared"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
