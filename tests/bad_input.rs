//! Bad input at the outside: for each kind the exit code, the essential words, and that nothing was done.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;

#[path = "bad_input/line.rs"]
mod line;

#[path = "bad_input/arguments.rs"]
mod arguments;
#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/help.rs"]
mod help;
#[path = "bad_input/key_file.rs"]
mod key_file;
#[path = "bad_input/material.rs"]
mod material;
#[path = "bad_input/places.rs"]
mod places;
#[path = "bad_input/terminal.rs"]
mod terminal;
