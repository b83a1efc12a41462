//! What the ports, the timer and the handle share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use crate::{Listening, Result, Settings, device::Device, fault::Faults, log::RequestLog};

/// State of the API port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port {
    /// What the test wants.
    pub(crate) listening: Listening,
    /// Grows whenever the device itself closes it for a while.
    pub(crate) closures: u64,
    /// How long it stays closed then, counted from when it has really closed.
    pub(crate) outage: Duration,
    /// Grows whenever all open connections are to be dropped.
    pub(crate) epoch: u64,
}

/// One simulated device with its recordings and faults.
///
/// Locks are taken in this order: device, then any one of the others.
#[derive(Debug)]
pub(crate) struct Shared {
    device: Mutex<Device>,
    faults: Mutex<Faults>,
    log: Mutex<RequestLog>,
    port: watch::Sender<Port>,
    /// Told when something may be due earlier than the timer knows.
    pub(crate) timer: Notify,
}

/// A poisoned lock means that a test's thread panicked elsewhere; the state is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let now = Instant::now();
        let log = RequestLog::new(settings.request_log.as_deref(), now)?;
        Ok(Self {
            device: Mutex::new(Device::new(settings, now)?),
            faults: Mutex::default(),
            log: Mutex::new(log),
            port: watch::Sender::new(Port {
                listening: Listening::Normal,
                closures: 0,
                outage: Duration::ZERO,
                epoch: 0,
            }),
            timer: Notify::new(),
        })
    }

    /// Uses the device as it is at this moment.
    pub(crate) fn device<T>(&self, use_it: impl FnOnce(&mut Device, Instant) -> T) -> T {
        let mut device = lock(&self.device);
        let known = device.next_event();
        let now = Instant::now();
        device.advance(now);
        let answer = use_it(&mut device, now);
        device.advance(now);
        if let Some(interruption) = device.take_interruption() {
            self.port.send_modify(|port| {
                port.closures += 1;
                port.outage = interruption.outage;
                port.epoch += 1;
            });
        }
        if device.next_event() != known {
            self.timer.notify_one();
        }
        answer
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, RequestLog> {
        lock(&self.log)
    }

    pub(crate) fn port(&self) -> watch::Receiver<Port> {
        self.port.subscribe()
    }

    /// Opens or closes the API port; open connections are dropped when it is not `Normal`.
    pub(crate) fn set_listening(&self, listening: Listening) {
        self.port.send_modify(|port| {
            port.listening = listening;
            if listening != Listening::Normal {
                port.epoch += 1;
            }
        });
    }
}
