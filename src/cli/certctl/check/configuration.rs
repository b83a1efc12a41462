//! What a device is and has: its release, its part in a pair, names, profiles, authorities, locks.

use panos_xmlapi::{
    CertificateEntry, Error, HaState, Location, PANORAMA_NAME_LIMIT, ServiceProfile, Session, SystemInfo,
};

use super::CheckTarget;
use super::finding::CheckResult;
use super::management;
use super::rights::Seen;
use super::templates;
use crate::certificate::fingerprint_of_pem;
use crate::error::Exit;
use crate::host::ipa;
use crate::install::connect::{HaRole, connect_active};
use crate::install::ha::is_active;
use crate::install::names::ProfileName;
use crate::install::predefined::Predefined;
use crate::install::references::places_with_profile;
use crate::install::retry::RetryPolicy;
use crate::install::state::resolved;
use crate::install::suitable::{self, Named};
use crate::install::unsuitable::Unsuitable;
use crate::text::some_of;

/// The first release that keeps an imported private key to itself, and all that this program asks for.
const WANTED: (u16, u16) = (10, 1);

/// Looks at all of it, as far as the rights reach.
pub(super) async fn look(
    session: &Session,
    subject: &CheckTarget,
    seen: &Seen,
    ipa: bool,
    findings: &mut Vec<CheckResult>,
) {
    let place = place(subject, seen.system.as_ref());
    if let Some(system) = &seen.system {
        findings.push(release(system));
        if let Err(unsuitable) = suitable::check_location(&subject.location, system) {
            findings.push(refusal("place", &unsuitable));
            return;
        }
        findings.extend(object(subject, system));
        findings.extend(availability(session, subject).await);
        findings.extend(locks(session).await);
    }
    if seen.configuration {
        let of_template = templates::look(session, subject, &place).await;
        let is_there = of_template.iter().all(|finding| !finding.is_failure());
        findings.extend(of_template);
        if !is_there {
            return;
        }
        findings.extend(profiles(session, subject, &place).await);
        findings.extend(management::look(session, subject, &place).await);
        if ipa {
            findings.extend(authority(session, &place).await);
        }
    }
}

fn place(subject: &CheckTarget, system: Option<&SystemInfo>) -> Location {
    system.map_or_else(|| subject.location.clone(), |system| resolved(&subject.location, system))
}

fn release(system: &SystemInfo) -> CheckResult {
    const CHECK: &str = "release";
    if let Err(unsuitable) = suitable::check_device(system) {
        return refusal(CHECK, &unsuitable);
    }
    let model = system.model.as_deref().unwrap_or("an unknown model");
    let version = system.sw_version.as_deref().unwrap_or("that it does not tell");
    let text = format!("PAN-OS {version} on {model}");
    match system.version() {
        Some(release) if release < WANTED => CheckResult::warning(
            CHECK,
            format!(
                "{text}: versions before 10.1 allow exporting imported private keys and are out of support"
            ),
        ),
        _ => CheckResult::ok(CHECK, text),
    }
}

fn refusal(check: &'static str, unsuitable: &Unsuitable) -> CheckResult {
    CheckResult::failed(check, unsuitable.exit(), unsuitable.to_string()).advise(unsuitable.advice())
}

/// Whether the device takes the object's name.
fn object(subject: &CheckTarget, system: &SystemInfo) -> Option<CheckResult> {
    const CHECK: &str = "object name";
    let name = subject.object.as_ref()?.as_str();
    let (length, limit) = (name.len(), system.name_limit());
    if length <= limit {
        return Some(CheckResult::ok(CHECK, format!("'{name}' has {length} characters of at most {limit}")));
    }
    let text = format!("'{name}' has {length} characters; this device allows {limit}");
    let finding = CheckResult::failed(CHECK, Exit::Usage, text);
    Some(finding.advise(format!(
        "give a shorter name with -n, or use --suffix serial, which makes one of at most {PANORAMA_NAME_LIMIT}"
    )))
}

/// The device's part in a pair, and whether the other member can be spoken to.
async fn availability(session: &Session, subject: &CheckTarget) -> Option<CheckResult> {
    const CHECK: &str = "high availability";
    let device = &subject.target.device;
    if session.target().is_some() {
        return None;
    }
    let state: HaState = session.ha_state().await.ok()?;
    if !state.enabled {
        return Some(match &subject.peer {
            None => CheckResult::ok(CHECK, "off"),
            Some(peer) => {
                CheckResult::warning(CHECK, format!("{} is named as HA peer, but it is off", peer.device))
            }
        });
    }
    let local = state.local.as_deref().unwrap_or("in a state that it does not tell");
    let retry_policy = RetryPolicy { pauses: Vec::new(), ..RetryPolicy::default() };
    Some(match connect_active(&subject.target, subject.peer.as_ref(), &retry_policy, &[]).await {
        Ok(connection) if is_active(&state) => match (&subject.peer, &connection.role) {
            (None, HaRole::Active { other: Some(other) }) => {
                CheckResult::warning(CHECK, format!("{local}; nothing is known of its peer {}", other.device))
                    .advise(format!(
                        "name it with --ha-peer {}, so that whichever is active is found",
                        other.device
                    ))
            }
            _ => CheckResult::ok(CHECK, format!("{local}: it takes the configuration for the pair")),
        },
        Ok(connection) => {
            let active = &connection.target.device;
            let text = format!("{device} is {local}; {active} is the active HA member");
            match subject.peer {
                Some(_) => CheckResult::ok(CHECK, text),
                None => CheckResult::warning(CHECK, text).advise(format!(
                    "name the pair by {active} with --ha-peer {device}, or the other way round"
                )),
            }
        }
        Err(failure) => {
            let finding =
                CheckResult::failed(CHECK, failure.exit(), format!("{device} is {local}; {failure}"));
            failure.advice().into_iter().fold(finding, CheckResult::advise)
        }
    })
}

