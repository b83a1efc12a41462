//! What the device says about itself and its administrators.

use std::time::{Duration, Instant};

use crate::{
    api::{call::Call, reply::Reply},
    certificate::certificates_in,
    clock,
    device::Device,
    refusal::Refusal,
    xml::{Element, Step},
};

pub(super) fn system(device: &Device, now: Instant) -> Reply {
    let settings = &device.settings;
    let hostname = hostname(device);
    let family = settings.model.trim_start_matches("PA-");
    let uptime = uptime(device, now);
    let mut system = Element::new("system").with([
        Element::leaf("hostname", &hostname),
        Element::leaf("ip-address", "192.0.2.11"),
        Element::leaf("public-ip-address", "unknown"),
        Element::leaf("netmask", "255.255.255.0"),
        Element::leaf("default-gateway", "192.0.2.1"),
        Element::leaf("ipv6-address", "unknown"),
        Element::leaf("mac-address", "00:00:5e:00:53:11"),
        // The line break at the end is the device's.
        Element::leaf("time", clock::long(settings.clock_ahead) + "\n"),
        Element::leaf("uptime", uptime),
        Element::leaf("devicename", &hostname),
        Element::leaf("family", family),
        Element::leaf("model", &settings.model),
        Element::leaf("serial", &settings.serial),
        Element::leaf("sw-version", &settings.sw_version),
        Element::leaf("app-version", "8800-8500"),
    ]);
    let multi_vsys = if settings.multi_vsys { "on" } else { "off" };
    let usual = settings.is_panorama().then_some("panorama");
    let mode = settings.system_mode.as_deref().or(usual);
    system = system.with(mode.map(|mode| Element::leaf("system-mode", mode)));
    if !settings.is_panorama() {
        system = system.child(Element::leaf("multi-vsys", multi_vsys));
    }
    Reply::result([system
        .child(Element::leaf("operational-mode", "normal"))
        .child(Element::leaf("device-certificate-status", "None"))])
}

pub(super) fn uptime(device: &Device, now: Instant) -> String {
    let up = now.saturating_duration_since(device.booted).as_secs();
    format!("{} days, {}:{:02}:{:02}", up / 86_400, up / 3600 % 24, up / 60 % 60, up % 60)
}

/// The host name of the running configuration.
fn hostname(device: &Device) -> String {
    let path = ["deviceconfig", "system", "hostname"]
        .iter()
        .fold(crate::config::device_entry(), |path, step| path.then(Step::Named((*step).into())));
    path.first(device.config.running()).map(|leaf| leaf.text.trim().to_owned()).unwrap_or_default()
}

pub(super) fn clock(device: &Device) -> Reply {
    // The blank at the end is the device's.
    Reply::text(clock::zoned(device.settings.clock_ahead) + " ")
}

/// Restarts in a moment, when the reply is out. Success has the look of an error here; clients know that.
pub(super) fn restart(device: &mut Device, now: Instant) -> Refusal {
    device.restart_due = Some(now + RESTART_DELAY);
    Refusal::line("Command succeeded with no output")
}

/// How long it takes from the command to the end of the connections.
const RESTART_DELAY: Duration = Duration::from_millis(50);

/// The Panorama that manages this firewall, in a text; nothing where there is none.
pub(super) fn panorama_status(device: &Device) -> Reply {
    Reply::text(match device.config.pushed() {
        Some(_) => {
            "\n    Panorama Server 1 : 192.0.2.20\n        Connected     : yes\n        HA state      : disconnected\n"
        }
        None => "",
    })
}

pub(super) fn chassis_ready(device: &Device) -> Reply {
    Reply::text(if device.is_booting() { "no" } else { "yes" })
}

/// The sessions: the caller's, marked where the release does that.
pub(super) fn admins(device: &Device, call: &Call<'_>) -> Reply {
    let entry = Element::new("entry")
        .child(Element::leaf("admin", &call.session.administrator))
        .child(Element::leaf("from", "192.0.2.50"))
        .child(Element::leaf("type", "Web"))
        .child(Element::leaf("session-start", clock::short()))
        .child(Element::leaf("idle-for", "00:00:00s"))
        .with(device.settings.marks_own_session.then(|| Element::new("self")));
    Reply::result([Element::new("admins").child(entry)])
}

/// The operational list of all certificates in the candidate's shared part.
pub(super) fn certificates(device: &Device) -> Reply {
    let path = device.base(None).then(Step::Named("certificate".into())).then(Step::Named("entry".into()));
    let entries = path.select(device.config.candidate()).into_iter();
    Reply::result(entries.map(|entry| {
        let chain = certificates_in(entry);
        let leaf = chain.first();
        let subject = entry.text_of("common-name").unwrap_or_default();
        Element::entry(entry.get("name").unwrap_or_default())
            .child(Element::leaf("subject", format!("CN = {subject}")))
            .with(leaf.map(|c| Element::leaf("not-valid-after", c.not_after().to_string())))
    }))
}
