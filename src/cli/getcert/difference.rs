//! What is typed, compared with what certmonger tracks and with the certificate at hand.

use std::collections::BTreeSet;
use std::fmt;

use crate::certificate::{KeyAlgorithm, SeenCertificate};
use crate::cli::enrolment::Enrolment;
use crate::host::certmonger::{Changes, KeyType, Tracked};

/// One thing that was typed, and is otherwise in what is tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    what: &'static str,
    tracked: String,
    typed: String,
    /// Whether only a new key makes the certificate so.
    pub(super) needs_key: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: tracked {}, typed {}", self.what, self.tracked, self.typed)
    }
}

/// All differences. Of a request without a certificate only the CA and the profile are known; what can't be compared,
/// because nobody shows it, counts as the same.
pub(super) fn all(typed: &Enrolment, tracked: &Tracked, seen: Option<&SeenCertificate>) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut compare = |what, tracked: Option<String>, typed: Option<String>, needs_key| {
        if let (Some(tracked), Some(typed)) = (tracked, typed)
            && tracked != typed
        {
            all.push(Difference { what, tracked, typed, needs_key });
        }
    };
    compare("CA", tracked.ca.clone(), typed.ca.clone(), false);
    let profile = tracked.profile.clone().filter(|profile| !profile.is_empty());
    compare("certificate profile", Some(named(profile)), typed.profile.clone(), false);
    if tracked.has_certificate() {
        let subject = other_subject(typed, tracked);
        compare("subject", tracked.subject.clone(), subject, false);
        compare("principal", principal(typed, tracked), typed.principal.clone(), false);
        let names = typed.names_typed.then(|| list(typed.names.iter().cloned()));
        compare("names", Some(list(tracked.dns.iter().map(|name| name.to_lowercase()))), names, false);
    }
    if let Some(seen) = seen.filter(|_| tracked.has_certificate()) {
        let addresses = (!typed.addresses.is_empty()).then(|| list(&typed.addresses));
        compare("addresses", Some(list(&seen.addresses)), addresses, false);
        let (kind, bits) = key_of(seen.key);
        compare("key type", kind.map(shown), typed.key_type.map(shown), true);
        compare("key size", Some(bits.to_string()), typed.key_bits.map(|bits| bits.to_string()), true);
    }
    all
}

/// All that was typed, to be handed to certmonger.
pub(super) fn changes(typed: &Enrolment, tracked: &Tracked, post_save: &str) -> Changes {
    Changes {
        ca: typed.ca.clone(),
        subject: tracked.has_certificate().then(|| other_subject(typed, tracked)).flatten(),
        principal: typed.principal.clone(),
        dns: if typed.names_typed { typed.names.clone() } else { Vec::new() },
        ip_addresses: typed.addresses.clone(),
        profile: typed.profile.clone(),
        post_save: Some(post_save.to_owned()),
    }
}

/// The subject that a certificate for this name has, where the one at hand is for another name.
fn other_subject(typed: &Enrolment, tracked: &Tracked) -> Option<String> {
    let wanted = format!("CN={}", typed.common_name);
    let subject = tracked.subject.as_deref().filter(|subject| !subject.is_empty())?;
    let has = subject.split(',').any(|part| part.trim().eq_ignore_ascii_case(&wanted));
    (!has).then_some(wanted)
}

/// The tracked principal, where the certificate has one: the typed one where it is among them. Realms are not typed.
fn principal(typed: &Enrolment, tracked: &Tracked) -> Option<String> {
    let without_realm = |name: &String| name.split('@').next().unwrap_or_default().to_owned();
    let all: Vec<String> = tracked.principals.iter().map(without_realm).collect();
    let same =
        typed.principal.as_ref().filter(|typed| all.iter().any(|name| name.eq_ignore_ascii_case(typed)));
    same.or(all.first()).cloned()
}

fn key_of(key: KeyAlgorithm) -> (Option<KeyType>, u32) {
    match key {
        KeyAlgorithm::Rsa(bits) => (Some(KeyType::Rsa), bits),
        KeyAlgorithm::Ec(bits) => (Some(KeyType::Ec), bits),
        KeyAlgorithm::Other(bits) => (None, bits),
    }
}

fn shown(kind: KeyType) -> String {
    kind.to_string().to_uppercase()
}

fn named(value: Option<String>) -> String {
    value.unwrap_or_else(|| "none".to_owned())
}

/// In an order of their own: certmonger and the CA have theirs.
fn list(values: impl IntoIterator<Item = impl ToString>) -> String {
    let values: BTreeSet<String> = values.into_iter().map(|value| value.to_string()).collect();
    if values.is_empty() { "none".to_owned() } else { values.into_iter().collect::<Vec<_>>().join(", ") }
}
