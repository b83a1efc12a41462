//! Tables that hold a device's settings and something of their own besides.

use std::collections::BTreeMap;
use std::ops::Range;

use panos_xmlapi::{Address, InvalidAddress};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::checks;
use super::place::{Document, explain_beside};
use super::{Config, Problem};
use crate::settings::options::DeviceOptions;

/// A place with a name: a device, and the settings that count there before those of the device.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The device.
    pub(super) device: Address,
    /// Its own settings.
    pub(super) options: DeviceOptions,
}

/// The keys that a target has besides those of a device.
const OWN: [&str; 1] = ["device"];

/// What only a target says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    device: Option<Spanned<String>>,
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
    let own: Own = read(document, span, table, |key| OWN.contains(&key))?;
    let options: DeviceOptions = read(document, span, table, |key| !OWN.contains(&key))?;
    let Some(device) = own.device else {
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
    Ok(Target { device, options })
}

/// Reads those keys of a table that are wanted.
fn read<T: DeserializeOwned>(
    document: &Document<'_>,
    span: &Range<usize>,
    table: &DeTable<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<T, Problem> {
    let keys = table.iter().filter(|(key, _)| wanted(key.get_ref()));
    let part: DeTable<'_> = keys.map(|(key, value)| (key.clone(), value.clone())).collect();
    let read = T::deserialize(Deserializer::from(Spanned::new(span.clone(), part)));
    read.map_err(|error| Problem::content(explain_beside(document, &error, &OWN)))
}
