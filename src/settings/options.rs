//! The options that say how a certificate gets onto a device. They can be typed, written into the
//! configuration file for one device, and passed on in a post-save command: one definition for all three.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// How a certificate gets onto a device. Nothing here is set unless somebody set it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DeviceOptions {
    /// API key file; a directory means DIR/.panrc, a word without '/' means /etc/ipa/.panrc.EXT
    /// [default: /etc/ipa/.panrc]
    #[arg(short = 'k', long, value_name = "FILE|DIR|EXT", help_heading = "Device", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub key_file: Option<String>,

    /// SSL/TLS service profile that gets it
    ///
    /// The configuration file's profiles are left out then.
    #[arg(short = 'p', long, value_name = "NAME", help_heading = "Device")]
    #[serde(skip_serializing_if = "is_unset")]
    pub profile: Option<String>,

    /// A second one; needs -p
    #[arg(short = 's', long, value_name = "NAME", help_heading = "Device")]
    #[serde(skip_serializing_if = "is_unset")]
    pub secondary_profile: Option<String>,

    /// Form of the upload; auto tries what the device took at last, then one after the other, PKCS#12 first, PEM first when
    /// a chain is given [default: auto]
    #[arg(long, value_name = "FORM", help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub format: Option<FormatOption>,

    /// Algorithms of a PKCS#12: 3DES with HMAC-SHA1, or AES-256 with HMAC-SHA-256; auto tries the first,
    /// then the second [default: auto]
    #[arg(long, value_name = "ALGORITHMS", help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub pkcs12: Option<Pkcs12Option>,

    /// Intermediate certificates, in any order [default: leaf only; chain.pem in a live directory]
    #[arg(long, value_name = "FILE", help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub chain: Option<PathBuf>,

    /// Let PAN-OS export the private key later [default: not exportable]
    #[arg(long, help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub exportable: bool,

    /// Trust this CA for the device's own HTTPS (can be repeated) [default: the system's CAs and /etc/ipa/ca.crt]
    #[arg(long, value_name = "FILE", help_heading = "Trust", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub ca_file: Vec<PathBuf>,

    /// Trust exactly the device certificate with this fingerprint [default: the device's line in
    /// known_devices in the state directory, if any]
    #[arg(
        long,
        value_name = "SHA256",
        conflicts_with = "ca_file",
        help_heading = "Trust",
        hide_short_help = true
    )]
    #[serde(skip_serializing_if = "is_unset")]
    pub pin: Option<String>,

    /// Do NOT verify the device: whoever answers gets the API key and the private key
    #[arg(long, conflicts_with_all = ["ca_file", "pin"], help_heading = "Trust", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub insecure: bool,

    /// Which changes to commit: own (partial), all (full) or none [default: partial]
    #[arg(long, value_name = "WHAT", help_heading = "Commit", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub commit: Option<CommitOption>,

    /// How long a commit job may take [default: 1800]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(COMMIT_TIMEOUTS), help_heading = "Commit", hide_short_help = true)]
    #[serde(deserialize_with = "commit_timeout", skip_serializing_if = "is_unset")]
    pub commit_timeout: Option<u64>,

    /// Name of the object: as given, with _YYYY (as -Y), or shortened and with the certificate's serial
    /// number, so that each certificate is an object of its own [default: none]
    #[arg(long, value_name = "WHAT", help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub suffix: Option<SuffixOption>,

    /// Delete unreferenced older objects that this tool made for the same name, keeping N; the one before
    /// the new one always stays [default: keep all]
    #[arg(long, value_name = "N", help_heading = "Certificate", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub keep: Option<usize>,

    /// Profiles and certificate of one virtual system (vsys1, vsys2, ...) [default: shared]
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub vsys: Option<String>,

    /// Panorama: the template to change; with /VSYS the profiles are those of a virtual system in it
    #[arg(
        long,
        value_name = "NAME[/VSYS]",
        conflicts_with = "vsys",
        help_heading = "Panorama",
        hide_short_help = true
    )]
    #[serde(skip_serializing_if = "is_unset")]
    pub template: Option<String>,

    /// Panorama: the template stack to change
    #[arg(long, value_name = "NAME", conflicts_with_all = ["vsys", "template"], help_heading = "Panorama", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub stack: Option<String>,

    /// Panorama: change this managed firewall itself, through Panorama
    #[arg(long, value_name = "SERIAL", conflicts_with_all = ["vsys", "template", "stack"], help_heading = "Panorama", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub serial: Option<String>,

    /// Template stack to push after the commit, or none to leave that to a person (can be repeated) [default: every
    /// stack that holds the template]
    #[arg(long, value_name = "STACK|none", help_heading = "Panorama", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub push: Vec<String>,

    /// Push to this firewall only (can be repeated) [default: all of the stack]
    #[arg(long, value_name = "SERIAL", help_heading = "Panorama", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub push_to: Vec<String>,

    /// Push everybody's committed changes where a push of one's own is not possible
    #[arg(long, help_heading = "Panorama", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub push_all_changes: bool,

    /// Stop the push where it fails on more than N firewalls, or P per cent of those that are connected, and take it
    /// back: the profiles are bound to what they presented before (with --suffix serial) [default: never]
    #[arg(long, value_name = "N|P%", help_heading = "Panorama", hide_short_help = true)]
    #[serde(deserialize_with = "number_or_share", skip_serializing_if = "is_unset")]
    pub max_failures: Option<String>,

    /// The other member of an HA pair; the active one is configured
    #[arg(long, value_name = "FQDN", help_heading = "Device", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub ha_peer: Option<String>,

    /// After the commit, verify that HOST:PORT presents the new certificate (can be repeated)
    #[arg(long, value_name = "HOST:PORT", help_heading = "Commit", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub served: Vec<String>,

    /// Rebind everything that uses the object that is being replaced, not only -p and -s
    #[arg(long, help_heading = "Device", hide_short_help = true)]
    #[serde(skip_serializing_if = "is_unset")]
    pub where_used: bool,
}

