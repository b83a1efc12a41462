//! `pan_certctl forget`: an installation, or one of its profiles, is looked after no more.

mod renewal;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use panos_xmlapi::{Address, Location};
use serde_json::json;

use self::renewal::{Renewal, Renewals};
use super::NAME;
use super::selection::{is_meant, nothing_matches};
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::{question, report, unresolved};
use crate::delivery::DeliveryError;
use crate::delivery::engine::DeliveryEngine;
use crate::delivery::survey::survey;
use crate::delivery::{Installation, Queued, UnresolvedSpec};
use crate::error::Exit;
use crate::install::names::ProfileName;
use crate::settings::SettingsError;
use crate::settings::config::Config;

/// The longest that somebody at a terminal is made to wait for another process that works on the device.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// What is forgotten.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct ForgetArguments {
    /// Only on this device; without a port, on any port
    #[arg(long, value_name = "FQDN[:PORT]")]
    device: Option<String>,

    /// Only at this place of the device: shared, vsys:NAME, panorama, template:NAME, template:NAME/VSYS, stack:NAME,
    /// device:SERIAL
    #[arg(long, value_name = "PLACE")]
    place: Option<String>,

    /// Only this SSL/TLS service profile; the rest of the installation stays
    #[arg(long, value_name = "NAME", conflicts_with = "untrack_device")]
    profile: Option<String>,

    /// Only requests that can't be carried out; installations stay
    #[arg(long, conflicts_with_all = ["place", "profile", "untrack_device"])]
    unresolved: bool,

    /// Take the device out of certmonger's post-save command as well, so that renewals leave it out
    #[arg(long)]
    untrack_device: bool,

    /// Don't ask first; needed where there is no terminal
    #[arg(long)]
    yes: bool,

    /// What was done as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// The certificate, by its common name or by the name of its object
    #[arg(value_name = "CERT")]
    cert: String,
}

/// What is to be forgotten.
struct Found {
    installations: Vec<Installation>,
    profile: Option<ProfileName>,
    unresolved: Vec<Queued<UnresolvedSpec>>,
}

/// Forgets.
///
/// # Errors
/// A name that is not valid or matches nothing; no terminal and no `--yes`; a state directory that can't be used.
pub fn run(arguments: &ForgetArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let config = Config::load(place.config.as_deref())?;
    let found = find(arguments, &place.state_dir)?;
    let runtime = arguments::event_loop()?;
    let mut renewals = runtime.block_on(Renewals::ask(&found.installations));
    if arguments.untrack_device {
        renewals.plan_to_untrack(&found.installations).map_err(UsageError::Other)?;
    }
    describe(arguments, &found, &renewals);
    if !arguments.yes {
        if !unresolved::is_attended() {
            let what = "nothing was forgotten: there is no terminal to ask at; say --yes".to_owned();
            return Err(UsageError::Other(what));
        }
        if !question::agreed("Forget this?")
            .map_err(|error| UsageError::Other(format!("no answer: {error}")))?
        {
            report::problem(NAME, "nothing was forgotten", None);
            return Ok(Exit::Usage);
        }
    }
    let log = place.open_log()?;
    let mut engine = DeliveryEngine::new(&log, &place.state_dir, true);
    engine.lock_wait = config.lock_wait().min(LOCK_WAIT);
    // First what a later renewal goes by: whoever is interrupted here has forgotten nothing yet.
    if let Err(error) = runtime.block_on(renewals.untrack()) {
        let what = format!("nothing was forgotten: the post-save command can't be changed: {error}");
        report::problem(NAME, &what, error.advice().as_deref());
        return Ok(Exit::Certmonger);
    }
    let mut each = Vec::new();
    let mut told = Vec::new();
    for record in &found.installations {
        let (key, profile) = (record.key(), found.profile.as_ref());
        let result = runtime.block_on(engine.forget(record, profile));
        let renewal = renewals.of(&key);
        match &result {
            Ok(_) => tell(arguments, record, profile, renewal),
            Err(failure) => {
                report::problem(NAME, &format!("{key}: {failure}"), failure.advice().as_deref());
            }
        }
        let exit = result.as_ref().map_or_else(DeliveryError::exit, |_| Exit::Done);
        told.push(json!({
            "certificate": record.common_name(),
            "object": record.spec.name,
            "device": key.device,
            "location": key.location,
            "profile": profile,
            "forgotten": exit == Exit::Done,
            "post_save": renewal.word(),
            "exit": exit.code(),
        }));
        each.push(exit);
    }
    let requests = found.unresolved.len();
    for request in found.unresolved {
        request.remove().map_err(|error| UsageError::State(Box::new(error.into())))?;
    }
    if requests > 0 {
        let words = if requests == 1 { "1 request" } else { "several requests" };
        note(arguments, &format!("{words} that could not be carried out: forgotten."));
    }
    let exit = Exit::of_all(&each);
    if arguments.json {
        report::json(NAME, &json!({ "exit": exit.code(), "installations": told, "unresolved": requests }));
    }
    Ok(exit)
}

