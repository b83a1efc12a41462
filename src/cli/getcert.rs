//! `pan_getcert`: ask FreeIPA for a certificate, have it installed now and at each renewal.

mod ask;
mod before;
mod caller;
mod difference;
mod dry;
mod ended_with_us;
mod outcome;
mod tell;
mod trouble;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use panos_xmlapi::{Address, CaFileError};
use tokio::time::Instant;

pub(super) use caller::Caller;

use super::arguments::{self, PlaceArguments, UsageError};
use super::claims;
use super::devices::{DeviceList, check_distinct};
use super::dropped;
use super::enrolment::{Enrolment, EnrolmentArguments, IPA};
use super::examples;
use super::installer;
use super::interrupted::{self, Reached};
use super::issuance::{self, IssuanceWatcher, IssueError};
use super::live::StatusLine;
use super::report;
use super::sandbox;
use super::signals;
use crate::certificate::{BundleError, Role};
use crate::delivery::watch::{Awaited, Following, Hook};
use crate::delivery::{InstallationKey, Queue, new_id};
use crate::error::Exit;
use crate::host::certmonger::{Getcert, Tracked, Unquotable, post_save_command};
use crate::host::ipa::{self, ProfileKnown};
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::host::process;
use crate::host::worker;
use crate::install::names::{ObjectName, ProfileName};
use crate::settings::certificate::CertificateArguments;
use crate::settings::config::Config;
use crate::settings::delegation;
use crate::settings::destination::Destination;
use crate::settings::location;
use crate::settings::options::{self, DeviceOptions};
use crate::settings::resolve::{self, Named};
use ask::{Asked, Plan};
use outcome::Ended;
use trouble::Trouble;

const NAME: &str = "pan_getcert";
const INSTALLER: &str = "pan_instcert";
/// The time that an installation has, however long the CA was waited for.
const LEAST: Duration = Duration::from_secs(60);

/// Have FreeIPA certificates issued, put onto firewalls, and renewed.
///
/// Asks FreeIPA for a certificate through certmonger, and has it installed on Palo Alto Networks devices now and at each
/// renewal.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = arguments::short_end(NAME), after_long_help = arguments::long_end(&examples::GETCERT), max_term_width = 100, args_override_self = true)]
pub struct Arguments {
    /// Which program was called.
    #[arg(skip = Caller { name: NAME, verb: None })]
    pub(super) caller: Caller,
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    enrolment: EnrolmentArguments,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    place: PlaceArguments,

    /// Ask for a new certificate now
    ///
    /// Although one is tracked already.
    #[arg(long, conflicts_with = "rekey", help_heading = "Certificate")]
    resubmit: bool,

    /// Ask for a new certificate with a new key although one is tracked already
    #[arg(long, help_heading = "Certificate", hide_short_help = true)]
    rekey: bool,

    /// A further command at each save, after ours and not waited for: another program's that was there before. ''
    /// ends it [default: as it is tracked]
    #[arg(long, value_name = "COMMAND", help_heading = "Delivery", hide_short_help = true)]
    and_run: Option<String>,

    /// Show what would be done
    ///
    /// The request, the post-save command and what is found of each device; nothing is asked for or changed.
    #[arg(long, help_heading = "Output")]
    dry_run: bool,

    /// Print the result as JSON
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    json: bool,

    /// Don't look at the devices before a certificate is asked for
    #[arg(long, conflicts_with = "dry_run", help_heading = "Delivery", hide_short_help = true)]
    no_check: bool,

    /// How long to wait for issue and installation together
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=604_800), help_heading = "Delivery", hide_short_help = true)]
    timeout: u64,

    #[command(flatten)]
    list: DeviceList,
}

