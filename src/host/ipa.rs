//! This machine as a client of FreeIPA: whether it is enrolled, whether its keytab is good, and what the server
//! knows of a service.

use std::io;
use std::path::{Path, PathBuf};

use openssl::x509::X509;
use panos_xmlapi::Fingerprint;

use super::command::{self, CommandError};
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A ticket of the host's own, in a directory that is removed with it.
#[derive(Debug)]
pub struct Ticket {
    cache: String,
    _folder: tempfile::TempDir,
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum NoTicket {
    /// No directory for it.
    #[error("can't create a Kerberos credential cache: {0}")]
    Folder(#[from] io::Error),
    /// Whether the keytab is good can't be tried.
    #[error("{0}")]
    CantTell(String),
    /// There is no KDC to ask.
    #[error("{0}")]
    Unreachable(String),
    /// The KDC, or the keytab, said no.
    #[error("{0}")]
    Refused(String),
}

impl Ticket {
    /// Gets a ticket with the machine's keytab, as certmonger's helper does.
    ///
    /// # Errors
    /// No `kinit`, a keytab that is not good, or a KDC that can't be reached.
    pub async fn of_host(enrolment: &Enrolment) -> Result<Self, NoTicket> {
        let folder = tempfile::tempdir()?;
        let cache = format!("FILE:{}", folder.path().join("ticket").display());
        let principal = enrolment.principal();
        match command::ask("kinit", &["-k", "-t", KEYTAB, "-c", &cache, &principal], &[]).await {
            Ok(said) if said.success => Ok(Self { cache, _folder: folder }),
            Ok(said)
                if said.complaint.contains("Cannot contact")
                    || said.complaint.contains("Cannot find KDC") =>
            {
                Err(NoTicket::Unreachable(said.complaint))
            }
            Ok(said) => Err(NoTicket::Refused(said.complaint)),
            Err(error) => Err(NoTicket::CantTell(error.to_string())),
        }
    }
}

/// What the IPA server knows of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// It is there, and this machine may request certificates for it.
    Managed,
    /// It is there, and others may.
    NotManaged {
        /// Who may, by host name.
        by: Vec<String>,
    },
    /// It is not there.
    Missing {
        /// Whether the host of that name is there.
        host_known: bool,
    },
    /// It could not be asked, with its words.
    CantTell(String),
}

/// Asks the IPA server, with the machine's own ticket, for a service such as `HTTP/gp.example.com`.
pub async fn service(ticket: &Ticket, enrolment: &Enrolment, service: &str, host: &str) -> Service {
    let cache = [("KRB5CCNAME", ticket.cache.as_str())];
    let said = match command::ask("ipa", &["service-show", "--all", "--raw", service], &cache).await {
        Ok(said) => said,
        Err(CommandError::Missing(program)) => {
            return Service::CantTell(format!("the program {program} is not installed"));
        }
        Err(error) => return Service::CantTell(error.to_string()),
    };
    if said.success {
        let by = managers(&said.output);
        let ours = by.iter().any(|name| name.eq_ignore_ascii_case(&enrolment.host));
        return if ours { Service::Managed } else { Service::NotManaged { by } };
    }
    if !said.complaint.contains("service not found") {
        return Service::CantTell(said.complaint);
    }
    let known = command::ask("ipa", &["host-show", "--raw", host], &cache).await;
    Service::Missing { host_known: known.is_ok_and(|said| said.success) }
}

/// What the server knows of a certificate profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileKnown {
    /// It exists.
    Yes,
    /// It does not.
    No,
    /// It could not be asked (no ticket, no server, no command), with its words.
    CantTell(String),
}

/// Asks the server, with the caller's own ticket, whether a certificate profile exists.
pub async fn certificate_profile(name: &str) -> ProfileKnown {
    let ticket = std::env::var("KRB5CCNAME").ok().filter(|_| !rustix::process::geteuid().is_root());
    let environment: Vec<(&str, &str)> = ticket.iter().map(|cache| ("KRB5CCNAME", cache.as_str())).collect();
    match command::ask("ipa", &["certprofile-show", "--", name], &environment).await {
        Ok(said) if said.success => ProfileKnown::Yes,
        Ok(said) if said.complaint.contains("not found") => ProfileKnown::No,
        Ok(said) => ProfileKnown::CantTell(said.complaint),
        Err(error) => ProfileKnown::CantTell(error.to_string()),
    }
}

/// The hosts that may act for a service: `managedby: fqdn=HOST,cn=computers,…`.
fn managers(entry: &str) -> Vec<String> {
    let lines = entry.lines().filter_map(|line| line.trim().split_once(':'));
    let values =
        lines.filter(|(name, _)| name.eq_ignore_ascii_case("managedby")).map(|(_, value)| value.trim());
    let hosts = values.filter_map(|value| value.split(',').next()?.trim().split_once('='));
    hosts.filter(|(name, _)| name.eq_ignore_ascii_case("fqdn")).map(|(_, host)| host.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managers_of_a_service_are_read_from_its_raw_entry() {
        let entry = "  dn: krbprincipalname=HTTP/gp.example.com@EXAMPLE.COM,cn=services,cn=accounts,dc=example,dc=com\n  krbprincipalname: HTTP/gp.example.com@EXAMPLE.COM\n  managedby: fqdn=gp.example.com,cn=computers,cn=accounts,dc=example,dc=com\n  managedby: fqdn=certs.example.com,cn=computers,cn=accounts,dc=example,dc=com\n";
        assert_eq!(managers(entry), ["gp.example.com", "certs.example.com"]);
        assert!(managers("managedby: cn=other,dc=x\nnothing").is_empty());
    }
}
