//! Why an installation did not end well: each with its exit code, what happened, and what to do next.

mod advice;
mod words;

use std::borrow::Borrow;

use panos_xmlapi::{Error, Reason, UnquotableName, words::cut};

use self::advice::advice_for;
use self::words::{last, reasons, there, those_missing};
use crate::certificate::{BundleError, Pkcs12Error};
use crate::error::Exit;
use crate::host::fips;
use crate::host::keyfile::KeyFileError;
use crate::install::change::Contested;
use crate::install::ha::NoActivePeer;
use crate::install::journal::JournalError;
use crate::install::known_devices::KnownDevicesError;
use crate::install::lockout::LockOut;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::probe::ProbeMismatch;
use crate::install::problem::{Problem, RetryClass};
use crate::install::push::{PushIncomplete, PushPlanError, PushStopped};
use crate::install::unsuitable::Unsuitable;
use crate::text::some_or_none;

/// The most characters of what happened, and of what to do: whatever stands in it, a record, a line of the log and
/// the environment of a command can hold it.
const WHAT: usize = 4000;
const ADVICE: usize = 1000;

impl From<&InstallError> for Problem {
    fn from(failure: &InstallError) -> Self {
        Self {
            exit: failure.exit(),
            what: cut(&failure.to_string(), WHAT).into_owned(),
            advice: failure.advice().map(|advice| cut(&advice, ADVICE).into_owned()),
            retry_class: failure.retry_class(),
        }
    }
}

/// What was being done when a device failed us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Reading the device's state.
    Looking,
    /// Uploading the certificate.
    Uploading,
    /// Rebinding the profiles.
    Binding,
    /// Committing.
    Committing,
    /// Pushing from Panorama to its firewalls.
    Pushing,
    /// Reading the running configuration after the commit.
    Proving,
}

