//! What profiles presented before a commit on Panorama: kept from before the commit until the push has ended well, so
//! that a push that fails on too many firewalls can be taken back, by another run as well.

use std::collections::{BTreeMap, BTreeSet};

use panos_xmlapi::Fingerprint;
use serde::{Deserialize, Serialize};

use super::state::{OpenDevice, PushState, Standing};
use crate::install::names::ObjectName;

/// The way back from a certificate that Panorama runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WayBack {
    /// The new certificate.
    pub certificate: Fingerprint,
    /// Its object.
    pub object: ObjectName,
    /// What the profiles were bound to before.
    pub profiles: Vec<FormerBinding>,
    /// What other places used before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<FormerUse>,
    /// How far it was gone.
    pub stage: Stage,
}

/// What a profile was bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerBinding {
    /// The profile.
    pub profile: String,
    /// The object; nothing where it was bound to none.
    pub to: Option<String>,
}

/// What another place used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerUse {
    /// The place in words.
    pub label: String,
    /// Its path.
    pub at: String,
    /// The name of the reference in it.
    pub element: String,
    /// What it named.
    pub from: String,
}

/// How far a way back was gone. Each is on the disk before what it says is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not at all: the push may still end well.
    Ready,
    /// The push has failed on too many firewalls: the profiles are bound back, and that is committed.
    Binding,
    /// Panorama runs what it did before: that is pushed to the firewalls that took the new certificate.
    Pushing,
    /// They all have it.
    Done,
}

impl WayBack {
    /// Whether it leads back from this certificate in this object.
    #[must_use]
    pub fn is_from(&self, certificate: Fingerprint, object: &ObjectName) -> bool {
        self.certificate == certificate && self.object == *object
    }

    /// Whether it was begun and is not over.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Binding | Stage::Pushing)
    }

    /// Whether anything presented a certificate before.
    pub(in crate::install) fn leads_somewhere(&self) -> bool {
        !self.places.is_empty() || self.profiles.iter().any(|former| former.to.is_some())
    }

    /// The verb that goes with what is bound back: `was` or `were`.
    pub(super) fn verb<'v>(&self, of_one: &'v str, of_several: &'v str) -> &'v str {
        if self.profiles.len() + self.places.len() == 1 { of_one } else { of_several }
    }

    /// What the profiles present again, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let profiles = self.profiles.iter().map(|former| {
            let to = former.to.as_ref().map_or("nothing".to_owned(), |to| format!("'{to}'"));
            format!("'{}' to {to}", former.profile)
        });
        let places = self.places.iter().map(|place| format!("{} to '{}'", place.label, place.from));
        let all: Vec<String> = profiles.chain(places).collect();
        crate::text::some_of(&all, ", ")
    }
}

impl PushState {
    /// From now on the certificate is taken back wherever it may have arrived. `stack_of` knows the firewalls' stacks.
    pub(in crate::install) fn take_back(&mut self, stack_of: impl Fn(&str) -> Option<String>) {
        let first = self.stacks.first().cloned().unwrap_or_default();
        let standing = || Standing::ToTakeBack { why: String::new() };
        let arrived = |standing: &Standing| {
            matches!(
                standing,
                Standing::Unconfirmed
                    | Standing::Overridden { .. }
                    | Standing::NotProven { .. }
                    | Standing::NotConnected { sent: true, .. }
            )
        };
        self.open.iter_mut().filter(|device| arrived(&device.standing)).for_each(|device| {
            device.standing = standing();
        });
        for serial in std::mem::take(&mut self.proven) {
            let stack = stack_of(&serial).unwrap_or_else(|| first.clone());
            self.open.push(OpenDevice { serial, hostname: None, stack, standing: standing() });
        }
        self.open.sort_by(|one, other| one.serial.cmp(&other.serial));
    }

    /// Whoever decommissions a firewall takes it out of the stack: then nothing is to be taken back there any more. The
    /// serial numbers of those. `stack_of` knows in which stack a firewall is now, the one before where it still is.
    pub(in crate::install) fn forget_gone(
        &mut self,
        stack_of: impl Fn(&OpenDevice) -> Option<String>,
    ) -> Vec<String> {
        let mut gone = Vec::new();
        self.open.retain_mut(|device| {
            if !matches!(device.standing, Standing::ToTakeBack { .. }) {
                return true;
            }
            match stack_of(device) {
                Some(stack) => device.stack = stack,
                None => gone.push(device.serial.clone()),
            }
            !gone.contains(&device.serial)
        });
        for device in &self.open {
            if !self.stacks.contains(&device.stack) {
                self.stacks.push(device.stack.clone());
            }
        }
        gone
    }

    /// The firewalls on which it is still to be taken back, as a push of its own.
    pub(in crate::install) fn to_take_back(&self) -> Self {
        let is_meant = |device: &&OpenDevice| matches!(device.standing, Standing::ToTakeBack { .. });
        let open = self.open.iter().filter(is_meant).cloned();
        let open = open.map(|device| OpenDevice { standing: Standing::Waiting, ..device }).collect();
        Self { proven: BTreeSet::new(), open, ..self.clone() }
    }

    /// What has become of that push. `why` knows what keeps a firewall from it.
    pub(in crate::install) fn note_taken_back(
        &mut self,
        back: &Self,
        hostnames: &BTreeMap<String, String>,
        why: impl Fn(&OpenDevice) -> String,
    ) {
        for device in &mut self.open {
            if back.proven.contains(&device.serial) {
                device.standing = Standing::TakenBack;
            } else if let Some(open) = back.open.iter().find(|open| open.serial == device.serial) {
                device.standing = Standing::ToTakeBack { why: why(open) }.bounded();
            }
            device.hostname = device.hostname.take().or_else(|| hostnames.get(&device.serial).cloned());
        }
    }

    /// On how many firewalls it stands like this.
    pub(super) fn count(&self, is: impl Fn(&Standing) -> bool) -> usize {
        self.open.iter().filter(|device| is(&device.standing)).count()
    }
}
