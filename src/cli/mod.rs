//! What a person types and reads: the words, none of the work.

pub mod arguments;
pub mod at_once;
pub mod certctl;
mod claims;
pub mod delegated;
pub mod devices;
pub mod dropped;
pub mod dry_run;
mod end_table;
pub mod enrolment;
mod examples;
mod firewalls;
pub mod getcert;
pub mod installer;
pub mod instcert;
pub mod interrupted;
pub mod issuance;
pub mod live;
pub mod post_save;
pub mod question;
pub mod report;
pub mod sandbox;
pub mod signals;
mod told;
pub mod unresolved;
