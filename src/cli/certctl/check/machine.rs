//! This machine's own files, and the worker.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::CheckArguments;
use super::finding::{CheckResult, quoted};
use crate::certificate::{Bundle, BundleError, Remark, Role};
use crate::cli::arguments::PlaceArguments;
use crate::error::Exit;
use crate::files::{self, UnsafeFile};
use crate::host::worker;
use crate::install::names::CommonName;

/// Whether everything can be read and written that has to be, and whether somebody delivers what is pending.
pub(super) fn look(
    arguments: &CheckArguments,
    place: &PlaceArguments,
    common_name: Option<&CommonName>,
) -> Vec<CheckResult> {
    let mut findings: Vec<CheckResult> = not_root().into_iter().collect();
    findings.extend(others_in_path());
    findings.extend([state_dir(&place.state_dir), log_file(&place.log_file), delivers(place)]);
    match common_name {
        Some(name) => findings.extend(certificate(arguments, name)),
        None => findings.extend(arguments.directories().into_iter().map(is_folder)),
    }
    findings
}

/// Programs of our names that are found before ours: the bash scripts that these replace, most likely.
fn others_in_path() -> Vec<CheckResult> {
    let Some(own) = std::env::current_exe().ok().and_then(|program| program.parent()?.canonicalize().ok())
    else {
        return Vec::new();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |file: &PathBuf| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    let other = |name: &&str| {
        let first = std::env::split_paths(&path).map(|folder| folder.join(name)).find(is_program)?;
        let is_ours = first.canonicalize().ok().is_none_or(|real| real == own.join(name));
        (!is_ours).then_some(first)
    };
    let found = ["pan_getcert", "pan_instcert", "pan_certctl"].iter().filter_map(other);
    found
        .map(|file| {
            let shown = file.display().to_string();
            let text = format!(
                "{shown} comes first in PATH, and is another program than the one in {}",
                own.display()
            );
            let finding = CheckResult::warning("path", text);
            finding.run(format!("mv {} {}", quoted(&shown), quoted(&format!("{shown}.old"))))
        })
        .collect()
}

/// What follows is judged with this user's eyes, and the installation will have others.
fn not_root() -> Option<CheckResult> {
    let text = "not running as root: some files may wrongly be reported as unreadable";
    let finding =
        CheckResult::warning("user", text).advise("Run it with sudo, as the installation will be run.");
    (!rustix::process::geteuid().is_root()).then_some(finding)
}

fn state_dir(folder: &Path) -> CheckResult {
    const CHECK: &str = "state directory";
    let shown = folder.display();
    let name = folder.to_string_lossy();
    match folder.metadata() {
        Ok(metadata) if !metadata.is_dir() => {
            CheckResult::failed(CHECK, Exit::Usage, format!("{shown} exists but is not a directory"))
                .advise("Name another one with --state-dir, or remove what is there.")
        }
        Ok(metadata) => match files::check_owner(&metadata) {
            Err(UnsafeFile::Open { mode }) => {
                let text = format!("other users can write into {shown} (mode {mode:04o})");
                CheckResult::failed(CHECK, Exit::Usage, text).run(format!("chmod 700 {}", quoted(&name)))
            }
            Err(UnsafeFile::Owner { owner, .. }) => {
                let text = format!("{shown} belongs to user id {owner}");
                CheckResult::failed(CHECK, Exit::Usage, text).run(format!("chown root: {}", quoted(&name)))
            }
            Ok(()) if access(folder, Access::WRITE_OK).is_err() => unwritable(CHECK, folder),
            Ok(()) => CheckResult::ok(CHECK, format!("{shown}")),
        },
        Err(_) => match parent_takes_files(folder) {
            true => CheckResult::ok(CHECK, format!("{shown} does not exist yet and will be created")),
            false => unwritable(CHECK, folder),
        },
    }
}

fn log_file(file: &Path) -> CheckResult {
    const CHECK: &str = "log";
    let shown = file.display();
    match file.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            CheckResult::failed(CHECK, Exit::Usage, format!("{shown} is there, and no file"))
                .advise("Name another one with --log-file.")
        }
        Ok(_) if access(file, Access::WRITE_OK).is_err() => unwritable(CHECK, file),
        Ok(_) => CheckResult::ok(CHECK, format!("{shown}")),
        Err(_) if parent_takes_files(file) => {
            CheckResult::ok(CHECK, format!("{shown} does not exist yet and will be created"))
        }
        Err(_) => unwritable(CHECK, file),
    }
}

