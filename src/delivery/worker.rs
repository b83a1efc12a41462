//! Working on many devices at once, until nothing more is to be done now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::engine::{Courier, Report, Which, run_id};
use super::queue::Queue;
use super::store::Found;
use crate::install::Failure;
use crate::panos::Address;

/// How often it is looked for new orders while devices are being worked on: one slow device holds up no other.
const LOOK: Duration = Duration::from_secs(1);

/// Somebody who works on many devices at once.
pub struct Worker<'a> {
    /// How one of them is served.
    pub courier: &'a Courier<'a>,
    /// What is delivered.
    pub which: Which,
    /// Only to these devices, if any are named.
    pub only: Vec<Address>,
    /// How many at once.
    pub concurrency: usize,
}

impl Worker<'_> {
    /// Delivers until nothing more is to be done now. What comes into the queue meanwhile is taken along.
    pub async fn work(&self, mut tell: impl FnMut(&Report)) -> (Vec<Report>, Vec<Failure>) {
        let (mut reports, mut troubles) = (Vec::new(), Vec::new());
        let (mut active, mut begun) = (BTreeSet::new(), Begun::default());
        let mut serving = FuturesUnordered::new();
        loop {
            let waiting = self.waiting(&begun, &mut troubles).unwrap_or_else(|failure| {
                troubles.push(failure);
                BTreeMap::new()
            });
            for (device, orders) in waiting {
                if serving.len() < self.concurrency && active.insert(device.clone()) {
                    begun.devices.insert(device.clone());
                    begun.orders.extend(orders);
                    serving.push(async move {
                        let served = self.courier.serve(&device, self.which).await;
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
                    each.iter().for_each(&mut tell);
                    reports.extend(each);
                }
                Err(failure) => troubles.push(failure),
            }
        }
    }

    /// The devices that something is to be delivered to, with the new orders for each. A device that was served
    /// waits only if there is a new order for it.
    fn waiting(
        &self,
        begun: &Begun,
        troubles: &mut Vec<Failure>,
    ) -> Result<BTreeMap<Address, Vec<String>>, Failure> {
        let now = self.courier.records.now();
        let wanted = |device: &Address| self.only.is_empty() || self.only.contains(device);
        let mut waiting: BTreeMap<Address, Vec<String>> = BTreeMap::new();
        let (queued, unreadable) = Queue::below(self.courier.state_dir).all()?;
        let Found { records, troubles: more } = self.courier.records.all()?;
        for trouble in unreadable.into_iter().chain(more) {
            self.courier.log.run(&run_id(), true).error(&trouble.to_string());
            troubles.push(trouble.into());
        }
        for order in queued.into_iter().map(|queued| queued.order) {
            if wanted(&order.device) && !begun.orders.contains(&order.id) {
                waiting.entry(order.device).or_default().push(order.id);
            }
        }
        for record in records {
            let due = self.which.wants(&record, now);
            let device = record.order.device;
            if due && wanted(&device) && !begun.devices.contains(&device) {
                waiting.entry(device).or_default();
            }
        }
        Ok(waiting)
    }
}

/// What was begun in this process.
#[derive(Debug, Default)]
struct Begun {
    devices: BTreeSet<Address>,
    orders: BTreeSet<String>,
}
