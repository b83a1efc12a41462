//! `pan_getcert`: ask FreeIPA for a certificate, have it installed now and at each renewal.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use panos_xmlapi::{Address, CaFileError};
use tokio::time::Instant;

use super::arguments::{self, PlaceArguments, UsageError};
use super::devices::DeviceList;
use super::dropped;
use super::enrolment::{Enrolment, EnrolmentArguments};
use super::installer;
use super::issuance::{self, IssuanceWatcher, IssueError, StatusLine};
use super::report;
use super::sandbox;
use crate::certificate::{BundleError, Role};
use crate::delivery::watch::{self, Awaited, FollowError, Following, Hook, Standing};
use crate::delivery::{Installation, InstallationKey, Queue, new_id};
use crate::error::Exit;
use crate::host::certmonger::{Getcert, GetcertError, NewRequest, Phase, post_save_command};
use crate::host::ipa::{self, ProfileKnown};
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::host::process;
use crate::host::worker;
use crate::install::location;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::Problem;
use crate::settings::certificate::CertificateArguments;
use crate::settings::config::Config;
use crate::settings::delegation;
use crate::settings::options::{self, DeviceOptions};
use crate::settings::resolve::{self, Named};

const NAME: &str = "pan_getcert";
const INSTALLER: &str = "pan_instcert";

/// Ask FreeIPA for a certificate through certmonger, and have it installed on Palo Alto Networks devices now
/// and at each renewal.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = arguments::exit_code_help(), max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    enrolment: EnrolmentArguments,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    place: PlaceArguments,

    /// Ask for a new certificate although one is tracked already
    #[arg(long, conflicts_with = "rekey")]
    resubmit: bool,

    /// Ask for a new certificate with a new key although one is tracked already
    #[arg(long)]
    rekey: bool,

    /// How long to wait for issue and installation together
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: u64,

    #[command(flatten)]
    list: DeviceList,
}

/// Everything checked; nothing done yet.
struct Request {
    named: Named,
    /// The object's name as far as it is known before the certificate is.
    shown_name: ObjectName,
    enrolment: Enrolment,
    profiles: Vec<ProfileName>,
    devices: Vec<Address>,
    /// What each device has to run in the end.
    awaited: Vec<Awaited>,
    certificate: PathBuf,
    key: PathBuf,
    installer: PathBuf,
    installer_arguments: Vec<String>,
    post_save: String,
    through_sudo: bool,
    /// Whether the post-save command only puts it into the queue.
    queued: bool,
}

