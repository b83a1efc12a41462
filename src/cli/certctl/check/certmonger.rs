//! Whether certmonger is there, knows the CA, and renews the certificate.

use super::CheckArguments;
use super::finding::CheckResult;
use crate::certificate::Source;
use crate::error::Exit;
use crate::host::certmonger::{Getcert, GetcertError, Phase, Tracked};
use crate::host::{systemd, worker};
use crate::install::names::CommonName;

const CHECK: &str = "certmonger";

/// Asks systemd for the service, and certmonger for the CA and the certificate.
pub(super) async fn look(arguments: &CheckArguments, common_name: Option<&CommonName>) -> Vec<CheckResult> {
    // Asked over the bus, certmonger would be started for the answer: and nothing is to change.
    if !arguments.session_bus && worker::has_systemd() && !systemd::is_active("certmonger.service").await {
        return vec![stopped("certmonger.service is not running".to_owned())];
    }
    let getcert = Getcert::new(["getcert"], None).on_session_bus(arguments.session_bus);
    let known = match getcert.authorities().await {
        Ok(known) => known,
        Err(error) => return vec![unasked(&error)],
    };
    let ca = &arguments.ca;
    if !known.contains(ca) {
        let text = format!("certmonger is running but has no CA named {ca}; known: {}", known.join(", "));
        return vec![
            CheckResult::failed(CHECK, Exit::Certificate, text).advise("Name one of them with --ca."),
        ];
    }
    let mut findings = vec![CheckResult::ok(CHECK, format!("it is running and knows the CA {ca}"))];
    let Some(name) = common_name else { return findings };
    let listing = match getcert.list().await {
        Ok(listing) => listing,
        Err(error) => return vec![unasked(&error)],
    };
    let files = Source::certificates(name.as_str(), &arguments.cert_dir);
    findings.push(match files.iter().find_map(|file| listing.for_certificate(file)) {
        None => CheckResult::ok("request", format!("no request for {name} yet; pan_getcert will create it")),
        Some(tracked) => request(tracked),
    });
    findings
}

fn request(tracked: &Tracked) -> CheckResult {
    const CHECK: &str = "request";
    let state = &tracked.state;
    let said = tracked.ca_error.as_deref().filter(|error| !error.is_empty());
    let why = said.map(|error| format!(": {error}")).unwrap_or_default();
    let text = format!("{state}{why}");
    let again = format!("getcert resubmit -i {}", tracked.id);
    match tracked.phase() {
        Phase::NeedsPerson(_) | Phase::Rejected => {
            CheckResult::failed(CHECK, Exit::Certificate, text).run(again)
        }
        Phase::Unreachable => {
            CheckResult::warning(CHECK, text).advise("certmonger tries it again by itself.")
        }
        _ if said.is_some() => CheckResult::warning(CHECK, text).run(again),
        Phase::Done | Phase::Saving | Phase::Working => CheckResult::ok(CHECK, text),
    }
}

fn stopped(why: String) -> CheckResult {
    CheckResult::failed(CHECK, Exit::Certificate, why).run("systemctl enable --now certmonger")
}

fn unasked(error: &GetcertError) -> CheckResult {
    match error {
        GetcertError::NotRunning { .. } => stopped(error.to_string()),
        _ => {
            let finding = CheckResult::failed(CHECK, Exit::Certificate, error.to_string());
            error.advice().into_iter().fold(finding, CheckResult::advise)
        }
    }
}
