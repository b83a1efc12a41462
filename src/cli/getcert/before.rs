//! Before anybody is asked for a certificate: whether the devices could get it, and what would be done.

use std::path::{Path, PathBuf};

use super::ask::{Plan, Verb};
use super::{Arguments, INSTALLER, Request, Trouble};
use crate::cli::arguments::UsageError;
use crate::cli::certctl::check::{self, Readiness};
use crate::cli::installer;
use crate::cli::report::Advice;
use crate::cli::{dry_run, report};
use crate::delivery::InstallationStore;
use crate::error::Exit;
use crate::host::certmonger::Tracked;
use crate::host::ipa::{self, Enrolment, Found, Needs, Principal, Server, Standing, Ticket};
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::settings::config::Config;
use crate::settings::resolve;
use crate::text::shell_words;

const ALL_THE_SAME: &str = "no certificate was asked for; to ask for it all the same, add --no-check";

/// Looks at the devices as `pan_certctl check` does. What is wrong there now would be found only after the certificate
/// was issued, and for a misspelt device it would be pending without end.
pub(super) async fn check_devices(arguments: &Arguments, request: &Request) -> Result<(), Trouble> {
    let mut obstacles: Vec<_> =
        look(arguments, request).await?.iter().filter_map(Readiness::obstacle).collect();
    let Some((exit, what, mut fixes)) = obstacles.pop() else { return Ok(()) };
    fixes.push(Advice::Hint(ALL_THE_SAME.to_owned()));
    let codes: Vec<Exit> = obstacles.iter().map(|(exit, ..)| *exit).chain([exit]).collect();
    for (_, what, fixes) in &obstacles {
        report::problem_with_advice(arguments.caller.name, what, fixes);
    }
    Err(Trouble::NotReady { exit: Exit::of_all(&codes), what, fixes })
}

/// What FreeIPA knows of the principals, the profile and the CA ACLs of the request, where a ticket or the host's keytab
/// lets it be asked.
pub(super) async fn look_at_server(
    arguments: &Arguments,
    request: &Request,
    tracked: Option<&Tracked>,
) -> Vec<Found> {
    let note = |why: &str| {
        if arguments.place.verbose > 0 {
            report::note(
                arguments.caller.name,
                &format!("FreeIPA is not looked at before the request: {why}"),
            );
        }
    };
    let enrolment = match Enrolment::read() {
        Ok(enrolment) => enrolment,
        Err(error) => {
            note(&error.to_string());
            return Vec::new();
        }
    };
    let ticket = match Ticket::to_read(&enrolment).await {
        Ok(ticket) => ticket,
        Err(error) => {
            note(&error.to_string());
            return Vec::new();
        }
    };
    let Some(needs) = needs(request, tracked) else { return Vec::new() };
    let found = ipa::examine(&Server { ticket: &ticket, enrolment: &enrolment }, &needs).await;
    found.iter().filter(|found| found.standing == Standing::CantTell).for_each(|found| note(&found.text));
    found
}

/// What the request names; what was not typed, as it is tracked.
fn needs(request: &Request, tracked: Option<&Tracked>) -> Option<Needs> {
    let enrolment = &request.enrolment;
    let mut needs = enrolment.needs(&request.named.common_name, None).ok()?;
    let Some(tracked) = tracked else { return Some(needs) };
    needs.key_type = enrolment.key_type;
    if enrolment.principal.is_none() {
        let principal = tracked.principals.first().and_then(|name| Principal::read(name));
        needs.principal = principal.unwrap_or(needs.principal);
    }
    if !enrolment.names_typed {
        needs.names.clone_from(&tracked.dns);
    }
    needs.profile = needs.profile.or_else(|| tracked.profile.clone().filter(|profile| !profile.is_empty()));
    Some(needs)
}

/// Stops before anybody is asked for what would be refused.
pub(super) fn check_server(
    request: &Request,
    tracked: Option<&Tracked>,
    found: &[Found],
) -> Result<(), Trouble> {
    let missing: Vec<&Found> = found.iter().filter(|found| found.standing == Standing::Missing).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let texts = missing.iter().map(|found| format!("{}: {}", found.what, found.text));
    let mut fixes: Vec<Advice> = commands(found).into_iter().map(Advice::Command).collect();
    if let Some(needs) = needs(request, tracked).filter(|_| !fixes.is_empty()) {
        let enroll = shell_words(&needs.enroll_command());
        fixes.push(Advice::Hint(format!("or, to have just these run here: {enroll}")));
    }
    fixes.extend(missing.iter().filter_map(|found| found.advice.clone()).map(Advice::Hint));
    fixes.push(Advice::Hint(ALL_THE_SAME.to_owned()));
    let what = texts.collect::<Vec<_>>().join("; ");
    Err(Trouble::NotReady { exit: exit_of(first), what, fixes })
}

fn exit_of(found: &Found) -> Exit {
    match found.standing {
        Standing::Missing => found.exit(),
        Standing::Good | Standing::CantTell => Exit::Done,
    }
}

/// What an administrator types.
fn commands(found: &[Found]) -> Vec<String> {
    let commands = ipa::commands(found);
    let ticket = (!commands.is_empty()).then(|| "kinit admin".to_owned());
    ticket.into_iter().chain(commands.iter().map(|words| shell_words(words))).collect()
}

