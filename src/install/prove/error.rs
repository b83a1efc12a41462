//! Why a proof did not come to its end.

use std::io;
use std::path::PathBuf;

use super::material::MaterialError;
use crate::error::Exit;
use crate::install::error::InstallError;

/// Why not. Where nothing else is said, the device is as it was found.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The device failed or refused.
    #[error(transparent)]
    Device(#[from] InstallError),
    /// It is a Panorama.
    #[error("this is a Panorama: the proof is for firewalls")]
    Panorama,
    /// It is not the active member of a pair.
    #[error("the device is {0}: only the active member of an HA pair takes changes")]
    NotActive(String),
    /// Somebody holds a lock.
    #[error("{owner} holds a {kind} lock{comment}")]
    Locked {
        /// Who.
        owner: String,
        /// Which.
        kind: &'static str,
        /// The comment, in brackets.
        comment: String,
    },
    /// The administrator has changes pending, which taking the proof back could take along.
    #[error(
        "'{administrator}' has an uncommitted change on the device already, at {at}: taking the proof back could lose it"
    )]
    OwnChanges {
        /// The API key's administrator.
        administrator: String,
        /// Where.
        at: String,
    },
    /// The device keeps no list of pending changes.
    #[error("the device does not list its pending changes, so nobody could tell what to take back")]
    NoJournal,
    /// Nobody said yes.
    #[error("nothing was done")]
    NotAgreed,
    /// A signal came.
    #[error("it was ended by a signal; everything was taken back")]
    Interrupted,
    /// No time is left.
    #[error("it was not done within {0} seconds; everything was taken back")]
    TooSlow(u64),
    /// No certificate could be made.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// No random name.
    #[error("the operating system gives no random bytes: {0}")]
    Randomness(io::Error),
    /// The file that says what is on the device can't be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// What was tried is still there.
    #[error("what was tried could not be taken back: {failure}")]
    NotRestored {
        /// Why not.
        failure: InstallError,
        /// Whose changes they are.
        administrator: String,
        /// Where.
        device: String,
    },
    /// The locks are still held.
    #[error("everything was taken back, but a lock could not be given back: {0}")]
    StillLocked(InstallError),
    /// A step failed, and then it could not be taken back.
    #[error("{0}; and {1}")]
    Both(Box<ProveError>, Box<ProveError>),
}

impl ProveError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Device(failure) => failure.exit(),
            Self::NotActive(_) => Exit::NoActivePeer,
            Self::Locked { .. } | Self::OwnChanges { .. } | Self::TooSlow(_) => Exit::Busy,
            Self::Panorama | Self::NoJournal | Self::NotAgreed | Self::Interrupted => Exit::Usage,
            Self::Material(_) | Self::Randomness(_) | Self::File { .. } => Exit::Usage,
            Self::NotRestored { .. } | Self::StillLocked(_) => Exit::Device,
            Self::Both(_, stuck) => stuck.exit(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Device(failure) => failure.advice(),
            Self::Locked { .. } => {
                Some("ask who holds it, and run it again when it was given back".to_owned())
            }
            Self::OwnChanges { .. } => {
                Some("commit or revert them first, or use an administrator for this program alone".to_owned())
            }
            Self::NotActive(_) => Some("name the active member".to_owned()),
            Self::File { path, .. } => Some(format!("look at {}, and run it with sudo", path.display())),
            Self::NotRestored { administrator, device, .. } => Some(format!(
                "run 'pan_certctl prove {device}' again: it takes that back first; or, in the device's web interface: Config > Revert Changes for the changes of '{administrator}', and give back the locks (the padlock)"
            )),
            Self::StillLocked(_) => Some(
                "run it again, or give the locks back in the device's web interface (the padlock)".to_owned(),
            ),
            Self::Both(_, stuck) => stuck.advice(),
            _ => None,
        }
    }
}
