//! What a deployment is built of, each part against a simulated device.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "../panos-xmlapi/tests/common/server.rs"]
mod server;

#[path = "proof/device.rs"]
mod device;

#[path = "proof/busy.rs"]
mod busy;
#[path = "proof/management.rs"]
mod management;
#[path = "proof/pair.rs"]
mod pair;
#[path = "proof/served.rs"]
mod served;
