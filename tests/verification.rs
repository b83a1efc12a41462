//! What a deployment is built of, each part against a simulated device.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;

#[path = "verification/device.rs"]
mod device;

#[path = "verification/busy.rs"]
mod busy;
#[path = "verification/management.rs"]
mod management;
#[path = "verification/pair.rs"]
mod pair;
#[path = "verification/served.rs"]
mod served;
