//! How a run can end: the exit codes, in one place.

use serde::{Deserialize, Serialize};

/// The exit codes of all programs. The numbers up to 12 are those of the bash scripts this project replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Usage, or an argument that is not valid.
    Usage = 1,
    /// An SSL/TLS service profile name that is not valid.
    ProfileName = 2,
    /// A device name that is not valid, or a device that is unreachable.
    Device = 4,
    /// No API key, or not an enrolled IPA client.
    Key = 5,
    /// Key type, key size or IPA certificate profile not valid.
    KeyType = 6,
    /// Certificate or key file unusable; request failed or timed out.
    Certificate = 10,
    /// certmonger says that the certificate is neither MONITORING nor POST_SAVED_CERT.
    Certmonger = 11,
    /// The upload was refused.
    Upload = 12,
    /// A profile does not exist on the device, or could not be rebound.
    Rebind = 13,
    /// The commit failed; the candidate configuration was put back.
    Commit = 14,
    /// The commit succeeded, but the device does not run or serve the new certificate.
    Unproven = 15,
    /// The device's identity was not trusted.
    Identity = 16,
    /// The device refused the key.
    Refused = 17,
    /// The device stayed busy or locked, or somebody had an uncommitted change in the same place, for the whole time
    /// allowed.
    Busy = 18,
    /// An HA pair without an active peer.
    NoActivePeer = 19,
    /// Several devices: some done, some not.
    Partly = 20,
    /// Recorded, and waiting for a change window, for canaries, or for its share of the jitter.
    Waiting = 21,
}

/// What each exit code means, as shown in the help and the manual pages.
pub const TABLE: [(Exit, &str); 18] = [
    (Exit::Done, "done, or nothing to do"),
    (Exit::Usage, "usage, or an argument that is not valid"),
    (Exit::ProfileName, "an SSL/TLS profile name that is not valid"),
    (Exit::Device, "device name not valid, or device unreachable"),
    (
        Exit::Key,
        "no API key (file missing, unreadable, readable by others, without a key), or not an enrolled IPA client",
    ),
    (Exit::KeyType, "key type, key size or IPA certificate profile not valid"),
    (
        Exit::Certificate,
        "certificate or key file missing, not matching, expired; request failed or timed out",
    ),
    (Exit::Certmonger, "certmonger says the certificate is neither MONITORING nor POST_SAVED_CERT"),
    (Exit::Upload, "the upload was refused"),
    (Exit::Rebind, "a profile does not exist on the device, or could not be rebound (nothing was changed)"),
    (Exit::Commit, "the commit failed; the candidate configuration was restored"),
    (Exit::Unproven, "the commit succeeded, but the device does not run or serve the new certificate"),
    (Exit::Identity, "the device's identity was not trusted (CA, pin, name)"),
    (Exit::Refused, "the device refused the key (invalid, expired, permission missing)"),
    (
        Exit::Busy,
        "the device stayed busy or locked, or somebody had an uncommitted change in the same place, for the whole time allowed",
    ),
    (Exit::NoActivePeer, "an HA pair without an active peer"),
    (Exit::Partly, "several devices: some done, some not (each is listed)"),
    (Exit::Waiting, "recorded; it waits for a change window or for canaries, and is delivered by the worker"),
];

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One code for several devices: the common one, or [`Exit::Partly`] where some are done.
    #[must_use]
    pub fn of_all(each: &[Self]) -> Self {
        let failed: Vec<Self> = each.iter().copied().filter(|exit| *exit != Self::Done).collect();
        match failed.as_slice() {
            [] => Self::Done,
            [first, rest @ ..] if failed.len() == each.len() && rest.iter().all(|exit| exit == first) => {
                *first
            }
            _ => Self::Partly,
        }
    }
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit.code()
    }
}

impl TryFrom<u8> for Exit {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        TABLE
            .iter()
            .map(|(exit, _)| *exit)
            .find(|exit| exit.code() == code)
            .ok_or_else(|| format!("no exit code {code}"))
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_speaks_for_several_devices() {
        use Exit::{Commit, Device, Done, Partly};
        assert_eq!(Exit::of_all(&[Done, Done]), Done);
        assert_eq!(Exit::of_all(&[Commit]), Commit);
        assert_eq!(Exit::of_all(&[Commit, Commit]), Commit);
        assert_eq!(Exit::of_all(&[Done, Commit]), Partly);
        assert_eq!(Exit::of_all(&[Device, Commit]), Partly);
    }
}
