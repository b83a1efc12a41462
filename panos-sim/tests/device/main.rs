//! The simulated device, asked over its own ports by a client that shares nothing with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod client;
mod pki;

mod answers;
mod api;
mod commit;
mod evidence;
mod faults;
mod host;
mod import;
mod management;
mod pair;
mod panorama;
