//! The verbs of getcert that are needed here, each with its own answer.
//!
//! The answers are told by their words, not by the exit status alone: where there is no message bus, root's
//! getcert starts a certmonger of its own for the moment, and then exits 0 whatever came of it.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answer::{Status, failure, quoted_after, status_line};
use super::error::GetcertError;
use super::listing::{Listing, Tracked};
use super::run::{self, Ran};

/// How long one call may take. certmonger answers at once; with sudo a person may have to type a password.
const TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_WITH_SUDO: Duration = Duration::from_secs(360);

/// How getcert is run.
#[derive(Debug, Clone)]
pub struct Getcert {
    words: Vec<OsString>,
    ca: Option<String>,
    session_bus: bool,
    timeout: Duration,
}

/// The kinds of key certmonger can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA.
    Rsa,
    /// DSA, which some builds of certmonger don't have.
    Dsa,
    /// Elliptic curve.
    Ec,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "rsa",
            Self::Dsa => "dsa",
            Self::Ec => "ec",
        })
    }
}

/// What to ask the CA for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The subject, such as `CN=gp.example.com`.
    pub subject: String,
    /// The Kerberos principal, such as `HTTP/gp.example.com`. Without `@REALM` the machine needs a default realm.
    pub principal: Option<String>,
    /// Where the certificate is to be written; its directory has to exist.
    pub certificate: PathBuf,
    /// Where the private key is, or is to be written; its directory has to exist.
    pub key: PathBuf,
    /// Host names for the certificate.
    pub dns: Vec<String>,
    /// Addresses for the certificate.
    pub ip_addresses: Vec<IpAddr>,
    /// The CA's certificate profile.
    pub profile: Option<String>,
    /// The kind of key to make.
    pub key_type: Option<KeyType>,
    /// Its size.
    pub key_bits: Option<u32>,
    /// What to run after each save; made by [`post_save_command`](super::post_save_command).
    pub post_save: Option<String>,
}

/// What is to be different in a request that exists already; what is left empty stays as it is tracked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Another CA of certmonger's.
    pub ca: Option<String>,
    /// Another subject, such as `CN=gp.example.com`.
    pub subject: Option<String>,
    /// Another Kerberos principal.
    pub principal: Option<String>,
    /// All host names, where they are others than before.
    pub dns: Vec<String>,
    /// All addresses, where they are others than before.
    pub ip_addresses: Vec<IpAddr>,
    /// Another certificate profile of the CA.
    pub profile: Option<String>,
    /// Another post-save command; made by [`post_save_command`](super::post_save_command).
    pub post_save: Option<String>,
}

