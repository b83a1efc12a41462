//! Looking back: `pan_certctl log` against logs of real runs, of older scripts, and such as nobody would wish for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "runlog/support.rs"]
mod support;

#[path = "runlog/filters.rs"]
mod filters;
#[path = "runlog/oddities.rs"]
mod oddities;
#[path = "runlog/older.rs"]
mod older;
#[path = "runlog/real.rs"]
mod real;
#[path = "runlog/rotated.rs"]
mod rotated;
#[path = "runlog/screen.rs"]
mod screen;
