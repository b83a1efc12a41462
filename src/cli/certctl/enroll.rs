//! `pan_certctl enroll`: what FreeIPA lacks for a certificate, and, with an administrator's ticket and a yes, its addition.

use clap::Args;
use serde_json::json;

use super::NAME;
use crate::cli::arguments::{self, UsageError};
use crate::cli::enrolment::EnrolmentArguments;
use crate::cli::{question, report};
use crate::error::Exit;
use crate::host::ipa::{self, Enrolment, Found, Needs, Server, Standing, Ticket};
use crate::install::names::CommonName;
use crate::text::shell_words;

/// For which certificate.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct EnrollArguments {
    /// Common name of the certificate; with another service than HTTP as SERVICE/CERT_CN, 'host' for the host itself
    #[arg(long, value_name = "[SERVICE/]CERT_CN")]
    service: String,

    /// A further DNS name for the certificate (can be repeated)
    #[arg(long = "san", value_name = "NAME")]
    names: Vec<String>,

    /// IPA certificate profile [default: FreeIPA's usual one]
    #[arg(short = 'T', long, value_name = "PROFILE")]
    cert_profile: Option<String>,

    /// RSA, EC or ECDSA [default: RSA]
    #[arg(short = 'G', long, value_name = "TYPE")]
    key_type: Option<String>,

    /// The CA of FreeIPA that is to issue, where it is a sub-CA
    #[arg(short = 'X', long, value_name = "NAME")]
    issuer: Option<String>,

    /// Run what is missing without asking; an administrator's Kerberos ticket is needed
    #[arg(short = 'y', long)]
    yes: bool,

    /// What was found and done as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// Looks, tells, and adds what is missing where that is wanted.
///
/// # Errors
/// A name that is not valid.
pub fn run(arguments: &EnrollArguments) -> Result<Exit, UsageError> {
    let needs = arguments.needs()?;
    let enrolment = match Enrolment::read() {
        Ok(enrolment) => enrolment,
        Err(error) => {
            let what = format!("this machine is not enrolled in FreeIPA: {error}");
            report::problem(NAME, &what, Some("enrol it with ipa-client-install"));
            return Ok(Exit::Key);
        }
    };
    arguments::event_loop()?.block_on(enroll(arguments, &needs, &enrolment))
}

impl EnrollArguments {
    fn needs(&self) -> Result<Needs, UsageError> {
        let (service, name) = self.service.split_once('/').unwrap_or(("HTTP", &self.service));
        let common_name: CommonName = name.to_ascii_lowercase().parse()?;
        let typed = EnrolmentArguments {
            service: Some(service.to_owned()),
            cert_profile: self.cert_profile.clone(),
            key_type: self.key_type.clone(),
            names: self.names.clone(),
            ..EnrolmentArguments::default()
        };
        typed.check(&common_name)?.needs(&common_name, self.issuer.as_deref())
    }

    /// A line for a person.
    fn say(&self, text: &str) {
        if !self.json {
            report::line(text);
        }
    }

    fn end(&self, exit: Exit, needs: &Needs, found: &[Found], ran: &[String]) -> Exit {
        if self.json {
            let told: Vec<_> = found.iter().map(json_of).collect();
            let principal = needs.principal.to_string();
            report::json(
                NAME,
                &json!({ "exit": exit.code(), "principal": principal, "found": told, "ran": ran }),
            );
        }
        exit
    }
}

fn json_of(found: &Found) -> serde_json::Value {
    let standing = match found.standing {
        Standing::Good => "ok",
        Standing::Missing => "missing",
        Standing::CantTell => "unknown",
    };
    let commands: Vec<String> = found.commands.iter().map(|words| shell_words(words)).collect();
    json!({
        "check": found.what,
        "standing": standing,
        "text": found.text,
        "commands": commands,
        "advice": found.advice,
    })
}