/// Directories on the way are made, so the nearest one that is there counts.
fn parent_takes_files(path: &Path) -> bool {
    let nearest = path.ancestors().skip(1).find(|folder| folder.exists());
    nearest.is_some_and(|folder| folder.is_dir() && access(folder, Access::WRITE_OK).is_ok())
}

fn unwritable(check: &'static str, path: &Path) -> CheckResult {
    CheckResult::failed(check, Exit::Usage, format!("{} can't be written by this user", path.display()))
        .advise("Run it with sudo, as the installation will be run.")
}

fn delivers(place: &PlaceArguments) -> CheckResult {
    const CHECK: &str = "worker";
    const UNITS: &str = "pan_certctl-retry.timer pan_certctl-retry.path pan_certctl-verify.timer";
    if worker::is_enabled(&place.state_dir) {
        return CheckResult::ok(CHECK, "enabled: it delivers what is pending");
    }
    if place.state_dir != Path::new(worker::STATE_DIR) {
        return CheckResult::warning(CHECK, "the enabled worker uses another state directory").advise(
            format!("Have 'pan_certctl retry --state-dir={}' run by cron.", place.state_dir.display()),
        );
    }
    let finding = CheckResult::warning(
        CHECK,
        "not enabled: a failed installation is not retried until the next renewal",
    );
    match worker::has_systemd() {
        true => finding.run(format!("systemctl enable --now {UNITS}")),
        false => finding.advise("Have 'pan_certctl retry' run every few minutes by cron."),
    }
}

fn is_folder(folder: &Path) -> CheckResult {
    const CHECK: &str = "directory";
    let shown = folder.display();
    if folder.is_dir() {
        return CheckResult::ok(CHECK, format!("{shown}"));
    }
    CheckResult::failed(CHECK, Exit::Certificate, format!("{shown} is no directory"))
        .run(format!("mkdir -p {}", quoted(&folder.to_string_lossy())))
}

/// The certificate, where there is one already that can be used.
pub(super) fn bundle(arguments: &CheckArguments, name: &CommonName) -> Option<Bundle> {
    let source = arguments.source(name).ok()?;
    Bundle::load(&source, name.as_str()).ok()
}

/// What a person should know about the certificate.
fn remark(remark: &Remark) -> CheckResult {
    const CHECK: &str = "certificate";
    match remark.is_warning() {
        true => CheckResult::warning(CHECK, remark.to_string()).advise(remark.advice()),
        false => CheckResult::ok(CHECK, remark.to_string()),
    }
}

/// The certificate, where there is one already; else whether there is room for it.
fn certificate(arguments: &CheckArguments, name: &CommonName) -> Vec<CheckResult> {
    const CHECK: &str = "certificate";
    let failed = |error: BundleError| {
        let finding = CheckResult::failed(CHECK, Exit::Certificate, error.to_string());
        error.advice().into_iter().fold(finding, CheckResult::advise)
    };
    match arguments.source(name) {
        Ok(source) => match Bundle::load(&source, name.as_str()) {
            Ok(bundle) => {
                let until = bundle.not_after().format("%Y-%m-%d");
                let found = format!("{}, valid until {until}", bundle.certificate_file().display());
                let found = CheckResult::ok(CHECK, found);
                std::iter::once(found).chain(bundle.remarks().iter().map(remark)).collect()
            }
            Err(error) => vec![failed(error)],
        },
        Err(BundleError::Missing { role: Role::Certificate, .. })
            if !arguments.blind && arguments.files.cert_file.is_none() =>
        {
            let mut findings: Vec<CheckResult> = arguments.directories().into_iter().map(is_folder).collect();
            findings.push(CheckResult::ok(
                CHECK,
                format!("no certificate for {name} yet; pan_getcert will request it"),
            ));
            findings
        }
        Err(error) => vec![failed(error)],
    }
}
