//! Before anybody is asked for a certificate: whether the devices could get it.

use super::{Arguments, Request, Trouble};
use crate::cli::arguments::UsageError;
use crate::cli::certctl::check::{self, Readiness};
use crate::cli::report;
use crate::cli::report::Advice;
use crate::error::Exit;
use crate::host::certmonger::Tracked;
use crate::host::ipa::{self, Enrolment, Found, Needs, Principal, Server, Standing, Ticket};
use crate::host::keyfile::{self, KeyFile, KeyFileError};
use crate::settings::config::Config;
use crate::settings::destination::Destination;
use crate::settings::resolve;
use crate::text::shell_words;

const ALL_THE_SAME: &str = "no certificate was asked for; to ask for it all the same, add --no-check";

/// Looks at the devices as `pan_certctl check` does. What is wrong there now would be found only after the certificate
/// was issued, and for a misspelt device it would be pending without end.
pub(super) async fn check_devices(arguments: &Arguments, request: &Request) -> Result<(), Trouble> {
    let mut obstacles: Vec<_> =
        look(arguments, request).await?.iter().filter_map(|(_, ready)| ready.obstacle()).collect();
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

pub(super) fn exit_of(found: &Found) -> Exit {
    match found.standing {
        Standing::Missing => found.exit(),
        Standing::Good | Standing::CantTell => Exit::Done,
    }
}

/// What an administrator types.
pub(super) fn commands(found: &[Found]) -> Vec<String> {
    let commands = ipa::commands(found);
    let ticket = (!commands.is_empty()).then(|| "kinit admin".to_owned());
    ticket.into_iter().chain(commands.iter().map(|words| shell_words(words))).collect()
}

pub(super) async fn look(
    arguments: &Arguments,
    request: &Request,
) -> Result<Vec<(Destination, Readiness)>, Trouble> {
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
    let found = check::devices(&request.named, &arguments.device, places, &readable, is_ipa).await?;
    Ok(readable.into_iter().zip(found).collect())
}

pub(super) fn load(arguments: &Arguments) -> Result<Config, Trouble> {
    let config = Config::load(arguments.place.config.as_deref());
    Ok(config.map_err(UsageError::from)?)
}
