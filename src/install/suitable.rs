//! Whether the named profiles are ones that present what they are bound to, and can be bound from here.
//!
//! Measured on real devices: a profile of the name of a predefined one is ignored as a whole; the management interface
//! looks for its profile among the predefined ones, then among the shared ones, and never in a virtual system; what a
//! template of Panorama supplies can't be changed on the firewall, and an object of the firewall's own hides it.

use super::error::{Activity, InstallError};
use super::names::{ObjectName, ProfileName};
use super::predefined::{Predefined, none_if_no_such_place};
use super::unsuitable::Unsuitable;
use panos_xmlapi::{CertificateEntry, Location, ServiceProfile, Session, SystemInfo, VsysName, XPath};

/// What was found of the named profiles.
#[derive(Debug, Default)]
pub struct Found {
    /// Why they can't be used.
    pub unsuitable: Vec<Unsuitable>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is named, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The profiles.
    pub profiles: &'a [ProfileName],
    /// Where they are.
    pub place: &'a Location,
    /// The certificate object.
    pub object: Option<&'a ObjectName>,
}

/// Refuses a device that has no services.
///
/// # Errors
/// A log collector.
pub fn check_device(system: &SystemInfo) -> Result<(), Unsuitable> {
    if system.is_log_collector() { Err(Unsuitable::LogCollector) } else { Ok(()) }
}

/// Refuses a place that the device does not have.
///
/// # Errors
/// A place that only a Panorama has, on a firewall.
pub fn check_location(location: &Location, system: &SystemInfo) -> Result<(), Unsuitable> {
    // A managed firewall answers for itself.
    let needs_panorama = location.is_on_panorama() && !matches!(location, Location::Managed(_));
    match needs_panorama && !system.is_panorama() {
        true => Err(Unsuitable::NotPanorama(location.clone())),
        false => Ok(()),
    }
}

/// Refuses to overwrite an object that may not be: one that a template supplies, or that the device's API keys depend on.
///
/// # Errors
/// Such an object; a device that fails or refuses.
pub async fn check_object(
    session: &Session,
    place: &Location,
    object: &ObjectName,
    before: &CertificateEntry,
) -> Result<(), InstallError> {
    if let Some(template) = before.template.clone() {
        let template = template_name(session, &place.certificate(object.as_str())?, template).await;
        return Err(Unsuitable::ObjectSupplied { object: object.clone(), template }.into());
    }
    if !matches!(place, Location::Shared | Location::Panorama) {
        return Ok(());
    }
    let look = InstallError::during(Activity::Looking);
    let named = none_if_no_such_place(session.get(&XPath::api_key_certificate()).await).map_err(look)?;
    match named {
        Some(named) if named.text().trim() == object.as_str() => {
            Err(Unsuitable::ForApiKeys(object.clone()).into())
        }
        _ => Ok(()),
    }
}

/// Looks at the named profiles; `known` are those of their place, `predefined` those of the device's release.
///
/// # Errors
/// A device that fails or refuses.
pub async fn look(
    session: &Session,
    named: Named<'_>,
    known: &[ServiceProfile],
    predefined: &Predefined,
) -> Result<Found, InstallError> {
    let mut found = Found::default();
    if named.profiles.is_empty() {
        return Ok(found);
    }
    let look = InstallError::during(Activity::Looking);
    for name in named.profiles {
        let is_it = |profile: &&ServiceProfile| profile.name == name.as_str();
        if predefined.has(session, name.as_str()).await.map_err(look)? {
            found.unsuitable.push(Unsuitable::Predefined(name.clone()));
        } else if let Some(template) = known.iter().find(is_it).and_then(|profile| profile.template.clone()) {
            let path = match named.place {
                Location::Vsys(vsys) => format!("devices localhost.localdomain vsys {vsys}"),
                _ => "shared".to_owned(),
            };
            let (profile, object) = (name.clone(), named.object.cloned());
            let template = template_name(session, &named.place.profile(name.as_str())?, template).await;
            found.unsuitable.push(Unsuitable::ProfileSupplied { profile, template, path, object });
        }
    }
    if let Location::Vsys(vsys) = named.place {
        look_at_management(session, named, vsys, &mut found).await?;
    }
    Ok(found)
}

/// The profile that the management interface names is a shared one, whatever a virtual system has.
async fn look_at_management(
    session: &Session,
    named: Named<'_>,
    vsys: &VsysName,
    found: &mut Found,
) -> Result<(), InstallError> {
    let look = InstallError::during(Activity::Looking);
    let bound = session.get(&XPath::management_profile()).await.map_err(look)?;
    let Some(bound) = bound.map(|bound| bound.text().trim().to_owned()) else { return Ok(()) };
    let Some(profile) = named.profiles.iter().find(|name| name.as_str() == bound) else { return Ok(()) };
    let shared = session.get(&Location::Shared.profile(&bound)?).await.map_err(look)?;
    match shared {
        None => {
            let (profile, vsys) = (profile.clone(), vsys.clone());
            found.unsuitable.push(Unsuitable::NotForManagement { profile, vsys });
        }
        Some(_) => found.notes.push(format!(
            "WARNING: the management interface names an SSL/TLS profile '{profile}' too, but takes the shared one, not that of {vsys}."
        )),
    }
    Ok(())
}

/// Which of the named objects hide one that a template of Panorama supplies, in words. What was pushed is asked for as
/// a whole, which may be much, so only where a person looks.
pub async fn overridden(session: &Session, place: &Location, profiles: &[ProfileName]) -> Vec<String> {
    if place.is_on_panorama() {
        return Vec::new();
    }
    let pushed = match session.pushed_template().await {
        Ok(Some(pushed)) => pushed,
        Ok(None) => return Vec::new(),
        Err(error) => {
            tracing::debug!("what Panorama has pushed can't be read: {error}");
            return Vec::new();
        }
    };
    let Some(list) = place.profiles().find_in(&pushed) else { return Vec::new() };
    let supplied = ServiceProfile::read_all(list);
    let hidden = profiles.iter().filter_map(|name| {
        let profile = supplied.iter().find(|profile| profile.name == name.as_str())?;
        let template = profile.template.as_deref().unwrap_or_default();
        Some(format!(
            "the firewall's own SSL/TLS profile '{name}' overrides the one of Panorama's template '{template}': a push changes nothing here"
        ))
    });
    hidden.collect()
}

/// The name of the template that supplies what stands at this path, where the mark there does not tell it: devices may
/// mark a list as a whole, or only say that it comes from some template.
pub async fn template_name(session: &Session, at: &XPath, marked: String) -> String {
    if !marked.is_empty() {
        return marked;
    }
    let pushed = session.pushed_template().await.ok().flatten();
    pushed.as_ref().and_then(|pushed| at.find_in(pushed)?.template()).unwrap_or_default()
}
