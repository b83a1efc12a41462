//! Whether the worker can do what is asked of it: it sees and may read less than whoever asks.

use std::path::{Path, PathBuf};

use super::arguments::UsageError;
use crate::delivery::InstallSpec;
use crate::host::{keyfile, worker};
use crate::install::request::InstallRequest;
use crate::settings::certificate::CertificateArguments;
use crate::settings::config::{Config, DEFAULT};
use crate::settings::options::DeviceOptions;
use crate::settings::resolve::{self, Prepared};

/// Whether the worker can read what a delivery needs, before there is a certificate.
///
/// # Errors
/// The first that it can't read.
pub fn check(
    certificate: &CertificateArguments,
    options: &DeviceOptions,
    config: Option<&Path>,
) -> Result<(), UsageError> {
    let folders = [&certificate.cert_dir, &certificate.key_dir];
    let closed = folders.into_iter().find_map(|folder| worker::cannot_read(folder));
    let closed = closed.or_else(|| closed_options(options, config));
    closed.map_or(Ok(()), |what| Err(refused(&what)))
}

fn closed_options(options: &DeviceOptions, config: Option<&Path>) -> Option<String> {
    let key_file = keyfile::resolve(options.key_file.as_deref());
    let config = config.unwrap_or(Path::new(DEFAULT));
    let named = options.ca_file.iter().chain(&options.chain).map(PathBuf::as_path);
    named.chain([key_file.as_path(), config]).find_map(worker::cannot_read)
}

/// What the worker can't read of what a delivery needs, if anything.
#[must_use]
pub fn closed(spec: &InstallSpec, prepared: &Prepared, config: &Config) -> Option<String> {
    let Prepared { request: InstallRequest { target, peer, .. }, files, .. } = prepared;
    let files =
        files.iter().flat_map(|files| [Some(&files.certificate), Some(&files.key), files.chain.as_ref()]);
    let keys = [Some(&target.key_file), peer.as_ref().map(|peer| &peer.key_file)];
    // Also where they are not there yet.
    let typed = [spec.options.cert_file.as_ref(), spec.options.cert_key.as_ref()];
    let named = files.chain(typed).chain(keys).flatten().find_map(|path| worker::cannot_read(path));
    let options = resolve::options_for(&spec.options.device, config, &spec.destination());
    named.or_else(|| closed_options(&options, spec.options.config.as_deref()))
}

/// As an error, for whoever can still change it.
#[must_use]
pub fn refused(what: &str) -> UsageError {
    UsageError::Worker(what.to_owned())
}