impl Getcert {
    /// Runs these words, which may begin with `sudo` or `env`; new requests go to this CA, or to the one
    /// the program stands for.
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>, ca: Option<&str>) -> Self {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let sudo = words.first().is_some_and(|word| word == "sudo");
        let timeout = if sudo { TIMEOUT_WITH_SUDO } else { TIMEOUT };
        Self { words, ca: ca.map(str::to_owned), session_bus: false, timeout }
    }

    /// The usual program for a CA: `ipa-getcert` for the one named `IPA`, `getcert` for any other.
    ///
    /// ipa-getcert shows requests of that CA only, and moves every request it changes to it.
    pub fn for_ca(ca: &str, through_sudo: bool) -> Self {
        let (program, ca) = if ca == "IPA" { ("ipa-getcert", None) } else { ("getcert", Some(ca)) };
        let sudo = through_sudo.then_some("sudo");
        Self::new(sudo.into_iter().chain([program]), ca)
    }

    /// For requests that are there already. Whoever may use sudo for `ipa-getcert` alone sees IPA's; else all are seen.
    pub fn for_tracked(ca: Option<&str>, through_sudo: bool) -> Self {
        if through_sudo { Self::for_ca(ca.unwrap_or("IPA"), true) } else { Self::new(["getcert"], None) }
    }

    /// The same, talking to the certmonger on the session bus or on the system's.
    #[must_use]
    pub fn on_session_bus(self, session_bus: bool) -> Self {
        Self { session_bus, ..self }
    }

    /// The same with another limit on the time of each call.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Asks for a certificate and has it watched from then on. Gives certmonger's nickname for the request.
    pub async fn request(&self, new: &NewRequest) -> Result<String, GetcertError> {
        let mut line = self.line("request");
        line.option("-c", self.ca.as_deref());
        line.pair("-N", &new.subject);
        line.option("-K", new.principal.as_deref());
        line.pair("-f", &new.certificate);
        line.pair("-k", &new.key);
        new.dns.iter().for_each(|name| line.pair("-D", name));
        new.ip_addresses.iter().for_each(|address| line.pair("-A", address.to_string()));
        line.option("-T", new.profile.as_deref());
        line.key(new.key_type, new.key_bits);
        line.option("-C", new.post_save.as_deref());
        let ran = self.run(line).await?;
        quoted_after(&ran, "New signing request ").ok_or_else(|| failure(&ran))
    }

    /// Changes what an existing request runs after each save, and nothing else; no new certificate was requested.
    pub async fn set_post_save(&self, id: &str, post_save: &str) -> Result<(), GetcertError> {
        let mut line = self.line("start-tracking");
        line.pair("-i", id);
        line.pair("-C", post_save);
        let ran = self.run(line).await?;
        quoted_after(&ran, "Request ").map(drop).ok_or_else(|| failure(&ran))
    }

    /// Asks the CA for a new certificate for the same key.
    pub async fn resubmit(&self, id: &str, changes: &Changes) -> Result<(), GetcertError> {
        self.again("resubmit", id, changes, (None, None)).await
    }

    /// Asks the CA for a new certificate for a new key, of the old kind unless another is named.
    pub async fn rekey(
        &self,
        id: &str,
        changes: &Changes,
        key_type: Option<KeyType>,
        key_bits: Option<u32>,
    ) -> Result<(), GetcertError> {
        self.again("rekey", id, changes, (key_type, key_bits)).await
    }

    async fn again(
        &self,
        verb: &str,
        id: &str,
        changes: &Changes,
        (key_type, key_bits): (Option<KeyType>, Option<u32>),
    ) -> Result<(), GetcertError> {
        let mut line = self.line(verb);
        line.pair("-i", id);
        line.option("-c", changes.ca.as_deref());
        line.option("-N", changes.subject.as_deref());
        line.option("-K", changes.principal.as_deref());
        changes.dns.iter().for_each(|name| line.pair("-D", name));
        changes.ip_addresses.iter().for_each(|address| line.pair("-A", address.to_string()));
        line.option("-T", changes.profile.as_deref());
        line.key(key_type, key_bits);
        line.option("-C", changes.post_save.as_deref());
        let ran = self.run(line).await?;
        quoted_after(&ran, "Resubmitting ").map(drop).ok_or_else(|| failure(&ran))
    }

    /// How far the request for a certificate file is.
    pub async fn status(&self, certificate: &Path) -> Result<Status, GetcertError> {
        let mut line = self.line("status");
        line.pair("-f", certificate);
        line.flag("-v");
        let ran = self.run(line).await?;
        match ran.stdout.lines().find_map(status_line).ok_or_else(|| failure(&ran)) {
            // Asked for one file, getcert demands to be able to write there, which a sandbox does not allow.
            Err(GetcertError::Path { .. }) if certificate.is_file() => self.status_in_list(certificate).await,
            answer => answer,
        }
    }

    async fn status_in_list(&self, certificate: &Path) -> Result<Status, GetcertError> {
        let listing = self.list().await?;
        let real = certificate.canonicalize().unwrap_or_default();
        let found = listing.for_certificate(certificate).or_else(|| listing.for_certificate(&real));
        let tracked = found.ok_or(GetcertError::NotTracked)?;
        Ok(Status { state: tracked.state.clone(), stuck: tracked.stuck.unwrap_or(false) })
    }

    /// Everything about the request for a certificate file, or nothing if there is none.
    pub async fn tracked(&self, certificate: &Path) -> Result<Option<Tracked>, GetcertError> {
        let mut line = self.line("list");
        line.pair("-f", certificate);
        match self.listing(line).await {
            Ok(listing) => Ok(listing.for_certificate(certificate).cloned()),
            Err(GetcertError::NotTracked) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything about all requests.
    pub async fn list(&self) -> Result<Listing, GetcertError> {
        self.listing(self.line("list")).await
    }

    /// The names of the CAs that it knows.
    pub async fn authorities(&self) -> Result<Vec<String>, GetcertError> {
        let ran = self.run(self.line("list-cas")).await?;
        let named = |line: &str| Some(line.strip_prefix("CA '")?.split_once('\'')?.0.to_owned());
        let names: Vec<String> = ran.stdout.lines().filter_map(named).collect();
        if names.is_empty() && !ran.status.success() { Err(failure(&ran)) } else { Ok(names) }
    }

    async fn listing(&self, line: Line) -> Result<Listing, GetcertError> {
        let ran = self.run(line).await?;
        match Listing::parse(&ran.stdout) {
            Ok(listing) => Ok(listing),
            // What is no list at all is a complaint, unless it is called a success and complains of nothing.
            Err(bad) => match failure(&ran) {
                GetcertError::Failed { .. } if ran.status.success() => Err(bad.into()),
                complaint => Err(complaint),
            },
        }
    }

    fn line(&self, verb: &str) -> Line {
        let mut line = Line(vec![verb.into()]);
        if self.session_bus {
            line.flag("-s");
        }
        line
    }

    async fn run(&self, line: Line) -> Result<Ran, GetcertError> {
        run::run(&self.words, &line.0, self.session_bus, self.timeout).await
    }
}

/// Arguments in the making. Each value is an argument of its own after its option, so none can be taken
/// for an option, whatever it begins with.
struct Line(Vec<OsString>);

impl Line {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.extend([option.into(), value.into()]);
    }

    fn option(&mut self, option: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.pair(option, value));
    }

    fn key(&mut self, kind: Option<KeyType>, bits: Option<u32>) {
        kind.into_iter().for_each(|kind| self.pair("-G", kind.to_string()));
        bits.into_iter().for_each(|bits| self.pair("-g", bits.to_string()));
    }
}

#[cfg(test)]
#[path = "getcert_tests.rs"]
mod tests;
