//! This machine as a client of FreeIPA: whether it is enrolled, whether its keytab is good, and what the server
//! lacks for a request.
//!
//! The server is asked with its own command, `ipa`, and a ticket: that of the host where its keytab can be read, in a
//! credential cache of our own that is removed with it.

mod acl;
mod needs;
mod principal;
mod server;
mod ticket;

pub use needs::{Found, Needs, Standing, commands, examine};
pub use principal::Principal;
pub use server::{ProfileKnown, Server, carry_out, certificate_profile};
pub use ticket::{NoTicket, Ticket};

use std::path::{Path, PathBuf};

use openssl::x509::X509;
use panos_xmlapi::Fingerprint;

use crate::files::{self, ReadError};

/// What `ipa-client-install` writes about the domain.
pub const CONFIGURATION: &str = "/etc/ipa/default.conf";
/// The domain's authorities.
pub const AUTHORITY: &str = "/etc/ipa/ca.crt";
/// The keys of the host's own principal.
pub const KEYTAB: &str = "/etc/krb5.keytab";
/// The most that is read of each file.
const LIMIT: usize = 1 << 20;

/// What this machine knows of the domain it is enrolled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enrolment {
    /// The Kerberos realm.
    pub realm: String,
    /// The IPA server that is asked.
    pub server: String,
    /// This machine's name in the domain.
    pub host: String,
}

/// Why this machine can't be taken for an enrolled client.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// A file can't be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A line is missing.
    #[error("{CONFIGURATION} does not say which {0} this machine has")]
    Lacks(&'static str),
}

fn read(path: &str) -> Result<Vec<u8>, NotEnrolled> {
    let bad = |trouble: ReadError| NotEnrolled::File { path: path.into(), problem: trouble.to_string() };
    let (file, metadata) = files::open(Path::new(path)).map_err(bad)?;
    Ok(files::read(file, &metadata, LIMIT).map_err(bad)?.to_vec())
}

impl Enrolment {
    /// Reads what `ipa-client-install` has written.
    ///
    /// # Errors
    /// A file that is not there or can't be read, or that leaves out what is needed.
    pub fn read() -> Result<Self, NotEnrolled> {
        let text = String::from_utf8_lossy(&read(CONFIGURATION)?).into_owned();
        let setting = |name: &'static str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let mut named = lines.filter(|(key, _)| key.trim() == name);
            let value = named.next().map(|(_, value)| value.trim().to_owned());
            value.filter(|value| !value.is_empty()).ok_or(NotEnrolled::Lacks(name))
        };
        Ok(Self { realm: setting("realm")?, server: setting("server")?, host: setting("host")? })
    }

    /// The host's own principal.
    #[must_use]
    pub fn principal(&self) -> String {
        format!("host/{}@{}", self.host, self.realm)
    }
}

/// The fingerprints of the domain's authorities.
///
/// # Errors
/// A file that is not there, can't be read, or holds no certificate.
pub fn authorities() -> Result<Vec<Fingerprint>, NotEnrolled> {
    let bad = |problem: String| NotEnrolled::File { path: AUTHORITY.into(), problem };
    let mut pem = read(AUTHORITY)?;
    files::remove_marks(&mut pem);
    let all = X509::stack_from_pem(&pem).map_err(|error| bad(error.to_string()))?;
    if all.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    let print = |certificate: &X509| certificate.to_der().map(|der| Fingerprint::of_der(&der));
    all.iter().map(print).collect::<Result<_, _>>().map_err(|error| bad(error.to_string()))
}
