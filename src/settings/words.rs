//! What `pan_instcert` 0.1.0 was called with, as orders and records of format 1 have it. Nothing is added here: what
//! an old line means does not change any more.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::certificate::{CertificateArguments, FileArguments};
use super::error::SettingsError;
use super::options::DeviceOptions;
use super::request::InstallOptions;

/// The words of an order.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    certificate: CertificateArguments,
    #[command(flatten)]
    device: DeviceOptions,
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(short = 'b', long)]
    blind: bool,
    #[arg(long)]
    force: bool,
    #[arg(required = true)]
    devices: Vec<String>,
}

/// Reads the words of an order of format 1.
///
/// # Errors
/// Words that are not understood.
pub fn read(words: &[String]) -> Result<InstallOptions, SettingsError> {
    let line = Line::try_parse_from(words).map_err(|error| SettingsError::Value(error.to_string()))?;
    let options = InstallOptions::of(
        &line.certificate,
        &FileArguments::default(),
        &line.device,
        line.config.as_ref(),
        Path::new("/"),
    )?;
    Ok(InstallOptions { blind: line.blind, force: line.force, ..options })
}
