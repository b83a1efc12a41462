//! The other member of a pair, after a commit on the active one: it gets the configuration, and stays the other one.

use super::connect::{Connection, HaRole};
use super::error::{Activity, InstallError};
use super::events::{Event, Wait};
use super::ha::{self, HaMember};
use super::transaction::Transaction;

/// Whether the device still is the one that takes the configuration: a pair may have changed its roles since it was
/// looked at.
///
/// # Errors
/// A pair that has; a device that fails or refuses.
pub(super) async fn check_still_active(connection: &Connection) -> Result<(), InstallError> {
    if connection.role == HaRole::Standalone {
        return Ok(());
    }
    let state = connection.session.ha_state().await.map_err(InstallError::during(Activity::Committing))?;
    ha::check_still_chosen(&HaMember { device: connection.target.device.clone(), state: Ok(state) })?;
    Ok(())
}

/// After a commit: waits until the other member has the same configuration, and tells how that ended. Why the pair does
/// not run what was committed, if it has changed its roles meanwhile.
pub(super) async fn await_peer(connection: &Connection, transaction: &Transaction<'_>) -> Option<String> {
    let HaRole::Active { .. } = &connection.role else { return None };
    let events = transaction.events;
    events.tell(Event::Waiting(Wait::PeerSync));
    let synchronised = ha::wait_until_in_sync(&connection.session, transaction.retry_policy().sync).await;
    events.tell(Event::WaitOver);
    events.tell(Event::PeerSync(synchronised.to_string()));
    // A failover during the commit leaves what was committed on a member that serves nobody.
    match check_still_active(connection).await {
        Err(InstallError::NoActivePeer(why)) => Some(why.to_string()),
        _ => None,
    }
}
