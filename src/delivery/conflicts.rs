//! What contradicts itself among the records: two certificates that claim the same SSL/TLS service profile of one
//! device (each would take it from the other at its next renewal, again and again), and a device that the list of
//! devices leaves out by now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::installation::Installation;
use super::key::InstallationKey;
use super::spec::InstallSpec;
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

/// Which list of devices was stated last for each certificate's file.
#[derive(Debug, Default)]
pub struct DeviceLists {
    latest: BTreeMap<(PathBuf, String), (u64, String)>,
    queued: BTreeSet<InstallationKey>,
}

impl DeviceLists {
    /// Notes what a record says.
    pub fn add(&mut self, spec: &InstallSpec) {
        let Some(list) = &spec.list else { return };
        let latest = self.latest.entry(file(spec)).or_default();
        if spec.sequence >= latest.0 {
            *latest = (spec.sequence, list.clone());
        }
    }

    /// Notes what a request in the queue says.
    pub fn add_queued(&mut self, spec: &InstallSpec) {
        self.queued.insert(spec.key());
        self.add(spec);
    }

    /// Whether a list that was stated later leaves this installation out: the certificate's next ones are not meant
    /// for it. What was asked for by hand is in no list.
    #[must_use]
    pub fn leave_out(&self, spec: &InstallSpec) -> bool {
        let Some(own) = &spec.list else { return false };
        let later = |(sequence, list): &(u64, String)| *sequence > spec.sequence && list != own;
        !self.queued.contains(&spec.key()) && self.latest.get(&file(spec)).is_some_and(later)
    }
}

fn file(spec: &InstallSpec) -> (PathBuf, String) {
    (spec.options.cert_file.as_ref().unwrap_or(&spec.options.cert_dir).clone(), spec.common_name.to_string())
}
