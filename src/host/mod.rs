//! This machine: certmonger, the API key file, the devices known from before, the log.

pub mod certmonger;
pub mod keyfile;
pub mod known_devices;
pub mod log;

pub use keyfile::{KeyFile, KeyFileError};
pub use known_devices::{KnownDevices, KnownDevicesError};
