//! What is configured: the options about a device, the configuration file, what is delegated, and what all of them
//! together ask of one device.

pub mod certificate;
pub mod config;
pub mod delegation;
pub mod destination;
pub mod error;
pub mod location;
pub mod options;
pub mod policy;
pub mod request;
pub mod resolve;
pub mod schedule;
pub mod window;
pub mod words;

pub use error::SettingsError;
