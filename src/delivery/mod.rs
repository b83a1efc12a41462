//! What is pending, and seeing that it is done.
//!
//! `STATE/queue/` takes the requests: what somebody wants, written before anything else is done. Whoever holds the
//! device's lock (`STATE/locks/`) moves them into the records,
//! `STATE/installations/DEVICE/LOCATION/NAME.json`, and delivers. So a request never waits for a delivery that is
//! under way, and no delivery overwrites a request. Nothing in these files is a secret; directories and files are for
//! their owner only, and each file is written whole or not at all.

mod adopted;
mod batch;
mod bindings;
pub mod claims;
mod clock;
mod confirm;
pub mod conflicts;
pub mod drift;
pub mod engine;
mod error;
mod estimate;
mod event_log;
mod failure;
mod files;
mod foresee;
mod forget;
mod format1;
pub mod gate;
pub mod hold;
pub mod ingest;
mod installation;
mod journal;
mod key;
mod leaving;
mod lock;
pub mod notifier;
mod numbers;
pub mod progress;
mod queue;
mod request;
mod run;
mod schedule;
mod selection;
mod sequence;
mod spec;
mod state;
mod store;
pub mod survey;
mod take_in;
mod taken_back;
#[cfg(test)]
mod tests;
mod turn;
pub mod waiting;
pub mod watch;
pub mod worker;

pub use clock::Clock;
pub use error::StoreError;
pub use failure::DeliveryError;
pub use foresee::foresee;
pub use installation::{CREATED_OBJECTS, ENDED_REQUESTS, HISTORY, Installation};
pub use key::InstallationKey;
pub use lock::{AtWork, DeviceLock, Holder, LockError, STOPPED_WAIT, ToldOf};
pub use queue::{Listing, Queue, Queued};
pub use request::{RequestEnd, RequestState, not_over};
pub use spec::{InstallSpec, Requester, UnresolvedSpec, VERSION, new_id, place_of};
pub use state::{Attempt, Binding, DriftFound, Incident, Presented, State, Verified};
pub use store::{InstallationStore, LoadedInstallations, Unread};
