//! Looking back: `pan_certctl log` against logs of real runs, of older scripts, and such as nobody would wish for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "review/shelf.rs"]
mod shelf;

#[path = "review/filters.rs"]
mod filters;
#[path = "review/oddities.rs"]
mod oddities;
#[path = "review/older.rs"]
mod older;
#[path = "review/real.rs"]
mod real;
#[path = "review/rotated.rs"]
mod rotated;
#[path = "review/screen.rs"]
mod screen;
