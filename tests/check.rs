//! `pan_certctl check`: each planted mistake is found, and what it prints to mend it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs, dead_code)]

mod common;

#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;

#[path = "check/support.rs"]
mod support;

#[path = "check/enroll.rs"]
mod enroll;
#[path = "check/freeipa.rs"]
mod freeipa;
#[path = "check/keys.rs"]
mod keys;
#[path = "check/mistakes.rs"]
mod mistakes;
#[path = "check/shown.rs"]
mod shown;
