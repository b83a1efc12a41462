//! Looking at what is installed: `pan_certctl status` after real installations, and with records of every kind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "status/support.rs"]
mod support;

#[path = "status/certmonger.rs"]
mod certmonger;
#[path = "status/faults.rs"]
mod faults;
#[path = "status/judged.rs"]
mod judged;
#[path = "status/machine.rs"]
mod machine;
#[path = "status/monitoring.rs"]
mod monitoring;
#[path = "status/real.rs"]
mod real;
#[path = "status/screen.rs"]
mod screen;
