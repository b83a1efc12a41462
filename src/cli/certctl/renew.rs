//! `pan_certctl renew`: ask for the next certificate now, with all that the post-save command remembers.

use std::path::PathBuf;

use clap::{Args, Parser as _};

use super::certmonger;
use super::selection::nothing_matches;
use crate::cli::arguments::{PlaceArguments, UsageError};
use crate::cli::getcert;
use crate::cli::installer;
use crate::cli::post_save::PostSave;
use crate::error::Exit;
use crate::host::certmonger::Tracked;

/// What is renewed.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct RenewArguments {
    /// With a new private key
    #[arg(long)]
    rekey: bool,

    /// How long to wait for issue and installation together
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: u64,

    /// Ask the certmonger on the session bus
    #[arg(long)]
    session_bus: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// The certificate, by its common name or by the name of its object
    #[arg(value_name = "CERT")]
    cert: String,
}

/// Has certmonger submit the request again, waits for the certificate and for its installation on every device that the
/// post-save command names.
///
/// # Errors
/// A certificate that certmonger does not renew by a post-save command of ours; certmonger that can't be asked.
pub fn run(arguments: &RenewArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let listing = certmonger::list(arguments.session_bus)?;
    let ours: Vec<(&Tracked, PostSave)> = listing
        .requests
        .iter()
        .filter_map(|tracked| Some((tracked, PostSave::read(tracked.post_save.as_deref()?)?)))
        .filter(|(_, command)| command.arguments.place.state_dir == place.state_dir)
        .collect();
    let (meant, others): (Vec<_>, Vec<_>) =
        ours.into_iter().partition(|(_, command)| is_meant(command, &arguments.cert));
    if meant.is_empty() {
        let there = others.iter().map(|(_, command)| command.arguments.certificate.common_name.clone());
        let error = nothing_matches(&crate::text::escape_control(&arguments.cert), there);
        return Err(UsageError::Other(format!(
            "{error} (renewed by certmonger with pan_instcert as its post-save command)"
        )));
    }
    let mut each = Vec::new();
    for (tracked, command) in meant {
        let words = words(arguments, tracked, command)?;
        let mut read = getcert::Arguments::try_parse_from(&words).map_err(|error| {
            UsageError::Other(format!("what the post-save command says is not understood: {error}"))
        })?;
        read.caller = getcert::Caller { name: super::NAME, verb: Some("renew") };
        each.push(getcert::carry_out(&read)?);
    }
    Ok(Exit::of_all(&each))
}

fn is_meant(command: &PostSave, cert: &str) -> bool {
    let certificate = &command.arguments.certificate;
    certificate.common_name.eq_ignore_ascii_case(cert) || certificate.cert_name.as_deref() == Some(cert)
}

/// What was typed once, to be asked for again.
fn words(renewal: &RenewArguments, tracked: &Tracked, command: PostSave) -> Result<Vec<String>, UsageError> {
    let installer::Arguments { mut certificate, device, place, list, and_run, .. } = command.arguments;
    let file = certificate.cert_dir.join(format!("{}.crt", certificate.common_name.to_ascii_lowercase()));
    let is_its: Option<&PathBuf> = tracked.certificate.as_ref().and_then(|storage| storage.location.as_ref());
    if is_its != Some(&file) {
        let id = &tracked.id;
        return Err(UsageError::Other(format!(
            "the request {id} is for another file than {}, which pan_getcert would ask for; 'getcert resubmit -i {id}' renews it",
            file.display()
        )));
    }
    // What was taken over is this certificate's; at a renewal nothing is taken from anybody anew.
    certificate.take_over = false;
    certificate.session_bus = renewal.session_bus;
    let absolute = |path: &PathBuf| crate::settings::options::absolute(path).map_err(UsageError::Other);
    let config = place.config.as_ref();
    let mut words = vec!["pan_getcert".to_owned()];
    words.extend(installer::words(&certificate, &device, config).map_err(UsageError::Other)?);
    words.push(format!("--log-file={}", absolute(&place.log_file)?));
    words.push(format!("--state-dir={}", absolute(&place.state_dir)?));
    words.extend(and_run.map(|command| format!("--and-run={command}")));
    words.push(format!("--timeout={}", renewal.timeout));
    words.extend(renewal.json.then(|| "--json".to_owned()));
    words.push(if renewal.rekey { "--rekey" } else { "--resubmit" }.to_owned());
    words.extend(list.words()?);
    Ok(words)
}
