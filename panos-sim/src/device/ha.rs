//! An active/passive pair: who is active, and the running configuration on its way to the peer.
//!
//! Two devices never hold each other's lock. What one has for the other lies in a mailbox that
//! both can reach, and is taken when it is due.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::{Device, Work};
use crate::{
    certificate::Keyring,
    config::device_entry,
    xml::{Element, Path, Step},
};

/// A running configuration on its way.
#[derive(Debug, Clone)]
struct Parcel {
    due: Instant,
    running: Element,
    keyring: Keyring,
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

    fn send(&self, parcel: Parcel) {
        let mut state = self.state();
        state.in_sync = false;
        if state.up[self.other()] {
            state.mailbox[self.other()] = Some(parcel);
        }
        drop(state);
        self.pair.arrivals[self.other()].notify_one();
    }
}

impl Device {
    /// After a commit: the active device sends its configuration to the peer.
    pub(super) fn start_sync(&mut self, now: Instant) {
        let Some(ha) = &self.ha else { return };
        if ha.is_active() && self.settings.ha_automatic_sync {
            self.send_running(now);
        } else {
            ha.state().in_sync = false;
        }
    }

    /// Sends the running configuration to the peer, on command or after a commit.
    pub(crate) fn send_running(&mut self, now: Instant) {
        let Some(ha) = &self.ha else { return };
        ha.send(Parcel {
            due: now + self.settings.ha_sync_delay,
            running: self.config.running().clone(),
            keyring: self.keyring.clone(),
        });
    }

    /// Takes over what the peer sent, once it is due. The settings of the management interface
    /// stay as they are, the choice of its profile among them.
    pub(super) fn receive_sync(&mut self, now: Instant) {
        let Some(ha) = &self.ha else { return };
        let mut state = ha.state();
        let mailbox = &mut state.mailbox[ha.side];
        if mailbox.as_ref().is_none_or(|parcel| parcel.due > now) {
            return;
        }
        let Some(parcel) = mailbox.take() else { return };
        state.in_sync = true;
        drop(state);
        let mut running = parcel.running;
        for own in own_settings() {
            own.remove(&mut running);
            let kept = own.first(self.config.running()).cloned();
            if let Some(kept) = kept
                && let Some(place) = own.ensure(&mut running)
            {
                *place = kept;
            }
        }
        self.keyring.learn(&parcel.keyring);
        self.config.replace_running(running);
        self.reload_management();
        let zero = std::time::Duration::ZERO;
        (self.jobs).enqueue("", "HA-Sync", "", Work::Nothing, now, zero);
    }

    pub(super) fn leave_to_peer(&self) {
        if let Some(ha) = &self.ha {
            ha.fail_over();
        }
    }
}

/// Parts of the configuration that belong to one device and not to the pair.
fn own_settings() -> [Path; 2] {
    let system = device_entry().then(Step::Named("deviceconfig".into())).then(Step::Named("system".into()));
    let users = Path::of(vec![Step::Named("config".into()), Step::Named("mgt-config".into())]);
    [system, users]
}
