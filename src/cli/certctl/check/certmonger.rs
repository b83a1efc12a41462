//! Whether certmonger is there, knows the CA, and renews the certificate.

use super::CheckArguments;
use super::finding::CheckResult;
use crate::certificate::Source;
use crate::error::Exit;
use crate::host::certmonger::{CA_RETRY_DAYS, CaError, Getcert, GetcertError, Phase, Tracked};
use crate::host::{ipa, systemd, worker};
use crate::install::names::CommonName;
use crate::text::some_or_none;

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
        let known = some_or_none(&known);
        let text = format!("certmonger is running but has no CA named {ca}; it has {known}");
        return vec![
            CheckResult::failed(CHECK, Exit::Certificate, text).advise("name one of them with --ca"),
        ];
    }
    let mut findings = vec![CheckResult::ok(CHECK, format!("it is running and knows the CA {ca}"))];
    let Some(name) = common_name else { return findings };
    let listing = match getcert.list().await {
        Ok(listing) => listing,
        Err(error) => return vec![unasked(&error)],
    };
    let named = arguments.files.cert_file.clone();
    let usual = || Source::certificates(name.as_str(), &arguments.cert_dir).to_vec();
    let files = named.map_or_else(usual, |file| vec![file]);
    findings.push(match files.iter().find_map(|file| listing.for_certificate(file)) {
        None if arguments.files.cert_file.is_some() => CheckResult::failed(
            "request",
            Exit::Certmonger,
            "certmonger does not track the certificate that was named",
        )
        .advise("give -b for a certificate that does not come from certmonger"),
        None => CheckResult::ok("request", format!("no request for {name} yet; pan_getcert will create it")),
        Some(tracked) => request(tracked, &arguments.service),
    });
    findings
}

fn request(tracked: &Tracked, service: &str) -> CheckResult {
    const CHECK: &str = "request";
    let state = &tracked.state;
    let said = tracked.complaint();
    let why = said.map(|error| format!(": {error}")).unwrap_or_default();
    let text = format!("{state}{why}");
    let again = format!("getcert resubmit -i {}", tracked.id);
    let failed = |text| CheckResult::failed(CHECK, Exit::Certificate, text);
    if let Some(file) = tracked.lost_key() {
        let text = format!("{text}: the private key file {} is gone", file.display());
        return failed(text).run(format!("getcert rekey -i {}", tracked.id));
    }
    // certmonger calls a CA unreachable also where it has refused for good.
    if let Some(error) = said.map(CaError::read).filter(CaError::is_permanent) {
        let host = ipa::Enrolment::read().map_or_else(|_| "$(hostname -f)".to_owned(), |own| own.host);
        let finding = error.explanation().into_iter().fold(failed(text), CheckResult::advise);
        let finding = error.commands(&host, service).into_iter().fold(finding, CheckResult::run);
        return finding.run(again);
    }
    match tracked.phase() {
        Phase::NeedsPerson(_) | Phase::Rejected => failed(text).run(again),
        Phase::Unreachable => CheckResult::warning(CHECK, text)
            .advise(format!(
                "by itself certmonger may ask the CA again only in {CA_RETRY_DAYS} days; once the CA can be reached:"
            ))
            .run(again),
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
