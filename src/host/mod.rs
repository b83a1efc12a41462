//! This machine: certmonger, the API key file, the log.

pub mod certmonger;
pub mod keyfile;
pub mod log;
pub mod worker;

pub use keyfile::{KeyFile, KeyFileError};