/// Why an installation on one device did not end well.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The files can't be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// certmonger does not vouch for the certificate.
    #[error("certmonger: {what}")]
    Certmonger {
        /// What it says instead.
        what: String,
        /// What to do about it.
        advice: Option<String>,
        /// Who can mend it: nobody where it says so in so many words.
        retry_class: RetryClass,
    },
    /// Nobody knows how a delivery ended: that is no success.
    #[error("the outcome of the installation is unknown (internal error)")]
    OutcomeUnknown,
    /// No PKCS#12 could be made.
    #[error(transparent)]
    Pkcs12(#[from] Pkcs12Error),
    /// No PEM could be made.
    #[error("the certificate and key can't be written as PEM: {0}")]
    Pem(#[from] openssl::error::ErrorStack),
    /// No API key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// By what an HA peer is recognised can't be read.
    #[error(transparent)]
    KnownDevices(#[from] KnownDevicesError),
    /// What has to be on the disk before a step can't be kept: then nothing is begun.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A name with both kinds of quotes.
    #[error(transparent)]
    UnquotableName(#[from] UnquotableName),
    /// The device's limit is shorter than the name.
    #[error("the certificate name '{name}' has {} characters; this device allows {limit}", .name.as_str().len())]
    NameTooLong {
        /// The name.
        name: ObjectName,
        /// The limit in characters.
        limit: usize,
    },
    /// A pair of which nobody can be configured. Nothing was changed.
    #[error(transparent)]
    NoActivePeer(#[from] NoActivePeer),
    /// The active member of a pair runs the certificate; the other one, whose management interface is to
    /// present it as well, does not.
    #[error(
        "the active member of the HA pair runs the certificate, but its peer {device} does not: {problem}"
    )]
    Peer {
        /// The other member.
        device: String,
        /// Why not.
        problem: Problem,
    },
    /// The device did not do as asked.
    #[error("{}{error}", while_(.doing))]
    Device {
        /// What was being done.
        doing: Activity,
        /// What the device answered, or that it did not.
        error: Error,
    },
    /// Profiles that are not there. Nothing was changed.
    #[error("the SSL/TLS service profile{} not exist on the device; it has {}{}", those_missing(.missing), some_or_none(.known), there(.elsewhere))]
    ProfilesMissing {
        /// Those asked for.
        missing: Vec<ProfileName>,
        /// Those there.
        known: Vec<String>,
        /// Where else on the device they are, in words.
        elsewhere: Vec<String>,
    },
    /// A device or a profile that an installation makes no sense on. Nothing was changed.
    #[error("{0}; nothing was changed")]
    Unsuitable(#[from] Unsuitable),
    /// Somebody has removed a profile after it was looked at.
    #[error("the SSL/TLS service profile '{0}' was removed during the installation")]
    ProfileVanished(String),
    /// Overwriting could not be taken back, because nobody can tell what is ours.
    #[error("can't replace the certificate safely: {0}; nothing was changed")]
    RollbackImpossible(&'static str),
    /// The device does not tell who we are, so a commit could not be limited to our changes.
    #[error("the device does not report which administrator the API key belongs to")]
    AdministratorUnknown,
    /// Overwriting could not be taken back while this administrator has other pending changes.
    #[error(
        "'{administrator}' already has {count} uncommitted changes on the device (first: {first}); rolling back would discard them; nothing was changed"
    )]
    OwnChangesPending {
        /// The API administrator.
        administrator: String,
        /// How many.
        count: usize,
        /// The first one's path.
        first: String,
    },
    /// Somebody's pending change lies in a place of the deployment, and has not gone in the time allowed.
    #[error("{0}: with the new certificate it would be lost or committed; nothing was changed")]
    Contested(Box<Contested>),
    /// Somebody has changed a place of the deployment after it was looked at.
    #[error("{} was changed meanwhile{}", .at, .who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default())]
    ChangedMeanwhile {
        /// Where.
        at: String,
        /// By whom, where that is known.
        who: Option<String>,
    },
    /// The management interface gets the certificate, and would not be recognised by it. Nothing was changed.
    #[error(
        "the management interface uses the SSL/TLS profile '{profile}', and with the new certificate it would not be recognised any more: {why}; nothing was changed"
    )]
    WouldLockOut {
        /// The profile.
        profile: String,
        /// Why it would not.
        why: LockOut,
    },
    /// The object is in use, and the new certificate has another kind of key.
    #[error(
        "the certificate '{object}' is in use and has an {before} key, the new one has an {after} key; nothing was changed"
    )]
    KeyTypeChanged {
        /// The object.
        object: ObjectName,
        /// What it has.
        before: String,
        /// What it would get.
        after: String,
    },
    /// The device said that the upload succeeded, and it did not.
    #[error("the device reported a successful upload, but the candidate configuration {0}")]
    ImportNotApplied(String),
    /// The commit job failed.
    #[error("commit job {job} failed: {}", reasons(.lines))]
    CommitFailed {
        /// The job.
        job: String,
        /// The device's lines.
        lines: Vec<String>,
    },
    /// The commit job is not over in the time allowed.
    #[error("commit job {job} did not finish within {seconds} seconds{}", last(.error))]
    CommitTimedOut {
        /// The job.
        job: String,
        /// The time allowed.
        seconds: u64,
        /// The last error while asking, if the device did not answer.
        error: Option<Error>,
    },
    /// The device runs something else, and nothing will change that: the commit did not take place.
    #[error("the commit did not take place; the device does not run the new certificate: {0}")]
    NotCommitted(String),
    /// The answer to the commit request got lost, and what became of it could not be found out.
    #[error("the result of the commit is unknown: {lost}; checking it failed: {since}")]
    CommitUnknown {
        /// What happened to the request.
        lost: Error,
        /// Why it could not be looked up.
        since: Box<InstallError>,
    },
    /// A push that can't be as it was asked for. Nothing was changed.
    #[error("{0}; nothing was changed")]
    PushPlan(#[from] PushPlanError),
    /// Panorama runs the certificate, and not all firewalls that are to have it do.
    #[error(transparent)]
    Push(Box<PushIncomplete>),
    /// A push that has failed on more firewalls than it may.
    #[error(transparent)]
    PushStopped(Box<PushStopped>),
    /// Putting back did not lead to what was there before.
    #[error("the candidate configuration still {0}")]
    RollbackIncomplete(String),
    /// After the commit the device runs something else.
    #[error("the commit succeeded, but the device is not running the new certificate: {0}")]
    NotRunning(String),
    /// The device runs the certificate, and an endpoint shows something else.
    #[error("the device runs the new certificate, but {0}")]
    ProbeMismatch(Box<ProbeMismatch>),
    /// As before; and because the endpoint had been answering, the profiles were given back what they had.
    #[error(
        "the device ran the new certificate, but {0}; the previous certificate was restored and committed"
    )]
    RolledBack(Box<ProbeMismatch>),
}

/// Why a deployment of several certificates came to nothing.
#[derive(Debug)]
pub struct BatchError {
    /// The failure.
    pub failure: InstallError,
    /// The certificate that is to blame for it, by its place among them, where the others could go on without it.
    pub at: Option<usize>,
}

impl BatchError {
    /// A failure that came up at this certificate.
    pub fn of(at: usize) -> impl Fn(InstallError) -> Self {
        move |failure| Self { at: failure.concerns_one_certificate().then_some(at), failure }
    }
}

impl From<InstallError> for BatchError {
    fn from(failure: InstallError) -> Self {
        Self { failure, at: None }
    }
}