async fn look(arguments: &Arguments, request: &Request) -> Result<Vec<Readiness>, Trouble> {
    let config = load(arguments)?;
    let is_ipa = request.enrolment.new_ca() == super::IPA;
    // Only root, as whom the post-save command runs, may read some key files.
    let mut readable = request.places.clone();
    readable.retain(|place| {
        let options = resolve::options_for(&arguments.device, &config, place);
        let key_file = keyfile::resolve(options.key_file.as_deref());
        !matches!(KeyFile::load(&key_file), Err(KeyFileError::Unreadable { .. }))
    });
    if readable.len() < request.places.len() {
        report::note(
            arguments.caller.name,
            "the devices are not looked at before: the API key file is for root only",
        );
    }
    let places = (&config, &arguments.place);
    Ok(check::devices(&request.named, &arguments.device, places, &readable, is_ipa).await?)
}

fn load(arguments: &Arguments) -> Result<Config, Trouble> {
    let config = Config::load(arguments.place.config.as_deref());
    Ok(config.map_err(UsageError::from)?)
}

/// Tells what would be asked for, what would be run after each save, and what is found of each device; of one that
/// would get the certificate at hand, what would be done there.
pub(super) async fn tell(
    arguments: &Arguments,
    request: &Request,
    (tracked, server): (Option<&Tracked>, &[Found]),
    plan: &Plan,
    post_save: &str,
) -> Result<(), Trouble> {
    tell_request(request, tracked, plan);
    for found in server {
        let word = match found.standing {
            Standing::Good => "ok",
            Standing::Missing => "FAILED",
            Standing::CantTell => "unknown",
        };
        report::line(&format!("  FreeIPA: {word}: {}: {}", found.what, found.text));
    }
    commands(server).iter().for_each(|command| report::line(&format!("    run: {command}")));
    report::line("Post-save command:");
    let words = shlex::split(post_save).unwrap_or_default();
    for word in &words {
        let quoted = shlex::try_quote(word).map_or_else(|_| word.clone(), |word| word.into_owned());
        report::line(&format!("  {quoted}"));
    }
    if let Plan::Update = plan {
        return plans(arguments, words.get(1..).unwrap_or_default()).await;
    }
    let found = look(arguments, request).await?;
    let codes: Vec<Exit> =
        found.iter().map(|found| found.obstacle().map_or(Exit::Done, |(exit, ..)| exit)).collect();
    check::show(found);
    let refused = server.iter().map(exit_of).find(|exit| *exit != Exit::Done);
    if let Some(exit) = refused {
        let what = "FreeIPA would refuse the request".to_owned();
        return Err(Trouble::NotReady { exit, what, fixes: Vec::new() });
    }
    not_ready(&codes)
}

fn tell_request(request: &Request, tracked: Option<&Tracked>, plan: &Plan) {
    let enrolment = &request.enrolment;
    let what = match (plan, tracked) {
        (Plan::Again { verb: Verb::Rekey, .. }, Some(tracked)) => {
            format!("would submit the request \"{}\" again, with a new key", tracked.id)
        }
        (Plan::Again { .. }, Some(tracked)) => format!("would submit the request \"{}\" again", tracked.id),
        (Plan::Update | Plan::Await, Some(tracked)) => {
            format!(
                "would update the post-save command of the request \"{}\", and ask for nothing",
                tracked.id
            )
        }
        _ => "would make a new request".to_owned(),
    };
    report::line(&format!("Dry run: {what}."));
    let is_new = tracked.is_none();
    let principal = if is_new { enrolment.new_principal() } else { enrolment.principal.clone() };
    let names = (is_new || enrolment.names_typed).then(|| enrolment.names.join(", "));
    let addresses: Vec<String> = enrolment.addresses.iter().map(ToString::to_string).collect();
    let path = |path: &PathBuf| Some(path.display().to_string());
    for (what, value) in [
        ("CA", if is_new { Some(enrolment.new_ca().to_owned()) } else { enrolment.ca.clone() }),
        ("principal", principal),
        ("names", names),
        ("addresses", (!addresses.is_empty()).then(|| addresses.join(", "))),
        ("certificate profile", enrolment.profile.clone()),
        ("key type", enrolment.key_type.map(|kind| kind.to_string())),
        ("key size", enrolment.key_bits.map(|bits| bits.to_string())),
        ("certificate file", path(&request.certificate)),
        ("key file", path(&request.key)),
    ] {
        let stays = if is_new { "certmonger's own" } else { "as it is tracked" };
        let shown = value.unwrap_or_else(|| stays.to_owned());
        report::line(&format!("  {what}: {shown}"));
    }
}

/// What the installer would do now with the certificate at hand.
async fn plans(arguments: &Arguments, words: &[String]) -> Result<(), Trouble> {
    let read = installer::Arguments::of_words(words)
        .map_err(|what| UsageError::Other(format!("{INSTALLER} would not understand its words: {what}")))?;
    let state_dir = &arguments.place.state_dir;
    let records = InstallationStore::below(state_dir);
    let mut codes = Vec::new();
    for (_, prepared) in read.requests(state_dir, Path::new(""), false)? {
        let assessed = dry_run::look(&prepared, &records).await;
        codes.push(assessed.as_ref().err().map_or(Exit::Done, |problem| problem.exit));
        dry_run::tell(arguments.caller.name, &prepared.request, assessed.as_ref());
    }
    not_ready(&codes)
}

fn not_ready(codes: &[Exit]) -> Result<(), Trouble> {
    match Exit::of_all(codes) {
        Exit::Done => Ok(()),
        exit => {
            let what = "the certificate could not be installed on every device".to_owned();
            Err(Trouble::NotReady { exit, what, fixes: Vec::new() })
        }
    }
}
