//! From options to install requests: arguments and configuration become checked values, for each device one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{Datelike as _, Local};
use panos_xmlapi::{Address, CaFile, Fingerprint, KeyExport, Trust};

use super::certificate::{CertificateArguments, Files};
use super::config::Config;
use super::destination::Destination;
use super::error::SettingsError;
use super::location;

use super::options::{CommitOption, DeviceOptions, FormatOption, Pkcs12Option, SuffixOption};
use super::request::InstallOptions;
use crate::certificate::{Bundle, Container, Source};
use crate::files;
use crate::host::{ipa, keyfile};
use crate::install::InstallError;
use crate::install::known_devices::KnownDevices;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::request::{
    CommitScope, ContainerChoice, Existing, FoundPeer, InstallRequest, Rebind, Target, Upload,
};
use crate::install::retry::RetryPolicy;
use crate::text::{escape_control, some_or_none};

/// Seconds a commit job may take unless somebody says otherwise.
const COMMIT_TIMEOUT: u64 = 1800;

/// A certificate as it was asked for: its names are valid.
#[derive(Debug, Clone)]
pub struct Named {
    /// The common name.
    pub common_name: CommonName,
    /// The object's name as it was asked for.
    pub base_name: ObjectName,
    /// Whether `-Y` was given: `--suffix year`.
    pub year: bool,
}

impl Named {
    /// Checks the names.
    ///
    /// # Errors
    /// A name that is not valid.
    pub fn of(arguments: &CertificateArguments) -> Result<Self, SettingsError> {
        let common_name: CommonName = arguments.common_name.parse()?;
        let base_name: ObjectName = arguments.cert_name.as_deref().unwrap_or(common_name.as_str()).parse()?;
        Ok(Self { common_name, base_name, year: arguments.year })
    }

    /// The object's name today, for this certificate.
    ///
    /// # Errors
    /// A name that becomes too long; `-Y` beside another suffix.
    pub fn object(
        &self,
        suffix: Option<SuffixOption>,
        serial: Option<&str>,
    ) -> Result<ObjectName, SettingsError> {
        let suffix = match (self.year, suffix) {
            (true, None | Some(SuffixOption::Year)) => SuffixOption::Year,
            (true, Some(_)) => {
                return Err(SettingsError::Value("-Y is --suffix year: give one of them".to_owned()));
            }
            (false, suffix) => suffix.unwrap_or(SuffixOption::None),
        };
        Ok(match (suffix, serial) {
            (SuffixOption::Year, _) => self.base_name.with_year(Local::now().year())?,
            (SuffixOption::Serial, Some(serial)) => self.base_name.with_serial(serial)?,
            (SuffixOption::None, _) | (SuffixOption::Serial, None) => self.base_name.clone(),
        })
    }
}

/// Checks the device names; the same device twice is one.
///
/// # Errors
/// A name that is not valid.
pub fn devices(typed: &[String]) -> Result<Vec<Address>, SettingsError> {
    let mut devices: Vec<Address> = Vec::new();
    for text in typed {
        let device = text.parse()?;
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    Ok(devices)
}

/// Everything that is wanted of one device, and what became of reading the files.
pub struct Prepared {
    /// The install request.
    pub request: InstallRequest,
    /// The files, absolute as certmonger knows them, if they were found.
    pub files: Option<Files>,
    /// The profiles that the configuration file names for the device, whatever was typed.
    pub configured_profiles: Vec<ProfileName>,
    /// The certificate, or why it can't be used.
    pub bundle: Result<Bundle, InstallError>,
    /// Where to find the certmonger that is asked for the certificate's state; nothing where none is.
    pub certmonger: Option<CertmongerBus>,
}

/// Which message bus a certmonger is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertmongerBus {
    /// The system's.
    System,
    /// The session's.
    Session,
}

