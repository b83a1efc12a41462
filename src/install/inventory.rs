//! Everything that a device holds: which certificates there are in its running configuration, and which SSL/TLS
//! service profiles present them.

use panos_xmlapi::{CertificateEntry, Location, ServiceProfile, Session, SystemInfo, XPath};

use super::error::{Activity, InstallError};
use super::references::virtual_systems;
use super::templates;
use crate::certificate::SeenCertificate;

/// A certificate object of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `shared`, `Panorama`, the virtual system, or the template or template stack (`template:NAME`, `stack:NAME`).
    pub place: String,
    /// The object's name.
    pub name: String,
    /// The certificate; nothing where it can't be read.
    pub certificate: Option<SeenCertificate>,
    /// Whether the device has its private key.
    pub has_private_key: bool,
    /// The SSL/TLS service profiles that present it, in the same place.
    pub profiles: Vec<String>,
}

/// Lists the running configuration's certificates.
///
/// # Errors
/// A device that fails or refuses.
pub async fn list(session: &Session, system: &SystemInfo) -> Result<Vec<Item>, InstallError> {
    let own = if system.is_panorama() { "Panorama" } else { "shared" };
    let mut places = vec![(system.default_location().base(), own.to_owned())];
    if !system.is_panorama() {
        places.extend(virtual_systems(session, &XPath::device()).await?);
    }
    let mut items = Vec::new();
    for (base, label) in places {
        items.extend(of_place(session, &base, &label).await?);
    }
    if system.is_panorama() {
        for place in templates::all(session).await? {
            items.extend(of_template(session, &place).await?);
        }
    }
    Ok(items)
}

/// What is in a template or a stack: its shared part, whose certificates the profiles of its virtual systems may present
/// too, and what its virtual systems have of their own.
async fn of_template(session: &Session, place: &Location) -> Result<Vec<Item>, InstallError> {
    let look = InstallError::during(Activity::Looking);
    let label = place.to_string();
    let mut items = of_place(session, &place.base(), &label).await?;
    for (base, vsys) in virtual_systems(session, &place.device()).await? {
        let own = of_place(session, &base, &format!("{label}/{vsys}")).await?;
        let found = session.show(&base.step("ssl-tls-service-profile")).await.map_err(look)?;
        for profile in found.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default() {
            // Its own certificate of that name comes first.
            let is_hidden = own.iter().any(|item| Some(item.name.as_str()) == profile.certificate.as_deref());
            let presented = items.iter_mut().find(|item| {
                item.place == label && Some(item.name.as_str()) == profile.certificate.as_deref()
            });
            if let (Some(item), false) = (presented, is_hidden) {
                item.profiles.push(format!("{} ({vsys})", profile.name));
            }
        }
        items.extend(own);
    }
    Ok(items)
}

async fn of_place(session: &Session, base: &XPath, label: &str) -> Result<Vec<Item>, InstallError> {
    let look = InstallError::during(Activity::Looking);
    let found = session.show(&base.clone().step("certificate")).await.map_err(look)?;
    let entries = found.map(|result| CertificateEntry::read_all(&result)).unwrap_or_default();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    // Read before anything is waited for: of each certificate only what is told of it is kept, for very many devices.
    let item = |entry: CertificateEntry| Item {
        place: label.to_owned(),
        certificate: entry.public_key.as_deref().and_then(|pem| SeenCertificate::of_pem(pem).ok()),
        has_private_key: entry.has_private_key,
        profiles: Vec::new(),
        name: entry.name,
    };
    let mut items: Vec<Item> = entries.into_iter().map(item).collect();
    let found = session.show(&base.clone().step("ssl-tls-service-profile")).await.map_err(look)?;
    for profile in found.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default() {
        let presented =
            items.iter_mut().filter(|item| Some(item.name.as_str()) == profile.certificate.as_deref());
        presented.for_each(|item| item.profiles.push(profile.name.clone()));
    }
    Ok(items)
}
