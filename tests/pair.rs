//! A pair of firewalls: whichever of the two is active is configured, and the other one gets the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod common;

#[path = "pair/choice.rs"]
mod choice;
#[path = "pair/management.rs"]
mod management;
#[path = "pair/sync.rs"]
mod sync;
