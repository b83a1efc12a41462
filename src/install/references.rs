//! Where the certificate that is being replaced is used besides the profiles that were named.
//!
//! There are more places on a device than anybody has listed, so the configuration is read as a whole. SSL/TLS service
//! profiles and IKE gateways name a certificate they present, so they are given the new one. Everywhere else a person
//! has to decide: another certificate for API keys ends all of them, one for SAML has to be known to the identity
//! provider, a CA is no server's certificate. So these are told, with what they are, and left.

use panos_xmlapi::{Element, Error, Location, ReplyError, ServiceProfile, Session, XPath, XmlError};

use super::error::{Activity, InstallError};
use super::names::{ObjectName, ProfileName};
use super::reference_kinds as kinds;
use super::templates;

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

/// Where a certificate can be named below a shared or virtual system's configuration: read one by one where all of it
/// together is more than can be read.
const KNOWN_PLACES: [&str; 17] = [
    "ssl-tls-service-profile",
    "certificate-profile",
    "ssl-decrypt",
    "global-protect",
    "rulebase/decryption",
    "pre-rulebase/decryption",
    "post-rulebase/decryption",
    "server-profile",
    "authentication-profile",
    "log-settings",
    "scep",
    "ocsp-responder",
    "captive-portal",
    "url-admin-override",
    "external-list",
    "user-id-collector",
    "redistribution-agent",
];

/// The same for the device's own settings and its network.
const KNOWN_SETTINGS: [&str; 2] = ["setting/management", "system"];
const KNOWN_NETWORK: [&str; 2] = ["ike/gateway", "tunnel/ipsec"];

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
    let own = read_part(session, &place.base(), &label(place), &KNOWN_PLACES, &mut uses.others).await?;
    mentions(&own, names, &label(place), &mut uses.others);
    if matches!(place, Location::Vsys(_) | Location::TemplateVsys { .. }) {
        return Ok(uses);
    }
    let device = place.device();
    let settings = device.clone().step("deviceconfig");
    let read = read_part(session, &settings, "device settings", &KNOWN_SETTINGS, &mut uses.others).await?;
    mentions(&read, names, "device settings", &mut uses.others);
    if *place == Location::Panorama {
        return Ok(uses);
    }
    for (base, vsys) in virtual_systems(session, &device).await? {
        let hidden = entry_names(session, base.clone().step("certificate")).await?;
        let names: Vec<String> = names.iter().filter(|name| !hidden.contains(name)).cloned().collect();
        if names.is_empty() {
            continue;
        }
        let read = read_part(session, &base, &vsys, &KNOWN_PLACES, &mut uses.others).await?;
        mentions(&read, &names, &vsys, &mut uses.others);
        let profiles = base.step("ssl-tls-service-profile");
        for profile in
            read.child("ssl-tls-service-profile").iter().flat_map(|list| ServiceProfile::read_all(list))
        {
            let Some(from) = profile.certificate.filter(|name| names.contains(name)) else { continue };
            let at = profiles.clone().entry(&profile.name)?;
            let label = format!("SSL/TLS Profile {} ({vsys})", profile.name);
            if let Some(template) = &profile.template {
                uses.others.push(from_template(&label, template));
                continue;
            }
            // There the new name means the virtual system's own object, whatever is in it.
            if hidden.iter().any(|own| own == object.as_str()) {
                uses.others.push(format!("{label}, where '{object}' is another certificate"));
                continue;
            }
            uses.rebindable.push(Reference { label, at, element: "certificate", from });
        }
    }
    let network = device.step("network");
    let read = read_part(session, &network, "network", &KNOWN_NETWORK, &mut uses.others).await?;
    mentions(&read, names, "network", &mut uses.others);
    let gateways = network.step("ike").step("gateway");
    for gateway in read.at(&["ike", "gateway"]).iter().flat_map(|list| list.children_named("entry")) {
        let Some(found) = gateway_use(gateway, &gateways, names)? else { continue };
        match gateway.template() {
            Some(template) => uses.others.push(from_template(&found.label, &template)),
            None => uses.rebindable.push(found),
        }
    }
    Ok(uses)
}

