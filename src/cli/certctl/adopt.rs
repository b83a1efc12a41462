//! `pan_certctl adopt`: what certmonger tracks with the bash scripts' post-save command is looked after from here on.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::selection::nothing_matches;
use super::{NAME, certmonger};
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::post_save::PostSave;
use crate::cli::{installer, question, report, unresolved};
use crate::delivery::{
    DeliveryError, DeviceLock, InstallSpec, Installation, InstallationStore, Queue, new_id,
};
use crate::error::Exit;
use crate::host::certmonger::{Getcert, Phase, Tracked, post_save_command};
use crate::host::worker;
use crate::settings::options::absolute;

/// The longest that another process that works on a device is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// What is taken over.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct AdoptArguments {
    /// Show what would be done
    #[arg(long)]
    dry_run: bool,

    /// Don't ask first; needed where there is no terminal
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,

    /// Ask the certmonger on the session bus
    #[arg(long)]
    session_bus: bool,

    /// What was done as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Only these certificates, by their common names [default: all with a post-save command of the scripts]
    #[arg(value_name = "CERT")]
    certificates: Vec<String>,
}

/// A request of certmonger's, and what becomes of it.
struct Adoption {
    request: String,
    common_name: String,
    before: String,
    /// The command instead, and what is recorded; else why it is left as it is.
    plan: Result<(String, Vec<InstallSpec>), String>,
}

/// Records what the scripts installed and exchanges their post-save command. Nothing is delivered, and no device is
/// spoken to.
///
/// # Errors
/// certmonger that can't be asked; a name that nothing has; no terminal and no `--yes`; a state directory that can't be
/// used.
pub fn run(arguments: &AdoptArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let listing = certmonger::list(arguments.session_bus)?;
    let (getcert, runtime) = (certmonger::getcert(arguments.session_bus), arguments::event_loop()?);
    let installer = installer::beside(NAME)?;
    let mut all: Vec<Adoption> =
        listing.requests.iter().filter_map(|tracked| plan(tracked, arguments, place, &installer)).collect();
    let there: Vec<String> = all.iter().map(|one| one.common_name.clone()).collect();
    let is_named = |one: &Adoption, name: &String| one.common_name.eq_ignore_ascii_case(name);
    if let Some(name) = arguments.certificates.iter().find(|name| !all.iter().any(|one| is_named(one, name)))
    {
        return Err(nothing_matches(&crate::text::escape_control(name), there.into_iter()));
    }
    all.retain(|one| {
        arguments.certificates.is_empty() || arguments.certificates.iter().any(|name| is_named(one, name))
    });
    if all.is_empty() {
        note(arguments, "Nothing to adopt: certmonger has no post-save command of the bash scripts.");
    }
    all.iter().for_each(|one| describe(arguments, one));
    let mut each: Vec<Exit> = all.iter().filter(|one| one.plan.is_err()).map(|_| Exit::Certificate).collect();
    let possible = all.iter().any(|one| one.plan.is_ok());
    if possible && !arguments.dry_run {
        agree(arguments)?;
    }
    let mut told = Vec::new();
    for one in &all {
        let adopted = match &one.plan {
            Ok((command, specs)) if !arguments.dry_run => {
                let adopted = adopt(one, command, specs, (&getcert, &runtime), &place.state_dir)?;
                each.push(if adopted { Exit::Done } else { Exit::Certmonger });
                if adopted {
                    note(arguments, &format!("{}: adopted; nothing was delivered.", one.common_name));
                }
                adopted
            }
            _ => false,
        };
        told.push(one.json(adopted));
    }
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::json(NAME, &json!({ "exit": exit.code(), "requests": told }));
    } else if possible && !arguments.dry_run {
        report::line("To compare the devices with what was recorded: pan_certctl verify");
    }
    Ok(exit)
}

/// With `--json` nothing but JSON is on standard output.
fn note(arguments: &AdoptArguments, text: &str) {
    report::result(NAME, arguments.json, text);
}

/// What becomes of a request with the scripts' command: one of ours names a list of profiles, theirs don't.
fn plan(
    tracked: &Tracked,
    arguments: &AdoptArguments,
    place: &PlaceArguments,
    installer: &Path,
) -> Option<Adoption> {
    let before = tracked.post_save.clone()?;
    let command = PostSave::read(&before)?;
    if command.arguments.profile_list.is_some() {
        return None;
    }
    let common_name = command.arguments.certificate.common_name.to_ascii_lowercase();
    let plan = instead(tracked, command, arguments, place, installer);
    Some(Adoption { request: tracked.id.clone(), common_name, before, plan })
}