/// Whether nobody has set it: then it is not stored either.
fn is_unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `--suffix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuffixOption {
    /// The name as given: an existing object is overwritten.
    None,
    /// The year of the day of installation.
    Year,
    /// The certificate's serial number.
    Serial,
}

/// A second to a week; what is above would be a clock's overflow sooner than anybody wants.
const COMMIT_TIMEOUTS: RangeInclusive<u64> = 1..=604_800;

fn commit_timeout<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let seconds = u64::deserialize(input)?;
    if COMMIT_TIMEOUTS.contains(&seconds) {
        return Ok(Some(seconds));
    }
    let (least, most) = COMMIT_TIMEOUTS.into_inner();
    Err(D::Error::custom(format!("{seconds} is not {least} to {most} seconds")))
}

/// `3` or `"10%"`.
fn number_or_share<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number of firewalls, or a share of them like \"10%\"")]
    enum Limit {
        Number(u32),
        Text(String),
    }
    Ok(Some(match Limit::deserialize(input)? {
        Limit::Number(number) => number.to_string(),
        Limit::Text(text) => text,
    }))
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormatOption {
    /// What the device took the last time; else PKCS#12 with old and with new algorithms, then PEM.
    Auto,
    /// One binary container.
    Pkcs12,
    /// Key, certificate and intermediates: the vendor's documented way to a served chain.
    Pem,
}

/// `--pkcs12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pkcs12Option {
    /// Legacy, and if the device can't read it, modern once.
    Auto,
    /// 3DES with HMAC-SHA1.
    Legacy,
    /// PBES2/AES-256 with HMAC-SHA-256.
    Modern,
}

/// `--commit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitOption {
    /// Only the API administrator's own changes.
    Partial,
    /// Everybody's changes.
    Full,
    /// Nothing.
    None,
}

