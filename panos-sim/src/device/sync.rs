//! The running configuration on its way from the active device to its peer.

use std::time::{Duration, Instant};

use super::{ha::Parcel, jobs::Work, state::Device};
use crate::{
    config::device_entry,
    xml::{Path, Step},
};

impl Device {
    /// After a commit: the active device sends its configuration to the peer.
    pub(super) fn start_sync(&mut self, now: Instant) {
        let Some(ha) = &self.ha else { return };
        if ha.is_active() && self.settings.ha_automatic_sync {
            self.send_running(now);
        } else {
            ha.out_of_step();
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
        let Some(parcel) = ha.receive(now) else {
            return;
        };
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
        let zero = Duration::ZERO;
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
