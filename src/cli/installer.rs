//! The words of `pan_instcert`: typed by a person, written into a post-save command, and read again from a record.

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::Parser;

use super::arguments::{self, PlaceArguments, UsageError};
use super::at_once;
use super::devices::{DeviceList, check_distinct};
use super::examples;
use crate::delivery::{InstallSpec, InstallationKey, Requester, new_id};
use crate::install::result::CertificateFacts;
use crate::settings::SettingsError;
use crate::settings::certificate::{CertificateArguments, FileArguments};
use crate::settings::config::Config;
use crate::settings::delegation::Asked;
use crate::settings::destination::Destination;
use crate::settings::options::{DeviceOptions, absolute};
use crate::settings::request::InstallOptions;
use crate::settings::resolve::{self, Named, Prepared};

/// The program's name.
pub const NAME: &str = "pan_instcert";

/// Put an issued certificate on firewalls, bind it, commit, and prove it.
///
/// certmonger calls this as a post-save command; it can be run by hand just as well.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = arguments::short_end(NAME), after_long_help = arguments::long_end(&examples::INSTCERT), max_term_width = 100, args_override_self = true)]
pub struct Arguments {
    /// The certificate.
    #[command(flatten)]
    pub certificate: CertificateArguments,
    /// Its files, where they were named.
    #[command(flatten)]
    pub files: FileArguments,
    /// How it gets onto a device.
    #[command(flatten)]
    pub device: DeviceOptions,
    /// Where things are.
    #[command(flatten)]
    pub place: PlaceArguments,

    /// Not certmonger's: don't ask it
    #[arg(short = 'b', long, help_heading = "Certificate")]
    pub blind: bool,

    /// Queue the installation for the worker and exit
    #[arg(long, conflicts_with_all = ["dry_run", "concurrency"], help_heading = "Delivery", hide_short_help = true)]
    pub queue: bool,

    /// The profiles are the whole list of this name: when another list is named, profiles that are not in it are
    /// dropped. pan_getcert writes it
    #[arg(long, value_name = "NAME", value_parser = list_name, help_heading = "Delivery", hide_short_help = true)]
    pub profile_list: Option<String>,

    /// Run this command afterwards, and don't wait for it: another program's that certmonger ran before
    #[arg(long, value_name = "COMMAND", help_heading = "Delivery", hide_short_help = true)]
    pub and_run: Option<String>,

    /// Import and commit although the device has this certificate already; install on the management interface
    /// although this program could not connect any more
    #[arg(long, help_heading = "Delivery", hide_short_help = true)]
    force: bool,

    /// Deliver now, whatever change windows, canaries and jitter say
    #[arg(long, conflicts_with = "queue", help_heading = "Delivery", hide_short_help = true)]
    pub now: bool,

    /// Show what would be done
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,

    /// Devices worked on at once
    #[arg(long, value_name = "N", default_value_t = at_once::USUAL, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Delivery", hide_short_help = true)]
    pub concurrency: u16,

    /// Print the result as JSON
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub json: bool,

    /// Which devices.
    #[command(flatten)]
    pub list: DeviceList,
}

impl Arguments {
    /// Reads the words of a post-save command.
    ///
    /// # Errors
    /// Words that are not understood.
    pub fn of_words(words: &[String]) -> Result<Self, String> {
        let all = std::iter::once(NAME).chain(words.iter().map(String::as_str));
        Self::try_parse_from(all).map_err(|error| error.to_string())
    }

    /// What is asked for, besides names and devices, as typed in a directory (an empty path is the current one).
    ///
    /// # Errors
    /// A path that can't be made absolute or is no text.
    pub fn options(&self, from: &Path) -> Result<InstallOptions, SettingsError> {
        let config = self.place.config.as_ref();
        let options = InstallOptions::of(&self.certificate, &self.files, &self.device, config, from)?;
        Ok(InstallOptions { blind: self.blind, force: self.force, ..options })
    }

