//! What it means to install a certificate on a device.

pub mod apply;
pub mod assess;
pub mod blockers;
pub mod change;
pub mod commit;
mod commit_lookup;
pub mod connect;
pub mod contest;
mod endpoints;
pub mod error;
pub mod ha;
pub mod identity;
pub mod inventory;
pub mod journal;
pub mod known_devices;
pub mod location;
pub mod names;
pub mod phases;
pub mod places;
pub mod plan;
pub mod probe;
pub mod problem;
pub mod recover;
pub mod references;
pub mod request;
pub mod result;
pub mod retry;
pub mod rollback;
pub mod state;
pub mod transact;
pub mod transaction;
pub mod verify;

pub use error::InstallError;
pub use known_devices::{KnownDevices, KnownDevicesError};
pub use request::InstallRequest;
