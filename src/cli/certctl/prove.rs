//! `pan_certctl prove`: what a device makes of an installation, tried on it and taken back.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use panos_xmlapi::{Address, Transcript};
use serde_json::json;

use super::NAME;
use super::reach::ReachOptions;
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::{question, report};
use crate::delivery::{DeliveryError, DeviceLock};
use crate::error::Exit;
use crate::install::prove::{FormReport, Proof, ProveInput, Readiness, prove, redact};
use crate::install::retry::RetryPolicy;
use crate::settings::config::Config;
use crate::settings::resolve;

/// Which device, and what is kept of it.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct ProveArguments {
    #[command(flatten)]
    reach: ReachOptions,

    /// Don't ask before anything is tried
    #[arg(long)]
    yes: bool,

    /// Write all requests and replies into this new file, without keys, names and addresses
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,

    /// What was learnt as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// The device: a firewall, of an HA pair the active member
    #[arg(value_name = "FQDN[:PORT]")]
    device: String,
}

/// Proves.
///
/// # Errors
/// A device name that is not valid; a configuration or state directory, or a transcript, that can't be used.
pub fn run(arguments: &ProveArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let device: Address = arguments.device.parse()?;
    let config = Config::load(place.config.as_deref())?;
    let target = resolve::whole_device((&arguments.reach).into(), &config, &device, &place.state_dir)?;
    // Found out now, and not when the device has been tried.
    let file = arguments.transcript.as_deref().map(create).transpose()?;
    let runtime = arguments::event_loop()?;
    // Nothing of ours commits there meanwhile.
    let state = |failure: DeliveryError| UsageError::State(Box::new(failure));
    let devices = [device.clone()];
    let lock = runtime.block_on(DeviceLock::acquire(&place.state_dir, &devices, config.lock_wait()));
    let lock = lock.map_err(|error| state(error.into()))?;
    let transcript = Transcript::default();
    let administrator = std::cell::RefCell::new(None);
    let agreed = |ready: &Readiness| {
        *administrator.borrow_mut() = Some(ready.administrator.clone());
        announce(&device, ready);
        arguments.yes || question::agreed("Go on?").unwrap_or(false)
    };
    let input = ProveInput {
        target: &target,
        state_dir: &place.state_dir,
        retry_policy: &RetryPolicy::default(),
        transcript: &transcript,
        tell: &|text| report::note(NAME, text),
        agreed: &agreed,
    };
    let outcome = runtime.block_on(prove(&input));
    drop(lock);
    if let Some((mut file, path)) = file {
        let known = [Some(device.host().to_string()), administrator.take()].into_iter().flatten();
        let told = redact::redacted(&transcript.exchanged(), &known.collect::<Vec<_>>());
        let written = serde_json::to_writer_pretty(&mut file, &told).map_err(io::Error::from);
        written.and_then(|()| writeln!(file)).map_err(|error| unwritable(&path, &error))?;
        let shown = path.display();
        report::note(NAME, &format!("the transcript is in {shown}: read it before you hand it to anybody"));
    }
    Ok(match outcome {
        Ok(proof) => {
            let exit = exit_of(&proof);
            match arguments.json {
                true => report::json(NAME, &json!({ "device": device, "exit": exit.code(), "proof": proof })),
                false => tell(&device, &proof),
            }
            exit
        }
        Err(failure) => {
            report::problem(NAME, &format!("{device}: {failure}"), failure.advice().as_deref());
            if arguments.json {
                let told = json!({ "device": device, "exit": failure.exit().code(), "problem": failure.to_string() });
                report::json(NAME, &told);
            }
            failure.exit()
        }
    })
}

/// A new file that only its owner can read.
fn create(path: &Path) -> Result<(fs::File, PathBuf), UsageError> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok((made.map_err(|error| unwritable(path, &error))?, path.to_owned()))
}

fn unwritable(path: &Path, error: &io::Error) -> UsageError {
    UsageError::Other(format!("the transcript {} can't be written: {error}", path.display()))
}

fn announce(device: &Address, ready: &Readiness) {
    let what = [&ready.model, &ready.release];
    let what: Vec<&str> = what.into_iter().flatten().map(String::as_str).collect();
    for line in [
        format!("{device} ({}): this is going to be tried as '{}':", what.join(", PAN-OS "), ready.administrator),
        "  configuration and commits are locked, for less than a minute;".to_owned(),
        "  a throw-away certificate is uploaded in three forms, as pan-prove-…;".to_owned(),
        "  an SSL/TLS service profile pan-prove-… is bound to it, which nothing uses;".to_owned(),
        "  the device is asked whether it would commit that; nothing is committed;".to_owned(),
        "  all of it is taken back, compared with before, and the locks are given back".to_owned(),
        "lines in the device's configuration log (the uploads, the profile, the revert) and up to two jobs in its task manager (the validation, the revert) stay".to_owned(),
    ] {
        match line.strip_prefix("  ") {
            Some(more) => report::data(more),
            None => report::note(NAME, &line),
        }
    }
}

fn exit_of(proof: &Proof) -> Exit {
    match () {
        () if !proof.forms.iter().any(|form| form.taken) => Exit::Upload,
        () if !proof.valid => Exit::Commit,
        () => Exit::Done,
    }
}

fn tell(device: &Address, proof: &Proof) {
    report::line(&format!("{device}:"));
    for form in &proof.forms {
        report::line(&format!("  {}: {}", form.form, form_in_words(form)));
    }
    report::line(&format!("  uploads in the list of pending changes: {}", proof.uploads_listed));
    report::line(&format!("  the profile in the list of pending changes: {}", proof.profile_listed));
    let valid = if proof.valid { "it would be committed" } else { "it would not be committed" };
    report::line(&format!("  validation: {valid}"));
    proof.validation.iter().for_each(|line| report::line(&format!("    {line}")));
    let revert = match proof.revert_took_certificates {
        true => "takes uploaded certificates away",
        false => "leaves uploaded certificates, which were deleted one by one",
    };
    report::line(&format!("  a revert {revert}"));
    report::line(&format!(
        "All was taken back and is as before. Configuration and commits were locked for {:.0} seconds.",
        proof.seconds.ceil()
    ));
}

fn form_in_words(form: &FormReport) -> String {
    let FormReport { taken, answer, certificates, has_private_key, .. } = form;
    if !taken {
        return format!("not taken: {answer}");
    }
    let key = match has_private_key {
        Some(true) => "a private key",
        _ => "no private key that can be seen",
    };
    let held = certificates.unwrap_or_default();
    let chain = if held > 1 { "the leaf and the intermediate" } else { "the leaf alone" };
    format!("taken: the object holds {chain} in public-key ({held}), and {key}; it says: {answer}")
}
