//! What a configuration looks like before anybody touched it, and where things are in it.

use crate::{
    Settings,
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
    let users = settings.administrators.iter().map(|admin| Element::entry(&admin.name));
    let system = Element::new("system")
        .child(Element::leaf("hostname", &settings.hostname))
        .child(Element::leaf("ip-address", "192.0.2.11"));
    let mut device = Element::entry(DEVICE)
        .child(Element::new("deviceconfig").child(system))
        .child(Element::new("network").child(Element::new("interface")));
    if settings.is_panorama() {
        let templates = settings
            .templates
            .iter()
            .map(|name| Element::entry(name).child(Element::new("config").child(Element::new("shared"))));
        device = device.child(Element::new("template").with(templates));
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
        .child(Element::new(own).child(log))
        .child(Element::new("devices").child(device))
}