/// What went wrong after the arguments were found good.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("this machine is not an enrolled IPA client: {} is missing", ipa::CONFIGURATION)]
    NotEnrolled,
    #[error("IPA has no certificate profile '{0}'")]
    NoSuchProfile(String),
    #[error(transparent)]
    Certmonger(#[from] GetcertError),
    #[error(transparent)]
    IssueError(#[from] IssueError),
    #[error("{INSTALLER} can't be run: {0}")]
    Installer(std::io::Error),
    #[error(transparent)]
    Following(#[from] FollowError),
    #[error("{} exists and was not requested by {NAME}: not allowed with --delegated", .0.display())]
    NotOurs(PathBuf),
    #[error("{device}: {problem}")]
    NotInstalled { device: String, problem: Problem },
}

impl Trouble {
    fn exit(&self) -> Exit {
        match self {
            Self::NotEnrolled => Exit::Key,
            Self::NoSuchProfile(_) => Exit::KeyType,
            Self::NotInstalled { problem, .. } => problem.exit,
            Self::NotOurs(_) => Exit::Usage,
            _ => Exit::Certificate,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::NotEnrolled => Some("Enrol it with ipa-client-install, or name another CA with --ca.".to_owned()),
            Self::NoSuchProfile(_) => Some("See which there are: ipa certprofile-find".to_owned()),
            Self::Certmonger(error) | Self::IssueError(IssueError::Getcert(error)) => error.advice(),
            Self::IssueError(IssueError::TimedOut { .. }) => {
                Some("certmonger keeps trying and will install the certificate once it is issued; see 'getcert list'.".to_owned())
            }
            Self::Following(FollowError::Installation(_)) => Some("Run it with sudo.".to_owned()),
            Self::Following(FollowError::Certmonger(error)) => error.advice(),
            Self::NotInstalled { problem, .. } => problem.advice.clone(),
            Self::NotOurs(_) => Some(format!("An administrator can take it over with {NAME}, without --delegated.")),
            _ => None,
        }
    }
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(not_read) => return not_read.into(),
    };
    let request = match check(&arguments) {
        Ok(request) => request,
        Err(error) => return arguments::refuse(NAME, &error),
    };
    let runtime = match arguments::event_loop() {
        Ok(runtime) => runtime,
        Err(error) => return arguments::refuse(NAME, &error),
    };
    let live = StatusLine::new();
    let ended = runtime.block_on(run(&arguments, &request, &live));
    live.clear();
    match ended {
        Ok(()) => Exit::Done.into(),
        Err(trouble) => {
            report::problem(NAME, &trouble.to_string(), trouble.advice().as_deref());
            trouble.exit().into()
        }
    }
}

/// Checks every word before anything is done.
fn check(arguments: &Arguments) -> Result<Request, UsageError> {
    let named = Named::of(&arguments.certificate)?;
    let enrolment = arguments.enrolment.check(&named.common_name)?;
    let config = Config::load(arguments.place.config.as_deref())?;
    let devices = arguments.list.all(&config)?;
    if arguments.certificate.delegated {
        let addresses = enrolment.addresses.iter().map(ToString::to_string);
        let further = enrolment.names.iter().cloned().chain(addresses).collect();
        let asked = delegation::Asked { named: &named, devices: &devices, typed: &arguments.device, further };
        asked.check(&config)?;
    }
    let mut awaited = Vec::new();
    for device in &devices {
        let options = resolve::options_for(&arguments.device, &config, device);
        named.object(options.suffix, None)?;
        check_device(&options, device)?;
        if is_queued(arguments) {
            sandbox::check(&arguments.certificate, &options, arguments.place.config.as_deref())?;
        }
        let location = location::of_vsys(resolve::vsys(&options)?.as_ref());
        let key = InstallationKey { device: device.clone(), location, name: named.base_name.clone() };
        awaited.push(Awaited { key, profiles: resolve::profiles(&options)? });
    }
    check_log(&arguments.place.log_file)?;
    let installer = installer::beside(NAME)?;
    let installer_arguments = installer_arguments(arguments)?;
    let post_save = post_save_command(&installer, &installer_arguments)
        .map_err(|error| UsageError::Other(error.to_string()))?;
    let absolute = |path: &PathBuf| options::absolute(path).map(PathBuf::from).map_err(UsageError::Other);
    Ok(Request {
        profiles: resolve::profiles(&arguments.device)?,
        certificate: absolute(&arguments.certificate.cert_dir.join(format!("{}.crt", named.common_name)))?,
        key: absolute(&arguments.certificate.key_dir.join(format!("{}.key", named.common_name)))?,
        shown_name: named.object(arguments.device.suffix, None)?,
        named,
        enrolment,
        devices,
        awaited,
        installer,
        installer_arguments,
        post_save,
        through_sudo: !arguments.certificate.session_bus && !is_root(),
        queued: is_queued(arguments),
    })
}

/// What the post-save command will need is looked at now, when a person is there to mend it.
fn check_device(options: &DeviceOptions, device: &Address) -> Result<(), UsageError> {
    resolve::profiles(options)?;
    resolve::vsys(options)?;
    resolve::served(options)?;
    resolve::ha_peer(options, device)?;
    let trust = resolve::trust(options)?;
    trust.check(device.host()).map_err(|error: CaFileError| UsageError::Other(error.to_string()))?;
    if let Some(chain) = options.chain.as_ref().filter(|chain| !chain.is_file()) {
        return Err(BundleError::Missing { role: Role::Chain, tried: vec![chain.clone()] }.into());
    }
    let path = keyfile::resolve(options.key_file.as_deref());
    let host = device.host().to_string();
    match KeyFile::load(&path).and_then(|keys| keys.key_for(&host).map(drop)) {
        Ok(()) => Ok(()),
        // The post-save command runs as root, who can.
        Err(KeyFileError::Unreadable { .. }) if !is_root() => Ok(()),
        Err(error) => Err(UsageError::Key(error)),
    }
}

/// Without its directory the installation could not even say why it failed.
fn check_log(file: &Path) -> Result<(), UsageError> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(UsageError::Other(format!(
                "the directory of the log file {} does not exist; create it, or use --log-file",
                file.display()
            )))
        }
        _ => Ok(()),
    }
}

