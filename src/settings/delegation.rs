//! What is delegated: which certificates somebody may ask for who runs the programs as root through the sudo rule.

use std::path::{Path, PathBuf};

use super::config::{Config, DEFAULT};
use super::destination::Destination;
use super::error::SettingsError;
use super::options::DeviceOptions;
use super::resolve::Named;
use crate::host::certmonger::Tracked;
use crate::text::escape_control;

/// What somebody asks for through the sudo rule.
pub struct Asked<'a> {
    /// The certificate.
    pub named: &'a Named,
    /// The devices, and the targets that the configuration file has.
    pub devices: &'a [Destination],
    /// What was typed about them.
    pub typed: &'a DeviceOptions,
    /// The names and addresses for the certificate besides the common name.
    pub further: Vec<String>,
}

impl Asked<'_> {
    /// Whether the configuration file delegates this.
    ///
    /// # Errors
    /// The first that it does not; a configuration file that is not there, or not root's.
    pub fn check(&self, config: &Config) -> Result<(), SettingsError> {
        if config.owner() != Some(0) {
            return Err(refused(&format!(
                "no delegation on this machine: {DEFAULT} does not exist or is not owned by root"
            )));
        }
        let is_listed = |place: &Destination| place.target.is_some() || config.lists(&place.device);
        if let Some(Destination { device, .. }) = self.devices.iter().find(|place| !is_listed(place)) {
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
#[must_use]
pub fn is_ours(tracked: Option<&Tracked>, installer: &Path, files: [&PathBuf; 2]) -> bool {
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

fn beyond(key: &str, name: &str) -> SettingsError {
    refused(&format!("'{}' is not among the {key} of [delegated] in {DEFAULT}", escape_control(name)))
}

fn refused(what: &str) -> SettingsError {
    SettingsError::NotDelegated(what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
}
