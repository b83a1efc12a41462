//! What a person who watches sees of a delivery: what lies around the transactions, and their events as they are.

use panos_xmlapi::Address;

use super::lock::Holder;
use crate::install::events::Event;

/// How far the delivery to a device has come.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The device is the next one.
    Taken,
    /// Another process works on the device, and is waited for.
    Reserving(&'a Holder),
    /// A run begins, for these certificates.
    Begun(&'a [String]),
    /// It happens in a transaction of the run.
    Transaction(&'a Event),
    /// Nothing more is done on the device for now.
    Done {
        /// Whether something has failed there.
        failed: bool,
    },
}

/// Somebody who watches deliveries. Nothing of a delivery depends on it.
pub trait Watcher: Send + Sync {
    /// Sees what happens on a device. It must not block.
    fn see(&self, device: &Address, progress: Progress<'_>);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn see(&self, _device: &Address, _progress: Progress<'_>) {}
}
