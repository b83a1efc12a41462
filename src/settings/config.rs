//! The configuration file: device options under `[device."FQDN"]`, in TOML.

mod checks;
mod groups;
mod place;
mod shared;
mod tables;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use panos_xmlapi::Address;
use serde::Deserialize;
use toml::Spanned;

use self::checks::{Fault, Part};
use self::place::{Document, explain};
use self::tables::{Device, Target, Timing};
use super::destination::Destination;
use super::options::DeviceOptions;
use super::policy::Delegated;
use super::schedule::{CanaryRule, Schedule, WINDOW_OVERRIDE};
use crate::error::Exit;
use crate::files::{self, ReadError, UnsafeFile};
use crate::text::escape_control;

/// Where the file is when nobody says otherwise; it need not be there.
pub const DEFAULT: &str = "/etc/pan_getcert.toml";
/// How long another process that works on the same device is waited for, where nothing else is set: longer than a slow
/// commit takes.
pub const LOCK_WAIT: Duration = Duration::from_secs(60 * 60);
/// The most that is read: room for thousands of devices.
const LIMIT: usize = 4 << 20;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Both are read by themselves: they have more than a device's options.
    #[serde(default, rename = "device")]
    _device: BTreeMap<String, toml::Table>,
    #[serde(default, rename = "target")]
    _target: BTreeMap<String, toml::Table>,
    #[serde(default)]
    group: BTreeMap<String, Group>,
    /// What is run when a failure lasts, and when it is over.
    #[serde(default)]
    on_failure: Vec<String>,
    /// After how many failures in a row.
    #[serde(default = "usual_tell_after")]
    tell_after: NonZeroU32,
    /// How long another process that works on the same device is waited for.
    lock_wait: Option<Spanned<String>>,
    /// How many devices are changed at the same time.
    max_commits: Option<NonZeroU32>,
    /// What becomes of a device that does not run any more what it did.
    #[serde(default)]
    drift: Drift,
    /// What certificate managers may ask for.
    #[serde(default)]
    delegated: Delegated,
}

/// Devices and targets that go together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Group {
    devices: Option<Vec<String>>,
    targets: Option<Vec<String>>,
    window: Option<Vec<String>>,
    window_override: Option<u32>,
    jitter: Option<u32>,
    /// Those that go first, and how long they have to run the certificate.
    canary: Vec<String>,
    canary_minutes: Option<u32>,
}

/// A group, checked.
#[derive(Debug, Clone)]
struct Members {
    all: Vec<Destination>,
    canaries: Vec<Destination>,
    proven_for: TimeDelta,
    timing: Timing,
}

/// Some minutes: a device that is rebooted is no news.
fn usual_tell_after() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(3)
}

/// What to do when a device no longer runs the installed certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// It is pending again, and delivered.
    #[default]
    Deliver,
    /// A person is told.
    Warn,
}

/// Whom to tell of failures that last, and when.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    /// A program with its arguments; no shell is between.
    pub command: Vec<String>,
    /// After how many failures in a row a trouble is told that time may mend.
    pub tell_after: u32,
}

/// What is set for which device.
#[derive(Debug, Clone, Default)]
pub struct Config {
    devices: BTreeMap<Address, Device>,
    /// In the order of the file.
    listed: Vec<Address>,
    targets: BTreeMap<String, Target>,
    groups: BTreeMap<String, Members>,
    max_commits: Option<NonZeroU32>,
    notify: Notify,
    lock_wait: Option<Duration>,
    drift: Drift,
    delegated: Delegated,
    /// Whose file it is, where there is one.
    owner: Option<u32>,
}

/// A configuration file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration file {}: {problem}", escape_control(&.path.to_string_lossy()))]
pub struct ConfigError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Unreadable(ReadError),
    #[error("it is not UTF-8 text")]
    NotText,
    /// Somebody else decides which file it is.
    #[error("{0}")]
    Place(String),
    /// Whoever can change it decides who is trusted, and which program is run.
    #[error("{0}")]
    Foreign(UnsafeFile),
    /// Several lines, which show the place.
    #[error("{text}")]
    Content { text: String, exit: Exit },
}

impl Problem {
    fn content(text: String) -> Self {
        Self::Content { text, exit: Exit::Usage }
    }
}

impl ConfigError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.problem {
            Problem::Content { exit, .. } => exit,
            _ => Exit::Usage,
        }
    }

    /// What to do about it, where the problem does not say so itself.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match &self.problem {
            Problem::Foreign(foreign) => Some(foreign.advice(&self.path)),
            _ => None,
        }
    }
}