/// Makes one device's install request.
///
/// # Errors
/// An option that is not valid, typed or in the configuration file.
pub fn prepare(
    named: &Named,
    asked: &InstallOptions,
    config: &Config,
    destination: &Destination,
    state_dir: &Path,
) -> Result<Prepared, SettingsError> {
    let typed = &asked.device;
    let device = &destination.device;
    check_target(config, destination)?;
    let options = &options_for(typed, config, destination);
    let source = asked.source(&named.common_name);
    let source = source.map(|source| source.with_chain(options.chain.clone()));
    let has_chain = match &source {
        Ok(source) => source.chain.is_some(),
        Err(_) => options.chain.is_some(),
    };
    let files = source.as_ref().ok().and_then(files_of);
    let bundle = source
        .and_then(|source| Bundle::load(&source, named.common_name.as_str()))
        .map_err(InstallError::from);
    let serial = bundle.as_ref().ok().and_then(|bundle| bundle.serial_hex().ok());
    let request = InstallRequest {
        common_name: named.common_name.clone(),
        base_name: named.base_name.clone(),
        object: named.object(options.suffix, serial.as_deref())?,
        target: target(options, device, state_dir)?,
        peer: peer(options, typed, config, device, state_dir)?,
        location: location::of(options)?,
        push: location::push_by_all(options)?,
        profiles: profiles(options)?,
        upload: upload(options, has_chain),
        key_export: if options.exportable { KeyExport::Allowed } else { KeyExport::Blocked },
        commit: match options.commit.unwrap_or(CommitOption::Partial) {
            CommitOption::Partial => CommitScope::OwnChanges,
            CommitOption::Full => CommitScope::Everybody,
            CommitOption::None => CommitScope::Nothing,
        },
        commit_timeout: Duration::from_secs(options.commit_timeout.unwrap_or(COMMIT_TIMEOUT)),
        existing: if asked.force { Existing::Replace } else { Existing::Keep },
        keep: options.keep,
        rebind: if options.where_used { Rebind::WhereUsed } else { Rebind::Named },
        retry_policy: RetryPolicy::default(),
        served: served(options)?,
    };
    let bus = if asked.session_bus { CertmongerBus::Session } else { CertmongerBus::System };
    let configured_profiles = profiles(&config.settings(destination))?;
    let certmonger = (!asked.blind).then_some(bus);
    Ok(Prepared { request, files, configured_profiles, bundle, certmonger })
}

fn files_of(source: &Source) -> Option<Files> {
    let absolute = |path: &PathBuf| std::path::absolute(path).ok();
    Some(Files {
        certificate: absolute(&source.certificate)?,
        key: absolute(&source.key)?,
        chain: source.chain.as_ref().and_then(absolute),
    })
}

/// The options for one place: typed ones over those of the configuration file.
#[must_use]
pub fn options_for(typed: &DeviceOptions, config: &Config, destination: &Destination) -> DeviceOptions {
    typed.clone().over(config.settings(destination))
}

/// Whether the target is still what it was: without it, or for another device, nobody knows what is meant.
fn check_target(config: &Config, destination: &Destination) -> Result<(), SettingsError> {
    let Some(name) = &destination.target else { return Ok(()) };
    match config.target(name) {
        Some(now) if now == *destination => Ok(()),
        Some(now) => Err(SettingsError::Target(format!(
            "the target '{name}' was {} when this was asked for, and is {} in the configuration file now",
            destination.device, now.device
        ))),
        None => Err(unknown_target(name, config)),
    }
}

/// A target that the configuration file does not have.
#[must_use]
pub fn unknown_target(name: &str, config: &Config) -> SettingsError {
    let known = some_or_none(&config.targets().collect::<Vec<_>>());
    let name = escape_control(name);
    SettingsError::Target(format!("--target: the configuration file has no target '{name}'; it has {known}"))
}

