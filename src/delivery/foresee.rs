//! What would keep something waiting if it were asked for now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, Utc};

use super::hold::{Hold, hold};
use super::ingest::with_requests;
use super::installation::Installation;
use super::key::InstallationKey;
use super::spec::InstallSpec;
use super::survey::survey;
use crate::settings::config::Config;

/// What would keep each of these waiting. They are taken together: a canary may be among them.
#[must_use]
pub fn foresee(specs: &[InstallSpec], state_dir: &Path, now: DateTime<Utc>) -> Vec<Option<Hold>> {
    let keys: BTreeSet<InstallationKey> = specs.iter().map(InstallSpec::key).collect();
    let files: BTreeSet<Option<&PathBuf>> = specs.iter().map(|spec| spec.options.config.as_ref()).collect();
    let configs: Vec<_> =
        files.into_iter().filter_map(|file| Config::shared(file.map(PathBuf::as_path)).ok()).collect();
    let mut records: Vec<Installation> = Vec::new();
    // Of all records only these, and those that they may have to wait for. What can't be read is nothing to wait for.
    let _ = survey(state_dir, now, |found| {
        let (key, place) = (found.record.key(), found.record.spec.destination());
        if keys.contains(&key) || configs.iter().any(|config| config.goes_first(&place)) {
            records.push(found.record);
        }
    });
    // In the order of their keys.
    let records: Vec<Installation> =
        with_requests(records, specs.iter().cloned(), now).into_values().collect();
    let look = |spec: &InstallSpec| {
        let key = spec.key();
        let at = records.binary_search_by(|record| record.key().cmp(&key)).ok()?;
        let record = records.get(at)?;
        let config = Config::shared(spec.options.config.as_deref()).ok()?;
        let schedule = config.schedule(&spec.destination());
        hold(record, &schedule, &records, &now.with_timezone(&Local))
    };
    specs.iter().map(look).collect()
}