async fn enroll(
    arguments: &EnrollArguments,
    needs: &Needs,
    enrolment: &Enrolment,
) -> Result<Exit, UsageError> {
    // The host's keytab is enough to look; whoever has a ticket alone looks with that.
    let reads = match Ticket::to_read(enrolment).await {
        Ok(ticket) => ticket,
        Err(of_host) => match Ticket::own().await {
            Ok(ticket) => ticket,
            Err(_) => {
                report::problem(
                    NAME,
                    &format!("FreeIPA can't be asked: {of_host}"),
                    Some("get a ticket: kinit admin"),
                );
                return Ok(arguments.end(Exit::Key, needs, &[], &[]));
            }
        },
    };
    let server = Server { ticket: &reads, enrolment };
    let found = ipa::examine(&server, needs).await;
    tell(arguments, &found);
    let commands = ipa::commands(&found);
    match standing_of(&found) {
        Standing::Good => {
            arguments.say(&format!("nothing to do: FreeIPA is ready for {}", needs.principal));
            return Ok(arguments.end(Exit::Done, needs, &found, &[]));
        }
        Standing::CantTell => {
            report::problem(NAME, "FreeIPA did not answer everything: nothing was changed", None);
            return Ok(arguments.end(Exit::Certificate, needs, &found, &[]));
        }
        Standing::Missing => {}
    }
    // What no command adds has to be decided first.
    if let Some(stop) =
        found.iter().find(|found| found.standing == Standing::Missing && found.commands.is_empty())
    {
        report::problem(NAME, &format!("{}: {}", stop.what, stop.text), stop.advice.as_deref());
        return Ok(arguments.end(stop.exit(), needs, &found, &[]));
    }
    let Some(ticket) = permitted(arguments, commands.len()).await? else {
        return Ok(arguments.end(Exit::Certificate, needs, &found, &[]));
    };
    let mut ran = Vec::new();
    for words in &commands {
        let command = shell_words(words);
        if let Err(why) = ipa::carry_out(&ticket, words).await {
            let what = format!("{command}: {why}");
            let done = format!(
                "{} of {} commands were run; run this again: it goes on from there",
                ran.len(),
                commands.len()
            );
            report::problem(NAME, &what, Some(&done));
            return Ok(arguments.end(Exit::Certificate, needs, &found, &ran));
        }
        arguments.say(&format!("done: {command}"));
        ran.push(command);
    }
    // Believed when it is seen.
    let found = ipa::examine(&server, needs).await;
    let exit = match standing_of(&found) {
        Standing::Good => {
            arguments.say(&format!("FreeIPA is ready for {}", needs.principal));
            Exit::Done
        }
        Standing::Missing | Standing::CantTell => {
            tell(arguments, &found);
            report::problem(NAME, "FreeIPA still lacks something, or did not answer", None);
            Exit::Certificate
        }
    };
    Ok(arguments.end(exit, needs, &found, &ran))
}

fn standing_of(found: &[Found]) -> Standing {
    let any = |standing| found.iter().any(|found| found.standing == standing);
    match (any(Standing::CantTell), any(Standing::Missing)) {
        (true, _) => Standing::CantTell,
        (false, true) => Standing::Missing,
        (false, false) => Standing::Good,
    }
}

fn tell(arguments: &EnrollArguments, found: &[Found]) {
    for found in found {
        let word = match found.standing {
            Standing::Good => "ok",
            Standing::Missing => "missing",
            Standing::CantTell => "unknown",
        };
        arguments.say(&format!("  {word:<8} {}: {}", found.what, found.text));
        for words in &found.commands {
            arguments.say(&format!("           run: {}", shell_words(words)));
        }
    }
}

/// The ticket of whoever says yes.
async fn permitted(arguments: &EnrollArguments, count: usize) -> Result<Option<Ticket>, UsageError> {
    let ticket = match Ticket::own().await {
        Ok(ticket) => ticket,
        Err(error) => {
            let advice = "an administrator of FreeIPA types the commands anywhere, or here 'kinit admin' and this again";
            report::problem(NAME, &format!("nothing was changed: {error}"), Some(advice));
            return Ok(None);
        }
    };
    let holder = ticket.holder().unwrap_or("the ticket's holder");
    let plural = if count == 1 { "" } else { "s" };
    let ask = || question::agreed(&format!("Run {count} command{plural} as {holder}?"));
    let no_answer = |error| UsageError::Other(format!("no answer: {error}"));
    if arguments.yes || (!arguments.json && ask().map_err(no_answer)?) {
        return Ok(Some(ticket));
    }
    report::problem(NAME, "nothing was changed", Some("to have the commands run without a question: --yes"));
    Ok(None)
}
