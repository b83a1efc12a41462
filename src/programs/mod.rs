//! What a person types and reads: the words, none of the work.

pub mod arguments;
pub mod certctl;
pub mod delegated;
pub mod devices;
pub mod dropped;
pub mod enrolment;
pub mod follow;
pub mod getcert;
pub mod installer;
pub mod instcert;
pub mod rehearsal;
pub mod report;
pub mod unresolved;
