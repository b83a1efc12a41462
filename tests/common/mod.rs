//! What several tests share.
#![allow(dead_code, unreachable_pub, reason = "not every test needs every part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod authority;
pub mod bus;
pub mod estate;
pub mod inside;
pub mod pair;
pub mod pki;
pub mod programs;
pub mod scene;
pub mod trouble;
pub mod world;
