//! Whoever has the key of the certificate that is being installed, and a place in the network: another firewall with
//! the same key pair that was broken into, for one. It gets no byte of an API key, nothing it says is believed, and
//! nothing of it is remembered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]
mod common;

#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;
#[path = "common/switch.rs"]
mod switch;

#[path = "impostor/bound.rs"]
mod bound;
#[path = "impostor/liar.rs"]
mod liar;
#[path = "impostor/moments.rs"]
mod moments;
#[path = "impostor/peer.rs"]
mod peer;
