//! This machine: certmonger, the API key file, the log and its review.

pub mod certmonger;
pub mod child;
pub mod keyfile;
pub mod log;
pub mod review;
pub mod surroundings;
pub mod worker;

pub use keyfile::{KeyFile, KeyFileError};
