//! What became of a request: whoever asked gets the end of what was asked for, whoever delivered it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::spec::InstallSpec;
use crate::error::Exit;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::{Problem, RetryClass};
use crate::install::result::{CertificateFacts, Outcome};

/// A request that was taken into an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestState {
    /// Its own name.
    pub id: String,
    /// What came later has a higher number.
    pub sequence: u64,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Whether it was typed at a terminal.
    pub attended: bool,
    /// Its own profiles.
    pub profiles: Vec<ProfileName>,
    /// Whether these come from the configuration file.
    pub profiles_configured: bool,
    /// The target that it named, where the profiles are those of the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The certificate that was meant; unknown where its file could not be read.
    pub certificate: Option<CertificateFacts>,
    /// How it ended.
    pub end: RequestEnd,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RequestEnd {
    /// It has not: pending.
    Open {
        /// Why the last attempt failed, once there was one.
        problem: Option<Problem>,
    },
    /// The device was seen to run its certificate, or a later one, in all its profiles.
    Done {
        /// When that was seen.
        at: DateTime<Utc>,
        /// The object's name on the device.
        object: ObjectName,
        /// Whether it was there before.
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
    /// It failed, and is not pending.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        #[serde(flatten)]
        problem: Problem,
    },
    /// Its profiles were taken from the installation meanwhile.
    Superseded {
        /// When.
        at: DateTime<Utc>,
    },
}

impl RequestState {
    /// A request that nothing was done for.
    #[must_use]
    pub fn of(spec: &InstallSpec) -> Self {
        Self {
            id: spec.id.clone(),
            sequence: spec.sequence,
            requested_at: spec.requested_at,
            attended: spec.attended,
            profiles: spec.profiles.clone(),
            profiles_configured: spec.profiles_configured,
            target: spec.options.target.clone().filter(|_| spec.profiles_configured),
            certificate: spec.certificate.clone(),
            end: RequestEnd::Open { problem: None },
        }
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.end, RequestEnd::Open { .. })
    }

    /// How it ended for whoever asked: what is open has not succeeded.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.end {
            RequestEnd::Done { object, unchanged, .. } => {
                Outcome::Installed { object: object.clone(), unchanged: *unchanged }
            }
            RequestEnd::AwaitingCommit { object, .. } => Outcome::AwaitingCommit { object: object.clone() },
            RequestEnd::AwaitingPush { object, .. } => Outcome::AwaitingPush { object: object.clone() },
            RequestEnd::Failed { problem, .. } | RequestEnd::Open { problem: Some(problem) } => {
                Outcome::Failed(problem.clone())
            }
            RequestEnd::Open { problem: None } => Outcome::Failed(not_over()),
            RequestEnd::Superseded { .. } => Outcome::Failed(Problem {
                exit: Exit::Unproven,
                what: "another list of profiles was asked for meanwhile: not all of these present the certificate"
                    .to_owned(),
                advice: Some("ask for all profiles at once, with pan_getcert".to_owned()),
                retry_class: RetryClass::Permanent,
            }),
        }
    }
}

/// What is said of a request that nothing better is known of.
#[must_use]
pub fn not_over() -> Problem {
    Problem {
        exit: Exit::Certificate,
        what: "the installation is still running, or was interrupted".to_owned(),
        advice: Some("see the log; 'pan_certctl retry' resumes it".to_owned()),
        retry_class: RetryClass::Transient,
    }
}
