//! From the queue into the records: what has to become durable, in which order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::installation::Installation;
use super::key::InstallationKey;
use super::spec::InstallSpec;

/// Something that has to become durable before the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This record is written.
    Save(Box<Installation>),
    /// The request with this id is taken out of the queue.
    Remove(String),
}

/// What is known of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// Its record.
    Record(Box<Installation>),
    /// Its record can't be read, and is not to be overwritten: the request stays in the queue.
    Unreadable,
}

/// Installations as they stand with these requests, of which nobody has taken in any yet: what is only looked at.
#[must_use]
pub fn with_requests(
    records: impl IntoIterator<Item = Installation>,
    requests: impl IntoIterator<Item = InstallSpec>,
    now: DateTime<Utc>,
) -> BTreeMap<InstallationKey, Installation> {
    let mut all: BTreeMap<InstallationKey, Installation> =
        records.into_iter().map(|record| (record.key(), record)).collect();
    for spec in requests {
        let key = spec.key();
        let before = all.remove(&key);
        all.insert(key, Installation::ingest(spec, before, now));
    }
    all
}

/// Takes requests in, in the order in which they were given. A crash after any of the effects loses nothing: what is
/// listed in a record already is only removed the next time.
#[must_use]
pub fn ingest(
    queued: &[InstallSpec],
    mut known: impl FnMut(&InstallationKey) -> Known,
    now: DateTime<Utc>,
) -> Vec<Effect> {
    let mut queued: Vec<&InstallSpec> = queued.iter().collect();
    queued.sort_by(|one, other| (one.sequence, &one.id).cmp(&(other.sequence, &other.id)));
    let mut changed: Vec<Installation> = Vec::new();
    let mut effects = Vec::new();
    for spec in queued {
        let key = spec.key();
        let at = changed.iter().position(|record| record.key() == key);
        let before = match at.map(|at| changed.swap_remove(at)) {
            Some(record) => Some(record),
            None => match known(&key) {
                Known::Nothing => None,
                Known::Record(record) => Some(*record),
                Known::Unreadable => continue,
            },
        };
        let is_known = before.as_ref().is_some_and(|before| before.request(&spec.id).is_some());
        let record = Installation::ingest(spec.clone(), before, now);
        if !is_known {
            effects.push(Effect::Save(Box::new(record.clone())));
        }
        effects.push(Effect::Remove(spec.id.clone()));
        changed.push(record);
    }
    effects
}
