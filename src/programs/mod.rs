//! What a person types and reads: the words, none of the work.

pub mod arguments;
pub mod certctl;
pub mod config;
pub mod delegation;
pub mod delivery;
pub mod devices;
pub mod enrolment;
pub mod follow;
pub mod getcert;
pub mod incident;
pub mod installer;
pub mod instcert;
pub mod options;
pub mod rehearsal;
pub mod report;
pub mod rivals;
pub mod verdict;
pub mod wishes;
