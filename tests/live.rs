//! What a person sees at a terminal while something is done, and what is said when it is interrupted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "live/early.rs"]
mod early;
#[path = "live/interrupted.rs"]
mod interrupted;
#[path = "live/many.rs"]
mod many;
#[path = "live/recording.rs"]
mod recording;
#[path = "live/screen.rs"]
mod screen;
#[path = "live/terminal.rs"]
mod terminal;
#[path = "live/usual.rs"]
mod usual;
