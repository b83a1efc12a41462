//! What is pending, and seeing that it is done.
//!
//! `STATE/queue/` takes the orders: what somebody wants, written before anything else is done. Whoever holds the
//! device's lock (`STATE/locks/`) moves them into the records, `STATE/installations/DEVICE/NAME.json`, and
//! delivers. So an order never waits for a delivery that is under way, and no delivery overwrites an order.
//! Nothing in these files is a secret; folders and files are for their owner only, and each file is written whole
//! or not at all.

mod clock;
pub mod conflicts;
pub mod drift;
pub mod engine;
mod installation;
mod ledger;
mod lock;
pub mod notifier;
mod queue;
mod schedule;
mod store;
#[cfg(test)]
mod tests;
pub mod watch;
pub mod worker;

pub use clock::Clock;
pub use installation::{
    Attempt, CertificateFacts, End, HISTORY, Incident, Left, Made, Proven, Record, State, VERSION,
};
pub use ledger::Ledger;
pub use lock::{DeviceLock, Holder, LockError, STOPPED_WAIT, ToldOf};
pub use queue::{Asker, Order, Queue, Queued};
pub use schedule::next_try;
pub use store::{Found, RecordError, Records};
