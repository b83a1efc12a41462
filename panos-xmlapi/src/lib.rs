//! A client for the PAN-OS XML API.
//!
//! It knows nothing of certmonger, of records or of deployments. What leaves this folder is typed:
//! no XML text, no HTTP. Nothing secret is ever part of a URL: the API key travels in the
//! `X-PAN-KEY` header (PAN-OS 9.0 and later), a passphrase in a multipart body.
//!
//! Facts about the API come from the vendor's "PAN-OS and Panorama API Usage Guide" and from replies
//! that clients in the field have recorded; where only the latter speak, the code is lenient in what it
//! reads and strict in what it calls a success.

pub mod address;
pub mod administrators;
pub mod certificates;
pub mod changes;
pub mod commit;
pub mod error;
pub mod fingerprint;
pub mod greeting;
pub mod ha;
pub mod import;
pub mod job;
pub mod locks;
pub mod panorama;
mod redact;
pub mod reply;
pub mod session;
pub mod system;
pub mod transport;
pub mod trust;
pub mod wait;
pub mod xml;
pub mod xpath;

pub use address::Address;
pub use error::{Error, Operation, Reason, Refusal, Right};
pub use fingerprint::Fingerprint;
pub use session::Session;
pub use trust::{Rejection, Trust};
pub use xpath::{Place, XPath};
