//! What has to be on the disk before a step: asked for by the transaction, kept by whoever runs it.

use futures_util::future::BoxFuture;
use panos_xmlapi::{Address, Fingerprint, NextIdentity};

use super::change::Change;
use super::names::ObjectName;
use super::push::{PushState, WayBack};

/// Something that the next run has to know if this one does not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// These paths may hold uncommitted changes for one of the certificates from now on.
    Uncommitted {
        /// Which certificate.
        item: usize,
        /// The paths, and what is about to be made of them.
        changes: Vec<(String, Change)>,
    },
    /// Nothing is left uncommitted: the candidate configuration is as it was found.
    RolledBack,
    /// By which certificates devices are recognised from the commit on. This is the whole list.
    NextIdentities(Vec<NextIdentity>),
    /// What was decided about one of them is in the file of known devices.
    IdentityKept(NextIdentity),
    /// What was decided for a device is void: its commit did not take place.
    IdentitiesVoid(Address),
    /// The commit is this job.
    CommitStarted(String),
    /// Panorama runs one of the certificates, and its firewalls stand to it like this.
    Push {
        /// Which certificate.
        item: usize,
        /// How each firewall stands.
        state: Box<PushState>,
    },
    /// What the profiles of one of the certificates presented before the commit, and how far it is gone back to.
    WayBack {
        /// Which certificate.
        item: usize,
        /// The way back; nothing where there is none.
        back: Option<Box<WayBack>>,
    },
    /// The device was seen to run one of the certificates.
    Verified {
        /// Which certificate.
        item: usize,
        /// The object that was created or overwritten for it.
        created: Option<(ObjectName, Fingerprint)>,
        /// The objects that were made for intermediate certificates.
        issuers: Vec<(ObjectName, Fingerprint)>,
        /// Older objects that were deleted.
        deleted: Vec<ObjectName>,
    },
}

/// What was noted can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JournalError {
    /// What happened.
    pub what: String,
    /// What to do next, where there is something to say.
    pub advice: Option<String>,
}

/// Keeps what a transaction notes.
pub trait Journal {
    /// Notes an entry in memory; whether that is anything new.
    fn note(&mut self, entry: Entry) -> bool;

    /// Returns when all that was noted is on the disk.
    fn sync(&self) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Returns when this device may be changed: not too many are at the same time. It is so until the journal is dropped.
    fn turn(&mut self) -> BoxFuture<'_, ()>;

    /// For a device whose commit is under way: returns when no other one waits to be begun, or after some seconds.
    fn stand_back(&self) -> BoxFuture<'_, ()>;

    /// By which certificates these devices are recognised, as runs that did not come to their end have noted.
    fn next_identities(&self, devices: &[&Address]) -> Vec<NextIdentity>;
}
