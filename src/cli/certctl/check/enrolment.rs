//! Whether FreeIPA would give this machine the certificate.

use std::os::unix::fs::PermissionsExt as _;

use super::finding::CheckResult;
use crate::error::Exit;
use crate::host::ipa::{self, Enrolment, NoTicket, Service, Ticket};
use crate::install::names::CommonName;

/// Looks at the enrolment and the keytab, and asks the server for the service's principal.
pub(super) async fn look(service: &str, common_name: Option<&CommonName>) -> Vec<CheckResult> {
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
    if let Some(name) = common_name {
        findings.push(principal_of(&ticket, &enrolment, service, name).await);
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
    let Enrolment { server, .. } = enrolment;
    let principal = enrolment.principal();
    match error {
        NoTicket::CantTell(_) | NoTicket::Folder(_) => {
            CheckResult::warning(CHECK, format!("whether {} is good can't be tried: {error}", ipa::KEYTAB))
                .advise("install Kerberos' programs (krb5-user, krb5-workstation)")
        }
        NoTicket::Unreachable(_) => {
            CheckResult::failed(CHECK, Exit::Key, format!("no ticket for {principal}: {error}")).advise(
                format!("check that this machine reaches the Kerberos server ({server}), and that it runs"),
            )
        }
        NoTicket::Refused(_) => {
            CheckResult::failed(CHECK, Exit::Key, format!("no ticket for {principal}: {error}"))
                .run("kinit admin")
                .run(format!("ipa-getkeytab -s {server} -p {principal} -k {}", ipa::KEYTAB))
        }
    }
}

/// Whether the service is known to the server, and this machine may act for it.
async fn principal_of(
    ticket: &Ticket,
    enrolment: &Enrolment,
    service: &str,
    name: &CommonName,
) -> CheckResult {
    const CHECK: &str = "service principal";
    let (principal, host) = (format!("{service}/{name}"), &enrolment.host);
    let manage = format!("ipa service-add-host {principal} --hosts={host}");
    match ipa::service(ticket, enrolment, &principal, name.as_str()).await {
        Service::Managed => CheckResult::ok(CHECK, format!("{principal} is managed by {host}")),
        Service::NotManaged { by } => {
            let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
            let text = format!("{principal} is managed by {by}, not by {host}: the request would be denied");
            CheckResult::failed(CHECK, Exit::Certificate, text).run("kinit admin").run(manage)
        }
        Service::Missing { host_known } => {
            let text = format!("{principal} is not known to the server: the request would be denied");
            let finding = CheckResult::failed(CHECK, Exit::Certificate, text).run("kinit admin");
            let finding = match host_known {
                true => finding,
                false => finding.run(format!("ipa host-add {name} --force")),
            };
            finding.run(format!("ipa service-add {principal} --force")).run(manage)
        }
        Service::CantTell(why) => CheckResult::warning(
            CHECK,
            format!("whether {principal} is managed by {host} can't be told: {why}"),
        )
        .advise(format!("check manually: ipa service-show {principal}")),
    }
}