impl Config {
    /// Reads the file that was named, or the default one if it is there, and checks all that stands in it. No
    /// device is spoken to, and no other file is read.
    ///
    /// # Errors
    /// A named file that is missing; a file that can't be read, or that others could have changed; unknown keys,
    /// wrong types, names that are no device, values that can't be used and contradictions, with line and column.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        match Self::read(path) {
            Err(Problem::Unreadable(ReadError::Missing)) if named.is_none() => Ok(Self::default()),
            read => read.map_err(|problem| ConfigError { path: path.to_owned(), problem }),
        }
    }

    fn read(path: &Path) -> Result<Self, Problem> {
        let (file, metadata) = files::open_settled(path).map_err(|trouble| match trouble {
            ReadError::UnsafePath(unsettled) => Problem::Place(unsettled.to_string()),
            other => Problem::Unreadable(other),
        })?;
        files::check_owner(&metadata).map_err(Problem::Foreign)?;
        let contents = files::read(file, &metadata, LIMIT).map_err(Problem::Unreadable)?;
        let config = Self::parse(std::str::from_utf8(&contents).map_err(|_| Problem::NotText)?)?;
        Ok(Self { owner: Some(metadata.uid()), ..config })
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let document = Document::parse(text).map_err(Problem::content)?;
        let file: File = toml::from_str(text).map_err(|error| Problem::content(explain(text, &error)))?;
        let mut config = Self {
            notify: Notify { command: file.on_failure, tell_after: file.tell_after.get() },
            drift: file.drift,
            max_commits: file.max_commits,
            delegated: file.delegated,
            ..Self::default()
        };
        for (address, device) in tables::devices(&document)? {
            config.listed.push(address.clone());
            config.devices.insert(address, device);
        }
        config.targets = tables::targets(&document, &config)?;
        for (name, group) in file.group {
            let members = members(&group, &name, &config);
            let members = members.map_err(|fault| document.fault(&["group", &name], fault))?;
            config.groups.insert(name, members);
        }
        groups::check(&config).map_err(|(name, fault)| document.fault(&["group", &name], fault))?;
        config.lock_wait = match &file.lock_wait {
            Some(text) => Some(
                checks::lock_wait(text.get_ref())
                    .map_err(|what| Problem::content(document.tell(&text.span(), &what)))?,
            ),
            None => None,
        };
        checks::command(&config.notify.command).map_err(|fault| document.fault(&[], fault))?;
        checks::delegated(&config.delegated).map_err(|fault| document.fault(&["delegated"], fault))?;
        Ok(config)
    }

    /// The devices that the file lists, in its order.
    pub fn devices(&self) -> impl Iterator<Item = &Address> {
        self.listed.iter()
    }

    /// Whether the file lists a device.
    #[must_use]
    pub fn lists(&self, device: &Address) -> bool {
        self.devices.contains_key(device)
    }

    /// The place that a target stands for.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<Destination> {
        let target = self.targets.get(name)?;
        Some(Destination { device: target.device.clone(), target: Some(name.to_owned()) })
    }

    /// The names of all targets.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// The members of a group, in the order of the file.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&[Destination]> {
        self.groups.get(name).map(|group| group.all.as_slice())
    }

    /// The names of all groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// What certificate managers may ask for.
    #[must_use]
    pub fn delegated(&self) -> &Delegated {
        &self.delegated
    }

    /// The user id of the file's owner; nothing where there is no file.
    #[must_use]
    pub fn owner(&self) -> Option<u32> {
        self.owner
    }

    /// Whom to tell of failures that last.
    #[must_use]
    pub fn notify(&self) -> &Notify {
        &self.notify
    }

    /// How long another process that works on the same device is waited for.
    #[must_use]
    pub fn lock_wait(&self) -> Duration {
        self.lock_wait.unwrap_or(LOCK_WAIT)
    }

    /// What becomes of a device that does not run any more what it did.
    #[must_use]
    pub fn drift(&self) -> Drift {
        self.drift
    }

    /// What is set for a device.
    #[must_use]
    pub fn device(&self, address: &Address) -> DeviceOptions {
        self.devices.get(address).map(|device| device.options.clone()).unwrap_or_default()
    }

    /// What is set for a device as a whole: in its own section, and where that says nothing, for its targets, in the order
    /// of their names.
    #[must_use]
    pub fn whole_device(&self, address: &Address) -> DeviceOptions {
        let targets = self.targets.values().filter(|target| target.device == *address);
        targets.fold(self.device(address), |set, target| set.over(target.own.options.clone()))
    }

    /// What is set for a place: a target's own settings over those of its device.
    #[must_use]
    pub fn settings(&self, destination: &Destination) -> DeviceOptions {
        let device = self.device(&destination.device);
        match destination.target.as_ref().and_then(|name| self.targets.get(name)) {
            Some(target) => target.own.options.clone().over(device),
            None => device,
        }
    }
}

