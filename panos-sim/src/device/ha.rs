//! An active/passive pair: who is active, and the running configuration on its way to the peer.
//!
//! Two devices never hold each other's lock. What one has for the other lies in a mailbox that
//! both can reach, and is taken when it is due.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use crate::{certificate::Keyring, xml::Element};

/// A running configuration on its way.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) due: Instant,
    pub(super) running: Element,
    pub(super) keyring: Keyring,
}

/// What both devices of a pair can see.
#[derive(Debug, Clone, Default)]
struct PairState {
    active: usize,
    in_sync: bool,
    up: [bool; 2],
    suspended: [bool; 2],
    mailbox: [Option<Parcel>; 2],
    names: [Peer; 2],
}

/// What a device tells about its peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) address: String,
    pub(crate) sw_version: String,
    pub(crate) model: String,
}

/// A pair of devices.
#[derive(Debug, Default)]
pub(crate) struct HaPair {
    state: Mutex<PairState>,
    /// Told when a parcel was put into the mailbox of that side.
    arrivals: [Arc<Notify>; 2],
}

/// How the peer's running configuration relates to the own one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    Synchronized,
    InProgress,
    Not,
}

/// One device's end of a pair.
#[derive(Debug, Clone)]
pub(crate) struct HaSide {
    pair: Arc<HaPair>,
    side: usize,
}

impl HaPair {
    /// The two ends of a new pair; the first is active.
    pub(crate) fn sides(first: Peer, second: Peer) -> (HaSide, HaSide) {
        let pair = Arc::new(Self {
            state: Mutex::new(PairState {
                in_sync: true,
                up: [true; 2],
                names: [first, second],
                ..PairState::default()
            }),
            ..Self::default()
        });
        let end = |side| HaSide { pair: Arc::clone(&pair), side };
        (end(0), end(1))
    }
}

impl HaSide {
    fn state(&self) -> MutexGuard<'_, PairState> {
        self.pair.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same end of a copy of the pair, of which the peer knows nothing.
    pub(super) fn detached(&self) -> Self {
        Self {
            pair: Arc::new(HaPair { state: Mutex::new(self.state().clone()), ..HaPair::default() }),
            side: self.side,
        }
    }

    fn other(&self) -> usize {
        1 - self.side
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state().active == self.side
    }

    /// Whether it was configured as the primary one: the first of the two.
    pub(crate) fn is_primary(&self) -> bool {
        self.side == 0
    }

    pub(crate) fn make_active(&self) {
        let mut state = self.state();
        state.active = self.side;
        state.suspended[self.side] = false;
    }

    /// The other device becomes active, if it can.
    pub(crate) fn fail_over(&self) {
        let mut state = self.state();
        if state.up[self.other()] && !state.suspended[self.other()] {
            state.active = self.other();
        }
    }

    /// Takes this device out of the pair's work, or back in as the passive one.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.state().suspended[self.side] = suspended;
        if suspended && self.is_active() {
            self.fail_over();
        }
    }

    /// The states of this device and of its peer, in the device's words.
    pub(crate) fn states(&self) -> (&'static str, &'static str) {
        let state = self.state();
        let word = |side: usize| match (state.up[side], state.suspended[side]) {
            (false, _) => "unknown",
            (true, true) => "suspended",
            (true, false) if state.active == side => "active",
            (true, false) => "passive",
        };
        (word(self.side), word(self.other()))
    }

    /// Whether the other device is there, and what it is.
    pub(crate) fn peer(&self) -> (bool, Peer) {
        let state = self.state();
        (state.up[self.other()], state.names[self.other()].clone())
    }

    /// The own address, as the peer knows it.
    pub(crate) fn own(&self) -> Peer {
        self.state().names[self.side].clone()
    }

    /// This device is gone for good.
    pub(crate) fn leave(&self) {
        self.state().up[self.side] = false;
        self.fail_over();
    }

    pub(crate) fn sync(&self) -> Sync {
        let state = self.state();
        if state.mailbox.iter().any(Option::is_some) {
            Sync::InProgress
        } else if state.in_sync {
            Sync::Synchronized
        } else {
            Sync::Not
        }
    }

    /// Told when something has arrived for this device.
    pub(crate) fn arrivals(&self) -> Arc<Notify> {
        Arc::clone(&self.pair.arrivals[self.side])
    }

    pub(super) fn next_sync(&self) -> Option<Instant> {
        self.state().mailbox[self.side].as_ref().map(|parcel| parcel.due)
    }

    /// Puts a configuration into the peer's mailbox, if there is a peer.
    pub(super) fn send(&self, parcel: Parcel) {
        let mut state = self.state();
        state.in_sync = false;
        if state.up[self.other()] {
            state.mailbox[self.other()] = Some(parcel);
        }
        drop(state);
        self.pair.arrivals[self.other()].notify_one();
    }

    /// Takes what has arrived and is due; from then on both have the same.
    pub(super) fn receive(&self, now: Instant) -> Option<Parcel> {
        let mut state = self.state();
        let parcel = state.mailbox[self.side].take_if(|parcel| parcel.due <= now)?;
        state.in_sync = true;
        Some(parcel)
    }

    /// The peer does not have what this device now runs.
    pub(super) fn out_of_step(&self) {
        self.state().in_sync = false;
    }
}
