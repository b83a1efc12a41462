//! Two certificates that claim the same SSL/TLS service profile of one device: each would take it from the other
//! at its next renewal, for ever.

use super::installation::Record;
use crate::install::names::ProfileName;
use crate::settings::words::InstallOptions;

/// The profile that two records of one device claim, if there is one.
#[must_use]
pub fn contested<'r>(one: &'r Record, other: &Record) -> Option<&'r ProfileName> {
    let is_another = one.order.name != other.order.name && one.order.device == other.order.device;
    let mut shared = one.profiles().iter().filter(|name| other.profiles().contains(name));
    shared.next().filter(|_| is_another && vsys(one) == vsys(other))
}

/// The record that was proven to hold a profile of this one later than this one was.
#[must_use]
pub fn overtaken_by<'r>(record: &'r Record, all: &'r [Record]) -> Option<(&'r Record, &'r ProfileName)> {
    let since = record.proven.as_ref()?.at;
    let later = |other: &&Record| other.proven.as_ref().is_some_and(|proven| proven.at > since);
    all.iter().filter(later).find_map(|other| Some((other, contested(record, other)?)))
}

fn vsys(record: &Record) -> Option<String> {
    InstallOptions::of_words(&record.order.words).ok()?.device.vsys
}
