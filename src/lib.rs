//! Puts certificates that certmonger obtained from FreeIPA onto Palo Alto Networks devices.
//!
//! Data flows one way: arguments, request, bundle, session, plan, apply, verify, record.
//! [`programs`] knows the words a person types and reads; [`install`] knows what it means to install a
//! certificate; [`panos`] speaks to devices, [`certificate`] reads key material, [`host`] knows this machine.

pub mod certificate;
pub mod error;
mod files;
pub use panos::fingerprint;
pub mod host;
pub mod install;
pub mod panos;
pub mod programs;
mod text;