async fn run(arguments: &Arguments, request: &Request, live: &StatusLine) -> Result<(), Trouble> {
    check_profile(&request.enrolment).await?;
    if request.enrolment.ca == "IPA" && !Path::new(ipa::CONFIGURATION).is_file() {
        return Err(Trouble::NotEnrolled);
    }
    tell_request(request);
    let begun = Instant::now();
    let patience = Duration::from_secs(arguments.timeout);
    let getcert = Getcert::for_ca(&request.enrolment.ca, request.through_sudo)
        .on_session_bus(arguments.certificate.session_bus);
    let follower = IssuanceWatcher {
        getcert: &getcert,
        certificate: &request.certificate,
        before: issuance::fingerprint_in(&request.certificate),
        deadline: begun + patience,
        patience,
        live,
    };
    let mut following = Following {
        state_dir: &arguments.place.state_dir,
        awaited: &request.awaited,
        common_name: &request.named.common_name,
        after: Queue::below(&arguments.place.state_dir).last_number(),
        wanted: follower.before,
        deadline: begun + patience,
        show: &|text: &str| live.show(text),
    };
    let standings = match ask(arguments, request, &getcert).await? {
        Asked::New => {
            let issued = follower.issued().await?;
            live.clear();
            let seconds = begun.elapsed().as_secs();
            report::line(&format!(
                "Certificate issue took {seconds} seconds, waiting for the post-save process to finish."
            ));
            let saving = Instant::now();
            following.wanted = issued;
            let hook =
                Hook { getcert: &getcert, certificate: &request.certificate, delivers: !request.queued };
            let standings = following.to_the_end(Some(hook)).await?;
            live.clear();
            tell_duration(request, saving);
            standings
        }
        Asked::Updated => {
            let installing = Instant::now();
            install_now(request, arguments.certificate.session_bus).await?;
            let standings = match request.queued {
                true => following.to_the_end(None).await?,
                false => following.standings()?,
            };
            live.clear();
            tell_duration(request, installing);
            standings
        }
    };
    judge(request, standings)
}

/// How the request stands with certmonger.
enum Asked {
    /// A new certificate is on its way.
    New,
    /// It was tracked already; only the post-save command was updated.
    Updated,
}

async fn ask(arguments: &Arguments, request: &Request, getcert: &Getcert) -> Result<Asked, Trouble> {
    let post_save = &request.post_save;
    let tracked = getcert.tracked(&request.certificate).await?;
    let files = [&request.certificate, &request.key];
    if arguments.certificate.delegated && !delegation::is_ours(tracked.as_ref(), &request.installer, files) {
        return Err(Trouble::NotOurs(request.certificate.clone()));
    }
    let before = tracked.as_ref().and_then(|tracked| tracked.post_save.as_deref());
    dropped::tell_profiles(&request.awaited, &arguments.place.state_dir);
    dropped::tell_devices(
        &before.map(installer::devices_in).unwrap_or_default(),
        &request.installer_arguments,
    );
    let asked = match tracked {
        None => {
            let id = getcert.request(&new_request(request)).await?;
            report::line(&format!("New signing request \"{id}\" added."));
            Asked::New
        }
        Some(tracked) if arguments.rekey => {
            let (kind, bits) = (request.enrolment.key_type, request.enrolment.key_bits);
            getcert.rekey(&tracked.id, kind, bits, Some(post_save)).await?;
            report::line(&format!("Resubmitting \"{}\" with a new key.", tracked.id));
            Asked::New
        }
        Some(tracked) if arguments.resubmit => {
            getcert.resubmit(&tracked.id, Some(post_save)).await?;
            report::line(&format!("Resubmitting \"{}\".", tracked.id));
            Asked::New
        }
        Some(tracked) => {
            getcert.set_post_save(&tracked.id, post_save).await?;
            report::line(&format!(
                "Request \"{}\" updated: certmonger already tracks it; no new certificate was requested.",
                tracked.id
            ));
            match tracked.phase() {
                // It is issued: the command of before may still be running. Else the first certificate is to come.
                Phase::Done | Phase::Saving => Asked::Updated,
                _ => Asked::New,
            }
        }
    };
    if let Asked::New = asked {
        report::line(&format!("Certificate requested for: {}", request.named.common_name));
    }
    Ok(asked)
}

fn new_request(request: &Request) -> NewRequest {
    NewRequest {
        subject: format!("CN={}", request.named.common_name),
        principal: request.enrolment.principal.clone(),
        certificate: request.certificate.clone(),
        key: request.key.clone(),
        dns: request.enrolment.names.clone(),
        ip_addresses: request.enrolment.addresses.clone(),
        profile: request.enrolment.profile.clone(),
        key_type: request.enrolment.key_type,
        key_bits: request.enrolment.key_bits,
        post_save: Some(request.post_save.clone()),
    }
}

