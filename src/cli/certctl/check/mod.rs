//! `pan_certctl check`: what would make an installation fail, found before the first one. Changes nothing.

mod certmonger;
mod configuration;
mod device;
mod enrolment;
mod finding;
mod machine;
mod management;
mod rights;
mod sharing;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use clap::Args;
use panos_xmlapi::{Address, Location};
use serde_json::json;

use super::{NAME, known};
use crate::certificate::{Bundle, BundleError, Place, Source};
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::devices::DeviceList;
use crate::cli::enrolment::EnrolmentArguments;
use crate::cli::live::Screen;
use crate::cli::report::{self, Advice};
use crate::cli::{at_once, interrupted, signals};
use crate::delivery::InstallationStore;
use crate::error::Exit;
use crate::host::ipa::Needs;
use crate::install::known_devices::KnownDevices;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::request::Target;
use crate::settings::certificate::{CERT_DIR, FileArguments, KEY_DIR};
use crate::settings::config::{self, Config};
use crate::settings::destination::Destination;
use crate::settings::location;
use crate::settings::options::DeviceOptions;
use crate::settings::resolve::{self, Named};
use crate::text::some_of;
use finding::{CheckResult, Section, Shown};

/// What is to be installed where.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct CheckArguments {
    /// Certificate common name, to see whether it could be requested and installed
    #[arg(short = 'c', long, value_name = "CERT_CN", help_heading = "Certificate")]
    common_name: Option<String>,

    /// Name of the certificate object on the device [default: CERT_CN]
    #[arg(
        short = 'n',
        long,
        value_name = "CERT_NAME",
        requires = "common_name",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    cert_name: Option<String>,

    /// Append _YYYY, the year of the day of installation, to the name
    #[arg(short = 'Y', long, requires = "common_name", help_heading = "Certificate", hide_short_help = true)]
    year: bool,

    /// Service of the principal SERVICE/CERT_CN
    #[arg(
        short = 'S',
        long,
        value_name = "SERVICE",
        default_value = "HTTP",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    service: String,

    /// A further DNS name for the certificate (can be repeated)
    #[arg(
        long = "san",
        value_name = "NAME",
        requires = "common_name",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    names: Vec<String>,

    /// IPA certificate profile
    #[arg(short = 'T', long, value_name = "PROFILE", requires = "common_name")]
    cert_profile: Option<String>,

    /// RSA, EC or ECDSA [default: RSA]
    #[arg(short = 'G', long, value_name = "TYPE", requires = "common_name")]
    key_type: Option<String>,

    /// The CA of FreeIPA that issues, where it is a sub-CA
    #[arg(short = 'X', long, value_name = "NAME", requires = "common_name")]
    issuer: Option<String>,

    /// certmonger's CA, by its name in 'getcert list-cas'; only for IPA is the enrolment looked at
    #[arg(
        long,
        value_name = "NAME",
        default_value = "IPA",
        help_heading = "Certificate",
        hide_short_help = true
    )]
    ca: String,

    /// The certificate does not come from certmonger
    #[arg(short = 'b', long, help_heading = "Certificate")]
    blind: bool,

    /// Certificate directory
    #[arg(
        short = 'C',
        long,
        value_name = "DIR",
        default_value = CERT_DIR,
        help_heading = "Certificate",
        hide_short_help = true
    )]
    cert_dir: PathBuf,

    /// Key directory
    #[arg(
        short = 'K',
        long,
        value_name = "DIR",
        default_value = KEY_DIR,
        help_heading = "Certificate",
        hide_short_help = true
    )]
    key_dir: PathBuf,

    #[command(flatten)]
    files: FileArguments,

    /// Talk to a certmonger on the session bus
    #[arg(long, help_heading = "Delivery", hide_short_help = true)]
    session_bus: bool,

    #[command(flatten)]
    device: DeviceOptions,

    /// The findings as one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// The devices and targets of a group in the configuration file (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    group: Vec<String>,

    /// A target in the configuration file: a device, a place on it, profiles (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Device", hide_short_help = true)]
    target: Vec<String>,

    /// Devices [default: all that are known here; with --config only that file is checked]
    #[arg(value_name = "FQDN[:PORT]")]
    devices: Vec<String>,
}

