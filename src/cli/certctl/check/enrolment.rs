//! Whether FreeIPA would give this machine the certificate.

use std::os::unix::fs::PermissionsExt as _;

use super::finding::CheckResult;
use crate::error::Exit;
use crate::host::ipa::{self, Enrolment, Found, Needs, NoTicket, Server, Standing, Ticket};
use crate::text::shell_words;

/// Looks at the enrolment and the keytab, and asks the server for all that a request names.
pub(super) async fn look(needs: Option<&Needs>) -> Vec<CheckResult> {
    let enrolment = match enrolled() {
        Ok(enrolment) => enrolment,
        Err(finding) => return vec![*finding],
    };
    let Enrolment { realm, server, .. } = &enrolment;
    let mut findings = vec![CheckResult::ok("enrolment", format!("client of {server} in the realm {realm}"))];
    let ticket = match Ticket::of_host(&enrolment).await {
        Ok(ticket) => ticket,
        Err(error) => {
            findings.push(no_ticket(&enrolment, &error));
            return findings;
        }
    };
    let principal = enrolment.principal();
    findings.push(match open_to_others(ipa::KEYTAB) {
        None => CheckResult::ok("keytab", format!("{} is good for {principal}", ipa::KEYTAB)),
        Some(mode) => {
            let text = format!(
                "{} is readable by other users (mode {mode:04o}), who could impersonate this host",
                ipa::KEYTAB
            );
            CheckResult::failed("keytab", Exit::Key, text).run(format!("chmod 600 {}", ipa::KEYTAB))
        }
    });
    if let Some(needs) = needs {
        let server = Server { ticket: &ticket, enrolment: &enrolment };
        findings.extend(ipa::examine(&server, needs).await.into_iter().map(told));
    }
    findings
}

fn enrolled() -> Result<Enrolment, Box<CheckResult>> {
    let enrolment = Enrolment::read().and_then(|enrolment| ipa::authorities().map(|_| enrolment));
    enrolment.map_err(|error| {
        let text = format!("this machine is not enrolled in FreeIPA: {error}");
        Box::new(CheckResult::failed("enrolment", Exit::Key, text).run("ipa-client-install"))
    })
}

/// The mode of a file that others can read or change.
fn open_to_others(path: &str) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

fn no_ticket(enrolment: &Enrolment, error: &NoTicket) -> CheckResult {
    const CHECK: &str = "keytab";
    let Enrolment { server, host, .. } = enrolment;
    let principal = enrolment.principal();
    let failed = || CheckResult::failed(CHECK, Exit::Key, format!("no ticket for {principal}: {error}"));
    match error {
        NoTicket::CantTell(_) | NoTicket::Folder(_) | NoTicket::None => {
            CheckResult::warning(CHECK, format!("whether {} is good can't be tried: {error}", ipa::KEYTAB))
                .advise("install Kerberos' programs (krb5-user, krb5-workstation)")
        }
        NoTicket::Unreachable(_) => failed().advise(format!(
            "the keytab may be good; check that this machine reaches the Kerberos server ({server}), and that it and its directory server run"
        )),
        NoTicket::Refused { keytab: Some(keytab), .. } => {
            keytab.commands(host).into_iter().fold(failed(), CheckResult::run)
        }
        NoTicket::Refused { keytab: None, .. } => failed()
            .advise("check this machine's clock, and what the Kerberos server says in its log (krb5kdc.log)"),
    }
}

/// What the server knows of all that a request names, as findings.
fn told(found: Found) -> CheckResult {
    let Found { what, standing, text, commands, advice, .. } = &found;
    let finding = match standing {
        Standing::Good => CheckResult::ok(what, text.as_str()),
        Standing::CantTell => CheckResult::warning(what, text.as_str()),
        Standing::Missing => CheckResult::failed(what, found.exit(), text.as_str()),
    };
    let admin = (!commands.is_empty()).then(|| "kinit admin".to_owned());
    let commands = commands.iter().map(|words| shell_words(words));
    let finding = admin.into_iter().chain(commands).fold(finding, CheckResult::run);
    advice.iter().cloned().fold(finding, CheckResult::advise)
}