/// certmonger runs the post-save command only after an issue: here we do it ourselves.
async fn install_now(request: &Request, session_bus: bool) -> Result<(), Trouble> {
    let mut words = vec![request.installer.clone().into_os_string()];
    if request.through_sudo {
        words.insert(0, "sudo".into());
    }
    words.extend(request.installer_arguments.iter().map(Into::into));
    let mut words = words.into_iter();
    let mut command = process::command(words.next().unwrap_or_default());
    // Who asked stands in the record.
    process::keep(&mut command, &["SUDO_USER"]);
    process::keep_bus(&mut command, session_bus);
    // How it ended, the record tells.
    command.args(words).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.map(drop).map_err(Trouble::Installer)
}

/// FINISHED is said only when each device was seen to run this very certificate.
fn judge(request: &Request, standings: Vec<(Address, Standing)>) -> Result<(), Trouble> {
    let mut troubles = Vec::new();
    for (device, standing) in standings {
        match standing {
            Standing::Runs(record) => report::line(&finished(&record)),
            Standing::Failed(problem) => {
                troubles.push(Trouble::NotInstalled { device: device.to_string(), problem })
            }
            Standing::Open(doing) => {
                let problem = watch::not_installed(&format!(
                    "the installation is not over ({doing}), or its process was ended"
                ));
                troubles.push(Trouble::NotInstalled { device: device.to_string(), problem });
            }
        }
    }
    let (failed, all) = (troubles.len(), request.devices.len());
    match troubles.len() {
        0 => Ok(()),
        1 if all == 1 => Err(troubles.remove(0)),
        _ => {
            for trouble in &troubles {
                report::problem(NAME, &trouble.to_string(), trouble.advice().as_deref());
            }
            let mut each: Vec<Exit> = troubles.iter().map(Trouble::exit).collect();
            each.resize(all, Exit::Done);
            let what = format!("{failed} of {all} devices are not running the new certificate");
            let exit = Exit::of_all(&each);
            let problem = Problem { exit, advice: None, ..watch::not_installed(&what) };
            Err(Trouble::NotInstalled { device: request.named.common_name.to_string(), problem })
        }
    }
}

fn finished(record: &Installation) -> String {
    let object = record.verified.as_ref().map_or(&record.spec.name, |proven| &proven.object);
    let until = record.verified.as_ref().map(|proven| proven.certificate.not_after.format(" until %Y-%m-%d"));
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    let (device, name) = (&record.spec.device, record.common_name());
    format!("FINISHED: {device} runs the certificate '{object}' for {name}, valid{until}.")
}

async fn check_profile(enrolment: &Enrolment) -> Result<(), Trouble> {
    let (Some(profile), "IPA") = (&enrolment.profile, enrolment.ca.as_str()) else { return Ok(()) };
    match ipa::certificate_profile(profile).await {
        ProfileKnown::Yes => Ok(()),
        ProfileKnown::No => Err(Trouble::NoSuchProfile(profile.clone())),
        ProfileKnown::CantTell(why) => {
            report::line(&format!(
                "Could not check whether IPA has the certificate profile '{profile}' ({why}); the IPA server will decide."
            ));
            Ok(())
        }
    }
}

fn tell_request(request: &Request) {
    report::line(&format!("Certificate Common Name: {}", request.named.common_name));
    report::line(&format!("CERT_NAME: {}", request.shown_name));
    report::line(&format!("PAN_FQDN: {}", joined(&request.devices)));
    let kinds = ["Primary", "Secondary"];
    for (kind, profile) in kinds.iter().zip(&request.profiles) {
        report::line(&format!("{kind} SSL/TLS Profile name: {profile}"));
    }
}

fn tell_duration(request: &Request, since: Instant) {
    report::line(&format!(
        "Certificate install and commit by the post-save process on: {} took {} seconds.",
        joined(&request.devices),
        since.elapsed().as_secs()
    ));
}

fn joined(devices: &[Address]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// With the worker enabled, certmonger is not held up by a delivery, and a restart of it can't end one.
fn is_queued(arguments: &Arguments) -> bool {
    !arguments.certificate.session_bus && worker::is_enabled(&arguments.place.state_dir)
}

fn installer_arguments(arguments: &Arguments) -> Result<Vec<String>, UsageError> {
    let absolute = |path| options::absolute(path).map_err(UsageError::Other);
    let config = arguments.place.config.as_ref();
    let mut words =
        installer::words(&arguments.certificate, &arguments.device, config).map_err(UsageError::Other)?;
    words.push(format!("--log-file={}", absolute(&arguments.place.log_file)?));
    words.push(format!("--state-dir={}", absolute(&arguments.place.state_dir)?));
    words.push(format!("--profile-list={}", new_id()));
    words.extend(is_queued(arguments).then(|| "--queue".to_owned()));
    words.extend(arguments.list.words()?);
    Ok(words)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
