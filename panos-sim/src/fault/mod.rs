//! Misbehaviour on demand.

mod kinds;
mod queue;

pub use kinds::{Effect, Fault, Listening, Matcher, PushOutcome, Serving, What, When};
pub(crate) use queue::Faults;
