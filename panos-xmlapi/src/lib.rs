#![doc = include_str!("../README.md")]
// Whoever calls it has to know what can go wrong.
#![warn(clippy::missing_errors_doc)]

mod address;
mod administrators;
mod busy;
mod certificate_import;
mod certificates;
mod changes;
mod clock;
mod command;
mod commit;
mod configuration;
mod error;
mod fingerprint;
mod ha;
mod hello;
mod import;
mod job;
mod large_answers;
mod location;
mod locks;
mod managed_devices;
mod operation;
mod panorama;
mod poll;
mod push;
mod redact;
mod reply;
mod serial;
mod session;
mod system;
mod template_name;
mod tls;
mod transcript;
mod transport;
mod trust;
pub mod words;
mod xml;
mod xpath;

pub use address::{Address, HTTPS, Host, InvalidAddress, check_dns_name};
pub use administrators::AdminRole;
pub use certificate_import::CertificateImport;
pub use certificates::{CertificateEntry, ServiceProfile};
pub use changes::PendingChange;
pub use clock::DeviceClock;
pub use commit::{Commit, CommitReply, CommitScope};
pub use configuration::{Change, MAX_CHANGES, Position};
pub use error::{Error, Reason, Refusal};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use ha::HaState;
pub use hello::{Hello, hello};
pub use import::{ImportFormat, KeyExport, KeyPairImport};
pub use job::{Job, JobState};
pub use location::{InvalidLocation, InvalidVsys, Location, VsysName};
pub use locks::{Lock, LockKind};
pub use managed_devices::{ManagedDevice, PushedDevice, StackDevice, TemplateStack};
pub use operation::{Operation, Right};
pub use panorama::{StackMembers, UnpushedChange};
pub use poll::{JobOutcome, PollSchedule};
pub use push::{Push, PushTarget};
pub use reply::{Reply, ReplyError};
/// The crate whose types hold keys, passwords and passphrases here.
pub use secrecy;
pub use serial::{InvalidSerial, Serial};
pub use session::Session;
pub use system::{FIREWALL_NAME_LIMIT, PANORAMA_NAME_LIMIT, SystemInfo, own_name};
pub use template_name::{
    InvalidStackName, InvalidTemplateName, STACK_NAME_LIMIT, StackName, TEMPLATE_NAME_LIMIT, TemplateName,
};
pub use transcript::{Exchanged, Transcript};
pub use transport::ClientOptions;
pub use trust::{
    CaFile, CaFileError, CaFileReader, IdentityError, MAX_CA_FILE_BYTES, ManagementBinding, NextIdentity,
    Trust,
};
pub use xml::{Element, MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, Node, XmlError};
pub use xpath::{UnquotableName, XPath};
