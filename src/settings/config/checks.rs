//! Which values of one device's settings can't be used, and which contradict each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use panos_xmlapi::{Address, Fingerprint, check_dns_name};

use super::{Config, Group};
use crate::error::Exit;
use crate::install::names::{ObjectName, ProfileName};
use crate::settings::destination::Destination;
use crate::settings::location;
use crate::settings::options::{DeviceOptions, FormatOption};
use crate::settings::policy::Delegated;
use crate::text::{some_of, some_or_none};

/// What is wrong, and with which key.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: &'static str,
    pub(super) of: Part,
    pub(super) what: String,
    pub(super) exit: Exit,
}

/// What of a key is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// That it is there at all.
    Key,
    /// Its value.
    Value,
    /// One item of its value.
    Item(usize),
}

impl Fault {
    fn key(key: &'static str, what: impl ToString) -> Self {
        Self { key, of: Part::Key, what: what.to_string(), exit: Exit::Usage }
    }

    pub(super) fn value(key: &'static str, what: impl ToString) -> Self {
        Self { of: Part::Value, ..Self::key(key, what) }
    }

    pub(super) fn item(key: &'static str, index: usize, what: impl ToString) -> Self {
        Self { of: Part::Item(index), ..Self::key(key, what) }
    }
}

/// The longest that a canary can be watched, in minutes: four weeks.
const LONGEST_PROOF: u32 = 28 * 24 * 60;

/// The longest wait for another process: the worker's unit has three hours.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// How long another process is waited for.
///
/// # Errors
/// What is no length of time, or none that can be used.
pub(super) fn lock_wait(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(1)..=LONGEST_WAIT;
    match humantime::parse_duration(text) {
        Ok(wait) if range.contains(&wait) => Ok(wait),
        _ => Err("lock_wait: write a length of time from '1s' to '2h'".to_owned()),
    }
}

/// Checks the settings of a device.
///
/// # Errors
/// The first that is wrong.
pub(super) fn device(options: &DeviceOptions, device: &Address) -> Result<(), Fault> {
    contradictions(options)?;
    values(options)?;
    let peer: Option<Address> = parsed("ha-peer", options.ha_peer.as_deref())?;
    if peer.as_ref() == Some(device) {
        return Err(Fault::value("ha-peer", format!("{device} can't be its own peer")));
    }
    Ok(())
}

fn values(options: &DeviceOptions) -> Result<(), Fault> {
    // A word without '/' is an ending; nothing at all would silently mean the usual file.
    match options.key_file.as_deref() {
        Some("") => return Err(Fault::value("key-file", "it is empty")),
        Some(path) if path.contains('/') => absolute("key-file", Part::Value, Path::new(path))?,
        _ => {}
    }
    for (key, name) in [("profile", &options.profile), ("secondary-profile", &options.secondary_profile)] {
        let checked = parsed::<ProfileName>(key, name.as_deref());
        checked.map_err(|fault| Fault { exit: Exit::ProfileName, ..fault })?;
    }
    if let Some(chain) = &options.chain {
        absolute("chain", Part::Value, chain)?;
    }
    for (index, file) in options.ca_file.iter().enumerate() {
        absolute("ca-file", Part::Item(index), file)?;
    }
    parsed::<Fingerprint>("pin", options.pin.as_deref())?;
    location::push(options).map_err(|wrong| Fault::value(wrong.option, wrong.what))?;
    for (index, endpoint) in options.served.iter().enumerate() {
        parsed::<Address>("served", Some(endpoint))
            .map_err(|fault| Fault { of: Part::Item(index), ..fault })?;
    }
    Ok(())
}

fn contradictions(options: &DeviceOptions) -> Result<(), Fault> {
    if options.secondary_profile.is_some() && options.profile.is_none() {
        return Err(Fault::key(
            "secondary-profile",
            "it needs 'profile': there is no second without a first",
        ));
    }
    if options.trust_choices() > 1 {
        let one_too_many = if options.insecure { "insecure" } else { "pin" };
        return Err(Fault::key(one_too_many, "only one of ca-file, pin and insecure can be set"));
    }
    match (options.pkcs12, options.format, &options.chain) {
        (Some(_), Some(FormatOption::Pem), _) => {
            Err(Fault::key("pkcs12", "with format = \"pem\" there is no PKCS#12"))
        }
        (Some(_), None, Some(_)) => {
            let why =
                "with 'chain' the upload is PEM; set format = \"pkcs12\" as well, if that is what you want";
            Err(Fault::key("pkcs12", why))
        }
        _ => Ok(()),
    }
}

/// Checks the settings of a target, which lie over those of its device.
///
/// # Errors
/// The first that is wrong.
pub(super) fn target(own: &DeviceOptions, below: &DeviceOptions, device: &Address) -> Result<(), Fault> {
    if own.trust_choices() > 1 {
        contradictions(own)?;
    }
    values(own)?;
    self::device(&own.clone().over(below.clone()), device)
}

/// Whether a name can be typed as a word.
pub(super) fn is_word(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_part)
}