impl DeviceOptions {
    /// These options where they are set, and `below` where they are not. How a device is trusted is one
    /// choice made of three options, so it is taken from one place as a whole.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let trust = if self.trust_choices() > 0 { &self } else { &below };
        let (ca_file, pin, insecure) = (trust.ca_file.clone(), trust.pin.clone(), trust.insecure);
        // So is the place, with what is pushed from there.
        let (place, push) = match (self.place_choices() > 0, self.sets_push()) {
            (true, _) => (&self, &self),
            (false, true) => (&below, &self),
            (false, false) => (&below, &below),
        };
        // A limit is no choice of what is pushed: it holds with whatever is.
        let below_limit = below.max_failures.clone().filter(|_| self.vsys.is_none() && self.serial.is_none());
        let max_failures = self.max_failures.clone().or(below_limit);
        let (vsys, template) = (place.vsys.clone(), place.template.clone());
        let (stack, serial) = (place.stack.clone(), place.serial.clone());
        let (push, push_to, push_all_changes) =
            (push.push.clone(), push.push_to.clone(), push.push_all_changes);
        // Whoever names the first profile means the whole list.
        let below_secondary = below.secondary_profile.filter(|_| self.profile.is_none());
        Self {
            key_file: self.key_file.or(below.key_file),
            profile: self.profile.or(below.profile),
            secondary_profile: self.secondary_profile.or(below_secondary),
            format: self.format.or(below.format),
            pkcs12: self.pkcs12.or(below.pkcs12),
            chain: self.chain.or(below.chain),
            exportable: self.exportable || below.exportable,
            ca_file,
            pin,
            insecure,
            commit: self.commit.or(below.commit),
            commit_timeout: self.commit_timeout.or(below.commit_timeout),
            suffix: self.suffix.or(below.suffix),
            keep: self.keep.or(below.keep),
            vsys,
            template,
            stack,
            serial,
            push,
            push_to,
            push_all_changes,
            max_failures,
            ha_peer: self.ha_peer.or(below.ha_peer),
            served: if self.served.is_empty() { below.served } else { self.served },
            where_used: self.where_used || below.where_used,
        }
    }

    /// The same with absolute paths, seen from a directory (an empty path is the current one): they mean the same from
    /// every other.
    ///
    /// # Errors
    /// A path that can't be made absolute or is no text.
    pub fn absolute(&self, from: &Path) -> Result<Self, String> {
        let path = |path: &PathBuf| absolute(&from.join(path)).map(PathBuf::from);
        let key_file = |option: &str| match option.contains('/') {
            true => absolute(&from.join(option)),
            false => Ok(option.to_owned()),
        };
        Ok(Self {
            key_file: self.key_file.as_deref().map(key_file).transpose()?,
            chain: self.chain.as_ref().map(path).transpose()?,
            ca_file: self.ca_file.iter().map(path).collect::<Result<_, _>>()?,
            ..self.clone()
        })
    }

    /// How many of the three ways to trust a device are chosen; more than one is a contradiction.
    #[must_use]
    pub fn trust_choices(&self) -> usize {
        let chosen = [self.insecure, self.pin.is_some(), !self.ca_file.is_empty()];
        chosen.into_iter().filter(|chosen| *chosen).count()
    }

    /// How many places are named; more than one is a contradiction.
    #[must_use]
    pub fn place_choices(&self) -> usize {
        [&self.vsys, &self.template, &self.stack, &self.serial].into_iter().flatten().count()
    }

    /// Whether anything is said of a push.
    #[must_use]
    pub fn sets_push(&self) -> bool {
        !self.push.is_empty() || !self.push_to.is_empty() || self.push_all_changes
    }

    /// The same options as words of a command line, each `--name=value` so that no value can be taken for
    /// an option. Paths are made absolute: the command runs in another directory.
    ///
    /// # Errors
    /// A path that can't be made absolute or is no text.
    pub fn to_arguments(&self) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        let mut add =
            |name: &str, value: Option<String>| words.extend(value.map(|value| format!("--{name}={value}")));
        add("key-file", self.key_file.as_deref().map(absolute_key_file).transpose()?);
        add("profile", self.profile.clone());
        add("secondary-profile", self.secondary_profile.clone());
        add("format", self.format.map(word));
        add("pkcs12", self.pkcs12.map(word));
        add("chain", self.chain.as_ref().map(absolute).transpose()?);
        for file in &self.ca_file {
            add("ca-file", Some(absolute(file)?));
        }
        add("pin", self.pin.clone());
        add("commit", self.commit.map(word));
        add("commit-timeout", self.commit_timeout.map(|seconds| seconds.to_string()));
        add("suffix", self.suffix.map(word));
        add("keep", self.keep.map(|keep| keep.to_string()));
        for endpoint in &self.served {
            add("served", Some(endpoint.clone()));
        }
        add("vsys", self.vsys.clone());
        add("template", self.template.clone());
        add("stack", self.stack.clone());
        add("serial", self.serial.clone());
        for (name, values) in [("push", &self.push), ("push-to", &self.push_to)] {
            for value in values {
                add(name, Some(value.clone()));
            }
        }
        add("max-failures", self.max_failures.clone());
        add("ha-peer", self.ha_peer.clone());
        words.extend(self.exportable.then(|| "--exportable".to_owned()));
        words.extend(self.where_used.then(|| "--where-used".to_owned()));
        words.extend(self.push_all_changes.then(|| "--push-all-changes".to_owned()));
        words.extend(self.insecure.then(|| "--insecure".to_owned()));
        Ok(words)
    }
}

fn word<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A word without `/` is an ending, not a path.
fn absolute_key_file(option: &str) -> Result<String, String> {
    if option.contains('/') { absolute(&PathBuf::from(option)) } else { Ok(option.to_owned()) }
}

