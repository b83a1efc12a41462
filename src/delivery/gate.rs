//! What may be delivered now: the schedule of the configuration file, asked for each record, and how many devices are
//! changed at the same time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local, Utc};
use tokio::sync::Semaphore;

use super::claims;
use super::hold::{Fleet, Hold, hold};
use super::installation::Installation;
use crate::settings::config::Config;

/// For how long all records are taken as they were.
const FRESH: Duration = Duration::from_secs(1);

/// Says what may be delivered.
#[derive(Debug, Default)]
pub struct Gate {
    /// Nothing is waited for.
    pub is_open: bool,
    /// Nothing is waited for by the installations that these requests are for, by their ids.
    pub now: Vec<String>,
    /// Room for so many devices that are changed at the same time; nothing is no limit.
    pub slots: Option<Arc<Semaphore>>,
    /// All records, as they were a moment ago.
    fleet: Mutex<Option<(Instant, Arc<Vec<Installation>>)>>,
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
        let schedule = config(record)?.schedule(&record.spec.destination());
        if schedule.is_free() {
            return None;
        }
        let records = match schedule.canaries.as_slice() {
            [] => Arc::default(),
            _ => self.fleet(state_dir, now),
        };
        hold(record, &schedule, &Fleet { records: &records }, &now.with_timezone(&Local))
    }

    /// Something was delivered there: where others wait for it, it is looked anew how it stands.
    pub fn delivered(&self, record: &Installation) {
        if config(record).is_some_and(|config| config.goes_first(&record.spec.destination())) {
            *self.fleet.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn fleet(&self, state_dir: &Path, now: DateTime<Utc>) -> Arc<Vec<Installation>> {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        match fleet.as_ref().filter(|(read, _)| read.elapsed() < FRESH) {
            Some((_, records)) => Arc::clone(records),
            None => {
                // What can't be read is nothing to wait for.
                let records = Arc::new(claims::known(state_dir, now).unwrap_or_default());
                *fleet = Some((Instant::now(), Arc::clone(&records)));
                records
            }
        }
    }
}

/// The configuration file of a record; nothing where it can't be used: then the delivery says so.
fn config(record: &Installation) -> Option<Arc<Config>> {
    Config::shared(record.spec.options.config.as_deref()).ok()
}
