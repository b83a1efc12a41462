//! Candidate and running configuration, and who changed what between them.

mod compose;
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

pub(crate) use compose::{compose, members, panorama_entry, stacks_with};
pub(crate) use edit::{delete, duplicate, edit, rename, set, shift};
pub(crate) use journal::{Change, Scope, Shown, shown};
pub(crate) use overlay::Overlay;
pub(crate) use skeleton::{MANAGEMENT_PROFILE, base, device_entry, skeleton};
pub(crate) use store::{Configuration, Snapshot, transfer};
pub(crate) use validate::complaints;
