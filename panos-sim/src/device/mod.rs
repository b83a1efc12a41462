//! The device behind the ports: what it knows, and what happens to it as time goes by.
//!
//! Nothing here waits. Every entry point is handed the present moment and first lets all happen
//! that is due; [`Device::next_event`] says when something will be due next.

mod accounts;
mod boot;
mod commit;
mod fleet;
mod ha;
mod initial;
mod jobs;
mod locks;
mod state;
mod sync;

pub(crate) use accounts::{Right, Session};
pub(crate) use commit::{Commission, CommitAnswer};
pub(crate) use fleet::{Managed, PushOrder};
pub(crate) use ha::{HaPair, HaSide, Peer, Sync};
pub(crate) use jobs::{Job, Work};
pub(crate) use locks::LockError;
pub use locks::LockKind;
pub(crate) use state::Device;
