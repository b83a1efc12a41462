//! What it means to install a certificate on a device.

pub mod affair;
pub mod apply;
pub mod busy;
pub mod commit;
pub mod connect;
pub mod deliver;
pub mod failure;
mod fate;
pub mod identity;
pub mod inventory;
pub mod known_devices;
pub mod look;
pub mod names;
pub mod observe;
pub mod pair;
pub mod patience;
pub mod plan;
pub mod problem;
mod proof;
pub mod request;
pub mod served;
mod settle;
pub mod stopwatch;
mod transact;
pub mod undo;
pub mod uses;
pub mod verify;

pub use failure::Failure;
pub use known_devices::{KnownDevices, KnownDevicesError};
pub use request::Wish;
