//! Puts certificates that certmonger obtained from FreeIPA onto Palo Alto Networks devices.
//!
//! Data flows one way: arguments, request, bundle, session, plan, apply, verify, record.

pub mod certificate;
pub mod fingerprint;
pub mod host;
pub mod panos;
