//! What a run needs to know of the one before, and what it results in.

use chrono::{DateTime, Utc};
use panos_xmlapi::Fingerprint;
use serde::{Deserialize, Serialize};

use super::names::{ObjectName, ProfileName};
use super::problem::Problem;
use crate::certificate::{Bundle, BundleError};

/// A certificate, as far as it has to be known to tell it from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFacts {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// Its beginning, which tells the later one of two from the same CA; unknown in old records.
    pub not_before: Option<DateTime<Utc>>,
    /// Its end.
    pub not_after: DateTime<Utc>,
}

impl CertificateFacts {
    /// What has to be known of a certificate.
    ///
    /// # Errors
    /// A serial number that can't be read.
    pub fn of(bundle: &Bundle) -> Result<Self, BundleError> {
        Ok(Self {
            fingerprint: bundle.fingerprint(),
            serial: bundle.serial_hex()?,
            not_before: Some(bundle.not_before()),
            not_after: bundle.not_after(),
        })
    }

    /// Whether whoever wants the other one is served by this one: it is the same, or was issued later.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            || match (self.not_before, other.not_before) {
                (Some(this), Some(other)) => this >= other,
                _ => true,
            }
    }
}

/// An object that was created on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedObject {
    /// Its name.
    pub object: ObjectName,
    /// The certificate in it.
    pub fingerprint: Fingerprint,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

impl CreatedObject {
    /// Notes it as the latest of a list that keeps so many; one that was created before is the latest now.
    pub fn note_among(self, objects: &mut Vec<Self>, limit: usize) {
        objects.retain(|other| other.object != self.object);
        objects.push(self);
        objects.drain(..objects.len().saturating_sub(limit));
    }
}

/// How the last run left the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRun {
    /// It came to its end.
    Finished,
    /// It did not: what it changed may be uncommitted, and its commit running.
    Interrupted,
    /// With changes that an administrator is to commit.
    AwaitingCommit,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The device runs the certificate as this object, since this run or since before.
    Installed {
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before.
        unchanged: bool,
    },
    /// Uploaded and bound; an administrator has to commit.
    AwaitingCommit {
        /// The object's name on the device; unknown where the record is one of 0.1.0.
        object: Option<ObjectName>,
    },
    /// Committed on Panorama; an administrator has to push.
    AwaitingPush {
        /// The object's name there.
        object: Option<ObjectName>,
    },
    /// It failed.
    Failed(Problem),
}

/// How a run for one certificate ended.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds of each phase; several certificates in one commit share them.
    pub phases: Vec<(&'static str, f64)>,
    /// The profiles that the device does not have, where it failed for that.
    pub missing_profiles: Vec<ProfileName>,
}
