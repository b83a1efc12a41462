//! What may be delivered now: the schedule of the configuration file, asked for each record, and how many devices are
//! changed at the same time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local, Utc};
use tokio::sync::Semaphore;

use super::hold::{Hold, hold};
use super::installation::Installation;
use super::survey::survey;
use crate::settings::config::Config;

/// For how long what goes first is taken to stand as it did, at least.
const FRESH: Duration = Duration::from_secs(1);
/// Looking at all records for it takes at most this part of the time, as one of so many.
const LOOKING: u32 = 20;

/// Says what may be delivered.
#[derive(Debug, Default)]
pub struct Gate {
    /// Nothing is waited for.
    pub is_open: bool,
    /// Nothing is waited for by the installations that these requests are for, by their ids.
    pub now: Vec<String>,
    /// Room for so many devices that are changed at the same time; nothing is no limit.
    pub slots: Option<Arc<Semaphore>>,
    /// What goes first, as it stood a moment ago.
    canaries: Mutex<BTreeMap<Option<PathBuf>, Canaries>>,
}

/// The installations that others wait for, by a configuration file.
#[derive(Debug)]
struct Canaries {
    until: Instant,
    records: Arc<Vec<Installation>>,
}

impl Gate {
    /// With the limit that a configuration file sets.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let slots = config.max_commits().and_then(|most| usize::try_from(most.get()).ok());
        Self { slots: slots.map(|most| Arc::new(Semaphore::new(most))), ..Self::default() }
    }

    /// What keeps a record in this state directory waiting, by the clock of this machine.
    pub fn hold(&self, record: &Installation, state_dir: &Path, now: DateTime<Utc>) -> Option<Hold> {
        let is_ours = |id: &String| record.request(id).is_some();
        if self.is_open || !record.is_pending() || self.now.iter().any(is_ours) {
            return None;
        }
        let config = config(record)?;
        let schedule = config.schedule(&record.spec.destination());
        if schedule.is_free() {
            return None;
        }
        let records = match schedule.canaries.as_slice() {
            [] => Arc::default(),
            _ => self.canaries(record.spec.options.config.as_ref(), &config, state_dir, now),
        };
        hold(record, &schedule, &records, &now.with_timezone(&Local))
    }

    /// Something was delivered there: where others wait for it, it is looked anew how it stands.
    pub fn delivered(&self, record: &Installation) {
        if config(record).is_some_and(|config| config.goes_first(&record.spec.destination())) {
            self.canaries.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Of all records only those that a group of the configuration file waits for.
    fn canaries(
        &self,
        file: Option<&PathBuf>,
        config: &Config,
        state_dir: &Path,
        now: DateTime<Utc>,
    ) -> Arc<Vec<Installation>> {
        let mut known = self.canaries.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        if let Some(fresh) = known.get(&file.cloned()).filter(|known| begun < known.until) {
            return Arc::clone(&fresh.records);
        }
        let mut records = Vec::new();
        let looked = survey(state_dir, now, |found| {
            if config.goes_first(&found.record.spec.destination()) {
                records.push(found.record);
            }
        });
        // What can't be read is nothing to wait for.
        let records = Arc::new(looked.map(|_| records).unwrap_or_default());
        let until = Instant::now() + FRESH.max(begun.elapsed() * LOOKING);
        known.insert(file.cloned(), Canaries { until, records: Arc::clone(&records) });
        records
    }
}

/// The configuration file of a record; nothing where it can't be used: then the delivery says so.
fn config(record: &Installation) -> Option<Arc<Config>> {
    Config::shared(record.spec.options.config.as_deref()).ok()
}
