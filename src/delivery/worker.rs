//! Working on many devices at once, until nothing more is to be done now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use panos_xmlapi::Address;

use super::engine::{DeliveryEngine, Report, Selection, run_id};
use super::failure::DeliveryError;
use super::queue::{Listing, Queue};
use super::store::LoadedInstallations;

/// How often it is looked for new orders while devices are being worked on: one slow device holds up no other.
const LOOK: Duration = Duration::from_secs(1);

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
        let (mut active, mut begun) = (BTreeSet::new(), Begun::default());
        let mut serving = FuturesUnordered::new();
        loop {
            let waiting = self.waiting(&mut begun, &mut troubles).unwrap_or_else(|failure| {
                troubles.push(failure);
                BTreeMap::new()
            });
            for (device, requests) in waiting {
                if serving.len() < self.concurrency && active.insert(device.clone()) {
                    begun.devices.insert(device.clone());
                    begun.requests.extend(requests);
                    serving.push(async move {
                        let served = self.engine.serve(&device, self.which).await;
                        (device, served)
                    });
                }
            }
            if serving.is_empty() {
                return (reports, troubles);
            }
            let Ok(Some((device, served))) = tokio::time::timeout(LOOK, serving.next()).await else {
                continue;
            };
            active.remove(&device);
            match served {
                Ok(each) => {
                    // What waits for a window or for a canary is served once that is over.
                    if self.holds_any(&device) {
                        begun.devices.remove(&device);
                    }
                    each.iter().for_each(&mut tell);
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
    /// waits only if there is a new order for it.
    fn waiting(
        &self,
        begun: &mut Begun,
        troubles: &mut Vec<DeliveryError>,
    ) -> Result<BTreeMap<Address, Vec<String>>, DeliveryError> {
        let now = self.engine.records.now();
        let wanted = |device: &Address| self.only.is_empty() || self.only.contains(device);
        let mut waiting: BTreeMap<Address, Vec<String>> = BTreeMap::new();
        let Listing { specs, errors, .. } = Queue::below(self.engine.state_dir).all()?;
        let LoadedInstallations { records, errors: more } = self.engine.records.all()?;
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
        for record in records {
            let device = &record.spec.device;
            if wanted(device)
                && !begun.devices.contains(device)
                && self.which.includes(&record, now)
                && self.engine.hold(&record, self.which).is_none()
            {
                waiting.entry(record.spec.device).or_default();
            }
        }
        Ok(waiting)
    }
}

/// What was begun in this process.
#[derive(Debug, Default)]
struct Begun {
    /// Files that can't be read, and were told of.
    errors: BTreeSet<PathBuf>,
    devices: BTreeSet<Address>,
    requests: BTreeSet<String>,
}
