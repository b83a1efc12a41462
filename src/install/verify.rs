//! Proving: what the device runs, compared with what was wanted.

use super::failure::Failure;
use super::observe::{self, Observed};
use super::request::Wish;
use crate::fingerprint::Fingerprint;
use crate::panos::session::Session;

/// Looks whether the running configuration holds this very certificate, bound to all profiles.
///
/// # Errors
/// [`Failure::NotRunning`] with what was seen instead; a device that fails.
pub async fn verify(
    session: &Session,
    wish: &Wish,
    observed: &Observed,
    wanted: Fingerprint,
) -> Result<(), Failure> {
    // The management plane may be restarting, with the new certificate.
    let look = async || observe::running(session, &observed.place, wish).await;
    let running = wish.patience.insist(look).await?;
    running.lacks(wish, wanted).map_or(Ok(()), |lack| Err(Failure::NotRunning(lack)))
}
