//! Why getcert did not do what it was asked, mostly in its own words.

use std::io;
use std::time::Duration;

use super::listing::BadListing;

/// Why getcert did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetcertError {
    /// The program is not installed.
    #[error("{program} not found: certmonger is not installed")]
    ProgramMissing {
        /// What was to be started.
        program: String,
    },
    /// The program could not be started.
    #[error("cannot run {program}")]
    Start {
        /// What was to be started.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no certmonger, or no message bus to reach it by.
    #[error("certmonger is not running: {said}")]
    NotRunning {
        /// getcert's own words.
        said: String,
    },
    /// sudo did not let it through.
    #[error("sudo refused: {said}")]
    SudoRefused {
        /// sudo's own words.
        said: String,
    },
    /// The message bus, or certmonger, takes no orders from this user.
    #[error("certmonger denied access to this user: {said}")]
    NotPermitted {
        /// getcert's own words.
        said: String,
    },
    /// A request for the same certificate or key file exists.
    #[error("certmonger has a request for this file already, named {nickname}")]
    AlreadyTracked {
        /// certmonger's nickname for it.
        nickname: String,
    },
    /// There is no such request.
    #[error("certmonger has no such request")]
    NotTracked,
    /// There is no such CA.
    #[error("certmonger does not know the CA: {said}")]
    NoSuchCa {
        /// getcert's own words.
        said: String,
    },
    /// A file or directory that does not exist, can't be used, or is not what it should be.
    #[error("certmonger can't use the file: {said}")]
    Path {
        /// getcert's own words.
        said: String,
    },
    /// Whatever else it complained of.
    #[error("{program} failed ({ending}): {said}")]
    Failed {
        /// What was run.
        program: String,
        /// Its exit status.
        ending: String,
        /// Its own words.
        said: String,
    },
    /// It took longer than anybody wants to wait.
    #[error("{program} did not answer within {} seconds", after.as_secs())]
    TimedOut {
        /// What was run.
        program: String,
        /// How long it had.
        after: Duration,
    },
    /// It would not stop talking.
    #[error("{program} printed more than {} KiB", limit / 1024)]
    TooMuch {
        /// What was run.
        program: String,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// Its output could not be read.
    #[error("cannot read what {program} prints")]
    Read {
        /// What was run.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its list can't be understood.
    #[error(transparent)]
    Listing(#[from] BadListing),
}

impl GetcertError {
    /// What to do about it, where that can be said.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::ProgramMissing { program } if program == "sudo" => Some("run it as root".to_owned()),
            Self::ProgramMissing { .. } => Some("install the package certmonger".to_owned()),
            Self::NotRunning { .. } => Some("start it: systemctl start certmonger".to_owned()),
            Self::SudoRefused { .. } | Self::NotPermitted { .. } => Some("run it as root".to_owned()),
            Self::NoSuchCa { .. } => Some("see which there are: getcert list-cas".to_owned()),
            _ => None,
        }
    }
}