/// A device, and what is wanted there, as far as it is known before there is a certificate.
struct CheckTarget {
    target: Target,
    peer: Option<Target>,
    /// Where certificate and profiles are.
    location: Location,
    profiles: Vec<ProfileName>,
    /// The name of the object to come, where a certificate was named.
    object: Option<ObjectName>,
    /// The certificate that is there already.
    certificate: Option<Rc<Bundle>>,
    /// The options that say how the device is reached.
    options: DeviceOptions,
}

/// Looks at everything an installation needs.
///
/// # Errors
/// An option that is not valid; a configuration file that can't be used.
pub fn run(arguments: &CheckArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let config = Config::load(place.config.as_deref())?;
    let list = DeviceList {
        group: arguments.group.clone(),
        target: arguments.target.clone(),
        devices: arguments.devices.clone(),
    };
    let mut devices = list.all(&config)?;
    let is_typed = !devices.is_empty();
    let is_file_only = devices.is_empty() && place.config.is_some();
    if devices.is_empty() && !is_file_only {
        devices = known_places(&config, place)?;
    }
    let named = arguments.named()?;
    let certificate = named.as_ref().and_then(|named| machine::bundle(arguments, &named.common_name));
    let certificate = certificate.map(Rc::new);
    let with_certificate = |at: &Destination| {
        let subject = subject(&arguments.device, at, named.as_ref(), &config, place)?;
        Ok::<_, UsageError>(CheckTarget { certificate: certificate.clone(), ..subject })
    };
    let mut subjects: Vec<CheckTarget> = devices.iter().map(with_certificate).collect::<Result<_, _>>()?;
    if !is_typed {
        presented(&mut subjects, place);
    }
    let common_name = named.as_ref().map(|named| &named.common_name);
    let shown = Shown::new(!arguments.json);
    let sections = match subjects.as_slice() {
        [] if is_file_only => {
            let findings = vec![configuration_file(place), listed(&config)];
            shown.machine(&findings);
            vec![Section::machine(findings)]
        }
        subjects => {
            let known = KnownDevices::load(&place.state_dir)?;
            let screen = Screen::new(Some(subjects.len()), place.verbose);
            let needs = common_name.map(|name| arguments.needs(name)).transpose()?;
            let named = (common_name, needs.as_ref());
            let examined = examine(arguments, place, named, (subjects, &known), (&shown, &screen));
            let stopped = |signal| interrupted::only_looked(NAME, &screen, signal);
            signals::run(arguments::event_loop()?, examined, stopped)
        }
    };
    let each: Vec<Exit> = sections.iter().map(Section::exit).collect();
    let exit = worst(&each);
    if arguments.json {
        report::json(NAME, &json!({ "exit": exit.code(), "checked": sections }));
    } else {
        finding::show_count(&sections);
    }
    Ok(exit)
}

/// Where nobody named the devices, what is installed there says which profiles matter.
fn presented(subjects: &mut [CheckTarget], place: &PlaceArguments) {
    let mut found: BTreeMap<(Address, Location), BTreeSet<ProfileName>> = BTreeMap::new();
    for subject in subjects.iter().filter(|subject| subject.profiles.is_empty()) {
        found.entry((subject.target.device.clone(), subject.location.clone())).or_default();
    }
    // What can't be read names none.
    let _ = InstallationStore::below(&place.state_dir).each(|record| {
        let profiles = record.profiles();
        if let Some(its) = found.get_mut(&(record.spec.device, record.spec.location)) {
            its.extend(profiles);
        }
    });
    for subject in subjects.iter_mut().filter(|subject| subject.profiles.is_empty()) {
        let its = found.get(&(subject.target.device.clone(), subject.location.clone()));
        subject.profiles = its.into_iter().flatten().cloned().collect();
    }
}

/// The code of the first section that has one: without this machine in order no device matters.
fn worst(each: &[Exit]) -> Exit {
    each.iter().copied().find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done)
}

