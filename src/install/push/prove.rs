//! Proof on the firewall itself: what Panorama has pushed there, and what stands in its way.

use panos_xmlapi::{CertificateEntry, Element, Error, Location, Reason, ServiceProfile, Session, XPath};

use super::goal::{Expected, PushGoal, Rebound};
use super::state::Standing;
use crate::install::error::{Activity, InstallError};
use crate::install::retry::RetryPolicy;

/// What is true of a certificate on one firewall; nothing where it has it.
pub(super) type Seen = Option<Standing>;

/// Looks at one firewall, for each of these certificates.
pub(super) async fn look(
    panorama: &Session,
    serial: &str,
    goals: &[&PushGoal<'_>],
    retry_policy: &RetryPolicy,
) -> Vec<Seen> {
    match retry_policy.retry(async || ask(panorama, serial, goals).await).await {
        Ok(seen) => seen,
        Err(InstallError::Device { error: Error::Refused(refusal), .. })
            if refusal.reason == Reason::NotConnected =>
        {
            goals.iter().map(|_| Some(Standing::NotConnected { ever: true, sent: false })).collect()
        }
        Err(failure) => {
            goals.iter().map(|_| Some(Standing::NotProven { why: failure.to_string() })).collect()
        }
    }
}

async fn ask(panorama: &Session, serial: &str, goals: &[&PushGoal<'_>]) -> Result<Vec<Seen>, InstallError> {
    let proving = InstallError::during(Activity::Proving);
    let firewall = panorama.redirected_to(serial).map_err(proving)?;
    // Some kinds of requests are answered for Panorama, whatever firewall they are for.
    let system = firewall.system_info().await.map_err(proving)?;
    if system.serial.as_deref() != Some(serial) {
        let who = system.serial.unwrap_or_else(|| "a device without a serial number".to_owned());
        let why = format!("{who} has answered in its place");
        return Ok(goals.iter().map(|_| Some(Standing::NotProven { why: why.clone() })).collect());
    }
    let pushed = firewall.pushed_template().await.map_err(proving)?;
    let mut seen = Vec::new();
    for goal in goals {
        let rebound = rebound(pushed.as_ref(), goal, serial)?;
        seen.push(match lack(pushed.as_ref(), goal, &rebound)? {
            Some(why) => Some(Standing::NotProven { why }),
            None => overridden(&firewall, goal, &rebound).await?.map(|what| Standing::Overridden { what }),
        });
    }
    Ok(seen)
}

/// Where a template's content is on a firewall: that of its virtual systems in these, all else in the shared part.
pub(in crate::install) fn on_firewall(location: &Location) -> Location {
    match location {
        Location::TemplateVsys { vsys, .. } => Location::Vsys(vsys.clone()),
        _ => Location::Shared,
    }
}

/// The profiles that were rebound besides the named ones, as far as this firewall gets them: not where another template
/// wins, nor in a virtual system that it does not have.
fn rebound<'g>(
    pushed: Option<&Element>,
    goal: &PushGoal<'g>,
    serial: &str,
) -> Result<Vec<&'g Rebound>, InstallError> {
    let (Expected::Certificate { rebound, .. }, Some(pushed)) = (goal.expected, pushed) else {
        return Ok(Vec::new());
    };
    let device = goal.state.open.iter().find(|device| device.serial == serial);
    let mut gets = Vec::new();
    for one in rebound {
        let is_outranked = device.is_some_and(|device| one.outranked_in.contains(&device.stack));
        let is_elsewhere = one.at != on_firewall(goal.location);
        let is_missing = is_elsewhere && one.at.profile(&one.profile)?.find_in(pushed).is_none();
        gets.extend((!is_outranked && !is_missing).then_some(one));
    }
    Ok(gets)
}

/// What is missing in what was pushed, in words.
fn lack(
    pushed: Option<&Element>,
    goal: &PushGoal<'_>,
    rebound: &[&Rebound],
) -> Result<Option<String>, InstallError> {
    let Some(pushed) = pushed else { return Ok(Some("nothing was pushed there from a template".to_owned())) };
    let place = on_firewall(goal.location);
    match goal.expected {
        Expected::Certificate { object, profiles, .. } => {
            let object = object.as_str();
            let certificate = certificate(object)?.find_in(pushed).map(CertificateEntry::read);
            let Some(pem) = certificate.and_then(|entry| entry.public_key) else {
                return Ok(Some(format!("what was pushed has no certificate '{object}'")));
            };
            if crate::certificate::fingerprint_of_pem(&pem).ok() != Some(goal.state.certificate) {
                return Ok(Some(format!("the certificate '{object}' that was pushed is another one")));
            }
            for name in profiles {
                if let Some(lack) = unbound(pushed, &place, name.as_str(), Some(object))? {
                    return Ok(Some(lack));
                }
            }
            for one in rebound {
                if let Some(lack) = unbound(pushed, &one.at, &one.profile, Some(object))? {
                    return Ok(Some(lack));
                }
            }
        }
        Expected::Bindings(bindings) => {
            for former in bindings {
                if let Some(lack) = unbound(pushed, &place, &former.profile, former.to.as_deref())? {
                    return Ok(Some(lack));
                }
            }
        }
    }
    Ok(None)
}

/// Whether a profile that was pushed is bound to something else, in words.
fn unbound(
    pushed: &Element,
    place: &Location,
    name: &str,
    to: Option<&str>,
) -> Result<Option<String>, InstallError> {
    let Some(profile) = place.profile(name)?.find_in(pushed).map(ServiceProfile::read) else {
        return Ok(Some(format!("what was pushed has no SSL/TLS profile '{name}'")));
    };
    if profile.certificate.as_deref() == to {
        return Ok(None);
    }
    let now = profile.certificate.as_deref().unwrap_or("nothing");
    Ok(Some(format!("the SSL/TLS profile '{name}' that was pushed is bound to '{now}'")))
}

fn certificate(object: &str) -> Result<XPath, panos_xmlapi::UnquotableName> {
    Location::Shared.certificate(object)
}

/// What the firewall has of its own under the same name, in words: that is what counts there.
async fn overridden(
    firewall: &Session,
    goal: &PushGoal<'_>,
    rebound: &[&Rebound],
) -> Result<Option<String>, InstallError> {
    // Where something is taken back, what the firewall has of its own has never been another.
    let Expected::Certificate { object, profiles, .. } = goal.expected else { return Ok(None) };
    let proving = InstallError::during(Activity::Proving);
    if firewall.show(&certificate(object.as_str())?).await.map_err(proving)?.is_some() {
        return Ok(Some(format!("it has a certificate '{object}' of its own")));
    }
    let place = on_firewall(goal.location);
    let named = profiles.iter().map(|name| (&place, name.as_str()));
    let mut expected: Vec<(&Location, &str)> = named.collect();
    expected.extend(rebound.iter().map(|one| (&one.at, one.profile.as_str())));
    let mut places: Vec<&Location> = Vec::new();
    for (at, _) in &expected {
        if places.contains(at) {
            continue;
        }
        places.push(at);
        let own = firewall.show(&at.profiles()).await.map_err(proving)?;
        let own = own.map(|list| ServiceProfile::read_all(&list)).unwrap_or_default();
        let here = expected.iter().filter(|(place, _)| place == at);
        for (_, name) in here {
            if own.iter().any(|profile| profile.name == *name) {
                return Ok(Some(format!("it has an SSL/TLS profile '{name}' of its own")));
            }
        }
    }
    Ok(None)
}
