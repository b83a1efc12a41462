//! A client for the PAN-OS XML API.
//!
//! It knows nothing of certmonger, of records or of deployments. What leaves this folder is typed:
//! no XML text, no HTTP. Nothing secret is ever part of a URL: the API key travels in the
//! `X-PAN-KEY` header (PAN-OS 9.0 and later), a passphrase in a multipart body.
//!
//! Facts about the API come from the vendor's "PAN-OS and Panorama API Usage Guide" and from replies
//! that clients in the field have recorded; where only the latter speak, the code is lenient in what it
//! reads and strict in what it calls a success.

mod address;
mod administrators;
mod busy;
mod certificates;
mod changes;
mod commit;
mod error;
mod fingerprint;
mod ha;
mod hello;
mod import;
mod job;
mod location;
mod locks;
mod managed_devices;
mod poll;
mod reply;
mod session;
mod system;
mod transport;
mod trust;
pub mod words;
mod xml;
mod xpath;

pub use address::{Address, HTTPS, Host, InvalidAddress, check_dns_name};
pub use administrators::AdminRole;
pub use certificates::{CertificateEntry, ServiceProfile};
pub use changes::PendingChange;
pub use commit::{Commit, CommitReply, CommitScope};
pub use error::{Error, Operation, Reason, Refusal, Right};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use ha::HaState;
pub use hello::{Hello, hello};
pub use import::{ImportFormat, KeyExport, KeyPairImport};
pub use job::{Job, JobState};
pub use location::{
    InvalidLocation, InvalidTemplateName, InvalidVsys, Location, TEMPLATE_NAME_LIMIT, TemplateName, VsysName,
};
pub use locks::Lock;
pub use managed_devices::{ManagedDevice, PushedDevice, StackDevice, TemplateStack};
pub use poll::{JobOutcome, PollSchedule};
pub use reply::{Reply, ReplyError};
pub use session::Session;
pub use system::{FIREWALL_NAME_LIMIT, PANORAMA_NAME_LIMIT, SystemInfo, own_name};
pub use transport::ClientOptions;
pub use trust::{
    CaFile, CaFileError, CaFileReader, IdentityError, MAX_CA_FILE_BYTES, ManagementBinding, NextIdentity,
    Trust,
};
pub use xml::{Element, MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, Node, XmlError};
pub use xpath::{UnquotableName, XPath};
