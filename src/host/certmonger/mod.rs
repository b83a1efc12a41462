//! Talks to certmonger through its own command, `getcert`.
//!
//! [`Getcert`] runs it, [`Listing`] reads what it prints, [`State`] says what a request's state means,
//! and [`post_save_command`] writes the command that certmonger runs after each renewal.

mod answer;
mod ca_error;
mod command;
mod error;
mod getcert;
mod listing;
mod run;
mod schedule;
mod state;

pub use answer::Status;
pub use ca_error::{CA_RETRY_DAYS, CaError, Keytab, Refusal};
pub use command::{Unquotable, post_save_command};
pub use error::GetcertError;
pub use getcert::{Changes, Getcert, KeyType, NewRequest};
pub use listing::{BadListing, Listing, Storage, Tracked};
pub use schedule::next_renewal;
pub use state::{Phase, State};
