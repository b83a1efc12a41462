//! What somebody wants installed, as it is stored.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use panos_xmlapi::{Address, Location};
use serde::{Deserialize, Serialize};

use super::key::InstallationKey;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::problem::Problem;
use crate::install::result::CertificateFacts;
use crate::settings::certificate::Files;
use crate::settings::destination::Destination;
use crate::settings::request::InstallOptions;
use crate::text::escape_control;

/// The format this program writes. A file of a later one is left alone, not guessed at.
pub const VERSION: u32 = 2;

/// A certificate that somebody wants on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallSpec {
    /// Its own name, by which whoever asked finds its end.
    pub id: String,
    /// What came later has a higher number.
    pub sequence: u64,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Who asked.
    pub requested_by: Requester,
    /// Whether it was typed at a terminal, by somebody who sees how it ends.
    pub attended: bool,
    /// The list of profiles that it states as the whole one, by the list's own name: once another list is stated, what
    /// is not in it is not presented by this installation any more. Without a name its profiles are added.
    pub list: Option<String>,
    /// The certificate's common name.
    pub common_name: CommonName,
    /// The object's name as it was asked for.
    pub name: ObjectName,
    /// The device, as typed.
    pub device: Address,
    /// Where the object lies on it: decided when it was asked for.
    pub location: Location,
    /// The other member of its HA pair, where somebody said which that is.
    pub peer: Option<Address>,
    /// The profiles that are to present it.
    pub profiles: Vec<ProfileName>,
    /// Whether these come from the configuration file: then they are those of the delivery's own day.
    pub profiles_configured: bool,
    /// The certificate; unknown where its file could not be read.
    pub certificate: Option<CertificateFacts>,
    /// The endpoints that have to present it.
    pub served: Vec<Address>,
    /// The files it comes from; unknown where they were not found.
    pub files: Option<Files>,
    /// What was typed: with the configuration file of its own day it says how the certificate is installed.
    pub options: InstallOptions,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// The user id of the process.
    pub uid: u32,
    /// Who stands behind it, as sudo says.
    pub sudo_user: Option<String>,
}

impl Requester {
    /// Whoever runs this process.
    #[must_use]
    pub fn current() -> Self {
        Self {
            uid: rustix::process::getuid().as_raw(),
            sudo_user: std::env::var("SUDO_USER").ok().map(|user| user.chars().take(64).collect()),
        }
    }
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.sudo_user, self.uid) {
            (Some(user), _) => write!(f, "{}", escape_control(user)),
            (None, 0) => f.write_str("root"),
            (None, uid) => write!(f, "uid {uid}"),
        }
    }
}

/// What was asked for and can't be read as an installation yet: the words are not understood, or the configuration
/// file is broken. It is kept as it was typed, and read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnresolvedSpec {
    /// Its own name.
    pub id: String,
    /// What came later has a higher number.
    pub sequence: u64,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Who asked.
    pub requested_by: Requester,
    /// What `pan_instcert` was called with.
    pub argv: Vec<String>,
    /// The directory that it was called in.
    pub directory: PathBuf,
    /// Why it can't be read.
    pub problem: Problem,
}

impl InstallSpec {
    /// The device, and the location on it unless it is the device as a whole; the target's name where one was used.
    #[must_use]
    pub fn place(&self) -> String {
        place_of(&self.device, &self.location, self.options.target.as_deref())
    }

    /// The place, as it is found in the configuration file.
    #[must_use]
    pub fn destination(&self) -> Destination {
        Destination { device: self.device.clone(), target: self.options.target.clone() }
    }

    /// What it is about.
    #[must_use]
    pub fn key(&self) -> InstallationKey {
        InstallationKey {
            device: self.device.clone(),
            location: self.location.clone(),
            name: self.name.clone(),
        }
    }
}

/// The device, and the location on it unless it is the device as a whole; the target's name where one was used.
#[must_use]
pub fn place_of(device: &Address, location: &Location, target: Option<&str>) -> String {
    let place = match location {
        Location::Shared => device.to_string(),
        location => format!("{device} {location}"),
    };
    match target {
        Some(target) => format!("{place} (target '{target}')"),
        None => place,
    }
}

/// A name for a request: random, so that no two processes choose the same.
#[must_use]
pub fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}
