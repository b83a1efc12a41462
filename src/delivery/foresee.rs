//! What would keep something waiting if it were asked for now.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Local, Utc};

use super::claims;
use super::hold::{Fleet, Hold, hold};
use super::installation::Installation;
use super::key::InstallationKey;
use super::spec::InstallSpec;
use crate::settings::config::Config;

/// What would keep each of these waiting. They are taken together: a canary may be among them.
#[must_use]
pub fn foresee(specs: &[InstallSpec], state_dir: &Path, now: DateTime<Utc>) -> Vec<Option<Hold>> {
    // What can't be read is nothing to wait for.
    let known = claims::known(state_dir, now).unwrap_or_default();
    let mut all: BTreeMap<InstallationKey, Installation> =
        known.into_iter().map(|record| (record.key(), record)).collect();
    for spec in specs {
        let before = all.remove(&spec.key());
        all.insert(spec.key(), Installation::ingest(spec.clone(), before, now));
    }
    let records: Vec<Installation> = all.values().cloned().collect();
    let look = |spec: &InstallSpec| {
        let record = all.get(&spec.key())?;
        let config = Config::shared(spec.options.config.as_deref()).ok()?;
        let schedule = config.schedule(&spec.destination());
        hold(record, &schedule, &Fleet { records: &records }, &now.with_timezone(&Local))
    };
    specs.iter().map(look).collect()
}
