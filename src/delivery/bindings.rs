//! Which profiles an installation presents its certificate in, and how that changes.

use chrono::{DateTime, Utc};

use super::installation::Installation;
use super::request::{RequestEnd, RequestState};
use super::spec::InstallSpec;
use super::state::Binding;
use crate::install::names::ProfileName;
use crate::install::request::{Existing, InstallRequest};
use crate::settings::config::Config;
use crate::settings::resolve;

impl Installation {
    pub(super) fn bind(&mut self, binding: Binding) {
        match self.bindings.iter_mut().find(|other| other.profile == binding.profile) {
            Some(other) => other.configured &= binding.configured,
            None => self.bindings.push(binding),
        }
    }

    pub(super) fn supersede(&mut self, now: DateTime<Utc>) {
        let bound: Vec<&ProfileName> = self.bindings.iter().map(|binding| &binding.profile).collect();
        for request in self.requests.iter_mut().filter(|request| request.is_open()) {
            if !request.profiles_configured
                && !request.profiles.iter().all(|profile| bound.contains(&profile))
            {
                request.end = RequestEnd::Superseded { at: now };
            }
        }
        self.forget_ended();
    }

    /// Another target at the same place may be asked for: what the file names for those before it is still to be presented.
    pub(super) fn note_target(&mut self, spec: &InstallSpec) {
        let (before, now) = (&self.spec.options.target, &spec.options.target);
        if self.spec.profiles_configured && !self.other_targets.contains(before) {
            self.other_targets.push(before.clone());
        }
        if spec.profiles_configured {
            self.other_targets.retain(|other| other != now);
        }
    }

    /// The profiles that the configuration file names today for what was asked for last, and for each of the other targets,
    /// where some request has left them to it.
    pub fn configure(&mut self, own: &[ProfileName], others: &[(Option<String>, Vec<ProfileName>)]) {
        let leaves = |request: &RequestState| request.profiles_configured;
        if !self.spec.profiles_configured && !self.requests.iter().any(leaves) {
            return;
        }
        // What was typed last leaves nothing to the file: those that do are among the others, as far as any is known.
        let is_own = self.spec.profiles_configured || others.is_empty();
        let own_target = self.spec.options.target.clone();
        let of = |target: &Option<String>| match others.iter().find(|(other, _)| other == target) {
            Some((_, profiles)) => profiles.clone(),
            None => own.to_vec(),
        };
        self.bindings.retain(|binding| !binding.configured);
        let all = others.iter().flat_map(|(_, profiles)| profiles).chain(own.iter().filter(|_| is_own));
        for profile in all {
            self.bind(Binding { profile: profile.clone(), configured: true });
        }
        let open =
            self.requests.iter_mut().filter(|request| request.is_open() && request.profiles_configured);
        open.for_each(|request| request.profiles = of(&request.target));
        if self.spec.profiles_configured {
            self.spec.profiles = of(&own_target);
        }
    }

    /// A profile is not this installation's any more; whether it was.
    pub fn unbind(&mut self, profile: &ProfileName, now: DateTime<Utc>) -> bool {
        let before = self.bindings.len();
        self.bindings.retain(|binding| binding.profile != *profile);
        self.spec.profiles.retain(|other| other != profile);
        self.supersede(now);
        before != self.bindings.len()
    }

    /// Another installation has taken these profiles over: they are not presented by this one any more.
    pub fn give_up(&mut self, profile: &ProfileName, now: DateTime<Utc>) {
        self.unbind(profile, now);
        self.takes_over.retain(|other| other != profile);
        if let Some(verified) = &mut self.verified {
            verified.profiles.retain(|other| other != profile);
        }
    }

    /// Whether the device was verified to present the certificate in a profile that is still this installation's.
    #[must_use]
    pub fn holds(&self, profile: &ProfileName) -> bool {
        let is_bound = self.bindings.iter().any(|binding| binding.profile == *profile);
        is_bound && self.verified.as_ref().is_some_and(|verified| verified.profiles.contains(profile))
    }

    /// The profiles that have nothing to do with these, which the device does not have: a request is done in all its
    /// profiles or in none, and makes no other one wait.
    #[must_use]
    pub fn unaffected_by(&self, missing: &[ProfileName]) -> Vec<ProfileName> {
        let is_whole = |request: &RequestState| !request.profiles.iter().any(|name| missing.contains(name));
        let wanted = |name: &ProfileName| {
            let verified = self.verified.as_ref().is_some_and(|verified| verified.profiles.contains(name));
            verified
                || self.requests.iter().any(|request| is_whole(request) && request.profiles.contains(name))
        };
        self.profiles().into_iter().filter(|name| !missing.contains(name) && wanted(name)).collect()
    }

    /// Where Panorama runs what is wanted, and firewalls are still to get it, nothing is uploaded and committed once more.
    pub(super) fn spare_commit(&self, request: &mut InstallRequest) {
        let wanted = self.spec.certificate.as_ref().map(|certificate| certificate.fingerprint);
        if self.push.as_ref().is_some_and(|push| Some(push.certificate) == wanted && !push.is_complete()) {
            request.existing = Existing::Keep;
        }
    }
}

/// What the configuration file names today for the other targets that were asked for at the same place. One that the
/// file has no more, or on another device, has nothing there. Nothing at all where the file can't be read.
pub(super) fn of_other_targets(record: &Installation) -> Option<Vec<(Option<String>, Vec<ProfileName>)>> {
    if record.other_targets.is_empty() {
        return Some(Vec::new());
    }
    let config = Config::shared(record.spec.options.config.as_deref()).ok()?;
    let profiles = |target: &Option<String>| {
        let place = match target {
            Some(name) => config.target(name).filter(|place| place.device == record.spec.device)?,
            None => record.spec.device.clone().into(),
        };
        resolve::profiles(&config.settings(&place)).ok()
    };
    let each = record.other_targets.iter();
    Some(each.map(|target| (target.clone(), profiles(target).unwrap_or_default())).collect())
}
