//! The configuration a device starts with.

use openssl::{pkey::PKey, x509::X509};

use crate::{
    Error, PreloadedCertificate, Profile, Result, Settings,
    certificate::{Keyring, PrivateKey, certificate_entry},
    config::{MANAGEMENT_PROFILE, Overlay, base, device_entry, skeleton},
    pem,
    xml::{Element, Path, Step},
};

/// The running configuration that the settings describe.
pub(super) fn configuration(settings: &Settings, keyring: &mut Keyring) -> Result<Element> {
    let mut tree = skeleton(settings);
    let own = Objects {
        certificates: &settings.certificates,
        profiles: &settings.profiles,
        management_profile: settings.management_profile.as_deref(),
    };
    own.put_into(&mut tree, settings.is_panorama(), keyring)?;
    Ok(tree)
}

/// What the settings say that a Panorama has pushed.
pub(super) fn pushed(settings: &Settings, keyring: &mut Keyring) -> Result<Option<Overlay>> {
    let Some(pushed) = &settings.pushed else {
        return Ok(None);
    };
    let objects = Objects {
        certificates: &pushed.certificates,
        profiles: &pushed.profiles,
        management_profile: pushed.management_profile.as_deref(),
    };
    let mut content = Element::new("config");
    objects.put_into(&mut content, false, keyring)?;
    Ok(Some(Overlay { template: pushed.template.clone(), content }))
}

/// What is below `/config/predefined`. The profiles name no certificate.
pub(super) fn predefined(settings: &Settings) -> Element {
    let profiles = settings.predefined().into_iter().map(|name| profile_entry(&Profile::unbound(&name)));
    Element::new("predefined").child(Element::new("ssl-tls-service-profile").with(profiles))
}

/// What settings can put into a configuration.
struct Objects<'a> {
    certificates: &'a [PreloadedCertificate],
    profiles: &'a [Profile],
    management_profile: Option<&'a str>,
}

impl Objects<'_> {
    fn put_into(&self, tree: &mut Element, panorama: bool, keyring: &mut Keyring) -> Result<()> {
        for certificate in self.certificates {
            let entry = preloaded(certificate, keyring)?;
            put(tree, base(panorama, certificate.vsys.as_deref()), "certificate", entry);
        }
        for profile in self.profiles {
            let place = base(panorama, profile.vsys.as_deref());
            put(tree, place, "ssl-tls-service-profile", profile_entry(profile));
        }
        if let Some(name) = self.management_profile {
            let path = MANAGEMENT_PROFILE
                .iter()
                .fold(device_entry(), |path, step| path.then(Step::Named((*step).into())));
            if let Some(leaf) = path.ensure(tree) {
                name.clone_into(&mut leaf.text);
            }
        }
        Ok(())
    }
}

fn put(tree: &mut Element, base: Path, list: &str, entry: Element) {
    if let Some(list) = base.then(Step::Named(list.into())).ensure(tree) {
        list.children.push(entry);
    }
}

fn preloaded(wanted: &PreloadedCertificate, keyring: &mut Keyring) -> Result<Element> {
    let chain = X509::stack_from_pem(pem::text(&wanted.certificate)?.as_bytes())?;
    if chain.is_empty() {
        return Err(Error::Settings(format!("no certificate in {:?}", wanted.name)));
    }
    let mut entry = certificate_entry(&wanted.name, &chain)?;
    if let Some(key) = &wanted.key {
        let pem = pem::text(key)?;
        let key = PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0))?;
        entry = entry.child(Element::leaf("private-key", keyring.keep(PrivateKey::of(&key)?)));
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
