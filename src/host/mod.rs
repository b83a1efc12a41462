//! This machine: certmonger, the API key file, the log and its review.

pub mod certmonger;
pub mod child;
pub mod core_dumps;
pub mod ipa;
pub mod keyfile;
pub mod log;
pub mod review;
pub mod surroundings;
mod tool;
pub mod unit;
pub mod worker;

pub use keyfile::{KeyFile, KeyFileError};