/// Checks a group, and gives its members: devices, then targets.
///
/// # Errors
/// A name that could not be typed as a word; a group without members; what is no device, and no target of the file.
pub(super) fn group(name: &str, group: &Group, config: &Config) -> Result<Vec<Destination>, Fault> {
    let (devices, targets) = ("devices", "targets");
    let key = if group.devices.is_none() && group.targets.is_some() { targets } else { devices };
    if !is_word(name) {
        return Err(Fault::key(
            key,
            "a group's name is made of letters, digits, dots, hyphens and underscores",
        ));
    }
    if [&group.devices, &group.targets].into_iter().flatten().all(Vec::is_empty) {
        return Err(Fault::value(key, "a group without devices would install nothing"));
    }
    let mut members: Vec<Destination> = Vec::new();
    let mut named: BTreeSet<Destination> = BTreeSet::new();
    for (index, text) in group.devices.iter().flatten().enumerate() {
        let address: Result<Address, _> = text.parse();
        let address =
            address.map_err(|error| Fault { of: Part::Item(index), ..Fault::value(devices, error) })?;
        let member = Destination::from(address);
        if !named.insert(member.clone()) {
            return Err(Fault::item(devices, index, format!("'{text}' is named twice")));
        }
        members.push(member);
    }
    let place = |member: &Destination| {
        let location = location::of(&config.settings(member)).ok()?;
        Some((member.device.clone(), location.to_string()))
    };
    // Only where there are targets two of them can be at one place.
    let mut places: BTreeMap<_, Destination> = match group.targets.as_deref() {
        Some([_, ..]) => members.iter().filter_map(|one| Some((place(one)?, one.clone()))).collect(),
        _ => BTreeMap::new(),
    };
    for (index, name) in group.targets.iter().flatten().enumerate() {
        let target = config.target(name).ok_or_else(|| {
            let what = format!(
                "there is no target '{name}'; there is {}",
                some_or_none(&config.targets().collect::<Vec<_>>())
            );
            Fault { of: Part::Item(index), ..Fault::value(targets, what) }
        });
        let target = target?;
        if !named.insert(target.clone()) {
            return Err(Fault::item(targets, index, format!("'{name}' is named twice")));
        }
        if let Some(at) = place(&target)
            && let Some(other) = places.insert(at, target.clone())
        {
            let what =
                format!("{other} and {target} are the same place: a command for the group would be refused");
            return Err(Fault::item(targets, index, what));
        }
        members.push(target);
    }
    Ok(members)
}

/// Checks which members of a group go first.
///
/// # Errors
/// What is no member; nobody who would come after them.
pub(super) fn canaries(group: &Group, members: &[Destination]) -> Result<Vec<Destination>, Fault> {
    const KEY: &str = "canary";
    if group.canary_minutes.is_some_and(|minutes| minutes > LONGEST_PROOF) {
        let what = format!("it is a number of minutes, up to {LONGEST_PROOF}");
        return Err(Fault::value("canary-minutes", what));
    }
    if group.canary_minutes.is_some() && group.canary.is_empty() {
        return Err(Fault::key("canary-minutes", "it needs 'canary': who goes first"));
    }
    let mut canaries: Vec<Destination> = Vec::new();
    for (index, text) in group.canary.iter().enumerate() {
        let device: Option<Address> = text.parse().ok();
        let is_meant = |member: &&Destination| match &member.target {
            Some(target) => target == text,
            None => Some(&member.device) == device.as_ref(),
        };
        let member = members.iter().find(is_meant).ok_or_else(|| {
            let names: Vec<String> = members
                .iter()
                .map(|member| member.target.clone().unwrap_or_else(|| member.device.to_string()))
                .collect();
            Fault::item(
                KEY,
                index,
                format!("'{text}' is no member of the group, but {}", some_of(&names, ", ")),
            )
        })?;
        canaries.push(member.clone());
    }
    if !canaries.is_empty() && members.iter().all(|member| canaries.contains(member)) {
        return Err(Fault::value(KEY, "all members go first: nobody is left to wait for them"));
    }
    Ok(canaries)
}

/// Checks the command that is run when a failure lasts.
///
/// # Errors
/// A program that would be another one in another directory.
pub(super) fn command(words: &[String]) -> Result<(), Fault> {
    match words.first() {
        Some(program) if program.is_empty() => {
            Err(Fault { of: Part::Item(0), ..Fault::value("on_failure", "the program's name is empty") })
        }
        Some(program) if program.contains('/') => absolute("on_failure", Part::Item(0), Path::new(program)),
        _ => Ok(()),
    }
}

/// Checks what is delegated.
///
/// # Errors
/// A name that nothing can have.
pub(super) fn delegated(delegated: &Delegated) -> Result<(), Fault> {
    each("common-names", &delegated.common_names, |pattern| {
        let name = pattern.strip_prefix("*.").unwrap_or(pattern);
        let is_address = name == pattern && name.parse::<IpAddr>().is_ok();
        if is_address { Ok(()) } else { check_dns_name(name).map_err(|why| format!("'{pattern}': {why}")) }
    })?;
    each("cert-names", &delegated.cert_names, valid::<ObjectName>)?;
    each("profiles", &delegated.profiles, valid::<ProfileName>)
}

fn each(
    key: &'static str,
    items: &Option<Vec<String>>,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<(), Fault> {
    for (index, item) in items.iter().flatten().enumerate() {
        check(item).map_err(|what| Fault { of: Part::Item(index), ..Fault::value(key, what) })?;
    }
    Ok(())
}

fn valid<T: FromStr<Err: ToString>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

fn parsed<T: FromStr<Err: ToString>>(key: &'static str, text: Option<&str>) -> Result<Option<T>, Fault> {
    text.map(str::parse).transpose().map_err(|error: T::Err| Fault::value(key, error))
}

/// Programs run in various directories, and whoever calls through sudo chooses which.
fn absolute(key: &'static str, of: Part, path: &Path) -> Result<(), Fault> {
    if path.is_absolute() {
        return Ok(());
    }
    let what = format!("'{}' is no absolute path", path.display());
    Err(Fault { of, ..Fault::value(key, what) })
}
