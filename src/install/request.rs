//! One install request: this certificate, on this device, in these profiles, in this way.

use std::path::PathBuf;
use std::time::Duration;

use panos_xmlapi::{Address, Fingerprint, KeyExport, Location, Serial, Trust};

use super::names::{CommonName, ObjectName, ProfileName};
pub use super::push::{PushPolicy, StacksToPush};
use super::retry::RetryPolicy;
use crate::certificate::pkcs12::Container;

/// Everything that is wanted of one device. CreatedObject of checked values only.
#[derive(Debug, Clone)]
pub struct InstallRequest {
    /// The certificate's common name.
    pub common_name: CommonName,
    /// The name that was asked for: the record is kept under it.
    pub base_name: ObjectName,
    /// The name of the object on the device today (`base_name`, perhaps with a year).
    pub object: ObjectName,
    /// The device, and how it is reached.
    pub target: Target,
    /// The other member of its HA pair, where somebody said which that is.
    pub peer: Option<Target>,
    /// Where certificate and profiles are; `Shared` means the device as a whole, on Panorama its own configuration.
    pub location: Location,
    /// What is pushed after a commit in a template or template stack; of no meaning anywhere else.
    pub push: PushPolicy,
    /// The profiles to rebind: none, the primary, or primary and secondary.
    pub profiles: Vec<ProfileName>,
    /// How the certificate travels.
    pub upload: Upload,
    /// Whether the device may give the private key out later.
    pub key_export: KeyExport,
    /// What is committed.
    pub commit: CommitScope,
    /// How long a commit job may take, and a device may stay busy.
    pub commit_timeout: Duration,
    /// What to do where the device has this very certificate already.
    pub existing: Existing,
    /// What is rebound.
    pub rebind: Rebind,
    /// How many older objects of this name stay; nothing means all.
    pub keep: Option<usize>,
    /// How long a device may be silent.
    pub retry_policy: RetryPolicy,
    /// Where the new certificate has to be seen after the commit.
    pub served: Vec<Address>,
}

impl InstallRequest {
    /// Whether both can be fulfilled by one commit: the same device, reached in the same way, with the same
    /// changes being committed; on Panorama in the same template, with the same push after it.
    #[must_use]
    pub fn can_share_commit(&self, other: &Self) -> bool {
        let way = |request: &Self| (request.target.clone(), request.peer.clone(), request.commit);
        let scope = |request: &Self| {
            let name = request.location.commit_scope().map(|(kind, name)| (kind, name.to_owned()));
            let push = name.is_some().then(|| request.push.clone());
            (name, push, request.managed().cloned())
        };
        way(self) == way(other) && scope(self) == scope(other)
    }

    /// The managed firewall to which Panorama passes the requests on, where one is meant.
    #[must_use]
    pub fn managed(&self) -> Option<&Serial> {
        match &self.location {
            Location::Managed(serial) => Some(serial),
            _ => None,
        }
    }
}

/// A device, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The device.
    pub device: Address,
    /// How the device's own HTTPS certificate is judged.
    pub trust: Trust,
    /// The one certificate by which a person has said that the device is recognised.
    pub pin: Option<Fingerprint>,
    /// The file with the API key.
    pub key_file: PathBuf,
    /// How another device is trusted that only this one names, as its HA peer.
    pub peer_from_ha_state: FoundPeer,
    /// The device that has named this one, where no person did: it gets no key then that the other does not have.
    pub named_by: Option<Address>,
}

/// How a device is trusted that no person has named: by its own line of `known_devices`, or by authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPeer {
    /// The directory with `known_devices`.
    pub state_dir: PathBuf,
    /// The authorities.
    pub authorities: Trust,
}

/// The form of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// What the device took the last time, else one form after the other.
    Auto,
    /// A PKCS#12 container with these algorithms.
    Pkcs12(ContainerChoice),
    /// PEM: key, certificate, intermediates.
    Pem,
}

/// Which algorithms a PKCS#12 container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerChoice {
    /// Legacy first; where the device can't read it, modern once.
    Auto,
    /// Just this.
    Only(Container),
}

/// Whose changes are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitScope {
    /// Those of the API administrator only.
    OwnChanges,
    /// Everybody's.
    Everybody,
    /// None: a person commits.
    Nothing,
}

/// What to do where the device has this very certificate already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and say so.
    Keep,
    /// Import and commit it again.
    Replace,
}

/// What is rebound to the new certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebind {
    /// The profiles that were named.
    Named,
    /// Besides, everything that uses the object that is being replaced.
    WhereUsed,
}
