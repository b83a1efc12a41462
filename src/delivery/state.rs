//! The parts of a record: how an installation stands, and what is known of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::Problem;
use crate::install::result::CertificateFacts;

/// A profile that is to present the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The profile.
    pub profile: ProfileName,
    /// Whether only the configuration file names it: then it goes when the file names another one.
    pub configured: bool,
}

/// A certificate that a device was seen to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// When that was seen.
    pub at: DateTime<Utc>,
    /// Which of two came later: the number of the run.
    pub sequence: u64,
    /// The object's name on the device.
    pub object: ObjectName,
    /// The profiles that present it.
    pub profiles: Vec<ProfileName>,
    /// The certificate.
    pub certificate: CertificateFacts,
}

/// One attempt that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The run.
    pub run_id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Why it failed; nothing where it did not.
    pub problem: Option<Problem>,
    /// The commit job, if there was one.
    pub job: Option<String>,
    /// Milliseconds of each phase.
    pub milliseconds: BTreeMap<String, u64>,
    /// Milliseconds of the commit job alone, if it has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_milliseconds: Option<u64>,
    /// Milliseconds of the last push job that came to its end, on Panorama.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_milliseconds: Option<u64>,
}

/// What `verify` found that is not as it was installed, until the device is seen to run the certificate again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftFound {
    /// When it was found.
    pub at: DateTime<Utc>,
    /// What.
    pub what: String,
    /// What is presented there instead; missing where that is as it was, and only the file holds another certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presents: Option<Presented>,
}

/// What a device presents that was not installed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// When the first of these certificates ends; nothing where that could not be seen.
    pub until: Option<DateTime<Utc>>,
}

/// A problem that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When it began.
    pub since: DateTime<Utc>,
    /// What was reported.
    pub reported: String,
}

/// How an installation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Not begun, or begun and not known to be over.
    Pending,
    /// The device was seen to run this very certificate.
    Installed {
        /// When that was seen.
        at: DateTime<Utc>,
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before this run.
        unchanged: bool,
    },
    /// Uploaded and bound; an administrator has to commit.
    AwaitingCommit {
        /// When.
        at: DateTime<Utc>,
        /// The object's name on the device; missing in records of 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<ObjectName>,
    },
    /// Committed on Panorama; an administrator has to push.
    AwaitingPush {
        /// When.
        at: DateTime<Utc>,
        /// The object's name on the device; missing in records of 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<ObjectName>,
    },
    /// The run failed.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        #[serde(flatten)]
        problem: Problem,
    },
}