/// What matches, in records and in the queue.
fn find(arguments: &ForgetArguments, state_dir: &Path) -> Result<Found, UsageError> {
    let device = arguments.device.as_deref().map(str::parse::<Address>).transpose()?;
    let location = arguments.place.as_deref().map(str::parse::<Location>).transpose();
    let location = location.map_err(|error| UsageError::Other(format!("--place: {error}")))?;
    let profile = arguments.profile.as_deref().map(str::parse::<ProfileName>).transpose();
    let profile = profile.map_err(SettingsError::Profile)?;
    let bad = |error: crate::delivery::StoreError| UsageError::State(Box::new(error.into()));
    let cert = arguments.cert.as_str();
    let is_named = |record: &Installation| {
        !arguments.unresolved
            && (record.common_name().as_str().eq_ignore_ascii_case(cert) || record.spec.name.as_str() == cert)
    };
    let is_there = |record: &Installation| {
        device.as_ref().is_none_or(|device| is_meant(device, &record.spec.device))
            && location.as_ref().is_none_or(|location| *location == record.spec.location)
    };
    let has =
        |record: &Installation| profile.as_ref().is_none_or(|profile| record.profiles().contains(profile));
    // What there is to choose from matters only as long as nothing matches.
    let (mut installations, mut there) = (Vec::new(), BTreeSet::new());
    let seen = survey(state_dir, Utc::now(), |found| {
        let record = found.record;
        if is_named(&record) && is_there(&record) && has(&record) {
            there.clear();
            installations.push(record);
        } else if installations.is_empty() {
            there.insert(in_short(&record));
        }
    });
    let seen = seen.map_err(bad)?;
    seen.errors.iter().for_each(|error| report::problem(NAME, &error.to_string(), None));
    installations.sort_by_cached_key(Installation::key);
    let is_whole = location.is_none() && profile.is_none();
    let (unresolved, others): (Vec<_>, Vec<_>) =
        seen.unresolved.into_iter().partition(|queued| is_whole && is_unread(arguments, &queued.spec));
    if arguments.unresolved {
        there = others.iter().map(|queued| words(&queued.spec)).collect();
    }
    let found = Found { installations, profile, unresolved };
    if found.installations.is_empty() && found.unresolved.is_empty() {
        let unresolved = arguments.unresolved.then(|| " --unresolved".to_owned());
        let filters = [
            ("--device", &arguments.device),
            ("--place", &arguments.place),
            ("--profile", &arguments.profile),
        ];
        let filters = filters.iter().filter_map(|(name, value)| Some(format!(" {name} {}", value.as_ref()?)));
        let wanted = format!("{cert}{}", filters.chain(unresolved).collect::<String>());
        return Err(nothing_matches(&crate::text::escape_control(&wanted), there.into_iter()));
    }
    Ok(found)
}

