//! Candidate and running configuration, and who changed what between them.

mod diff;
mod edit;
mod journal;
mod overlay;
mod references;
mod schema;
mod skeleton;
mod stamp;
mod store;
mod validate;

pub(crate) use edit::{delete, duplicate, edit, rename, set, shift};
pub(crate) use journal::{Scope, Shown, shown};
pub(crate) use overlay::Overlay;
pub(crate) use skeleton::{MANAGEMENT_PROFILE, base, device_entry, skeleton};
pub(crate) use store::{Configuration, Snapshot};
pub(crate) use validate::complaints;