impl Borrow<InstallError> for BatchError {
    fn borrow(&self) -> &InstallError {
        &self.failure
    }
}

fn while_(doing: &Activity) -> &'static str {
    match doing {
        Activity::Looking => "",
        Activity::Uploading => "while uploading: ",
        Activity::Binding => "while rebinding the profiles: ",
        Activity::Committing => "while committing: ",
        Activity::Pushing => "while pushing: ",
        Activity::Proving => "after the commit: ",
    }
}

impl InstallError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Bundle(_) | Self::Pkcs12(_) | Self::Pem(_) => Exit::Certificate,
            Self::Certmonger { .. } => Exit::Certmonger,
            Self::Key(_) | Self::AdministratorUnknown => Exit::Key,
            Self::OutcomeUnknown
            | Self::Journal(_)
            | Self::KnownDevices(_)
            | Self::UnquotableName(_)
            | Self::NameTooLong { .. } => Exit::Usage,
            Self::NoActivePeer(_) => Exit::NoActivePeer,
            Self::Peer { problem, .. } => problem.exit,
            Self::Unsuitable(unsuitable) => unsuitable.exit(),
            Self::Device { doing, error } => of_device(*doing, error),
            Self::ProfilesMissing { .. } | Self::ProfileVanished(_) => Exit::Rebind,
            Self::OwnChangesPending { .. } | Self::CommitTimedOut { .. } => Exit::Busy,
            Self::Contested(_) | Self::ChangedMeanwhile { .. } => Exit::Busy,
            Self::ImportNotApplied(_) | Self::KeyTypeChanged { .. } | Self::RollbackImpossible(_) => {
                Exit::Upload
            }
            Self::WouldLockOut { .. } => Exit::Identity,
            Self::CommitFailed { .. } | Self::NotCommitted(_) | Self::PushStopped(_) => Exit::Commit,
            Self::PushPlan(error) => error.exit(),
            Self::Push(incomplete) => incomplete.exit(),
            Self::CommitUnknown { .. } | Self::RollbackIncomplete(_) => Exit::Device,
            Self::NotRunning(_) | Self::ProbeMismatch(_) | Self::RolledBack(_) => Exit::Unproven,
        }
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let text = match self {
            // Some systems' OpenSSL obeys the kernel, and finds no algorithm at all without that provider.
            Self::Bundle(BundleError::OpenSsl(_)) if fips::is_on() => {
                "this machine is in FIPS mode, for which its OpenSSL has no working provider: see 'openssl list -providers'"
            }
            Self::Bundle(error) => return error.advice(),
            Self::Certmonger { advice, .. } => return advice.clone(),
            Self::Key(error) => return error.advice(),
            Self::KnownDevices(error) => return error.advice(),
            Self::Journal(error) => return error.advice.clone(),
            Self::NoActivePeer(found) if found.has_stranger() => {
                "name the HA peer with --ha-peer, and trust it by its own pin or a CA; where only the device names it, a pin for its address in the configuration file is not used ('pan_certctl pin' is); nothing was changed"
            }
            Self::NoActivePeer(_) => {
                "check the HA state of both devices; use --ha-peer to name the second one; nothing was changed"
            }
            Self::Peer { problem, .. } => return problem.advice.clone(),
            Self::Unsuitable(unsuitable) => return Some(unsuitable.advice()),
            Self::NameTooLong { .. } => "give a shorter name with -n",
            Self::Device { error, .. } => return advice_for(error),
            Self::ProfilesMissing { elsewhere, .. } if !elsewhere.is_empty() => {
                "name that place with --vsys, --template or --stack, or none for a profile of the device as a whole"
            }
            Self::ProfilesMissing { .. } => {
                "create it on the device (Device > Certificate Management > SSL/TLS Service Profile), or correct -p and -s"
            }
            Self::AdministratorUnknown => {
                "put the administrator's name into the API key file (api_username=NAME), or allow --commit full"
            }
            Self::Contested(_) | Self::ChangedMeanwhile { .. } => {
                "let it be committed or reverted on the device; it is tried again by itself"
            }
            Self::OwnChangesPending { .. } => "commit or revert them, or use -Y for an object of its own",
            Self::RollbackImpossible(_) => {
                "put the administrator's name into the API key file (api_username=NAME), or use --suffix serial, which makes an object of its own"
            }
            Self::WouldLockOut { why, .. } => why.advice(),
            Self::KeyTypeChanged { .. } => {
                "use --suffix serial, which makes an object of its own, or --force"
            }
            Self::ImportNotApplied(_) => "check the device's system log, then try again",
            Self::ProbeMismatch(_) | Self::RolledBack(_) => {
                "check that this endpoint uses one of the profiles, and that it can be reached from here"
            }
            Self::NotRunning(_) => {
                "look at the job and at the uncommitted changes on the device, then run it again"
            }
            Self::CommitFailed { .. } => {
                "see the job in Tasks on the device, fix the configuration, then try again"
            }
            Self::PushPlan(error) => error.advice(),
            Self::Push(incomplete) => return incomplete.advice(),
            Self::PushStopped(stopped) => return Some(stopped.advice()),
            Self::NotCommitted(_) => "everything was put back; run it again",
            Self::CommitUnknown { .. } => {
                "try again; it first checks whether the certificate is already installed"
            }
            Self::CommitTimedOut { .. } => "look at the job in the device's task manager, then run it again",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Who can mend it.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        let persons = match self {
            Self::Certmonger { retry_class, .. } => return *retry_class,
            Self::Bundle(BundleError::NotYetValid { .. } | BundleError::Expired { .. }) => {
                return RetryClass::Clock;
            }
            Self::WouldLockOut { why, .. } if why.is_about_time() => return RetryClass::Clock,
            Self::Bundle(_) | Self::Pem(_) | Self::Key(_) | Self::UnquotableName(_) => true,
            Self::AdministratorUnknown | Self::NameTooLong { .. } | Self::KeyTypeChanged { .. } => true,
            Self::RollbackImpossible(_) | Self::ProfilesMissing { .. } | Self::WouldLockOut { .. } => true,
            Self::ProbeMismatch(_) | Self::RolledBack(_) | Self::Unsuitable(_) => true,
            Self::Peer { problem, .. } => return problem.retry_class,
            Self::Push(incomplete) => return incomplete.retry_class(),
            Self::PushStopped(stopped) => return stopped.retry_class(),
            Self::PushPlan(_) => true,
            Self::Device {
                error: Error::Identity(_) | Error::Setup(_) | Error::InvalidRequest(_), ..
            } => true,
            Self::Device { error: Error::Refused(refusal), .. } => matches!(
                refusal.reason,
                Reason::InvalidKey
                    | Reason::KeyExpired
                    | Reason::PermissionMissing(_)
                    | Reason::FullCommitNeeded
                    | Reason::TemplateOwned
            ),
            Self::Device { error: Error::ClientCertificate, .. } => true,
            _ => false,
        };
        if persons { RetryClass::NeedsOperator } else { RetryClass::Transient }
    }

    /// Whether the trouble lies with one certificate and not with the device as a whole.
    #[must_use]
    pub fn concerns_one_certificate(&self) -> bool {
        match self {
            Self::Bundle(_) | Self::Pkcs12(_) | Self::Pem(_) | Self::ImportNotApplied(_) => true,
            Self::UnquotableName(_) | Self::NameTooLong { .. } | Self::KeyTypeChanged { .. } => true,
            Self::ProfilesMissing { .. } | Self::ProfileVanished(_) | Self::PushPlan(_) => true,
            Self::Unsuitable(unsuitable) => unsuitable.concerns_one_certificate(),
            Self::RollbackImpossible(_) | Self::OwnChangesPending { .. } | Self::Contested(_) => true,
            Self::Device {
                doing: Activity::Uploading | Activity::Binding,
                error: Error::Refused(refusal),
            } => !matches!(
                refusal.reason,
                Reason::InvalidKey
                    | Reason::KeyExpired
                    | Reason::PermissionMissing(_)
                    | Reason::Locked(_)
                    | Reason::Busy
                    | Reason::NotConnected
                    | Reason::SessionTimedOut
            ),
            _ => false,
        }
    }

    /// Wraps a device's error with what was being done.
    pub fn during(doing: Activity) -> impl Fn(Error) -> Self + Copy {
        move |error| Self::Device { doing, error }
    }
}

fn of_device(doing: Activity, error: &Error) -> Exit {
    match error {
        Error::Identity(_) => Exit::Identity,
        // A CA file or a key that can't be used: the device was not spoken to.
        Error::Setup(_) | Error::InvalidRequest(_) => Exit::Usage,
        Error::Refused(refusal) => match refusal.reason {
            Reason::InvalidKey | Reason::KeyExpired | Reason::PermissionMissing(_) => Exit::Refused,
            Reason::Locked(_) | Reason::Busy => Exit::Busy,
            Reason::NotConnected => Exit::Device,
            _ => match doing {
                Activity::Looking => Exit::Device,
                Activity::Uploading => Exit::Upload,
                Activity::Binding => Exit::Rebind,
                Activity::Committing | Activity::Pushing => Exit::Commit,
                Activity::Proving => Exit::Unproven,
            },
        },
        Error::Status { status: 429, .. } => Exit::Busy,
        _ => Exit::Device,
    }
}