/// Everything checked; nothing done yet.
struct Request {
    caller: Caller,
    /// Whether the result is one JSON object.
    json: bool,
    /// Where the records are.
    state_dir: PathBuf,
    named: Named,
    /// The object's name as far as it is known before the certificate is.
    shown_name: ObjectName,
    enrolment: Enrolment,
    profiles: Vec<ProfileName>,
    /// Where it is to be installed.
    places: Vec<Destination>,
    /// What each device has to run in the end.
    awaited: Vec<Awaited>,
    certificate: PathBuf,
    key: PathBuf,
    installer: PathBuf,
    installer_arguments: Vec<String>,
    through_sudo: bool,
    session_bus: bool,
    /// Whether the post-save command only puts it into the queue.
    queued: bool,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(not_read) => return not_read.into(),
    };
    match carry_out(&arguments) {
        Ok(exit) => exit.into(),
        Err(error) => arguments::refuse(NAME, &error),
    }
}

/// Does what was read; what comes of it is printed.
///
/// # Errors
/// Words that can't be carried out.
pub(super) fn carry_out(arguments: &Arguments) -> Result<Exit, UsageError> {
    let request = check(arguments)?;
    let runtime = arguments::event_loop()?;
    let live = StatusLine::new();
    let reached = Cell::new(Reached::Nothing);
    let stopped = |signal| {
        live.clear();
        let (name, state_dir) = (arguments.caller.name, &arguments.place.state_dir);
        interrupted::asked(name, state_dir, &request.awaited, reached.get(), signal);
    };
    let ended = signals::run(runtime, run(arguments, &request, (&live, &reached)), stopped);
    live.clear();
    let ended = ended.unwrap_or_else(Ended::from);
    Ok(if arguments.dry_run { ended.tell_trouble(&request) } else { ended.tell(&request) })
}

/// Checks every word before anything is done.
fn check(arguments: &Arguments) -> Result<Request, UsageError> {
    let named = Named::of(&arguments.certificate)?;
    let enrolment = arguments.enrolment.check(&named.common_name)?;
    let config = Config::load(arguments.place.config.as_deref())?;
    let places = arguments.list.all(&config)?;
    if arguments.certificate.delegated {
        let addresses = enrolment.addresses.iter().map(ToString::to_string);
        let further = enrolment.names.iter().cloned().chain(addresses).collect();
        let asked = delegation::Asked { named: &named, devices: &places, typed: &arguments.device, further };
        asked.check(&config)?;
    }
    let mut awaited = Vec::new();
    for place in &places {
        let device = &place.device;
        let options = resolve::options_for(&arguments.device, &config, place);
        named.object(options.suffix, None)?;
        check_device(&options, device)?;
        if is_queued(arguments) {
            sandbox::check(&arguments.certificate, &options, arguments.place.config.as_deref())?;
        }
        let location = location::of(&options)?;
        let key = InstallationKey { device: device.clone(), location, name: named.base_name.clone() };
        awaited.push(Awaited { key, profiles: resolve::profiles(&options)? });
    }
    check_distinct(places.iter().zip(awaited.iter().map(|awaited| &awaited.key)))?;
    check_log(&arguments.place.log_file)?;
    let installer = installer::beside(NAME)?;
    let installer_arguments = installer_arguments(arguments)?;
    // That it can be written is known before anybody is asked for anything.
    let and_run = arguments.and_run.as_deref();
    if and_run.is_some_and(|command| shlex::split(command).is_none()) {
        return Err(UsageError::Other("--and-run: a quote is not closed".to_owned()));
    }
    post_save(&installer, &installer_arguments, and_run)
        .map_err(|error| UsageError::Other(error.to_string()))?;
    let absolute = |path: &PathBuf| options::absolute(path).map(PathBuf::from).map_err(UsageError::Other);
    Ok(Request {
        caller: arguments.caller,
        json: arguments.json,
        state_dir: arguments.place.state_dir.clone(),
        profiles: resolve::profiles(&arguments.device)?,
        certificate: absolute(&arguments.certificate.cert_dir.join(format!("{}.crt", named.common_name)))?,
        key: absolute(&arguments.certificate.key_dir.join(format!("{}.key", named.common_name)))?,
        shown_name: named.object(arguments.device.suffix, None)?,
        named,
        enrolment,
        places,
        awaited,
        installer,
        installer_arguments,
        session_bus: arguments.certificate.session_bus,
        through_sudo: !arguments.certificate.session_bus && !is_root(),
        queued: is_queued(arguments),
    })
}

