//! What a post-save command of certmonger's says, where it is one of ours.

use std::path::{Path, PathBuf};

use panos_xmlapi::{Address, Location};

use super::installer::{Arguments, NAME};
use crate::delivery::InstallSpec;
use crate::host::certmonger::post_save_command;
use crate::settings::config::Config;
use crate::settings::destination::Destination;
use crate::settings::location;
use crate::settings::resolve;

/// A post-save command that runs `pan_instcert`.
pub struct PostSave {
    program: PathBuf,
    words: Vec<String>,
    /// Its words, read.
    pub arguments: Arguments,
}

/// How a command names a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Not at all.
    No,
    /// By its name.
    Device,
    /// As a member of this group.
    Group(String),
    /// As this target.
    Target(String),
}

/// A command without some devices.
#[derive(Debug, PartialEq, Eq)]
pub enum Without {
    /// The new command.
    Command(String),
    /// No device would be left.
    NoneLeft,
    /// The command can't be written anew with certainty.
    NotSafe,
}

impl PostSave {
    /// Reads a command; nothing where it is somebody else's, or not understood.
    #[must_use]
    pub fn read(command: &str) -> Option<Self> {
        let mut words = shlex::split(command)?;
        if words.is_empty() {
            return None;
        }
        let program = PathBuf::from(words.remove(0));
        if !Path::new(&program).ends_with(NAME) {
            return None;
        }
        let arguments = Arguments::of_words(&words).ok()?;
        Some(Self { program, words, arguments })
    }

    /// The devices that it names one by one.
    #[must_use]
    pub fn devices(&self) -> Vec<Address> {
        resolve::devices(&self.arguments.list.devices).unwrap_or_default()
    }

    /// All its devices, those of its targets and groups included; nothing where its configuration file can't be read.
    #[must_use]
    pub fn all_devices(&self) -> Option<Vec<Address>> {
        let config = Config::load(self.arguments.place.config.as_deref()).ok()?;
        self.arguments.list.all_devices(&config).ok()
    }

    /// All its places with their locations; nothing where its configuration file can't be read.
    #[must_use]
    pub fn all_places(&self) -> Option<Vec<(Destination, Location)>> {
        let config = Config::load(self.arguments.place.config.as_deref()).ok()?;
        let locate = |place: Destination| {
            let options = resolve::options_for(&self.arguments.device, &config, &place);
            let location = location::of(&options).ok()?;
            Some((place, location))
        };
        self.arguments.list.all(&config).ok()?.into_iter().map(locate).collect()
    }

    /// How it names a place.
    #[must_use]
    pub fn names(&self, place: &Destination) -> Names {
        match &place.target {
            None if self.devices().contains(&place.device) => return Names::Device,
            Some(target) if self.arguments.list.target.contains(target) => {
                return Names::Target(target.clone());
            }
            _ => {}
        }
        let config = Config::load(self.arguments.place.config.as_deref()).unwrap_or_default();
        let has = |name: &&String| config.group(name).is_some_and(|members| members.contains(place));
        let group = self.arguments.list.group.iter().find(has);
        group.map_or(Names::No, |name| Names::Group(name.clone()))
    }

    /// Whether it is for the certificate of this request.
    #[must_use]
    pub fn is_for(&self, spec: &InstallSpec) -> bool {
        self.arguments.certificate.common_name.eq_ignore_ascii_case(spec.common_name.as_str())
    }

    /// Whether a profile is among its words.
    #[must_use]
    pub fn names_profile(&self, profile: &str) -> bool {
        let device = &self.arguments.device;
        [&device.profile, &device.secondary_profile].into_iter().flatten().any(|name| name == profile)
    }

    /// The same command without these devices. A word is taken out only where everything else means the same as
    /// before: a device's name may well stand behind an option, too.
    #[must_use]
    pub fn without(&self, devices: &[Address]) -> Without {
        let mut words = self.words.clone();
        loop {
            let Ok(read) = Arguments::of_words(&words) else { return Without::NotSafe };
            let is_meant =
                |word: &String| word.parse::<Address>().is_ok_and(|address| devices.contains(&address));
            let Some(position) = read.list.devices.iter().position(is_meant) else { break };
            let mut wanted = read;
            let word = wanted.list.devices.remove(position);
            if wanted.list.is_empty() {
                return Without::NoneLeft;
            }
            let wanted = format!("{wanted:?}");
            let shorter =
                words.iter().enumerate().rev().filter(|(_, other)| **other == word).find_map(|(at, _)| {
                    let mut shorter = words.clone();
                    shorter.remove(at);
                    let read = Arguments::of_words(&shorter).ok()?;
                    (format!("{read:?}") == wanted).then_some(shorter)
                });
            let Some(shorter) = shorter else { return Without::NotSafe };
            words = shorter;
        }
        post_save_command(&self.program, &words).map_or(Without::NotSafe, Without::Command)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn without(command: &str, devices: &[&str]) -> Without {
        let devices: Vec<Address> = devices.iter().map(|device| device.parse().unwrap()).collect();
        PostSave::read(command).unwrap().without(&devices)
    }

    #[test]
    fn only_the_device_is_taken_out_wherever_its_name_stands_besides() {
        for (command, shorter) in [
            (
                "/usr/bin/pan_instcert -c fw1 --profile='GP portal' --queue fw1 fw2",
                "/usr/bin/pan_instcert -c fw1 '--profile=GP portal' --queue fw2",
            ),
            (
                "/usr/bin/pan_instcert -c a fw1 --ha-peer fw1 fw2",
                "/usr/bin/pan_instcert -c a --ha-peer fw1 fw2",
            ),
            ("/usr/bin/pan_instcert -c a fw1:443 fw2 fw1", "/usr/bin/pan_instcert -c a fw2"),
            ("/usr/bin/pan_instcert -c a --group=x fw1", "/usr/bin/pan_instcert -c a --group=x"),
            ("/usr/bin/pan_instcert -c a -p fw1 -- fw1 fw2", "/usr/bin/pan_instcert -c a -p fw1 -- fw2"),
        ] {
            assert_eq!(without(command, &["fw1"]), Without::Command(shorter.to_owned()), "{command}");
        }
        assert_eq!(without("/usr/bin/pan_instcert -c fw1 fw1", &["fw1"]), Without::NoneLeft);
        assert_eq!(without("/usr/bin/pan_instcert -c a fw1 fw2", &["fw2", "fw1"]), Without::NoneLeft);
        assert!(PostSave::read("/usr/bin/other -c a fw1").is_none());
        assert!(PostSave::read("").is_none());
    }
}