/// A path as text that means the same from every directory.
///
/// # Errors
/// A path that can't be made absolute or is no text.
pub fn absolute(path: &PathBuf) -> Result<String, String> {
    let bad = |reason: &str| format!("'{}' {reason}", path.display());
    let whole = std::path::absolute(path).map_err(|error| bad(&error.to_string()))?;
    whole.into_os_string().into_string().map_err(|_| bad("is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        device: DeviceOptions,
    }

    fn full() -> DeviceOptions {
        // Every field by name: a new option does not compile until it is passed on and tested here.
        DeviceOptions {
            key_file: Some("/etc/x y/.panrc".into()),
            profile: Some("--insecure".into()),
            secondary_profile: Some("a 'b\" \\ $x;".into()),
            format: Some(FormatOption::Pem),
            pkcs12: Some(Pkcs12Option::Modern),
            chain: Some("/c d".into()),
            exportable: true,
            ca_file: vec!["/a".into(), "/b,c".into()],
            pin: None,
            insecure: false,
            commit: Some(CommitOption::Full),
            commit_timeout: Some(77),
            suffix: Some(SuffixOption::Serial),
            keep: Some(2),
            vsys: None,
            template: Some("Branch/vsys1".into()),
            stack: None,
            serial: None,
            push: vec!["S 1".into(), "S2".into()],
            push_to: vec!["001".into(), "002".into()],
            push_all_changes: true,
            max_failures: Some("10%".into()),
            ha_peer: Some("fw2.example.com".into()),
            served: vec!["a:1".into(), "b:2".into()],
            where_used: true,
        }
    }

    #[test]
    fn what_is_passed_on_means_the_same() {
        let pinned = DeviceOptions { pin: Some("ab".into()), ca_file: Vec::new(), ..full() };
        let insecure = DeviceOptions { insecure: true, ca_file: Vec::new(), ..full() };
        let place = || DeviceOptions { template: None, ..full() };
        let stack = DeviceOptions { stack: Some("S".into()), ..place() };
        let vsys = DeviceOptions { vsys: Some("vsys2".into()), ..place() };
        let serial = DeviceOptions { serial: Some("001".into()), ..place() };
        for options in [full(), pinned, insecure, stack, vsys, serial, DeviceOptions::default()] {
            let words = options.to_arguments().unwrap();
            let line = Line::try_parse_from(std::iter::once("x".to_owned()).chain(words)).unwrap();
            assert_eq!(line.device, options);
            let stored = serde_json::to_string(&options).unwrap();
            assert_eq!(serde_json::from_str::<DeviceOptions>(&stored).unwrap(), options, "{stored}");
        }
    }

    #[test]
    fn what_is_typed_wins_and_trust_is_chosen_as_a_whole() {
        let typed = DeviceOptions {
            profile: Some("typed".into()),
            pin: Some("ab".into()),
            ..DeviceOptions::default()
        };
        let laid = typed.over(full());
        assert_eq!(laid.profile.as_deref(), Some("typed"));
        assert_eq!(laid.secondary_profile, None, "-p is the whole list");
        let second = DeviceOptions { secondary_profile: Some("typed".into()), ..DeviceOptions::default() };
        let laid_second = second.over(full());
        assert_eq!(
            (laid_second.profile, laid_second.secondary_profile),
            (full().profile, Some("typed".into()))
        );
        assert!(laid.ca_file.is_empty() && laid.pin.is_some());
        let laid = DeviceOptions::default().over(full());
        assert_eq!(laid, full());
        let elsewhere = DeviceOptions { vsys: Some("vsys2".into()), ..DeviceOptions::default() }.over(full());
        assert!(elsewhere.template.is_none() && !elsewhere.sets_push(), "the place is one choice");
        let pushed = DeviceOptions { push: vec!["none".into()], ..DeviceOptions::default() }.over(full());
        assert_eq!((pushed.template, pushed.push), (full().template, vec!["none".to_owned()]));
    }

    #[test]
    fn relative_paths_are_made_absolute_but_an_ending_stays_a_word() {
        let options = DeviceOptions {
            key_file: Some("fw1".into()),
            chain: Some("c.pem".into()),
            ..DeviceOptions::default()
        };
        let words = options.to_arguments().unwrap();
        assert!(words.contains(&"--key-file=fw1".to_owned()));
        assert!(words.iter().any(|word| word.starts_with("--chain=/") && word.ends_with("/c.pem")));
    }
}
