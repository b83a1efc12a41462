//! The handle by which a test holds a running device.

use std::{net::SocketAddr, time::Duration};

use crate::{ConnectionRecord, Error, Fault, Listening, RequestRecord, Result, Settings};

/// Which of the two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Keeps others from editing the candidate configuration.
    Config,
    /// Keeps others from committing.
    Commit,
}

/// A running device. Dropping it stops it.
///
/// Its methods can be called from any thread at any time; a request in flight is seen either
/// wholly before or wholly after a call.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
}

impl Simulator {
    /// Starts a device on a thread of its own; it listens when this returns.
    pub fn start(settings: Settings) -> Result<Self> {
        settings.check()?;
        Err(Error::Settings("not yet".into()))
    }

    /// Starts two devices that are peers of an active/passive pair; the first is active.
    pub fn pair(first: Settings, second: Settings) -> Result<(Self, Self)> {
        Ok((Self::start(first)?, Self::start(second)?))
    }

    /// Address of the API and management port (HTTPS).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the second TLS port, which shows what the served profile is bound to.
    pub fn service_address(&self) -> SocketAddr {
        self.address
    }

    /// SHA-256, lower-case hexadecimal, of the certificate the management port shows now.
    pub fn certificate_fingerprint(&self) -> String {
        String::new()
    }

    /// The certificate the management port shows now, as PEM.
    pub fn certificate_pem(&self) -> String {
        String::new()
    }

    /// The requests since the start or the last [`clear_requests`](Self::clear_requests).
    pub fn requests(&self) -> Vec<RequestRecord> {
        Vec::new()
    }

    /// Forgets the requests recorded so far.
    pub fn clear_requests(&self) {}

    /// How many connections the API port has accepted.
    pub fn connections(&self) -> usize {
        0
    }

    /// Every connection the API port has accepted, oldest first.
    pub fn connection_records(&self) -> Vec<ConnectionRecord> {
        Vec::new()
    }

    /// The candidate configuration: stable text, without the marks of uncommitted changes.
    pub fn candidate_xml(&self) -> String {
        String::new()
    }

    /// The running configuration: stable text.
    pub fn running_xml(&self) -> String {
        String::new()
    }

    /// The XPaths that somebody has changed and nobody has committed, each with its owner.
    pub fn pending_changes(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Another administrator edits the candidate: `element` is merged at `xpath`, as by
    /// `action=set`.
    pub fn add_pending_change(&self, _admin: &str, _xpath: &str, _element: &str) -> Result<()> {
        Ok(())
    }

    /// Removes a node of the candidate, as by `action=delete`.
    pub fn delete_from_candidate(&self, _admin: &str, _xpath: &str) -> Result<()> {
        Ok(())
    }

    /// An administrator takes a device-wide lock; whoever held a config lock loses it.
    pub fn take_lock(&self, _kind: LockKind, _admin: &str, _comment: &str) {}

    /// An administrator gives a lock back; nothing happens if it is not held.
    pub fn release_lock(&self, _kind: LockKind, _admin: &str) {}

    /// The locks held now, each with its owner.
    pub fn locks(&self) -> Vec<(LockKind, String)> {
        Vec::new()
    }

    /// The next commit job ends with FAIL and these lines; nothing of it becomes running.
    pub fn fail_next_commit(&self, _lines: &[&str]) {}

    /// How long commit jobs run that are enqueued from now on.
    pub fn set_commit_duration(&self, _duration: Duration) {}

    /// Starts a commit by this administrator (all changes), as from the web GUI; returns the job.
    pub fn commit_as(&self, _admin: &str) -> u64 {
        0
    }

    /// Injects a fault; several can wait at the same time, the oldest that matches strikes.
    pub fn inject(&self, _fault: Fault) {}

    /// Takes back all faults that are not spent, and opens the port again.
    pub fn clear_faults(&self) {}

    /// What the API port does with connections from now on.
    pub fn set_listening(&self, _listening: Listening) {}

    /// Makes this device of a pair the active one.
    pub fn make_active(&self) {}
}
