//! This machine: certmonger, the API key file, the log.

pub mod certmonger;
pub mod keyfile;
pub mod log;

pub use keyfile::{KeyFile, KeyFileError};
