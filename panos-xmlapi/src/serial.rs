//! The serial number of a managed firewall.

use std::fmt;
use std::str::FromStr;

use super::error::Error;

/// A device's serial number: 1 to 32 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(String);

/// Text that is no serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a serial number", .0.escape_debug())]
pub struct InvalidSerial(String);

impl Serial {
    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = InvalidSerial;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidSerial(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<InvalidSerial> for Error {
    fn from(invalid: InvalidSerial) -> Self {
        Self::InvalidRequest(invalid.to_string())
    }
}