/// Whether a request that can't be carried out is for this certificate, and for this device if one is named.
fn is_unread(arguments: &ForgetArguments, spec: &UnresolvedSpec) -> bool {
    let has = |wanted: &String| {
        let ends = |word: &String| word.split_once('=').is_some_and(|(_, value)| value == wanted);
        spec.argv.iter().any(|word| word.eq_ignore_ascii_case(wanted) || ends(word))
    };
    let named = unresolved::certificate(&spec.argv);
    let is_named = named.is_some_and(|named| named.eq_ignore_ascii_case(&arguments.cert));
    (is_named || has(&arguments.cert)) && arguments.device.as_ref().is_none_or(has)
}

/// As it was typed.
fn words(spec: &UnresolvedSpec) -> String {
    crate::text::escape_control(&format!("pan_instcert {}", spec.argv.join(" ")))
}

/// An installation with what tells it from the others.
fn in_short(record: &Installation) -> String {
    let profiles: Vec<String> = record.profiles().iter().map(|name| format!("'{name}'")).collect();
    let bound = if profiles.is_empty() { String::new() } else { format!(" in {}", profiles.join(" and ")) };
    let (name, object) = (record.common_name().as_str(), record.spec.name.as_str());
    let object = if name == object { String::new() } else { format!(" ({object})") };
    let place = match &record.spec.location {
        Location::Shared => String::new(),
        location => format!(", {location}"),
    };
    format!("{name}{object} on {}{place}{bound}", record.spec.device)
}

/// The command that forgets this installation and no other.
#[must_use]
pub fn command(record: &Installation) -> String {
    let place = match &record.spec.location {
        Location::Shared => String::new(),
        location => format!(" --place '{location}'"),
    };
    format!("pan_certctl forget {} --device {}{place}", record.spec.name, record.spec.device)
}

/// Says what is about to be forgotten, and what somebody may regret.
fn describe(arguments: &ForgetArguments, found: &Found, renewals: &Renewals) {
    let what = match &found.profile {
        Some(profile) => format!("To be forgotten, in the SSL/TLS profile '{profile}' only:"),
        None => "To be forgotten:".to_owned(),
    };
    note(arguments, &what);
    for record in &found.installations {
        note(arguments, &format!("  {}", in_short(record)));
        if record.is_pending() && found.profile.is_none() {
            note(arguments, "    It has not been delivered yet, and will not be.");
        }
        if !record.uncommitted_paths.is_empty() && found.profile.is_none() {
            note(
                arguments,
                "    WARNING: a run that was interrupted may have left changes of ours uncommitted on the device, and \
                 only the record knows where. Let 'pan_certctl retry --now' put them right first.",
            );
        }
        if let Some(plan) = renewals.of(&record.key()).plan() {
            note(arguments, &format!("    {plan}"));
        }
    }
    for request in &found.unresolved {
        note(arguments, &format!("  a request that can't be carried out: {}", words(&request.spec)));
    }
    note(arguments, "The devices are left as they are.");
}

/// With `--json` nothing but JSON is on standard output.
fn note(arguments: &ForgetArguments, text: &str) {
    report::result(NAME, arguments.json, text);
}

fn tell(
    arguments: &ForgetArguments,
    record: &Installation,
    profile: Option<&ProfileName>,
    renewal: &Renewal,
) {
    let (device, name) = (&record.spec.device, &record.spec.name);
    let advice = match profile {
        Some(profile) => {
            note(arguments, &format!("{device}: '{name}' is not looked after in '{profile}' any more."));
            let stays = record.profiles().iter().any(|other| other != profile);
            if !stays {
                note(arguments, &format!("  No profile is left. To forget all of it: {}", command(record)));
            }
            let is_configured =
                record.bindings.iter().any(|binding| binding.profile == *profile && binding.configured);
            renewal.about_profile(profile, is_configured)
        }
        None => {
            note(arguments, &format!("{device}: '{name}' is forgotten."));
            renewal.about_device(device)
        }
    };
    if let Some(advice) = advice {
        note(arguments, &format!("  {advice}"));
    }
}
