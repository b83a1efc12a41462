//! This machine: certmonger, the API key file, the log.

pub mod certmonger;
pub(crate) mod files;
pub mod keyfile;

pub use keyfile::{KeyFile, KeyFileError};