/// The profiles of one place that present one of these certificates and come from a template, in words.
#[must_use]
pub fn supplied(profiles: &[ServiceProfile], names: &[String]) -> Vec<String> {
    let uses = |profile: &&ServiceProfile| {
        profile.certificate.as_ref().is_some_and(|certificate| names.contains(certificate))
    };
    let told = profiles.iter().filter(uses).filter_map(|profile| {
        Some(from_template(&format!("SSL/TLS Profile {}", profile.name), profile.template.as_deref()?))
    });
    told.collect()
}

fn from_template(label: &str, template: &str) -> String {
    format!("{label} (from Panorama's template '{template}')")
}

/// A part of the candidate configuration as a whole, so that no place in it is missed; where that is more than can be
/// read, the places in it that are known, and that is told.
async fn read_part(
    session: &Session,
    at: &XPath,
    label: &str,
    known: &[&str],
    told: &mut Vec<String>,
) -> Result<Element, InstallError> {
    match session.get(at).await {
        Ok(found) => return Ok(found.unwrap_or_default()),
        Err(error) if is_too_much(&error) => {}
        Err(error) => return Err(InstallError::during(Activity::Looking)(error)),
    }
    told.push(format!("places of {label} that nobody knows (it is too large to be read as a whole)"));
    let mut root = Element::new(label);
    for place in known {
        let words: Vec<&str> = place.split('/').collect();
        let path = words.iter().fold(at.clone(), |path, word| path.step(word));
        match session.get(&path).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                let above = words.split_last().map(|(_, above)| above).unwrap_or_default();
                let found = if above.is_empty() { found } else { Element::nested(above, Some(found)) };
                root = root.with(found);
            }
            Err(error) if is_too_much(&error) => {
                told.push(format!(
                    "places of {label} -> {} (it is too large to be read)",
                    words.join(" -> ")
                ));
            }
            Err(error) => return Err(InstallError::during(Activity::Looking)(error)),
        }
    }
    Ok(root)
}

/// Whether a reply is larger than anything that is read (8 MiB, 300,000 elements).
pub(super) fn is_too_much(error: &Error) -> bool {
    matches!(
        error,
        Error::TooLarge { .. } | Error::InvalidReply { problem: ReplyError::Xml(XmlError::TooMany), .. }
    )
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
    if place.template_entry().is_some() || *place == Location::Panorama {
        for name in names {
            found.extend(templates::with_profile(session, place, name.as_str()).await?);
        }
        return Ok(found);
    }
    let shared = (Location::Shared.base(), label(&Location::Shared));
    for (base, label) in std::iter::once(shared).chain(virtual_systems(session, &XPath::device()).await?) {
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
pub(super) async fn virtual_systems(
    session: &Session,
    device: &XPath,
) -> Result<Vec<(XPath, String)>, InstallError> {
    let all = device.clone().step("vsys");
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

/// Every element whose text or entry name is one of these names, as a trail of words, with what it is used for.
fn mentions(root: &Element, names: &[String], label: &str, found: &mut Vec<String>) {
    let mut walk = Walk { names, found };
    walk.below(root, &[], &[label]);
}

struct Walk<'a> {
    names: &'a [String],
    found: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// `path` are the elements on the way without entries, `trail` the words for a person.
    fn below(&mut self, element: &Element, path: &[&str], trail: &[&str]) {
        for child in element.children() {
            let entry = child.attribute("name").filter(|_| child.name == "entry");
            let mut here = path.to_vec();
            here.extend((child.name != "entry").then_some(child.name.as_str()));
            let words: Vec<&str> = trail.iter().copied().chain([entry.unwrap_or(&child.name)]).collect();
            let is_one = |text: &str| self.names.iter().any(|name| name == text);
            let list = path.last().copied().unwrap_or_default();
            let is_named = match entry {
                // An entry with something in it is an object of that name.
                Some(name) => {
                    let refers = kinds::is_list_of_names(list) || child.children().next().is_none();
                    is_one(name) && refers && !kinds::is_list_of_objects(list)
                }
                None => {
                    child.children().next().is_none()
                        && is_one(child.text().trim())
                        && kinds::may_name_a_certificate(&here)
                }
            };
            if is_named && !kinds::is_rebound(&here) {
                let purpose = kinds::purpose(&here).unwrap_or("what for is not known here");
                let template =
                    child.template().map(|template| from_template("", &template)).unwrap_or_default();
                self.found.push(format!("{} ({purpose}){template}", words.join(" -> ")));
            }
            // A certificate object names nothing but itself.
            if !kinds::is_list_of_objects(list) {
                self.below(child, &here, &words);
            }
        }
    }
}
