//! What somebody may ask for who runs the programs as root through the sudo rule, and nothing else.
//!
//! The wildcards of sudoers match anything, so the rule pins only the first word, `--delegated`, and the guard is
//! here: what is not named here can't be typed. It comes from the configuration file, which is root's.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use serde::Deserialize;

use super::arguments::BadArguments;
use super::config::{Config, DEFAULT};
use super::options::DeviceOptions;
use super::wishes::Named;
use crate::host::certmonger::Tracked;
use crate::panos::Address;
use crate::text::harmless;

/// The option that the sudo rule pins, as clap knows it.
pub const DELEGATED: &str = "delegated";

/// The options that can be typed all the same, as clap knows them. None of them names a file, a folder, a program,
/// another host, or how one is trusted; none does away with a check.
const TYPED: [&str; 21] = [
    DELEGATED,
    "devices",
    "group",
    "common_name",
    "cert_name",
    "year",
    "suffix",
    "profile",
    "secondary_profile",
    "service",
    "cert_profile",
    "key_type",
    "key_bits",
    "names",
    "addresses",
    "timeout",
    "rekey",
    "resubmit",
    "dry_run",
    "json",
    "verbose",
];

/// What the configuration file says of delegated runs. What is not said is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Delegated {
    /// Common names, further names and addresses of certificates; `*.` in front stands for one label.
    pub common_names: Option<Vec<String>>,
    /// Names of certificate objects, besides the common name.
    pub cert_names: Option<Vec<String>>,
    /// SSL/TLS service profiles that can be typed.
    pub profiles: Option<Vec<String>>,
}

/// Refuses every option that somebody typed who may not.
///
/// # Errors
/// The first of them.
pub(super) fn check_options(command: &Command, matches: &ArgMatches) -> Result<(), BadArguments> {
    if !matches!(matches.try_get_one::<bool>(DELEGATED), Ok(Some(true))) {
        return Ok(());
    }
    let listed = |argument: &Arg| TYPED.contains(&argument.get_id().as_str());
    let set = |argument: &Arg| {
        let source = matches.value_source(argument.get_id().as_str());
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    };
    match command.get_arguments().find(|argument| set(argument) && !listed(argument)) {
        None => Ok(()),
        Some(argument) => {
            let name =
                argument.get_long().map_or_else(|| argument.get_id().to_string(), |long| format!("--{long}"));
            Err(refused(&format!(
                "{name} can't be typed: what it says comes from {DEFAULT}, or is not delegated"
            )))
        }
    }
}

/// What somebody asks for through the sudo rule.
pub(super) struct Asked<'a> {
    pub(super) named: &'a Named,
    pub(super) devices: &'a [Address],
    pub(super) typed: &'a DeviceOptions,
    /// The names and addresses for the certificate besides the common name.
    pub(super) further: Vec<String>,
}

impl Asked<'_> {
    /// Whether the configuration file delegates this.
    ///
    /// # Errors
    /// The first that it does not; a configuration file that is not there, or not root's.
    pub(super) fn check(&self, config: &Config) -> Result<(), BadArguments> {
        if config.owner() != Some(0) {
            return Err(refused(&format!(
                "nothing is delegated on this machine: {DEFAULT} is not there, or does not belong to root"
            )));
        }
        if let Some(device) = self.devices.iter().find(|device| !config.lists(device)) {
            return Err(refused(&format!("{DEFAULT} lists no device '{device}'")));
        }
        let narrowed = config.delegated();
        let common_name = self.named.common_name.as_str();
        let mut names = std::iter::once(common_name).chain(self.further.iter().map(String::as_str));
        if let Some(patterns) = &narrowed.common_names
            && let Some(name) = names.find(|name| !patterns.iter().any(|pattern| covers(pattern, name)))
        {
            return Err(beyond("common-names", name));
        }
        let object = self.named.base_name.as_str();
        if let Some(known) = &narrowed.cert_names
            && object != common_name
            && !known.iter().any(|name| name == object)
        {
            return Err(beyond("cert-names", object));
        }
        let mut profiles = [&self.typed.profile, &self.typed.secondary_profile].into_iter().flatten();
        match &narrowed.profiles {
            Some(known) => profiles
                .find(|name| !known.contains(name))
                .map_or(Ok(()), |name| Err(beyond("profiles", name))),
            None => Ok(()),
        }
    }
}

/// Whether nothing else depends on a certificate. One that serves something else on this machine is not a certificate
/// manager's to renew or replace, nor its key to be given away.
pub(super) fn is_ours(tracked: Option<&Tracked>, installer: &Path, files: [&PathBuf; 2]) -> bool {
    match tracked {
        Some(tracked) => {
            let command = tracked.post_save.as_deref().unwrap_or_default();
            let arguments = installer.to_str().and_then(|installer| command.strip_prefix(installer));
            arguments.is_some_and(|arguments| arguments.starts_with(' '))
        }
        None => files.into_iter().all(|file| file.symlink_metadata().is_err()),
    }
}

/// Whether a pattern covers a name: the same, or any one label in place of `*`.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    match (pattern.strip_prefix("*."), name.split_once('.')) {
        (Some(domain), Some((_, rest))) => domain == rest,
        _ => pattern == name,
    }
}

fn beyond(key: &str, name: &str) -> BadArguments {
    refused(&format!("'{}' is not among the {key} of [delegated] in {DEFAULT}", harmless(name)))
}

fn refused(what: &str) -> BadArguments {
    BadArguments::NotDelegated(what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::*;
    use crate::programs::{getcert, installer};

    #[test]
    fn a_star_is_one_label_and_no_part_of_one() {
        for (pattern, name, covered) in [
            ("vpn.example.com", "vpn.example.com", true),
            ("VPN.example.com", "vpn.Example.com", true),
            ("vpn.example.com", "xvpn.example.com", false),
            ("*.gp.example.com", "a.gp.example.com", true),
            ("*.gp.example.com", "a.b.gp.example.com", false),
            ("*.gp.example.com", "gp.example.com", false),
            ("*.gp.example.com", "a.xgp.example.com", false),
            ("*.example.com", "example.com", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:DB8::1", true),
        ] {
            assert_eq!(covers(pattern, name), covered, "{pattern} {name}");
        }
    }

    #[test]
    fn every_option_that_can_be_typed_exists_in_one_of_the_programs() {
        let commands = [getcert::Arguments::command(), installer::Arguments::command()];
        for id in TYPED {
            let known = |command: &Command| command.get_arguments().any(|argument| argument.get_id() == id);
            assert!(commands.iter().any(known), "{id}");
        }
    }
}