fn instead(
    tracked: &Tracked,
    command: PostSave,
    adopt: &AdoptArguments,
    place: &PlaceArguments,
    installer: &Path,
) -> Result<(String, Vec<InstallSpec>), String> {
    if tracked.phase() != Phase::Done {
        return Err(format!("certmonger's state is {}: it is not issued", tracked.state.as_str()));
    }
    let mut typed = command.arguments;
    typed.certificate.session_bus = adopt.session_bus;
    typed.place.config.clone_from(&place.config);
    let config = place.config.as_ref();
    let mut words = installer::words(&typed.certificate, &typed.device, config)?;
    words.push(format!("--log-file={}", absolute(&place.log_file)?));
    words.push(format!("--state-dir={}", absolute(&place.state_dir)?));
    words.push(format!("--profile-list={}", new_id()));
    words.extend(typed.blind.then(|| "--blind".to_owned()));
    let is_queued = !adopt.session_bus && worker::is_enabled(&place.state_dir);
    words.extend(is_queued.then(|| "--queue".to_owned()));
    words.extend(typed.list.words().map_err(|error| error.to_string())?);
    let read = installer::Arguments::of_words(&words)?;
    let requests =
        read.requests(&place.state_dir, Path::new(""), false).map_err(|error| error.to_string())?;
    let specs: Vec<InstallSpec> = requests.into_iter().map(|(spec, _)| spec).collect();
    let location = tracked.certificate.as_ref().and_then(|storage| storage.location.as_ref());
    let is_its = |spec: &InstallSpec| {
        let files = spec.options.certificate_files(&spec.common_name);
        location.is_some_and(|location| files.contains(location))
    };
    if !specs.iter().all(is_its) {
        return Err("its certificate is in another file than the post-save command installs".to_owned());
    }
    let command = post_save_command(installer, &words).map_err(|error| error.to_string())?;
    Ok((command, specs))
}

fn describe(arguments: &AdoptArguments, one: &Adoption) {
    let Adoption { request, common_name, before, plan } = one;
    match plan {
        Ok((command, specs)) => {
            note(arguments, &format!("{common_name} (request {request}):"));
            for spec in specs {
                let names: Vec<String> = spec.profiles.iter().map(|name| format!("'{name}'")).collect();
                let bound =
                    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" and ")) };
                note(arguments, &format!("  to be recorded: '{}' on {}{bound}", spec.name, spec.place()));
            }
            note(arguments, &format!("  its post-save command: {before}"));
            note(arguments, &format!("  instead of it:         {command}"));
        }
        Err(why) => report::problem(
            NAME,
            &format!("{common_name}: can't be adopted: {why}"),
            Some(&format!("fix that, or run pan_getcert for it; its post-save command: {before}")),
        ),
    }
}

/// Asks at a terminal; elsewhere only `--yes` counts.
fn agree(arguments: &AdoptArguments) -> Result<(), UsageError> {
    if arguments.yes {
        return Ok(());
    }
    let nothing = |why: &str| UsageError::Other(format!("nothing was adopted{why}"));
    if !unresolved::is_attended() {
        return Err(nothing(": there is no terminal to ask at; say --yes"));
    }
    match question::agreed("Adopt this?").map_err(|error| nothing(&format!(": no answer: {error}")))? {
        true => Ok(()),
        false => Err(nothing("")),
    }
}

/// First the records, then the command: whoever is interrupted in between does the rest by the same command again.
/// Whether certmonger has taken the new one.
fn adopt(
    one: &Adoption,
    command: &str,
    specs: &[InstallSpec],
    (getcert, runtime): (&Getcert, &Runtime),
    state_dir: &Path,
) -> Result<bool, UsageError> {
    let records = InstallationStore::below(state_dir);
    let bad = |error: DeliveryError| UsageError::State(Box::new(error));
    for spec in specs {
        let devices: Vec<_> = std::iter::once(&spec.device).chain(&spec.peer).cloned().collect();
        let lock = runtime.block_on(DeviceLock::acquire(state_dir, &devices, LOCK_WAIT));
        let lock = lock.map_err(|error| bad(error.into()))?;
        let known = records.read(&spec.key()).map_err(|error| bad(error.into()))?;
        if known.is_none() {
            let sequence = Queue::below(state_dir).next_number().map_err(|error| bad(error.into()))?;
            let record = Installation::adopt(InstallSpec { sequence, ..spec.clone() }, records.now());
            records.write(&record).map_err(|error| bad(error.into()))?;
        }
        drop(lock);
    }
    match runtime.block_on(getcert.set_post_save(&one.request, command)) {
        Ok(()) => Ok(true),
        Err(error) => {
            let what =
                format!("{}: recorded, but its post-save command can't be changed: {error}", one.common_name);
            report::problem(NAME, &what, error.advice().as_deref());
            Ok(false)
        }
    }
}

impl Adoption {
    fn json(&self, adopted: bool) -> Value {
        let plan = self.plan.as_ref();
        let devices: Vec<String> =
            plan.map(|(_, specs)| specs.iter().map(InstallSpec::place).collect()).unwrap_or_default();
        json!({
            "request": self.request,
            "certificate": self.common_name,
            "devices": devices,
            "before": self.before,
            "post_save": plan.ok().map(|(command, _)| command),
            "problem": plan.err(),
            "adopted": adopted,
        })
    }
}
