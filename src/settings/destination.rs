//! Where a certificate is to go: a device, or one of the targets of the configuration file.

use std::fmt;

use panos_xmlapi::Address;

/// A device, by itself or as a target's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The device.
    pub device: Address,
    /// The target whose settings count, where one was named.
    pub target: Option<String>,
}

impl From<Address> for Destination {
    fn from(device: Address) -> Self {
        Self { device, target: None }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            None => write!(out, "{}", self.device),
            Some(target) => write!(out, "{} (target '{target}')", self.device),
        }
    }
}