    /// Everything that is wanted, checked for every device before anything is done for the first one.
    ///
    /// # Errors
    /// A name, a setting or a path that can't be used; more than is delegated.
    pub fn requests(
        &self,
        state_dir: &Path,
        from: &Path,
        attended: bool,
    ) -> Result<Vec<(InstallSpec, Prepared)>, UsageError> {
        let named = Named::of(&self.certificate)?;
        let options = self.options(from)?;
        let config = Config::load(options.config.as_deref())?;
        let places = self.list.all(&config)?;
        if self.certificate.delegated {
            let asked = Asked { named: &named, devices: &places, typed: &self.device, further: Vec::new() };
            asked.check(&config)?;
        }
        // One moment for all: by that a canary is known to have been asked for together with the others.
        let now = Utc::now();
        let request = |place: &Destination| {
            let prepared = resolve::prepare(&named, &options, &config, place, state_dir)?;
            let options = InstallOptions { target: place.target.clone(), ..options.clone() };
            Ok((InstallSpec { requested_at: now, ..self.spec(&options, &prepared, attended) }, prepared))
        };
        let requests: Vec<(InstallSpec, Prepared)> =
            places.iter().map(request).collect::<Result<_, UsageError>>()?;
        let keys: Vec<InstallationKey> = requests.iter().map(|(spec, _)| spec.key()).collect();
        check_distinct(places.iter().zip(&keys))?;
        // Who goes first is in the queue first: others may not be there without it, whatever happens in between.
        let (mut first, then): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(|(spec, _)| config.goes_first(&spec.destination()));
        first.extend(then);
        Ok(first)
    }

    /// What is written before anything else is done.
    fn spec(&self, options: &InstallOptions, prepared: &Prepared, attended: bool) -> InstallSpec {
        let Prepared { request, bundle, files, .. } = prepared;
        InstallSpec {
            id: new_id(),
            sequence: 0,
            requested_at: Utc::now(),
            requested_by: Requester::current(),
            attended,
            list: self.profile_list.clone(),
            common_name: request.common_name.clone(),
            name: request.base_name.clone(),
            device: request.target.device.clone(),
            location: request.location.clone(),
            peer: request.peer.as_ref().map(|peer| peer.device.clone()),
            profiles: request.profiles.clone(),
            profiles_configured: options.device.profile.is_none() && !request.profiles.is_empty(),
            certificate: bundle.as_ref().ok().and_then(|bundle| CertificateFacts::of(bundle).ok()),
            served: request.served.clone(),
            files: files.clone(),
            options: options.clone(),
        }
    }
}

/// A short word.
fn list_name(text: &str) -> Result<String, String> {
    let is_word = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { Ok(text.to_owned()) } else { Err("it is made of letters and digits".to_owned()) }
}

/// The words with which the installer does the same again, all but the devices. They are no secret.
///
/// # Errors
/// A path that can't be made absolute or is no text.
pub fn words(
    certificate: &CertificateArguments,
    device: &DeviceOptions,
    config: Option<&PathBuf>,
) -> Result<Vec<String>, String> {
    let mut words = vec!["-c".to_owned(), certificate.common_name.to_ascii_lowercase()];
    if let Some(name) = &certificate.cert_name {
        words.extend(["-n".to_owned(), name.clone()]);
    }
    words.extend(certificate.year.then(|| "-Y".to_owned()));
    words.push(format!("--cert-dir={}", absolute(&certificate.cert_dir)?));
    words.push(format!("--key-dir={}", absolute(&certificate.key_dir)?));
    words.extend(certificate.take_over.then(|| "--take-over".to_owned()));
    words.extend(certificate.session_bus.then(|| "--session-bus".to_owned()));
    words.extend(device.to_arguments()?);
    if let Some(config) = config {
        words.push(format!("--config={}", absolute(config)?));
    }
    Ok(words)
}

/// The installer that lies beside another program of ours, which runs.
///
/// # Errors
/// It is not there.
pub fn beside(program: &str) -> Result<PathBuf, UsageError> {
    let unknown =
        |error: std::io::Error| UsageError::Other(format!("where this program lies is not known: {error}"));
    let beside = std::env::current_exe().map_err(unknown)?.with_file_name(NAME);
    if beside.is_file() {
        Ok(beside)
    } else {
        Err(UsageError::Other(format!("{} is missing: it has to lie beside {program}", beside.display())))
    }
}
