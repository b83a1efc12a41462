//! What is to be done with certmonger's request: decided before anything is changed, then done.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::difference::{self, Difference};
use super::{Arguments, Caller, Request, Trouble};
use crate::certificate::SeenCertificate;
use crate::cli::installer;
use crate::cli::post_save::PostSave;
use crate::cli::{issuance, report};
use crate::host::certmonger::{Changes, Getcert, NewRequest, Phase, Tracked};

/// For how long certmonger may read the files that are there, and the time between two looks.
const READING: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Plan {
    /// There is no request: one is made. Where files are there already, certmonger has to be told more than once.
    New {
        /// Whether a new key has to be asked for: certmonger takes the files that are there for its own.
        rekey: bool,
    },
    /// All is as it was typed: only the post-save command is updated.
    Update,
    /// The request is being worked on: only the post-save command is updated, and its certificate is waited for.
    Await,
    /// A new certificate is asked for.
    Again {
        verb: Verb,
        /// Whether the certificate at hand is to be installed where there will be no new one.
        at_hand: bool,
    },
}

/// How an existing request is submitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// With the same key.
    Resubmit,
    /// With a new one.
    Rekey,
}

/// How the request stands with certmonger.
pub(super) enum Asked {
    /// A new certificate is on its way.
    New {
        /// Whether the certificate at hand is to be installed where there will be no new one.
        at_hand: bool,
    },
    /// It was tracked already; only the post-save command was updated.
    Updated,
}

/// Decides, and changes nothing.
pub(super) fn plan(
    arguments: &Arguments,
    request: &Request,
    tracked: Option<&Tracked>,
) -> Result<Plan, Trouble> {
    let enrolment = &request.enrolment;
    let key_typed = enrolment.key_type.is_some() || enrolment.key_bits.is_some();
    let Some(tracked) = tracked else {
        return Ok(Plan::New { rekey: look_at_files(arguments, request, key_typed) });
    };
    if let Some(file) = tracked.lost_key().filter(|_| !arguments.rekey) {
        return Err(Trouble::KeyGone {
            file: file.to_owned(),
            command: arguments.caller.typed_with("--rekey"),
        });
    }
    let seen = issuance::certificate_in(&request.certificate);
    let differences = difference::all(enrolment, tracked, seen.as_ref());
    let needs_key = differences.iter().any(|difference| difference.needs_key);
    let verb = if arguments.rekey { Verb::Rekey } else { Verb::Resubmit };
    let is_placeholder = is_placeholder(tracked, seen.as_ref());
    let is_issued = tracked.has_certificate() && !is_placeholder;
    let plan = match tracked.phase() {
        _ if arguments.rekey => Plan::Again { verb, at_hand: false },
        _ if is_issued && needs_key => return Err(differs(arguments.caller, &differences)),
        _ if arguments.resubmit => Plan::Again { verb, at_hand: false },
        Phase::Working => Plan::Await,
        // Nobody has a certificate for its key yet.
        _ if is_placeholder || (!is_issued && key_typed) => Plan::Again { verb: Verb::Rekey, at_hand: false },
        _ if !is_issued => Plan::Again { verb, at_hand: false },
        // The CA's answer to an earlier submission is none to this one.
        Phase::Rejected | Phase::Unreachable | Phase::NeedsPerson(_) => Plan::Again { verb, at_hand: true },
        _ if tracked.complaint().is_some() => Plan::Again { verb, at_hand: true },
        Phase::Done | Phase::Saving if !differences.is_empty() => {
            return Err(differs(arguments.caller, &differences));
        }
        Phase::Done | Phase::Saving => Plan::Update,
    };
    if let Plan::Again { .. } = plan {
        for difference in &differences {
            request.tell(&format!("Changed in the request: {difference}"));
        }
    }
    Ok(plan)
}

/// Tells of files that are there and that certmonger does not track; whether a new key has to be asked for. certmonger
/// takes them for its own: a certificate that is there would be watched, and no other one asked for; a key is used.
fn look_at_files(arguments: &Arguments, request: &Request, key_typed: bool) -> bool {
    let is_there = |file: &Path| file.symlink_metadata().is_ok();
    let (certificate, key) = (is_there(&request.certificate), is_there(&request.key));
    // Of a certificate that is there certmonger may keep the key or not, by its kind and size: so a new one is made.
    let rekey = certificate || (key && (arguments.rekey || key_typed));
    if certificate {
        let seen = issuance::certificate_in(&request.certificate);
        let by =
            seen.map(|seen| format!(" ({}, issued by {})", seen.subject, seen.issuer)).unwrap_or_default();
        warn(
            arguments.caller,
            &format!(
                "{} is there already{by}, and certmonger does not track it: it is replaced by the new certificate",
                request.certificate.display()
            ),
        );
    }
    if key {
        let end = match rekey {
            true => "it is replaced by a new key",
            false => "it is used for the new certificate; with --rekey a new one would be made",
        };
        warn(arguments.caller, &format!("the private key {} is there already: {end}", request.key.display()));
    }
    rekey
}

fn warn(caller: Caller, what: &str) {
    report::problem(caller.name, &format!("WARNING: {what}"), None);
}