/// Locks of others, which an installation would have to wait for.
async fn locks(session: &Session) -> Vec<CheckResult> {
    let mut held = Vec::new();
    for locks in [session.config_locks().await, session.commit_locks().await] {
        held.extend(locks.unwrap_or_default());
    }
    let finding = |lock: panos_xmlapi::Lock| {
        CheckResult::warning(
            "locks",
            format!("{} holds a lock: an installation would wait for it", lock.owner),
        )
    };
    held.into_iter().map(finding).collect()
}

/// Whether the named profiles are where they are looked for.
async fn profiles(session: &Session, subject: &CheckTarget, place: &Location) -> Vec<CheckResult> {
    const CHECK: &str = "profiles";
    let unread = |error: Error| vec![CheckResult::failed(CHECK, Exit::Device, error.to_string())];
    if subject.profiles.is_empty() {
        return vec![
            CheckResult::warning(CHECK, "no profile given: the certificate would be uploaded but not used")
                .advise("name the SSL/TLS service profile with -p"),
        ];
    }
    let result = match session.get(&place.profiles()).await {
        Ok(result) => result,
        Err(error) => return unread(error),
    };
    let known = result.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default();
    let named = Named { profiles: &subject.profiles, place, object: subject.object.as_ref() };
    let found = match suitable::look(session, named, &known, &Predefined::default()).await {
        Ok(found) => found,
        Err(failure) => return vec![CheckResult::failed(CHECK, failure.exit(), failure.to_string())],
    };
    if !found.unsuitable.is_empty() {
        return found.unsuitable.iter().map(|unsuitable| refusal(CHECK, unsuitable)).collect();
    }
    let is_known = |name: &&ProfileName| known.iter().any(|profile| profile.name == name.as_str());
    let (there, missing): (Vec<&ProfileName>, Vec<&ProfileName>) =
        subject.profiles.iter().partition(is_known);
    let there = there.into_iter().map(|name| {
        let profile = known.iter().find(|profile| profile.name == name.as_str());
        match profile.and_then(|profile| profile.certificate.as_deref()) {
            Some(bound) => CheckResult::ok(CHECK, format!("'{name}' presents '{bound}' now")),
            None => CheckResult::ok(CHECK, format!("'{name}' is there, bound to nothing yet")),
        }
    });
    let mut findings: Vec<CheckResult> = there.collect();
    let overridden = suitable::overridden(session, place, &subject.profiles).await;
    let notes = found.notes.iter().map(|note| note.trim_start_matches("WARNING: ").to_owned());
    findings.extend(notes.chain(overridden).map(|text| CheckResult::warning(CHECK, text)));
    for name in missing {
        let elsewhere = places_with_profile(session, place, std::slice::from_ref(name)).await;
        findings.push(absent(name, &known, &elsewhere.unwrap_or_default()));
    }
    findings
}

fn absent(name: &ProfileName, known: &[ServiceProfile], elsewhere: &[String]) -> CheckResult {
    let names: Vec<String> = known.iter().map(|profile| format!("'{}'", profile.name)).collect();
    let some = if names.is_empty() { "none".to_owned() } else { some_of(&names, ", ") };
    let text = format!("SSL/TLS service profile '{name}' not found; available: {some}");
    let finding = CheckResult::failed("profiles", Exit::Rebind, text).with_all(names);
    if let [place, ..] = elsewhere {
        return finding.advise(format!(
            "{place}: name that place with --vsys, --template or --stack, or none of them for shared"
        ));
    }
    finding
        .advise("correct -p and -s, or create it (Device > Certificate Management > SSL/TLS Service Profile)")
}

/// Whether the device has the authority that issues the certificates.
async fn authority(session: &Session, place: &Location) -> Option<CheckResult> {
    const CHECK: &str = "authority";
    let wanted = ipa::authorities().ok()?;
    let mut places = vec![place.clone()];
    if matches!(place, Location::Vsys(_)) {
        places.push(Location::Shared);
    }
    for place in places {
        let Ok(found) = session.get(&place.certificates()).await else { continue };
        let entries = found.map(|result| CertificateEntry::read_all(&result)).unwrap_or_default();
        let has = |entry: &CertificateEntry| {
            let print = entry.public_key.as_deref().and_then(|pem| fingerprint_of_pem(pem).ok());
            print.is_some_and(|print| wanted.contains(&print))
        };
        if let Some(entry) = entries.iter().find(|entry| has(entry)) {
            return Some(CheckResult::ok(
                CHECK,
                format!("FreeIPA's CA certificate is present as '{}'", entry.name),
            ));
        }
    }
    let text = format!("the device does not have FreeIPA's ({})", ipa::AUTHORITY);
    Some(CheckResult::warning(CHECK, text).advise(format!(
        "import {} (Device > Certificate Management > Certificates > Import), where clients or other devices are to be verified by it",
        ipa::AUTHORITY
    )))
}
