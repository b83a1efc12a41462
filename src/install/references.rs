//! Where the certificate that is being replaced is used besides the profiles that were named.
//!
//! There are more places on a device than anybody has listed. SSL/TLS service profiles and IKE gateways name a
//! certificate they present, so they are given the new one; in the other places known here (trusted CAs,
//! decryption, GlobalProtect) the name means something else, and a person has to decide.

use panos_xmlapi::{Element, Location, ServiceProfile, Session, XPath};

use super::error::{Activity, InstallError};
use super::names::{ObjectName, ProfileName};

/// A place that can be given another certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The place in words.
    pub label: String,
    /// The element that holds the reference.
    pub at: XPath,
    /// The name of the reference in it.
    pub element: &'static str,
    /// What it names now.
    pub from: String,
}

/// All uses that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Those that can be given the new certificate.
    pub rebindable: Vec<Reference>,
    /// Those that a person has to look at, in words.
    pub others: Vec<String>,
}

/// Below a shared or virtual system's configuration: places that name certificates for other purposes.
const OTHER_PLACES: [&str; 5] =
    ["certificate-profile", "ssl-decrypt", "global-protect", "rulebase/decryption", "server-profile"];

/// Looks for these names in all places known that can refer to an object of this place.
///
/// What is in a virtual system is seen from there only. What is shared is seen from everywhere, except where
/// a virtual system has an object of the same name: there the name means that one.
///
/// # Errors
/// A device that fails or refuses.
pub async fn find(
    session: &Session,
    place: &Location,
    names: &[String],
    object: &ObjectName,
) -> Result<References, InstallError> {
    let mut uses = References::default();
    if names.is_empty() {
        return Ok(uses);
    }
    let own = place.base();
    look_below(session, &own, &label(place), names, &mut uses.others).await?;
    if *place != Location::Shared {
        return Ok(uses);
    }
    for (base, vsys) in virtual_systems(session).await? {
        let hidden = entry_names(session, base.clone().step("certificate")).await?;
        let names: Vec<String> = names.iter().filter(|name| !hidden.contains(name)).cloned().collect();
        if names.is_empty() {
            continue;
        }
        let profiles = base.clone().step("ssl-tls-service-profile");
        for profile in read(session, &profiles).await?.iter().flat_map(ServiceProfile::read_all) {
            let Some(from) = profile.certificate.filter(|name| names.contains(name)) else { continue };
            let at = profiles.clone().entry(&profile.name)?;
            let label = format!("SSL/TLS Profile {} ({vsys})", profile.name);
            // There the new name means the virtual system's own object, whatever is in it.
            if hidden.iter().any(|own| own == object.as_str()) {
                uses.others.push(format!("{label}, where '{object}' is another certificate"));
                continue;
            }
            uses.rebindable.push(Reference { label, at, element: "certificate", from });
        }
        look_below(session, &base, &vsys, &names, &mut uses.others).await?;
    }
    let gateways = XPath::device().step("network").step("ike").step("gateway");
    if let Some(result) = read(session, &gateways).await? {
        for gateway in result.children_named("entry") {
            uses.rebindable.extend(gateway_use(gateway, &gateways, names)?);
        }
    }
    Ok(uses)
}

/// The places below one configuration where the name means something else.
async fn look_below(
    session: &Session,
    base: &XPath,
    label: &str,
    names: &[String],
    others: &mut Vec<String>,
) -> Result<(), InstallError> {
    for other in OTHER_PLACES {
        let found = read(session, &other.split('/').fold(base.clone(), XPath::step)).await?;
        found.iter().for_each(|found| mentions(found, names, &[label, &found.name], others));
    }
    Ok(())
}

/// Where else on the device profiles of these names are, in words.
///
/// # Errors
/// A device that fails or refuses.
pub async fn places_with_profile(
    session: &Session,
    place: &Location,
    names: &[ProfileName],
) -> Result<Vec<String>, InstallError> {
    let mut found = Vec::new();
    let shared = (Location::Shared.base(), label(&Location::Shared));
    for (base, label) in std::iter::once(shared).chain(virtual_systems(session).await?) {
        if base == place.base() {
            continue;
        }
        let profiles = read(session, &base.step("ssl-tls-service-profile")).await?;
        for profile in profiles.iter().flat_map(ServiceProfile::read_all) {
            if names.iter().any(|name| name.as_str() == profile.name) {
                found.push(format!("'{}' is in {label}", profile.name));
            }
        }
    }
    Ok(found)
}

/// A word for a place.
fn label(place: &Location) -> String {
    match place {
        Location::Panorama => "Panorama".to_owned(),
        Location::Vsys(name) => name.to_string(),
        other => other.to_string(),
    }
}

/// Each virtual system's configuration and name.
pub(super) async fn virtual_systems(session: &Session) -> Result<Vec<(XPath, String)>, InstallError> {
    let all = XPath::device().step("vsys");
    let names = entry_names(session, all.clone()).await?;
    names.into_iter().map(|name| Ok((all.clone().entry(&name)?, name))).collect()
}

/// The names of a list's entries, without what is in them.
async fn entry_names(session: &Session, list: XPath) -> Result<Vec<String>, InstallError> {
    let names = list.step("entry").step("@name");
    let entries = session.get_all(&names).await.map_err(InstallError::during(Activity::Looking))?;
    Ok(entries.iter().filter_map(|entry| entry.attribute("name").map(str::to_owned)).collect())
}

/// Older releases hold the name in `local-certificate` itself, others in a `name` below it.
fn gateway_use(
    gateway: &Element,
    gateways: &XPath,
    names: &[String],
) -> Result<Option<Reference>, InstallError> {
    let name = gateway.attribute("name").unwrap_or_default();
    let Some(local) = gateway.at(&["authentication", "certificate", "local-certificate"]) else {
        return Ok(None);
    };
    let certificate = gateways.clone().entry(name)?.step("authentication").step("certificate");
    let (at, element, from) = match local.text_of("name") {
        Some(from) => (certificate.step("local-certificate"), "name", from),
        None => (certificate, "local-certificate", local.text()),
    };
    let label = format!("IKE gateway {name}");
    Ok(names.contains(&from).then_some(Reference { label, at, element, from }))
}

async fn read(session: &Session, path: &XPath) -> Result<Option<Element>, InstallError> {
    session.get(path).await.map_err(InstallError::during(Activity::Looking))
}

/// Every element whose text or entry name is one of these names, as a trail of words.
fn mentions(element: &Element, names: &[String], trail: &[&str], found: &mut Vec<String>) {
    for child in element.children() {
        let entry = child.attribute("name").filter(|_| child.name == "entry");
        let here: Vec<&str> = trail.iter().copied().chain([entry.unwrap_or(&child.name)]).collect();
        let is_reference =
            entry.is_some_and(|name| element.name == "CA" && names.iter().any(|known| known == name));
        if is_reference || names.contains(&child.text()) {
            found.push(here.join(" -> "));
        }
        mentions(child, names, &here, found);
    }
}
