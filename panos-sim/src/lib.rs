//! A simulated PAN-OS device, for tests of programs that talk to one.
//!
//! The simulator speaks the PAN-OS XML API over real TLS on one port, and on a second port serves
//! over TLS whatever a named SSL/TLS service profile is bound to in the running configuration. It
//! keeps a candidate and a running configuration, runs commits as jobs, knows administrators,
//! locks and high availability, and can be told to misbehave.
//!
//! ```no_run
//! use panos_sim::{Profile, Settings, Simulator};
//!
//! # fn main() -> Result<(), panos_sim::Error> {
//! let mut settings = Settings::default();
//! settings.profiles.push(Profile::unbound("tls-portal"));
//! settings.served_profile = Some("tls-portal".into());
//! let device = Simulator::start(settings)?;
//! println!("{} shows {}", device.address(), device.certificate_fingerprint());
//! # Ok(())
//! # }
//! ```
//!
//! `docs/simulator.md` says what is faithful to real devices and what is invented.
#![forbid(unsafe_code)]

mod api;
mod certificate;
mod clock;
mod config;
mod device;
mod error;
mod fault;
mod host;
mod log;
mod net;
mod pem;
pub mod program;
mod record;
mod refusal;
mod seconds;
mod settings;
mod shared;
mod simulator;
mod xml;

pub use device::LockKind;
pub use error::Error;
pub use fault::{Effect, Fault, Listening, Matcher, PushOutcome, Serving, What, When};
pub use host::Host;
pub use record::{ConnectionRecord, Credential, RequestRecord, UploadRecord};
pub use settings::{
    Administrator, ApiKey, DeviceGroup, DisconnectedInPush, Encoding, ImportAnswer, ImportJournal,
    ImportRefusal, JournalShape, ManagementCertificate, NothingToRevert, PreloadedCertificate, Profile,
    Pushed, Rights, Role, SelectivePush, Settings, Stack, WhenBooting, WhenBusy,
};
pub use simulator::Simulator;

/// What the library's fallible calls return.
pub type Result<T> = std::result::Result<T, Error>;
