//! Whose an SSL/TLS service profile is: no installation takes one that another claims, unless somebody has said so.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use panos_xmlapi::Address;

use super::error::StoreError;
use super::ingest::with_requests;
use super::installation::Installation;
use super::key::InstallationKey;
use super::queue::Queue;
use super::store::InstallationStore;
use crate::error::Exit;
use crate::host::log::RunLog;
use crate::install::names::ProfileName;
use crate::install::problem::{Problem, RetryClass};

/// A profile that another installation claims.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The profile.
    pub profile: ProfileName,
    /// The other installation.
    pub by: Installation,
}

/// Those of these profiles that somebody else claims: what presents a profile has it, and else whoever asked first.
/// What an installation presents already is its own, whoever else claims it.
#[must_use]
pub fn claims(key: &InstallationKey, profiles: &[ProfileName], all: &[Installation]) -> Vec<Claim> {
    let own = all.iter().find(|record| record.key() == *key);
    let holds = |profile: &ProfileName| own.is_some_and(|own| own.holds(profile));
    let since = |profile: &ProfileName| own.and_then(|own| asked_since(own, profile)).unwrap_or(u64::MAX);
    let others = |record: &&Installation| is_elsewhere(key, record);
    let claim = |profile: &ProfileName| {
        let has = |record: &&Installation| {
            record.profiles().contains(profile)
                && (record.holds(profile)
                    || record.takes_over.contains(profile)
                    || asked_since(record, profile).unwrap_or(0) < since(profile))
        };
        let by = all.iter().filter(others).find(has)?.clone();
        Some(Claim { profile: profile.clone(), by })
    };
    profiles.iter().filter(|profile| !holds(profile)).filter_map(claim).collect()
}

/// Another installation at the same place.
fn is_elsewhere(key: &InstallationKey, other: &Installation) -> bool {
    let there = other.key();
    there.device == key.device && there.location == key.location && there.name != key.name
}

/// The number of the first request for a profile, as far as it is remembered.
fn asked_since(record: &Installation, profile: &ProfileName) -> Option<u64> {
    let requests = record.requests.iter().filter(|request| request.profiles.contains(profile));
    requests.map(|request| request.sequence).min()
}

/// Those of a record's profiles that it may not take.
fn withheld(record: &Installation, all: &[Installation]) -> Vec<Claim> {
    let mut profiles = record.profiles();
    profiles.retain(|profile| !record.takes_over.contains(profile));
    claims(&record.key(), &profiles, all)
}

/// All installations on these devices, the requests that wait in the queue included.
///
/// # Errors
/// A state directory that can't be read.
pub fn known(
    state_dir: &Path,
    devices: &BTreeSet<&Address>,
    now: DateTime<Utc>,
) -> Result<Vec<Installation>, StoreError> {
    // The queue first: a request that is taken in meanwhile is seen twice rather than not at all.
    let mut queued = Queue::below(state_dir).all()?.specs;
    queued.retain(|queued| devices.contains(&queued.spec.device));
    let (store, mut records) = (InstallationStore::below(state_dir), Vec::new());
    for device in devices {
        records.extend(store.of_device(device)?.records);
    }
    Ok(with_requests(records, queued.into_iter().map(|queued| queued.spec), now).into_values().collect())
}

/// Claims in words, and how they are settled.
#[must_use]
pub fn problem(claims: &[Claim]) -> Problem {
    let each = claims.iter().map(|Claim { profile, by }| {
        let (object, name) = (&by.spec.name, by.common_name());
        let name = if object.as_str() == name.as_str() { String::new() } else { format!(" ({name})") };
        format!("the SSL/TLS profile '{profile}' belongs to the installation '{object}'{name}")
    });
    let what = format!("{}: nothing was changed there", each.collect::<Vec<_>>().join("; "));
    let give_up = claims.first().map(|Claim { profile, by }| {
        format!(
            "to let this certificate have it, add --take-over; to only end the other claim: pan_certctl forget {} \
             --device {} --profile '{profile}'",
            by.spec.name, by.spec.device
        )
    });
    Problem { exit: Exit::Rebind, what, advice: give_up, retry_class: RetryClass::NeedsOperator }
}

/// What a record may not take and what is left to be done for it; nothing where nobody else claims anything.
pub(super) fn split(record: &Installation, all: &[Installation]) -> Option<(Problem, Vec<ProfileName>)> {
    let withheld = withheld(record, all);
    if withheld.is_empty() {
        return None;
    }
    let names: Vec<ProfileName> = withheld.iter().map(|claim| claim.profile.clone()).collect();
    Some((problem(&withheld), record.unaffected_by(&names)))
}

/// What was taken over and is presented by now is given up by whoever had it. A process that dies here does it in the
/// next run.
pub(super) fn hand_over(
    all: &mut [Installation],
    records: &InstallationStore,
    run: &RunLog,
) -> Result<(), StoreError> {
    for at in 0..all.len() {
        let (key, name) = (all[at].key(), all[at].spec.name.clone());
        let taken: Vec<ProfileName> =
            all[at].takes_over.iter().filter(|profile| all[at].holds(profile)).cloned().collect();
        if taken.is_empty() {
            continue;
        }
        for other in all.iter_mut().filter(|other| is_elsewhere(&key, other)) {
            let gives: Vec<ProfileName> =
                other.profiles().into_iter().filter(|profile| taken.contains(profile)).collect();
            for profile in &gives {
                other.give_up(profile, records.now());
                run.say(&format!(
                    "The SSL/TLS profile '{profile}' was taken over by '{name}' from '{}'.",
                    other.spec.name
                ));
            }
            if !gives.is_empty() {
                records.write(other)?;
            }
        }
        all[at].takes_over.retain(|profile| !taken.contains(profile));
        records.write(&all[at])?;
    }
    Ok(())
}