async fn examine(
    arguments: &CheckArguments,
    place: &PlaceArguments,
    (common_name, needs): (Option<&CommonName>, Option<&Needs>),
    (subjects, known): (&[CheckTarget], &KnownDevices),
    (shown, screen): (&Shown, &Screen),
) -> Vec<Section> {
    let machine = async {
        let mut findings = vec![configuration_file(place)];
        findings.extend(machine::look(arguments, place, common_name));
        if !arguments.blind {
            if arguments.ca == "IPA" {
                findings.extend(enrolment::look(needs).await);
            }
            findings.extend(certmonger::look(arguments, common_name).await);
        }
        if subjects.is_empty() {
            let none = CheckResult::warning("devices", "no device is known here yet");
            findings.push(none.template("pan_certctl check FQDN"));
        }
        shown.machine(&findings);
        findings
    };
    let devices = subjects.iter().map(|subject| async move {
        let working = screen.work_on(&subject.target.device, "check");
        let begun = Instant::now();
        let (findings, interface) = device::look(subject, place, arguments.ca == "IPA").await;
        drop(working);
        shown.device(&subject.target.device, &findings);
        ((findings, begun.elapsed()), interface)
    });
    let (machine, devices, peers) =
        tokio::join!(machine, at_once::all(devices, at_once::USUAL), sharing::peers(subjects));
    let (mut findings, interfaces): (Vec<_>, Vec<_>) = devices.into_iter().unzip();
    let all: Vec<_> = interfaces.into_iter().flatten().chain(peers).collect();
    for (subject, findings) in subjects.iter().zip(&mut findings) {
        // What is known only when all have answered comes after them.
        if let Some(finding) = sharing::finding(&subject.target.device, &all, known) {
            shown.device(&subject.target.device, std::slice::from_ref(&finding));
            findings.0.push(finding);
        }
    }
    let named = subjects.iter().zip(findings);
    let devices =
        named.map(|(subject, (findings, time))| Section::device(&subject.target.device, findings).took(time));
    std::iter::once(Section::machine(machine)).chain(devices).collect()
}

/// What was found of a device before a certificate for it is asked for.
pub(in crate::cli) struct Readiness {
    section: Section,
    /// Whether another member of its pair could be configured in its place.
    has_peer: bool,
}

impl Readiness {
    /// All that was found, for other programs.
    pub(in crate::cli) fn findings(&self) -> serde_json::Value {
        json!(self.section.findings())
    }

    /// What keeps it from being installed there, if anything does that does not pass by itself: its code, and lines for
    /// a person.
    pub(in crate::cli) fn obstacle(&self) -> Option<(Exit, String, Vec<Advice>)> {
        let lasting = [Exit::Usage, Exit::Key, Exit::Rebind, Exit::Identity, Exit::Refused];
        let counts = |exit: Exit| lasting.contains(&exit) || (exit == Exit::Device && !self.has_peer);
        self.section.first_failure().filter(|(exit, ..)| counts(*exit))
    }
}

/// Looks at devices as `check` does, before a certificate for them is asked for.
///
/// # Errors
/// An option that is not valid.
pub(in crate::cli) async fn devices(
    named: &Named,
    typed: &DeviceOptions,
    (config, place): (&Config, &PlaceArguments),
    places: &[Destination],
    ipa: bool,
) -> Result<Vec<Readiness>, UsageError> {
    let subject = |at: &Destination| subject(typed, at, Some(named), config, place);
    let subjects: Vec<CheckTarget> = places.iter().map(subject).collect::<Result<_, _>>()?;
    let looks = subjects.iter().map(|subject| async move {
        let begun = Instant::now();
        let (findings, _) = device::look(subject, place, ipa).await;
        let section = Section::device(&subject.target.device, findings).took(begun.elapsed());
        Readiness { section, has_peer: subject.peer.is_some() }
    });
    Ok(at_once::all(looks, at_once::USUAL).await)
}