/// What the post-save command will need is looked at now, when a person is there to mend it.
fn check_device(options: &DeviceOptions, device: &Address) -> Result<(), UsageError> {
    resolve::profiles(options)?;
    location::push_by_all(options)?;
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

async fn run(
    arguments: &Arguments,
    request: &Request,
    (live, reached): (&StatusLine, &Cell<Reached>),
) -> Result<Ended, Trouble> {
    let enrolment = &request.enrolment;
    let getcert = Getcert::for_tracked(enrolment.ca.as_deref(), request.through_sudo)
        .on_session_bus(request.session_bus);
    let tracked = getcert.tracked(&request.certificate).await;
    let tracked_ca = tracked.as_ref().ok().and_then(|tracked| tracked.as_ref()?.ca.as_deref());
    let ca = enrolment.ca.as_deref().or(tracked_ca).unwrap_or(IPA);
    let is_ipa = ca == IPA;
    if is_ipa {
        check_profile(arguments.caller, enrolment).await?;
        if !Path::new(ipa::CONFIGURATION).is_file() {
            return Err(Trouble::NotEnrolled);
        }
    }
    tell::what_is_asked(request);
    let tracked = tracked?;
    let plan = look(arguments, request, tracked.as_ref())?;
    let tracked_command = tracked.as_ref().and_then(|tracked| tracked.post_save.as_deref());
    let kept = arguments.and_run.clone().or_else(|| ask::and_run_in(tracked_command));
    let post_save = post_save(&request.installer, &request.installer_arguments, kept.as_deref())
        .map_err(|error| Trouble::Installer(std::io::Error::other(error)))?;
    let asks_ca = matches!(plan, Plan::New { .. } | Plan::Again { .. });
    let looks = asks_ca && is_ipa && !arguments.no_check;
    let server =
        if looks { before::look_at_server(arguments, request, tracked.as_ref()).await } else { Vec::new() };
    if arguments.dry_run {
        dry::tell(arguments, request, (tracked.as_ref(), &server), &plan, &post_save).await?;
        return Ok(Ended::default());
    }
    if !arguments.no_check && asks_ca {
        before::check_server(request, tracked.as_ref(), &server)?;
        before::check_devices(arguments, request).await?;
    }
    let begun = Instant::now();
    let timeout = Duration::from_secs(arguments.timeout);
    let follower = IssuanceWatcher {
        getcert: &getcert,
        certificate: &request.certificate,
        before: issuance::fingerprint_in(&request.certificate),
        deadline: begun + timeout,
        timeout,
        live,
    };
    let mut following = Following {
        state_dir: &arguments.place.state_dir,
        awaited: &request.awaited,
        common_name: &request.named.common_name,
        after: Queue::below(&arguments.place.state_dir).last_number(),
        wanted: follower.before,
        deadline: begun + timeout,
        show: &|text: &str| live.show(text),
    };
    if request.through_sudo {
        // Who may not read the records would never see how it ends: that is said before there is a certificate.
        following.standings()?;
    }
    reached.set(Reached::Asking);
    let asked = ask::carry_out(&plan, request, tracked.as_ref(), &post_save, &getcert).await?;
    reached.set(Reached::Asked);
    let at_hand = match asked {
        Asked::New { at_hand } => {
            let refused = match follower.issued().await {
                Ok(issued) => {
                    live.clear();
                    let seconds = begun.elapsed().as_secs();
                    request.tell(&format!(
                        "Certificate issue took {seconds} seconds, waiting for the post-save process to finish."
                    ));
                    let saving = Instant::now();
                    following.wanted = issued;
                    let hook = Hook {
                        getcert: &getcert,
                        certificate: &request.certificate,
                        delivers: !request.queued,
                    };
                    let standings = following.to_the_end(Some(hook)).await?;
                    live.clear();
                    tell::how_long(request, &standings, saving);
                    return Ok(outcome::judge(request, standings));
                }
                Err(error) => not_issued(request, tracked.as_ref(), error),
            };
            live.clear();
            if !at_hand {
                return Err(refused);
            }
            Some(refused)
        }
        Asked::Updated => None,
    };
    let installing = Instant::now();
    // Waiting for the CA may have used up the time.
    following.deadline = following.deadline.max(installing + LEAST);
    reached.set(Reached::Installing { goes_on: request.through_sudo });
    following.meanwhile(install_now(request, at_hand.is_some())).await?;
    let standings = match request.queued {
        true => following.to_the_end(None).await?,
        false => following.standings()?,
    };
    live.clear();
    tell::how_long(request, &standings, installing);
    let installed = outcome::judge(request, standings);
    Ok(match at_hand {
        None => installed,
        Some(refused) => installed.and_refused(request, refused),
    })
}

/// Looks at what is tracked, and at what an earlier request had that this one leaves out; what to do then.
fn look(arguments: &Arguments, request: &Request, tracked: Option<&Tracked>) -> Result<Plan, Trouble> {
    let files = [&request.certificate, &request.key];
    if arguments.certificate.delegated && !delegation::is_ours(tracked, &request.installer, files) {
        return Err(Trouble::NotOurs(request.certificate.clone()));
    }
    let plan = ask::plan(arguments, request, tracked)?;
    let before = tracked.and_then(|tracked| tracked.post_save.as_deref());
    let wanted = request.awaited.iter().map(|awaited| (&awaited.key, awaited.profiles.as_slice()));
    claims::check(
        arguments.caller.name,
        wanted,
        &arguments.place.state_dir,
        arguments.certificate.take_over,
    )?;
    dropped::tell_profiles(&request.awaited, &arguments.place.state_dir);
    dropped::tell_places(before, &request.awaited);
    ask::tell_replaced(arguments.caller, before, arguments.and_run.as_deref());
    Ok(plan)
}

/// Why there is no certificate, with what has to be known to say what helps.
fn not_issued(request: &Request, tracked: Option<&Tracked>, error: IssueError) -> Trouble {
    let tracked = tracked.and_then(|tracked| tracked.principals.first().cloned());
    let principal = request.enrolment.principal.clone().or(tracked);
    let service = principal.and_then(|principal| Some(principal.split_once('/')?.0.to_owned()));
    let service = service.unwrap_or_else(|| "HTTP".to_owned());
    Trouble::Issue { error, service, command: request.caller.typed_with("--rekey") }
}

/// The whole post-save command.
fn post_save(installer: &Path, words: &[String], and_run: Option<&str>) -> Result<String, Unquotable> {
    let and_run = and_run.filter(|command| !command.trim().is_empty());
    let further = and_run.map(|command| format!("--and-run={command}"));
    // Devices come last, perhaps behind a "--".
    let words: Vec<&String> = further.iter().chain(words).collect();
    post_save_command(installer, &words)
}

/// certmonger runs the post-save command only after an issue: here we do it ourselves.
/// With a new certificate refused, certmonger's state says nothing about the one at hand: it is not asked then.
async fn install_now(request: &Request, blind: bool) -> Result<(), Trouble> {
    let mut words = vec![request.installer.clone().into_os_string()];
    if request.through_sudo {
        words.insert(0, "sudo".into());
    }
    words.extend(blind.then(|| "--blind".into()));
    words.extend(request.installer_arguments.iter().map(Into::into));
    let mut words = words.into_iter();
    let mut command = process::command(words.next().unwrap_or_default());
    // Who asked stands in the record.
    process::keep(&mut command, &["SUDO_USER"]);
    process::keep_bus(&mut command, request.session_bus);
    // How it ended, the record tells.
    command.args(words).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null());
    ended_with_us::status(&mut command).await.map(drop).map_err(Trouble::Installer)
}

async fn check_profile(caller: Caller, enrolment: &Enrolment) -> Result<(), Trouble> {
    let Some(profile) = &enrolment.profile else { return Ok(()) };
    match ipa::certificate_profile(profile).await {
        ProfileKnown::Yes { .. } => Ok(()),
        ProfileKnown::No => Err(Trouble::NoSuchProfile(profile.clone())),
        ProfileKnown::CantTell(why) => {
            let what = format!("could not check whether IPA has the certificate profile '{profile}' ({why})");
            report::note(caller.name, &format!("{what}; the IPA server will decide"));
            Ok(())
        }
    }
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