/// Checks the profile names.
///
/// # Errors
/// A name that is not valid; a second one without a first.
pub fn profiles(options: &DeviceOptions) -> Result<Vec<ProfileName>, SettingsError> {
    if options.secondary_profile.is_some() && options.profile.is_none() {
        return Err(SettingsError::Value(
            "-s needs -p: there is no second profile without a first".to_owned(),
        ));
    }
    let mut names: Vec<ProfileName> = Vec::new();
    for text in [&options.profile, &options.secondary_profile].into_iter().flatten() {
        let name = text.parse().map_err(SettingsError::Profile)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Checks where the certificate is to be seen.
///
/// # Errors
/// An endpoint that is not valid.
pub fn served(options: &DeviceOptions) -> Result<Vec<Address>, SettingsError> {
    let endpoint =
        |text: &String| text.parse().map_err(|error| SettingsError::Value(format!("--served: {error}")));
    options.served.iter().map(endpoint).collect()
}

/// How a device is reached as a whole, whatever is installed on it: typed options over what is set for it and its targets.
///
/// # Errors
/// As [`target`].
pub fn whole_device(
    typed: DeviceOptions,
    config: &Config,
    device: &Address,
    state_dir: &Path,
) -> Result<Target, SettingsError> {
    target(&typed.over(config.whole_device(device)), device, state_dir)
}

/// How a device is reached.
///
/// # Errors
/// A pin that is no fingerprint; a memory of known devices that can't be read.
pub fn target(options: &DeviceOptions, device: &Address, state_dir: &Path) -> Result<Target, SettingsError> {
    let trust = trust_of(options, device, state_dir)?;
    let key_file = keyfile::resolve(options.key_file.as_deref());
    let peer_from_ha_state = FoundPeer { state_dir: state_dir.to_owned(), authorities: authorities(options) };
    let pin = pin(options)?;
    Ok(Target { device: device.clone(), trust, pin, key_file, peer_from_ha_state, named_by: None })
}

/// The other member of the pair, with a key and a trust of its own: what is typed counts for both.
///
/// # Errors
/// A name that is not valid, or the device itself; as for the device.
pub fn peer(
    options: &DeviceOptions,
    typed: &DeviceOptions,
    config: &Config,
    device: &Address,
    state_dir: &Path,
) -> Result<Option<Target>, SettingsError> {
    let Some(peer) = ha_peer(options, device)? else { return Ok(None) };
    // What is set in the file for the first member is that one's own.
    let mut target = target(&options_for(typed, config, &peer.clone().into()), &peer, state_dir)?;
    if let (Some(pin), Trust::Pinned(pins)) = (&typed.pin, &mut target.trust) {
        // It is one of the two that shows it; the other one's own line counts too.
        *pins = KnownDevices::load(state_dir)?.pins_of(&peer);
        pins.insert(0, pin.parse()?);
        target.pin = None;
    }
    Ok(Some(target))
}

/// Checks the name of the other member of a pair.
///
/// # Errors
/// A name that is not valid, or the device itself.
pub fn ha_peer(options: &DeviceOptions, device: &Address) -> Result<Option<Address>, SettingsError> {
    let Some(text) = &options.ha_peer else { return Ok(None) };
    let peer: Address = text.parse().map_err(|error| SettingsError::Value(format!("--ha-peer: {error}")))?;
    if peer == *device {
        return Err(SettingsError::Value(format!("--ha-peer: {device} can't be its own peer")));
    }
    Ok(Some(peer))
}

/// How the device is trusted: as said, else as this program remembers it, else by authorities. Where a pin was
/// given, and the management certificate was renewed since, its successor is remembered, and trusted too.
///
/// # Errors
/// A pin that is no fingerprint; a memory that can't be read.
pub fn trust_of(options: &DeviceOptions, device: &Address, state_dir: &Path) -> Result<Trust, SettingsError> {
    let said = trust(options)?;
    if options.trust_choices() > 0 && !matches!(said, Trust::Pinned(_)) {
        return Ok(said);
    }
    let mut remembered = KnownDevices::load(state_dir)?.besides(pin(options)?, device);
    Ok(match said {
        Trust::Pinned(mut pins) => {
            remembered.retain(|pin| !pins.contains(pin));
            pins.append(&mut remembered);
            Trust::Pinned(pins)
        }
        _ if !remembered.is_empty() => Trust::Pinned(remembered),
        said => said,
    })
}

/// How the device is said to be trusted.
///
/// # Errors
/// A pin that is no fingerprint.
pub fn trust(options: &DeviceOptions) -> Result<Trust, SettingsError> {
    if options.insecure {
        return Ok(Trust::DangerousAcceptAny);
    }
    Ok(pin(options)?.map_or_else(|| authorities(options), |pin| Trust::Pinned(vec![pin])))
}

/// The one certificate by which the device is said to be recognised.
///
/// # Errors
/// A pin that is no fingerprint.
pub fn pin(options: &DeviceOptions) -> Result<Option<Fingerprint>, SettingsError> {
    Ok(options.pin.as_ref().map(|pin| pin.parse()).transpose()?)
}

fn authorities(options: &DeviceOptions) -> Trust {
    // It may be missing where the host is not enrolled.
    let ipa = Path::new(ipa::AUTHORITY).is_file().then(|| PathBuf::from(ipa::AUTHORITY));
    let files = options.ca_file.iter().cloned().chain(ipa);
    Trust::Ca { files: files.map(|path| CaFile::read_with(path, files::read_ca_file)).collect() }
}

fn upload(options: &DeviceOptions, has_chain: bool) -> Upload {
    // Algorithms that somebody named are those of a PKCS#12.
    let usual = match (options.pkcs12, has_chain) {
        (None, _) => FormatOption::Auto,
        (Some(_), true) => FormatOption::Pem,
        (Some(_), false) => FormatOption::Pkcs12,
    };
    match (options.format.unwrap_or(usual), options.pkcs12.unwrap_or(Pkcs12Option::Auto)) {
        (FormatOption::Auto, Pkcs12Option::Auto) => Upload::Auto,
        (FormatOption::Pem, _) => Upload::Pem,
        (FormatOption::Pkcs12, Pkcs12Option::Auto) => Upload::Pkcs12(ContainerChoice::Auto),
        (FormatOption::Auto | FormatOption::Pkcs12, Pkcs12Option::Legacy) => {
            Upload::Pkcs12(ContainerChoice::Only(Container::Legacy))
        }
        (FormatOption::Auto | FormatOption::Pkcs12, Pkcs12Option::Modern) => {
            Upload::Pkcs12(ContainerChoice::Only(Container::Modern))
        }
    }
}
