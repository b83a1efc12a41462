//! What a Panorama tells of its firewalls.

use crate::{
    api::reply::Reply,
    config::{device_entry, members, stacks_with},
    device::{Device, Managed},
    refusal::Refusal,
    xml::{Element, Step},
};

/// The fields of a firewall that every list of them has; few for one that was never connected.
fn described(serial: &str, managed: Option<&Managed>) -> Element {
    let connected = managed.is_some_and(|managed| managed.connected && managed.firewall.is_some());
    let entry = Element::entry(serial)
        .child(Element::leaf("serial", serial))
        .child(Element::leaf("connected", if connected { "yes" } else { "no" }))
        .child(Element::leaf("unsupported-version", "no"))
        .child(Element::leaf("deactivated", "no"));
    let Some(firewall) = managed.and_then(|managed| managed.firewall.as_ref()) else {
        return entry;
    };
    firewall.device(|device, now| {
        let settings = &device.settings;
        let multi_vsys = if settings.multi_vsys { "yes" } else { "no" };
        let vsys = settings.vsys.iter().map(|name| {
            Element::entry(name)
                .child(Element::leaf("display-name", name.as_str()))
                .child(Element::leaf("shared-policy-status", ""))
        });
        let ha = device.ha.as_ref().map(|ha| Element::new("ha").child(Element::leaf("state", ha.states().0)));
        entry
            .with([
                Element::leaf("hostname", &settings.hostname),
                Element::leaf("ip-address", "192.0.2.11"),
                Element::leaf("uptime", super::info::uptime(device, now)),
                Element::leaf("family", settings.model.trim_start_matches("PA-")),
                Element::leaf("model", &settings.model),
                Element::leaf("sw-version", &settings.sw_version),
                Element::leaf("multi-vsys", multi_vsys),
                Element::leaf("operational-mode", "normal"),
                Element::leaf("certificate-status", ""),
            ])
            .with(ha)
            .child(Element::new("vsys").with(vsys))
    })
}

pub(super) fn devices(device: &Device, which: &str) -> Result<Reply, Refusal> {
    only_panorama(device)?;
    let all = device.fleet.devices.iter();
    let wanted =
        all.filter(|(_, managed)| which == "all" || (managed.connected && managed.firewall.is_some()));
    let entries = wanted.map(|(serial, managed)| described(serial, Some(managed)));
    Ok(Reply::result([Element::new("devices").with(entries)]))
}

fn only_panorama(device: &Device) -> Result<(), Refusal> {
    match device.settings.is_panorama() {
        true => Ok(()),
        false => Err(Refusal::code(17, " show -> devices  is unexpected")),
    }
}

/// A firewall in a list of templates, with what it last got.
fn with_state(device: &Device, serial: &str) -> Element {
    let managed = device.fleet.devices.get(serial);
    let or_none = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("none").to_owned();
    let state = or_none(managed.map(|managed| managed.last_state.as_str()));
    let time = or_none(managed.map(|managed| managed.last_time.as_str()));
    let connected = managed.is_some_and(|managed| managed.connected && managed.firewall.is_some());
    let state = if connected { state } else { "not connected".to_owned() };
    let version = managed.and_then(|managed| managed.version).map(|version| version.to_string());
    let sync = if device.fleet.in_sync(serial, device.config.running()) { "In Sync" } else { "Out of Sync" };
    described(serial, managed).with([
        Element::leaf("last-commit-all-state-tpl", state),
        Element::leaf("last-validate-all-state-tpl", "none"),
        Element::leaf("last-commit-all-upd-tpl", time),
        Element::leaf("last-validate-all-upd-tpl", "none"),
        Element::leaf("template-status", sync),
        Element::leaf("template-version", version.unwrap_or_default()),
    ])
}

fn stack(device: &Device, stack: &Element) -> Element {
    let templates = members(stack, "templates").map(|name| Element::leaf("member", name));
    let devices = members(stack, "devices").map(|serial| with_state(device, &serial)).collect::<Vec<_>>();
    Element::entry(stack.get("name").unwrap_or_default())
        .child(Element::new("templates").with(templates))
        .child(Element::new("devices").with(devices))
}

fn entries(device: &Device, kind: &str, name: Option<&str>) -> Vec<Element> {
    let list = device_entry().then(Step::Named(kind.into())).then(Step::Named("entry".into()));
    let all = list.select(device.config.running()).into_iter();
    all.filter(|entry| name.is_none() || entry.get("name") == name).cloned().collect()
}

pub(super) fn stacks(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    only_panorama(device)?;
    let name = cmd.descend(&["template-stack", "name"]).map(|name| name.text.trim().to_owned());
    let found = entries(device, "template-stack", name.as_deref());
    Ok(Reply::result([Element::new("template-stack").with(found.iter().map(|entry| stack(device, entry)))]))
}

/// Templates, and stacks among them, which have a child that says so.
pub(super) fn templates(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    only_panorama(device)?;
    let name = cmd.descend(&["templates", "name"]).map(|name| name.text.trim().to_owned());
    let running = device.config.running();
    let plain = entries(device, "template", name.as_deref()).into_iter().map(|template| {
        let name = template.get("name").unwrap_or_default().to_owned();
        let holders = stacks_with(running, &name);
        let stacks = entries(device, "template-stack", None).into_iter();
        let holding = stacks.filter(|stack| holders.iter().any(|holder| stack.get("name") == Some(holder)));
        let serials: Vec<String> =
            holding.flat_map(|stack| members(&stack, "devices").collect::<Vec<_>>()).collect();
        let devices = serials.iter().map(|serial| with_state(device, serial));
        Element::entry(&name).child(Element::new("devices").with(devices))
    });
    let stacks = entries(device, "template-stack", name.as_deref());
    let stacks =
        stacks.iter().map(|entry| stack(device, entry).child(Element::leaf("template-stack", "yes")));
    Ok(Reply::result([Element::new("templates").with(plain.chain(stacks))]))
}

pub(super) fn groups(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    only_panorama(device)?;
    let name = cmd.descend(&["devicegroups", "name"]).map(|name| name.text.trim().to_owned());
    let found = entries(device, "device-group", name.as_deref()).into_iter().map(|group| {
        let serials: Vec<String> = members(&group, "devices").collect();
        let devices = serials.iter().map(|serial| described(serial, device.fleet.devices.get(serial)));
        Element::entry(group.get("name").unwrap_or_default()).child(Element::new("devices").with(devices))
    });
    Ok(Reply::result([Element::new("devicegroups").with(found)]))
}

/// Who has changed what a push would carry. Its shape is ours: nobody has published it.
pub(super) fn push_scope(device: &Device, cmd: &Element) -> Result<Reply, Refusal> {
    only_panorama(device)?;
    let wanted =
        cmd.descend(&["config", "push-scope"]).map(|scope| members(scope, "admin").collect::<Vec<_>>());
    let wanted = wanted.unwrap_or_default();
    let pending = device.fleet.pending();
    let lines = pending.iter().filter(|(owner, _)| wanted.is_empty() || wanted.contains(owner));
    let entries = lines.map(|(owner, path)| {
        Element::new("entry").child(Element::leaf("owner", owner)).child(Element::leaf("xpath", path))
    });
    Ok(Reply::result([Element::new("push-scope").with(entries)]))
}
