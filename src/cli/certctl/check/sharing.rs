//! Whether several management interfaces have one key pair: then whoever breaks into one device can pass for the others.

use panos_xmlapi::{Address, ClientOptions, Fingerprint, Hello, hello};

use super::CheckTarget;
use super::finding::CheckResult;
use crate::cli::at_once;
use crate::install::known_devices::KnownDevices;
use crate::text::some_of;

/// What a management interface has shown.
pub(super) struct Interface {
    device: Address,
    certificate: Fingerprint,
    key: Fingerprint,
}

impl Interface {
    pub(super) fn new(device: &Address, greeting: &Hello) -> Self {
        Self { device: device.clone(), certificate: greeting.certificate, key: greeting.key }
    }
}

/// The HA peers, as far as they answer and are recognised; those that are looked at themselves are left out.
pub(super) async fn peers(subjects: &[CheckTarget]) -> Vec<Interface> {
    let is_subject = |device: &Address| subjects.iter().any(|subject| subject.target.device == *device);
    let peers = subjects.iter().filter_map(|subject| subject.peer.as_ref());
    let looks = peers.filter(|peer| !is_subject(&peer.device)).map(|peer| async move {
        let greeting = hello(&peer.device, &peer.trust, ClientOptions::default()).await.ok()?;
        Some(Interface::new(&peer.device, &greeting))
    });
    at_once::all(looks, at_once::USUAL).await.into_iter().flatten().collect()
}

/// What is to be said of one of them. Of devices that were not looked at only the fingerprint is known.
pub(super) fn finding(device: &Address, all: &[Interface], known: &KnownDevices) -> Option<CheckResult> {
    let own = all.iter().find(|interface| interface.device == *device)?;
    let seen = all.iter().filter(|other| other.key == own.key).map(|other| &other.device);
    let was_seen = |device: &&Address| all.iter().any(|other| other.device == **device);
    let remembered = known.all_with(own.certificate).filter(|device| !was_seen(device));
    let mut others: Vec<String> =
        seen.chain(remembered).filter(|device| **device != own.device).map(Address::to_string).collect();
    others.sort();
    others.dedup();
    if others.is_empty() {
        return None;
    }
    let text = format!(
        "its management interface has the same key pair as that of {}: whoever breaks into one of them can pass for the others",
        some_of(&others, ", ")
    );
    Some(CheckResult::warning("management key", text).with_all(others).advise(
        "give each management interface a certificate of its own: request one for the device's own name, in a profile that only its management interface uses",
    ))
}
