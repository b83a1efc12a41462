//! Two certificates that claim the same SSL/TLS service profile of one device: each would take it from the other at its
//! next renewal, again and again.

use super::installation::Installation;
use crate::install::names::ProfileName;

/// The profile that two installations at one location of one device claim, if there is one.
#[must_use]
pub fn shared_profile(one: &Installation, other: &Installation) -> Option<ProfileName> {
    let (here, there) = (&one.spec, &other.spec);
    let same_place = here.device == there.device && here.location == there.location;
    if !same_place || here.name == there.name {
        return None;
    }
    let claimed = other.profiles();
    one.profiles().into_iter().find(|name| claimed.contains(name))
}

/// The installation that was verified to have a profile of this one later than this one was.
#[must_use]
pub fn superseded_by<'r>(
    record: &Installation,
    all: &'r [Installation],
) -> Option<(&'r Installation, ProfileName)> {
    let since = record.verified.as_ref()?.sequence;
    let later =
        |other: &&Installation| other.verified.as_ref().is_some_and(|verified| verified.sequence > since);
    all.iter().filter(later).find_map(|other| Some((other, shared_profile(record, other)?)))
}