impl Config {
    /// When a place may be changed: as is set for the target, else for its device, else for the groups that it is in, of
    /// which all have to allow it.
    #[must_use]
    pub fn schedule(&self, place: &Destination) -> Schedule {
        let target = place.target.as_ref().and_then(|name| self.targets.get(name)).map(|target| &target.own);
        let own: Vec<&Timing> =
            target.into_iter().chain(self.devices.get(&place.device)).map(|own| &own.timing).collect();
        // Who lists a device as a whole means the targets on it as well.
        let whole = Destination::from(place.device.clone());
        let is_in = |some: &[Destination]| some.contains(place) || some.contains(&whole);
        let groups: Vec<(&String, &Members)> =
            self.groups.iter().filter(|(_, group)| is_in(&group.all)).collect();
        let windows = match own.iter().find_map(|timing| timing.windows.clone()) {
            Some(windows) => vec![windows],
            None => groups.iter().filter_map(|(_, group)| group.timing.windows.clone()).collect(),
        };
        let of_groups = |value: &dyn Fn(&Timing) -> Option<TimeDelta>| {
            groups.iter().filter_map(|(_, group)| value(&group.timing)).max()
        };
        let set = |value: &dyn Fn(&Timing) -> Option<TimeDelta>| {
            own.iter().find_map(|timing| value(timing)).or_else(|| of_groups(value))
        };
        let goes_after = |group: &Members| !group.canaries.is_empty() && !is_in(&group.canaries);
        let canaries = groups.iter().filter(|(_, group)| goes_after(group)).map(|(name, group)| CanaryRule {
            group: (*name).clone(),
            canaries: group.canaries.clone(),
            proven_for: group.proven_for,
        });
        Schedule {
            windows: windows.into_iter().filter(|windows| !windows.is_empty()).collect(),
            window_override: set(&|timing| timing.window_override).unwrap_or(WINDOW_OVERRIDE),
            jitter: set(&|timing| timing.jitter).unwrap_or_default(),
            canaries: canaries.collect(),
        }
    }

    /// Whether others wait for a place.
    #[must_use]
    pub fn goes_first(&self, place: &Destination) -> bool {
        self.groups.values().any(|group| group.canaries.contains(place))
    }

    /// How many devices are changed at the same time, where that is limited.
    #[must_use]
    pub fn max_commits(&self) -> Option<NonZeroU32> {
        self.max_commits
    }
}

fn members(group: &Group, name: &str, config: &Config) -> Result<Members, Fault> {
    let all = checks::group(name, group, config)?;
    let canaries = checks::canaries(group, &all)?;
    let timing = Timing::of(group.window.as_deref(), group.window_override, group.jitter)?;
    let proven_for = TimeDelta::minutes(group.canary_minutes.unwrap_or(0).into());
    Ok(Members { all, canaries, proven_for, timing })
}

impl Document<'_> {
    /// Tells of a fault of a key in this table.
    fn fault(&self, table: &[&str], fault: Fault) -> Problem {
        let path = [table, &[fault.key]].concat();
        let span = match fault.of {
            Part::Key => self.key(&path),
            Part::Value => self.value(&path, None),
            Part::Item(index) => self.value(&path, Some(index)),
        };
        let what = format!("{}: {}", fault.key, fault.what);
        Problem::Content { text: self.tell(&span, &what), exit: fault.exit }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path())).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_found_by_device_and_port() {
        let config =
            load("[device.\"FW1.example.com\"]\nprofile = 'GP portal'\nca-file = ['/a']\ncommit = 'full'\n")
                .unwrap();
        let options = config.device(&"fw1.example.com:443".parse().unwrap());
        assert_eq!(options.profile.as_deref(), Some("GP portal"));
        assert_eq!(config.device(&"fw1.example.com:8443".parse().unwrap()), DeviceOptions::default());
    }

    #[test]
    fn devices_are_told_in_the_order_of_the_file() {
        let config = load("device.b.keep = 1\n[device.c]\n[device.A]\n").unwrap();
        assert_eq!(config.devices().map(ToString::to_string).collect::<Vec<_>>(), ["b", "c", "a"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        for (text, says) in [
            ("[device.fw1]\nprofil = 'x'\n", "line 2, column 1"),
            ("[device.fw1]\nexportable = 'yes'\n", "line 2"),
            ("devices = 1\n", "unknown key 'devices', did you mean 'device'?"),
            ("[device.'a b']\n", "not a valid device name"),
            ("[device.fw1]\npin = 'a'\ninsecure = true\n", "only one of"),
            ("[device.fw1]\n[device.FW1]\n", "twice"),
            ("[device", "line 1"),
            ("tell_after = 0\n", "line 1, column 14"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Config::load(Some(Path::new("/nonexistent/x.toml"))).is_err());
    }
}
