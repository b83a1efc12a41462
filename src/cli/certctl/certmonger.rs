//! certmonger, as the verbs ask it.

use std::time::Duration;

use crate::cli::arguments::{self, UsageError};
use crate::host::certmonger::{Getcert, Listing};

/// It answers within milliseconds, and no verb is to hang.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The program that asks it.
#[must_use]
pub fn getcert(session_bus: bool) -> Getcert {
    Getcert::new(["getcert"], None).on_session_bus(session_bus).with_timeout(TIMEOUT)
}

/// All its requests, without which the verb can do nothing.
///
/// # Errors
/// No event loop; certmonger can't be asked.
pub fn list(session_bus: bool) -> Result<Listing, UsageError> {
    let listing = arguments::event_loop()?.block_on(getcert(session_bus).list());
    listing.map_err(|error| UsageError::Certmonger(Box::new(error)))
}
