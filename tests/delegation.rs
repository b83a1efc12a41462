//! `--delegated`: what a certificate manager can do through the sudo rule, and all that he can't.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]
#![allow(clippy::print_stderr, reason = "a test that can't be run here says so")]

mod common;

#[path = "delegation/sandbox.rs"]
mod sandbox;

#[path = "delegation/allowed.rs"]
mod allowed;
#[path = "delegation/environment.rs"]
mod environment;
#[path = "delegation/hostile.rs"]
mod hostile;
#[path = "delegation/paths.rs"]
mod paths;
#[path = "delegation/rule.rs"]
mod rule;
#[path = "delegation/swapped.rs"]
mod swapped;
#[path = "delegation/variables.rs"]
mod variables;
