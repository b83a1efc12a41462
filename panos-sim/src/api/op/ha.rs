//! High availability.

use std::time::Instant;

use crate::{
    api::reply::{Reply, success},
    device::{Device, Sync},
    refusal::Refusal,
    xml::Element,
};

pub(super) fn state(device: &Device) -> Reply {
    let Some(ha) = &device.ha else {
        return Reply::result([Element::leaf("enabled", "no")]);
    };
    let active = ha.is_active();
    let (up, peer) = ha.peer();
    let sync = match ha.sync() {
        Sync::Synchronized => "synchronized",
        Sync::InProgress => "synchronization in progress",
        Sync::Not => "not synchronized",
    };
    let settings = &device.settings;
    let (own_state, peer_state) = ha.states();
    let conn = if up { "up" } else { "down" };
    let enabled = Element::leaf("enabled", "yes");
    if settings.is_panorama() {
        let local = Element::new("local-info")
            .child(Element::leaf("state", panorama_state(ha.is_primary(), active)))
            .child(Element::leaf("mgmt-ip", ha.own().address));
        let other = Element::new("peer-info")
            .child(Element::leaf("state", panorama_state(!ha.is_primary(), !active)))
            .child(Element::leaf("conn-status", conn))
            .child(Element::leaf("mgmt-ip", peer.address));
        return Reply::result([enabled, local, other, Element::leaf("running-sync", sync)]);
    }
    let mode = || Element::leaf("mode", "Active-Passive");
    // The prefix length stands in the own address only.
    let local = Element::new("local-info").with([
        Element::leaf("mgmt-ip", format!("{}/24", ha.own().address)),
        Element::leaf("build-rel", &settings.sw_version),
        Element::leaf("platform-model", &settings.model),
        mode(),
        Element::leaf("priority", "100"),
        Element::leaf("preemptive", "no"),
        Element::leaf("state", own_state),
        Element::leaf("state-sync", "Complete"),
    ]);
    let other = Element::new("peer-info").with([
        Element::leaf("mgmt-ip", peer.address),
        Element::leaf("build-rel", peer.sw_version),
        Element::leaf("platform-model", peer.model),
        mode(),
        Element::leaf("priority", "110"),
        Element::leaf("state", peer_state),
        Element::leaf("conn-status", conn),
    ]);
    let group = Element::new("group").with([
        mode(),
        local,
        other,
        Element::leaf("running-sync", sync),
        Element::leaf("running-sync-enabled", "yes"),
    ]);
    Reply::result([enabled, group])
}

/// Panoramas add which of them was configured as the primary one.
fn panorama_state(primary: bool, active: bool) -> &'static str {
    match (primary, active) {
        (true, true) => "primary-active",
        (true, false) => "primary-passive",
        (false, true) => "secondary-active",
        (false, false) => "secondary-passive",
    }
}

pub(super) fn synchronize(device: &mut Device, now: Instant) -> Result<Reply, Refusal> {
    let Some(ha) = &device.ha else {
        return Err(Refusal::line("HA is not enabled"));
    };
    if ha.sync() == Sync::InProgress {
        return Err(Refusal::line("Another sync is in progress. Please try again later"));
    }
    if !ha.peer().0 {
        return Err(Refusal::line("Failed to synchronize running configuration with HA peer"));
    }
    device.send_running(now);
    // Not inside `result`, other than with most commands.
    let line = Element::leaf(
        "line",
        "HA synchronization job has been queued on peer. Please check job status on peer.",
    );
    Ok(Reply::Xml(success().child(Element::new("msg").child(line))))
}

/// Suspending the active device hands over; making it functional again does not take it back.
pub(super) fn request_state(device: &Device, wanted: &str) -> Result<Reply, Refusal> {
    let Some(ha) = &device.ha else {
        return Err(Refusal::line("HA is not enabled"));
    };
    ha.suspend(wanted == "suspend");
    Ok(Reply::text(format!("Successfully changed HA state to {wanted}")))
}
