//! Working on many devices at once, until nothing more is to be done now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use panos_xmlapi::Address;

use super::engine::{DeliveryEngine, Report, Selection, run_id};
use super::failure::DeliveryError;
use super::key::InstallationKey;
use super::queue::Listing;
use super::waiting::WaitingList;

/// How often it is looked for new orders while devices are being worked on: one slow device holds up no other.
const LOOK: Duration = Duration::from_secs(1);
/// Looking through all records takes at most this part of the time, as one of so many.
const LOOKING: u32 = 20;
/// A device that was served is not served again earlier, whatever its records say.
const AGAIN: TimeDelta = TimeDelta::seconds(60);

/// Somebody who works on many devices at once.
pub struct Worker<'a> {
    /// How one of them is served.
    pub engine: &'a DeliveryEngine<'a>,
    /// What is delivered.
    pub which: Selection,
    /// Only to these devices, if any are named.
    pub only: Vec<Address>,
    /// How many at once.
    pub concurrency: usize,
}

impl Worker<'_> {
    /// Delivers until nothing more is to be done now. What comes into the queue meanwhile is taken along.
    pub async fn work(&self, mut tell: impl FnMut(&Report)) -> (Vec<Report>, Vec<DeliveryError>) {
        let (mut reports, mut troubles) = (Vec::new(), Vec::new());
        let (mut begun, mut serving) = (Begun::default(), FuturesUnordered::new());
        let (mut waiting, mut next_look) = (BTreeMap::new(), Instant::now());
        loop {
            let looked = Instant::now();
            if looked >= next_look || (serving.is_empty() && waiting.is_empty()) {
                waiting = self.waiting(&mut begun, &mut troubles).unwrap_or_else(|failure| {
                    troubles.push(failure);
                    BTreeMap::new()
                });
                next_look = Instant::now() + LOOK.max(looked.elapsed() * LOOKING);
            }
            waiting.retain(|device, requests| {
                let is_begun = serving.len() < self.concurrency && begun.begin(device, requests);
                if is_begun {
                    let device = device.clone();
                    serving.push(async move {
                        let served = self.engine.serve(&device, self.which).await;
                        (device, served)
                    });
                }
                !is_begun
            });
            if serving.is_empty() {
                return (reports, troubles);
            }
            let Ok(Some((device, served))) = tokio::time::timeout(LOOK, serving.next()).await else {
                continue;
            };
            // What came for it meanwhile was taken in by this run, or is found at the next look.
            waiting.remove(&device);
            begun.end(&device, served.is_ok().then(|| self.engine.records.now()));
            match served {
                Ok(each) => {
                    // What waits for a window or for a canary is served once that is over.
                    if self.holds_any(&device) {
                        begun.devices.remove(&device);
                    }
                    each.iter().for_each(&mut tell);
                    begun.tried.extend(each.iter().map(|report| report.record.key()));
                    reports.extend(each);
                }
                Err(failure) => troubles.push(failure),
            }
        }
    }

    fn holds_any(&self, device: &Address) -> bool {
        let records = self.engine.records.of_device(device).map(|found| found.records).unwrap_or_default();
        records.iter().any(|record| self.engine.hold(record, self.which).is_some())
    }

    /// The devices that something is to be delivered to, with the new orders for each. A device that was served
    /// waits only if there is a new order for it, or if its next attempt has come while another one has not ended its
    /// first: no other worker is started until then.
    fn waiting(
        &self,
        begun: &mut Begun,
        troubles: &mut Vec<DeliveryError>,
    ) -> Result<BTreeMap<Address, Vec<String>>, DeliveryError> {
        let now = self.engine.records.now();
        let wanted = |device: &Address| self.only.is_empty() || self.only.contains(device);
        let mut waiting: BTreeMap<Address, Vec<String>> = BTreeMap::new();
        let Listing { specs, errors, .. } = self.engine.queue.all()?;
        let mut due: BTreeSet<Address> = BTreeSet::new();
        let mut left = WaitingList::default();
        let unread = self.engine.records.each(|record| {
            let device = &record.spec.device;
            if !wanted(device) {
                return;
            }
            if record.waits_for_a_person() {
                left.add_for_a_person();
            }
            let may_be_due = begun.may_be_served(device, self.which, now)
                && self.which.includes(&record, now)
                && !due.contains(device);
            let may_wait = record.is_pending() && !begun.tried.contains(&record.key());
            if !may_be_due && !may_wait {
                return;
            }
            let hold = self.engine.hold(&record, self.which);
            if may_wait {
                match (&hold, record.next_attempt.filter(|at| *at > now)) {
                    (Some(hold), _) => left.add_held(hold),
                    (None, Some(next)) => left.add_failed(next),
                    (None, None) => {}
                }
            }
            if may_be_due && hold.is_none() {
                due.insert(record.spec.device);
            }
        });
        let more = unread?.errors;
        *self.engine.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
        for error in errors.into_iter().chain(more) {
            if begun.errors.insert(error.path().to_owned()) {
                if !error.lasts() {
                    self.engine.log.run(&run_id(), true).error(&error.to_string());
                }
                troubles.push(error.into());
            }
        }
        for spec in specs.into_iter().map(|queued| queued.spec) {
            if wanted(&spec.device) && !begun.requests.contains(&spec.id) {
                waiting.entry(spec.device).or_default().push(spec.id);
            }
        }
        for device in due {
            waiting.entry(device).or_default();
        }
        Ok(waiting)
    }
}

/// What was begun in this process.
#[derive(Debug, Default)]
struct Begun {
    /// Files that can't be read, and were told of.
    errors: BTreeSet<PathBuf>,
    devices: BTreeMap<Address, Served>,
    requests: BTreeSet<String>,
    /// Installations that were delivered, or failed.
    tried: BTreeSet<InstallationKey>,
}

/// How far a device was served in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// It is being worked on, for the first time.
    First,
    /// It is being worked on once more.
    Again,
    /// It was served, until then.
    Until(DateTime<Utc>),
    /// It could not be.
    Not,
}

impl Begun {
    /// Notes that a device is worked on; whether it was not already.
    fn begin(&mut self, device: &Address, requests: &mut Vec<String>) -> bool {
        let served = match self.devices.get(device) {
            Some(Served::First | Served::Again) => return false,
            Some(Served::Until(_) | Served::Not) => Served::Again,
            None => Served::First,
        };
        self.devices.insert(device.clone(), served);
        self.requests.extend(requests.drain(..));
        true
    }

    fn end(&mut self, device: &Address, served: Option<DateTime<Utc>>) {
        self.devices.insert(device.clone(), served.map_or(Served::Not, Served::Until));
    }

    /// Whether a device of which a record is due may be served.
    fn may_be_served(&self, device: &Address, which: Selection, now: DateTime<Utc>) -> bool {
        match self.devices.get(device) {
            None => true,
            Some(Served::Until(ended)) => {
                let first = self.devices.values().any(|served| *served == Served::First);
                which == Selection::Due && first && now - *ended >= AGAIN
            }
            Some(Served::First | Served::Again | Served::Not) => false,
        }
    }
}
