//! The configuration a device starts with.

use openssl::{pkey::PKey, x509::X509};

use crate::{
    Error, PreloadedCertificate, Profile, Result, Settings,
    certificate::{Keyring, certificate_entry},
    config::{MANAGEMENT_PROFILE, base, device_entry, skeleton},
    pem,
    xml::{Element, Path, Step},
};

/// The running configuration that the settings describe.
pub(super) fn configuration(settings: &Settings, keyring: &mut Keyring) -> Result<Element> {
    let mut tree = skeleton(settings);
    let panorama = settings.is_panorama();
    for certificate in &settings.certificates {
        let entry = preloaded(certificate, keyring)?;
        put(&mut tree, base(panorama, certificate.vsys.as_deref()), "certificate", entry);
    }
    for profile in &settings.profiles {
        let place = base(panorama, profile.vsys.as_deref());
        put(&mut tree, place, "ssl-tls-service-profile", profile_entry(profile));
    }
    if let Some(name) = &settings.management_profile {
        let path = MANAGEMENT_PROFILE
            .iter()
            .fold(device_entry(), |path, step| path.then(Step::Named((*step).into())));
        if let Some(leaf) = path.ensure(&mut tree) {
            leaf.text.clone_from(name);
        }
    }
    Ok(tree)
}

fn put(tree: &mut Element, base: Path, list: &str, entry: Element) {
    if let Some(list) = base.then(Step::Named(list.into())).ensure(tree) {
        list.children.push(entry);
    }
}

fn preloaded(wish: &PreloadedCertificate, keyring: &mut Keyring) -> Result<Element> {
    let chain = X509::stack_from_pem(pem::text(&wish.certificate)?.as_bytes())?;
    if chain.is_empty() {
        return Err(Error::Settings(format!("no certificate in {:?}", wish.name)));
    }
    let mut entry = certificate_entry(&wish.name, &chain)?;
    if let Some(key) = &wish.key {
        let pem = pem::text(key)?;
        let key = PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0))?;
        entry = entry.child(Element::leaf("private-key", keyring.keep(key)));
    }
    Ok(entry)
}

fn profile_entry(profile: &Profile) -> Element {
    let protocols = Element::new("protocol-settings")
        .child(Element::leaf("min-version", "tls1-2"))
        .child(Element::leaf("max-version", "max"));
    let certificate = profile.certificate.as_ref();
    Element::entry(&profile.name)
        .child(protocols)
        .with(certificate.map(|name| Element::leaf("certificate", name)))
}
