//! Tables that hold a device's settings, and besides when it may be changed, or which device is meant.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::TimeDelta;
use panos_xmlapi::{Address, InvalidAddress};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::checks::{self, Fault};
use super::place::{Document, explain_beside, line_of};
use super::{Config, Problem};
use crate::settings::options::DeviceOptions;
use crate::settings::window::Windows;

/// A device's settings.
#[derive(Debug, Clone, Default)]
pub(super) struct Device {
    /// How a certificate gets there.
    pub(super) options: DeviceOptions,
    /// When.
    pub(super) timing: Timing,
}

/// A place with a name: a device, and the settings that count there before those of the device.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The device.
    pub(super) device: Address,
    /// Its own settings.
    pub(super) own: Device,
}

/// When a place may be changed, as far as that is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Timing {
    /// Its change windows; an empty list is any time.
    pub(super) windows: Option<Windows>,
    /// How soon a certificate has to end so that no window is waited for.
    pub(super) window_override: Option<TimeDelta>,
    /// Over how much time deliveries are spread.
    pub(super) jitter: Option<TimeDelta>,
}

/// The longest that can be set, in seconds and in hours: a week of jitter, ten years before the end.
const LONGEST_JITTER: u32 = 7 * 24 * 3600;
const LONGEST_OVERRIDE: u32 = 10 * 366 * 24;

/// The keys of a device about times, and those of a target besides those of a device.
const TIMES: [&str; 3] = ["window", "window-override", "jitter"];
const OWN: [&str; 4] = ["device", "window", "window-override", "jitter"];

/// What a table says beside a device's options.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Own {
    device: Option<Spanned<String>>,
    window: Option<Vec<String>>,
    window_override: Option<u32>,
    jitter: Option<u32>,
}

impl Timing {
    /// Checks what was written.
    ///
    /// # Errors
    /// The first that can't be used.
    pub(super) fn of(
        windows: Option<&[String]>,
        hours: Option<u32>,
        jitter: Option<u32>,
    ) -> Result<Self, Fault> {
        let windows = windows.map(Windows::read).transpose();
        let windows = windows.map_err(|(at, error)| Fault::item("window", at, error))?;
        if hours.is_some_and(|hours| hours > LONGEST_OVERRIDE) {
            let what = format!("it is a number of hours, up to {LONGEST_OVERRIDE}");
            return Err(Fault::value("window-override", what));
        }
        if jitter.is_some_and(|seconds| seconds > LONGEST_JITTER) {
            return Err(Fault::value("jitter", format!("it is a number of seconds, up to {LONGEST_JITTER}")));
        }
        Ok(Self {
            windows,
            window_override: hours.map(|hours| TimeDelta::hours(hours.into())),
            jitter: jitter.map(|seconds| TimeDelta::seconds(seconds.into())),
        })
    }
}

/// Reads all devices, in the order of the file.
///
/// # Errors
/// The first that can't be used, with its place.
pub(super) fn devices(document: &Document<'_>) -> Result<Vec<(Address, Device)>, Problem> {
    let (mut devices, mut places) = (Vec::new(), BTreeMap::new());
    for (name, span, table) in document.tables_in("device") {
        let bad = |what: &str| Problem::content(document.tell(&span, what));
        let address: Address = name.parse().map_err(|error: InvalidAddress| bad(&error.to_string()))?;
        if let Some(first) = places.insert(address.clone(), span.start) {
            let line = line_of(document.text(), first);
            return Err(bad(&format!("{address} is there twice; the first is in line {line}")));
        }
        let (options, own) = parts(document, &span, table, &TIMES)?;
        checks::device(&options, &address).map_err(|fault| document.fault(&["device", name], fault))?;
        let timing = timing(document, &["device", name], &own)?;
        devices.push((address, Device { options, timing }));
    }
    Ok(devices)
}

/// Reads all targets.
///
/// # Errors
/// The first that can't be used, with its place.
pub(super) fn targets(document: &Document<'_>, config: &Config) -> Result<BTreeMap<String, Target>, Problem> {
    let mut targets = BTreeMap::new();
    for (name, span, table) in document.tables_in("target") {
        let target = target(document, config, (name, &span), table)?;
        targets.insert(name.to_owned(), target);
    }
    Ok(targets)
}

fn target(
    document: &Document<'_>,
    config: &Config,
    (name, span): (&str, &Range<usize>),
    table: &DeTable<'_>,
) -> Result<Target, Problem> {
    let bad = |span: &Range<usize>, what: &str| Problem::content(document.tell(span, what));
    if !checks::is_word(name) {
        return Err(bad(span, "a target's name is made of letters, digits, dots, hyphens and underscores"));
    }
    let (options, own) = parts(document, span, table, &OWN)?;
    let Some(device) = &own.device else {
        let what = format!("the target '{name}' names no device: add device = \"FQDN[:PORT]\"");
        return Err(bad(span, &what));
    };
    let place = device.span();
    let device: Address =
        device.get_ref().parse().map_err(|error: InvalidAddress| bad(&place, &error.to_string()))?;
    let checked = checks::target(&options, &config.device(&device), &device);
    checked.map_err(|mut fault| {
        if !table.contains_key(fault.key) {
            fault.what = format!("with the settings of {device}: {}", fault.what);
        }
        document.fault(&["target", name], fault)
    })?;
    let timing = timing(document, &["target", name], &own)?;
    Ok(Target { device, own: Device { options, timing } })
}

fn timing(document: &Document<'_>, table: &[&str], own: &Own) -> Result<Timing, Problem> {
    let timing = Timing::of(own.window.as_deref(), own.window_override, own.jitter);
    timing.map_err(|fault| document.fault(table, fault))
}

/// A device's options, and what is said beside them by these keys.
fn parts(
    document: &Document<'_>,
    span: &Range<usize>,
    table: &DeTable<'_>,
    own: &[&str],
) -> Result<(DeviceOptions, Own), Problem> {
    let options = read(document, span, table, own, |key| !own.contains(&key))?;
    Ok((options, read(document, span, table, own, |key| own.contains(&key))?))
}

/// Reads those keys of a table that are wanted.
fn read<T: DeserializeOwned>(
    document: &Document<'_>,
    span: &Range<usize>,
    table: &DeTable<'_>,
    own: &[&str],
    wanted: impl Fn(&str) -> bool,
) -> Result<T, Problem> {
    let keys = table.iter().filter(|(key, _)| wanted(key.get_ref()));
    let part: DeTable<'_> = keys.map(|(key, value)| (key.clone(), value.clone())).collect();
    let read = T::deserialize(Deserializer::from(Spanned::new(span.clone(), part)));
    read.map_err(|error| Problem::content(explain_beside(document, &error, own)))
}
