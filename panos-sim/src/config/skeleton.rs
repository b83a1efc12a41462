//! What a configuration looks like before anybody touched it, and where things are in it.

use crate::{
    Administrator, Rights, Role, Settings,
    xml::{Element, Path, Step},
};

/// Name of the one device entry every configuration has.
const DEVICE: &str = "localhost.localdomain";

/// Below the device entry: the profile the management interface is bound to.
pub(crate) const MANAGEMENT_PROFILE: [&str; 3] = ["deviceconfig", "system", "ssl-tls-service-profile"];

/// `/config/devices/entry[@name='localhost.localdomain']`.
pub(crate) fn device_entry() -> Path {
    Path::of(vec![
        Step::Named("config".into()),
        Step::Named("devices".into()),
        Step::Entry("entry".into(), DEVICE.into()),
    ])
}

/// Where certificates and profiles are: shared, Panorama's own, or a virtual system.
pub(crate) fn base(panorama: bool, vsys: Option<&str>) -> Path {
    match vsys {
        Some(vsys) => {
            device_entry().then(Step::Named("vsys".into())).then(Step::Entry("entry".into(), vsys.into()))
        }
        None => Path::of(vec![
            Step::Named("config".into()),
            Step::Named(if panorama { "panorama" } else { "shared" }.into()),
        ]),
    }
}

/// The configuration of a new device.
pub(crate) fn skeleton(settings: &Settings) -> Element {
    let users = settings.administrators.iter().map(user);
    let system = Element::new("system")
        .child(Element::leaf("hostname", &settings.hostname))
        .child(Element::leaf("ip-address", "192.0.2.11"));
    let mut device = Element::entry(DEVICE)
        .child(Element::new("deviceconfig").child(system).with(key_lifetime(settings)))
        .child(Element::new("network").child(Element::new("interface")));
    if settings.is_panorama() {
        let templates = settings
            .templates
            .iter()
            .map(|name| Element::entry(name).child(Element::new("config").child(Element::new("shared"))));
        device = device.child(Element::new("template").with(templates)).with(groups(settings));
    } else {
        let vsys = settings
            .vsys
            .iter()
            .map(|name| Element::entry(name).child(Element::leaf("display-name", name.as_str())));
        device = device.child(Element::new("vsys").with(vsys));
    }
    let own = if settings.is_panorama() { "panorama" } else { "shared" };
    let log = Element::new("log-settings").child(Element::new("profiles"));
    Element::new("config")
        .child(Element::new("mgt-config").child(Element::new("users").with(users)))
        .child(Element::new(own).child(log).with(roles(settings)))
        .child(Element::new("devices").child(device))
}

/// A Panorama's stacks and device groups.
fn groups(settings: &Settings) -> Vec<Element> {
    let member = |name: &String| Element::leaf("member", name.as_str());
    let devices = |serials: &[String]| {
        Element::new("devices").with(serials.iter().map(|serial| Element::entry(serial)))
    };
    let stacks = settings.stacks.iter().map(|stack| {
        Element::entry(&stack.name)
            .child(Element::new("templates").with(stack.templates.iter().map(member)))
            .child(devices(&stack.devices))
    });
    let groups = settings.device_groups.iter().map(|group| {
        Element::entry(&group.name)
            .child(devices(&group.devices))
            .child(Element::new("reference-templates").with(group.reference_templates.iter().map(member)))
    });
    vec![Element::new("template-stack").with(stacks), Element::new("device-group").with(groups)]
}

/// An administrator's entry: only the role, no password.
fn user(administrator: &Administrator) -> Element {
    let role = match &administrator.role {
        Role::Superuser => Element::leaf("superuser", "yes"),
        Role::Custom { name, .. } => Element::new("custom").child(Element::leaf("profile", name.as_str())),
    };
    let permissions = Element::new("permissions").child(Element::new("role-based").child(role));
    Element::entry(&administrator.name).child(permissions)
}

/// The custom roles, where there are any.
fn roles(settings: &Settings) -> Option<Element> {
    let custom = settings.administrators.iter().filter_map(|administrator| match &administrator.role {
        Role::Custom { name, rights } => Some((name, rights)),
        Role::Superuser => None,
    });
    let kind = if settings.is_panorama() { "panorama" } else { "device" };
    let entries: Vec<Element> = custom
        .map(|(name, rights)| {
            let role = Element::new("role").child(Element::new(kind).child(features(rights)));
            Element::entry(name).child(role)
        })
        .collect();
    (!entries.is_empty()).then(|| Element::new("admin-role").with(entries))
}

fn features(rights: &Rights) -> Element {
    let feature = |name, granted| Element::leaf(name, if granted { "enable" } else { "disable" });
    Element::new("xmlapi").with([
        feature("config", rights.config),
        feature("op", rights.op),
        feature("commit", rights.commit),
        feature("import", rights.import),
        feature("export", rights.export),
    ])
}

/// The part of the settings that says how long API keys are good for, in minutes.
fn key_lifetime(settings: &Settings) -> Option<Element> {
    let minutes = settings.api_key_lifetime?.as_secs().div_ceil(60);
    let key = Element::new("key").child(Element::leaf("lifetime", minutes.to_string()));
    let management = Element::new("management").child(Element::new("api").child(key));
    Some(Element::new("setting").child(management))
}
