//! How the firewalls of a Panorama are told: as JSON, or as a few words.

use std::collections::BTreeSet;

use panos_xmlapi::{Fingerprint, StackDevice};
use serde::Serialize;

use crate::install::push::PushState;

/// Which firewalls have what Panorama runs.
#[derive(Debug, Serialize)]
pub(super) struct JsonFirewalls<'a> {
    /// The certificate that was pushed: another one than the requested one where that is not pushed yet.
    fingerprint: Fingerprint,
    stacks: &'a [String],
    firewalls: usize,
    proven: &'a BTreeSet<String>,
    open: Vec<JsonFirewall<'a>>,
}

/// A firewall that was not seen to have it.
#[derive(Debug, Serialize)]
struct JsonFirewall<'a> {
    serial: &'a str,
    hostname: Option<&'a str>,
    stack: &'a str,
    state: &'static str,
    what: String,
    advice: &'static str,
}

impl<'a> JsonFirewalls<'a> {
    /// All of them. `is_left`: whether the push is left to a person.
    #[must_use]
    pub(super) fn of(push: &'a PushState, is_left: bool) -> Self {
        let open = push.open.iter().map(|device| JsonFirewall {
            serial: &device.serial,
            hostname: device.hostname.as_deref(),
            stack: &device.stack,
            state: device.standing.word(),
            what: device.standing.to_string(),
            advice: if is_left { device.standing.advice_where_left() } else { device.standing.advice() },
        });
        Self {
            fingerprint: push.certificate,
            stacks: &push.stacks,
            firewalls: push.total(),
            proven: &push.proven,
            open: open.collect(),
        }
    }
}

/// How a firewall stands to its template stack, and how its last push ended, in words.
#[must_use]
pub(super) fn stands_to_stack(device: &StackDevice) -> String {
    let last = match device.last_push.as_deref() {
        None | Some("" | "none") => "has never got a push".to_owned(),
        Some(last) => format!("last push: {last}"),
    };
    let state = match (device.is_connected(), device.is_in_sync()) {
        (false, _) => "not connected",
        (true, false) => "out of sync",
        (true, true) => "in sync",
    };
    format!("{state}, {last}")
}

/// On how many firewalls it was seen; nothing where there is no push.
#[must_use]
pub(super) fn proven_on(push: Option<&PushState>) -> String {
    match push.map(|push| push.proven.len()) {
        None | Some(0) => String::new(),
        Some(1) => " on 1 firewall".to_owned(),
        Some(count) => format!(" on {count} firewalls"),
    }
}
