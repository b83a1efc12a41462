//! Kerberos tickets to ask FreeIPA with.

use std::io;
use std::path::PathBuf;

use super::{Enrolment, KEYTAB};
use crate::host::certmonger::{CaError, Keytab};
use crate::host::command;

/// A ticket. One that was made, or copied, here is in a directory that is removed with it.
#[derive(Debug)]
pub struct Ticket {
    cache: Option<String>,
    holder: Option<String>,
    _folder: Option<tempfile::TempDir>,
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
    /// There is no KDC to ask, or its directory server is down.
    #[error("{0}")]
    Unreachable(String),
    /// The KDC, or the keytab, said no.
    #[error("{what}")]
    Refused {
        /// Its words.
        what: String,
        /// What they mean, where that is known.
        keytab: Option<Keytab>,
    },
    /// The caller has none.
    #[error("there is no Kerberos ticket")]
    None,
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
            Ok(said) if said.success => {
                Ok(Self { cache: Some(cache), holder: Some(principal), _folder: Some(folder) })
            }
            Ok(said) => Err(match CaError::read(&said.complaint) {
                CaError::Outage => NoTicket::Unreachable(said.complaint),
                CaError::Identity(keytab) => NoTicket::Refused { what: said.complaint, keytab: Some(keytab) },
                CaError::Refused(_) | CaError::Unknown => {
                    NoTicket::Refused { what: said.complaint, keytab: None }
                }
            }),
            Err(error) => Err(NoTicket::CantTell(error.to_string())),
        }
    }

    /// The caller's own ticket, to be used as the caller would.
    ///
    /// # Errors
    /// There is none that is valid; no `klist`.
    pub async fn own() -> Result<Self, NoTicket> {
        let mut ticket = Self { cache: std::env::var("KRB5CCNAME").ok(), ..Self::usual() };
        let ask = async |words: &[&str]| command::ask("klist", words, &ticket.environment()).await;
        match ask(&["-s"]).await {
            Ok(said) if said.success => {}
            Ok(_) => return Err(NoTicket::None),
            Err(error) => return Err(NoTicket::CantTell(error.to_string())),
        }
        let listed = ask(&[]).await.map(|said| said.output).unwrap_or_default();
        let holder = listed.lines().find_map(|line| line.trim().strip_prefix("Default principal:"));
        ticket.holder = holder.map(|name| name.trim().to_owned());
        Ok(ticket)
    }

    /// Whose it is, where that is known.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// A ticket to look things up with: root's is the host's, whatever root has besides; who may not read the keytab
    /// has to have one, of which a copy is used where it lies in a file.
    ///
    /// # Errors
    /// As for the one that is used.
    pub async fn to_read(enrolment: &Enrolment) -> Result<Self, NoTicket> {
        if rustix::process::geteuid().is_root() {
            return Self::of_host(enrolment).await;
        }
        Self::own().await?.copied()
    }

    /// Whatever the libraries take by themselves.
    pub(super) fn usual() -> Self {
        Self { cache: None, holder: None, _folder: None }
    }

    /// Each question adds a ticket for the server to the cache: the caller's own stays as it is.
    fn copied(self) -> Result<Self, NoTicket> {
        let usual = || format!("FILE:/tmp/krb5cc_{}", rustix::process::geteuid().as_raw());
        let cache = self.cache.clone().unwrap_or_else(usual);
        let file = cache.strip_prefix("FILE:").or_else(|| cache.starts_with('/').then_some(&cache));
        // What is not in a file can't be copied.
        let Some(file) = file.map(PathBuf::from).filter(|file| file.is_file()) else { return Ok(self) };
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("ticket");
        std::fs::copy(file, &copy)?;
        Ok(Self {
            cache: Some(format!("FILE:{}", copy.display())),
            holder: self.holder,
            _folder: Some(folder),
        })
    }

    /// How a program is told of it.
    pub(super) fn environment(&self) -> Vec<(&'static str, &str)> {
        self.cache.iter().map(|cache| ("KRB5CCNAME", cache.as_str())).collect()
    }
}