/// Whether the certificate at hand was issued by itself, as another program's stand-in for a real one is.
fn is_placeholder(tracked: &Tracked, seen: Option<&SeenCertificate>) -> bool {
    let issues_such = tracked.ca.as_deref() == Some("SelfSign");
    seen.is_some_and(|seen| seen.is_self_issued) && !issues_such
}

fn differs(caller: Caller, differences: &[Difference]) -> Trouble {
    let needs_key = differences.iter().any(|difference| difference.needs_key);
    let option = if needs_key { "--rekey" } else { "--resubmit" };
    let differences = differences.iter().map(ToString::to_string).collect();
    Trouble::Differs { differences, command: caller.typed_with(option) }
}

/// Another program's command is not replaced without a word.
pub(super) fn tell_replaced(caller: Caller, before: Option<&str>, and_run: Option<&str>) {
    let before = before.filter(|command| !command.is_empty() && !is_ours(command));
    if let Some(command) = before.filter(|command| and_run != Some(*command)) {
        let quoted =
            shlex::try_quote(command).map_or_else(|_| command.to_owned(), |quoted| quoted.into_owned());
        let advice = format!("to keep it, run after ours at each save, add: --and-run {quoted}");
        let what = format!("WARNING: this post-save command is replaced: {command}");
        report::problem(caller.name, &what, Some(&advice));
    }
}

fn is_ours(command: &str) -> bool {
    let words = shlex::split(command).unwrap_or_default();
    words.first().is_some_and(|program| Path::new(program).ends_with(installer::NAME))
}

/// The further command that the tracked one runs.
pub(super) fn and_run_in(post_save: Option<&str>) -> Option<String> {
    PostSave::read(post_save?)?.arguments.and_run
}

/// Does what was planned.
pub(super) async fn carry_out(
    plan: &Plan,
    request: &Request,
    tracked: Option<&Tracked>,
    post_save: &str,
    getcert: &Getcert,
) -> Result<Asked, Trouble> {
    let enrolment = &request.enrolment;
    let key = (enrolment.key_type, enrolment.key_bits);
    let asked = match (plan, tracked) {
        (Plan::Again { verb, at_hand }, Some(tracked)) => {
            let changes = difference::changes(enrolment, tracked, post_save);
            match verb {
                Verb::Rekey => {
                    getcert.rekey(&tracked.id, &changes, key.0, key.1).await?;
                    request.tell(&format!("Resubmitting \"{}\" with a new key.", tracked.id));
                }
                Verb::Resubmit => {
                    getcert.resubmit(&tracked.id, &changes).await?;
                    request.tell(&format!("Resubmitting \"{}\".", tracked.id));
                }
            }
            Asked::New { at_hand: *at_hand }
        }
        // Changed while it is submitted, it would be submitted once more.
        (Plan::Await, Some(tracked)) if is_same(tracked.post_save.as_deref(), post_save) => {
            Asked::New { at_hand: false }
        }
        (Plan::Update | Plan::Await, Some(tracked)) => {
            getcert.set_post_save(&tracked.id, post_save).await?;
            request.tell(&format!(
                "Request \"{}\" updated: certmonger already tracks it; no new certificate was requested.",
                tracked.id
            ));
            if let Plan::Await = plan { Asked::New { at_hand: false } } else { Asked::Updated }
        }
        (plan, _) => {
            let for_ca =
                Getcert::for_ca(enrolment.new_ca(), request.through_sudo).on_session_bus(request.session_bus);
            let id = for_ca.request(&new_request(request, post_save)).await?;
            request.tell(&format!("New signing request \"{id}\" added."));
            if let Plan::New { rekey: true } = plan {
                until_read(request, &for_ca).await?;
                for_ca.rekey(&id, &Changes::default(), key.0, key.1).await?;
            }
            Asked::New { at_hand: false }
        }
    };
    if let Asked::New { .. } = asked {
        request.tell(&format!("Certificate requested for: {}", request.named.common_name));
    }
    Ok(asked)
}

/// Waits until certmonger has read the files that it was given: before that it would make a new key.
async fn until_read(request: &Request, getcert: &Getcert) -> Result<(), Trouble> {
    let begun = Instant::now();
    while begun.elapsed() < READING {
        let tracked = getcert.tracked(&request.certificate).await?;
        if tracked.is_some_and(|tracked| !tracked.state.as_str().starts_with("NEWLY_ADDED")) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Whether two commands do the same: the name of the list of profiles is a new one each time.
fn is_same(before: Option<&str>, now: &str) -> bool {
    let words = |command: &str| {
        let words = shlex::split(command).unwrap_or_default();
        words.into_iter().filter(|word| !word.starts_with("--profile-list=")).collect::<Vec<_>>()
    };
    before.is_some_and(|before| words(before) == words(now))
}

fn new_request(request: &Request, post_save: &str) -> NewRequest {
    NewRequest {
        subject: format!("CN={}", request.named.common_name),
        principal: request.enrolment.new_principal(),
        certificate: request.certificate.clone(),
        key: request.key.clone(),
        dns: request.enrolment.names.clone(),
        ip_addresses: request.enrolment.addresses.clone(),
        profile: request.enrolment.profile.clone(),
        key_type: request.enrolment.key_type,
        key_bits: request.enrolment.key_bits,
        post_save: Some(post_save.to_owned()),
    }
}