/// Shows all that was found.
pub(in crate::cli) fn show(found: Vec<Readiness>) {
    finding::show(&found.into_iter().map(|found| found.section).collect::<Vec<_>>());
}

/// It was read, or this would not be reached.
fn configuration_file(place: &PlaceArguments) -> CheckResult {
    let path = place.config.clone().unwrap_or_else(|| config::DEFAULT.into());
    let there = if path.exists() { "is valid" } else { "does not exist (optional)" };
    CheckResult::ok("configuration", format!("{} {there}", path.display()))
}

/// All devices that are known here, and all targets.
fn known_places(config: &Config, place: &PlaceArguments) -> Result<Vec<Destination>, UsageError> {
    let targets: Vec<Destination> = config.targets().filter_map(|name| config.target(name)).collect();
    // A device that is known by its targets alone is looked at as these.
    let is_target = |device: &Address| targets.iter().any(|target| target.device == *device);
    let devices = known::devices(config, place)?.into_keys();
    let devices = devices.filter(|device| config.lists(device) || !is_target(device));
    let devices: Vec<Destination> = devices.map(Destination::from).collect();
    Ok(devices.into_iter().chain(targets).collect())
}

/// Which devices and targets the configuration file has settings for.
fn listed(config: &Config) -> CheckResult {
    let devices = config.devices().map(Address::to_string);
    let targets = config.targets().filter_map(|name| config.target(name));
    let names: Vec<String> = devices.chain(targets.map(|target| target.to_string())).collect();
    match names.as_slice() {
        [] => CheckResult::ok("devices", "none is listed"),
        _ => CheckResult::ok("devices", some_of(&names, ", ")).with_all(names),
    }
}

impl CheckArguments {
    /// What FreeIPA would be asked for.
    fn needs(&self, common_name: &CommonName) -> Result<Needs, UsageError> {
        let typed = EnrolmentArguments {
            service: Some(self.service.clone()),
            cert_profile: self.cert_profile.clone(),
            key_type: self.key_type.clone(),
            names: self.names.clone(),
            ..EnrolmentArguments::default()
        };
        typed.check(common_name)?.needs(common_name, self.issuer.as_deref())
    }

    /// Finds the certificate's files.
    fn source(&self, name: &CommonName) -> Result<Source, BundleError> {
        let certificate = Place::of(self.files.cert_file.as_ref(), &self.cert_dir);
        let key = Place::of(self.files.cert_key.as_ref(), &self.key_dir);
        let found = Source::find(name.as_str(), certificate, key)?;
        Ok(found.with_chain(self.device.chain.clone()))
    }

    /// The directories that files are looked for in, or written into.
    fn directories(&self) -> Vec<&Path> {
        let certificate = self.files.cert_file.is_none().then_some(self.cert_dir.as_path());
        let key = self.files.cert_key.is_none().then_some(self.key_dir.as_path());
        certificate.into_iter().chain(key).collect()
    }

    fn named(&self) -> Result<Option<Named>, UsageError> {
        let Some(common_name) = &self.common_name else { return Ok(None) };
        let base_name = self.cert_name.as_deref().unwrap_or(common_name).to_ascii_lowercase();
        let base_name = self.cert_name.clone().unwrap_or(base_name).parse()?;
        Ok(Some(Named { common_name: common_name.parse()?, base_name, year: self.year }))
    }
}

fn subject(
    typed: &DeviceOptions,
    at: &Destination,
    named: Option<&Named>,
    config: &Config,
    place: &PlaceArguments,
) -> Result<CheckTarget, UsageError> {
    let device = &at.device;
    let options = resolve::options_for(typed, config, at);
    let state_dir = &place.state_dir;
    // Any serial number will do: what counts is the length of the name.
    let object = named.map(|named| named.object(options.suffix, Some("0123456789abcdef")));
    Ok(CheckTarget {
        target: resolve::target(&options, device, state_dir)?,
        peer: resolve::peer(&options, typed, config, device, state_dir)?,
        location: location::of(&options)?,
        profiles: resolve::profiles(&options)?,
        object: object.transpose()?,
        certificate: None,
        options,
    })
}
