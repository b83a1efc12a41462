//! This machine: certmonger, the API key file, the log and its review.

pub mod certmonger;
mod command;
pub mod core_dumps;
pub mod environment;
pub mod fips;
pub mod ipa;
pub mod keyfile;
pub mod log;
pub mod open_files;
pub mod process;
pub mod runlog;
pub mod systemd;
pub mod worker;

pub use keyfile::{KeyFile, KeyFileError};
