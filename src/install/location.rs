//! Where an object lies on a firewall, as `--vsys` says it.

use panos_xmlapi::{Location, VsysName};

/// The location of a virtual system, or of the device as a whole.
#[must_use]
pub fn of_vsys(vsys: Option<&VsysName>) -> Location {
    vsys.map_or(Location::Shared, |vsys| Location::Vsys(vsys.clone()))
}

/// The virtual system that a location is.
#[must_use]
pub fn vsys(location: &Location) -> Option<VsysName> {
    match location {
        Location::Vsys(vsys) => Some(vsys.clone()),
        _ => None,
    }
}
