//! Reads what `getcert list` prints.
//!
//! A header with a count, then per request a line `Request ID 'X':` and indented `name: value` lines. Old
//! releases have no header, `list -i` counts more requests than it shows, and fields come and go with the
//! release, so only what can't be a listing is refused. Lines that are no field are passed over. Where a
//! field comes twice the first counts: what certmonger got from outside, such as an error text with line
//! ends, comes after the status.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::state::{Phase, State};

/// The most characters that are kept of a CA's complaint.
const TEXT: usize = 2000;

/// The requests that certmonger told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// How many requests certmonger has in all, where it says so.
    pub tracked: Option<u32>,
    /// The requests shown.
    pub requests: Vec<Tracked>,
}

/// One request. A text that certmonger shows empty is an empty text here; a line it does not show is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tracked {
    /// certmonger's nickname for the request, usually the time of its making.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// Whether certmonger waits for a person.
    pub stuck: Option<bool>,
    /// What the CA, or the way to it, last complained of.
    pub ca_error: Option<String>,
    /// Where the private key is.
    pub key: Option<Storage>,
    /// Where the certificate is.
    pub certificate: Option<Storage>,
    /// The name of the CA.
    pub ca: Option<String>,
    /// The issuer of the certificate at hand.
    pub issuer: Option<String>,
    /// The subject of the certificate at hand.
    pub subject: Option<String>,
    /// When the certificate was issued, as certmonger writes it, in local time.
    pub issued: Option<String>,
    /// When it ends, as certmonger writes it, in local time; or `unknown`.
    pub expires: Option<String>,
    /// The host names in it.
    pub dns: Vec<String>,
    /// The Kerberos principals in it.
    pub principals: Vec<String>,
    /// The IP addresses in it.
    pub ip_addresses: Vec<String>,
    /// What the key may be used for.
    pub key_usage: Vec<String>,
    /// What the certificate may be used for.
    pub extended_key_usage: Vec<String>,
    /// The CA's certificate profile, as it is requested.
    pub profile: Option<String>,
    /// Run before a new certificate is saved.
    pub pre_save: Option<String>,
    /// Run after a new certificate was saved.
    pub post_save: Option<String>,
    /// Whether certmonger watches the certificate.
    pub track: Option<bool>,
    /// Whether it renews it.
    pub auto_renew: Option<bool>,
}

/// Where certmonger keeps a key or certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Storage {
    /// `FILE` or `NSSDB`.
    pub kind: String,
    /// The file, or the directory of the database.
    pub location: Option<PathBuf>,
    /// The name in the database.
    pub nickname: Option<String>,
}

/// Why a text is not a listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadListing {
    /// Neither header nor request.
    #[error("certmonger's answer is not a list of requests")]
    NotAListing,
    /// A line that begins as it should and goes on otherwise.
    #[error("line {line} of certmonger's list can't be understood")]
    Line {
        /// Which line.
        line: usize,
    },
    /// One nickname, two requests.
    #[error("certmonger's list has the request '{}' twice", id.escape_debug())]
    Twice {
        /// The nickname.
        id: String,
    },
    /// Nothing can be said of a request without a status.
    #[error("certmonger's list has no status for the request '{}'", id.escape_debug())]
    NoStatus {
        /// The nickname.
        id: String,
    },
}

const HEADER: &str = "Number of certificates and requests being tracked:";
const REQUEST: &str = "Request ID";

impl Listing {
    /// Reads the output of `getcert list`.
    pub fn parse(text: &str) -> Result<Self, BadListing> {
        let mut listing = Self { tracked: None, requests: Vec::new() };
        let mut open: Option<Draft> = None;
        let mut ids = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let bad = BadListing::Line { line: number + 1 };
            if let (None, Some(count)) = (&open, line.trim().strip_prefix(HEADER)) {
                let count = count.trim().trim_end_matches('.').parse();
                listing.tracked = Some(count.map_err(|_| bad)?);
            } else if let Some(id) = line.strip_prefix(REQUEST) {
                let id = id.trim().strip_prefix('\'').and_then(|id| id.strip_suffix("':")).ok_or(bad)?;
                if !ids.insert(id.to_owned()) {
                    return Err(BadListing::Twice { id: id.to_owned() });
                }
                if let Some(done) = open.replace(Draft::new(id)) {
                    listing.requests.push(done.finish()?);
                }
            } else if let (Some(draft), Some((name, value))) = (&mut open, line.trim().split_once(':')) {
                draft.take(name, value.trim()).ok_or(bad)?;
            }
        }
        if let Some(last) = open {
            listing.requests.push(last.finish()?);
        }
        if listing.tracked.is_none() && listing.requests.is_empty() {
            return Err(BadListing::NotAListing);
        }
        Ok(listing)
    }

    /// The request for this certificate file.
    pub fn for_certificate(&self, file: &Path) -> Option<&Tracked> {
        let in_file = |storage: &Storage| storage.kind == "FILE" && storage.location.as_deref() == Some(file);
        self.requests.iter().find(|request| request.certificate.as_ref().is_some_and(in_file))
    }
}

impl Tracked {
    /// What the request's state means.
    pub fn phase(&self) -> Phase {
        self.state.phase(self.stuck.unwrap_or(false))
    }

    /// Whether it is before the request to the CA: certmonger stays there where it has no key to sign with.
    pub fn has_no_request(&self) -> bool {
        ["NEED_CSR", "NEED_KEY_PAIR"].contains(&self.state.as_str())
    }

    /// Whether there is a certificate.
    pub fn has_certificate(&self) -> bool {
        match &self.issuer {
            Some(issuer) => !issuer.is_empty(),
            None => matches!(self.phase(), Phase::Done | Phase::Saving),
        }
    }

    /// What the CA, or the way to it, last complained of, if of anything.
    pub fn complaint(&self) -> Option<&str> {
        self.ca_error.as_deref().filter(|error| !error.is_empty())
    }

    /// The private key's file, where it was there and is not any more.
    pub fn lost_key(&self) -> Option<&Path> {
        let key = self.key.as_ref().filter(|key| key.kind == "FILE")?;
        let file = key.location.as_deref()?;
        let is_gone = file.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        (is_gone && (self.phase() != Phase::Working || self.has_no_request())).then_some(file)
    }
}

/// A request whose lines are still coming in.
struct Draft {
    has_status: bool,
    tracked: Tracked,
}

impl Draft {
    fn new(id: &str) -> Self {
        let tracked = Tracked {
            id: id.to_owned(),
            state: State::new(""),
            stuck: None,
            ca_error: None,
            key: None,
            certificate: None,
            ca: None,
            issuer: None,
            subject: None,
            issued: None,
            expires: None,
            dns: Vec::new(),
            principals: Vec::new(),
            ip_addresses: Vec::new(),
            key_usage: Vec::new(),
            extended_key_usage: Vec::new(),
            profile: None,
            pre_save: None,
            post_save: None,
            track: None,
            auto_renew: None,
        };
        Self { has_status: false, tracked }
    }

    /// Nothing if a field that decides something has a value that can't be.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let Self { has_status, tracked } = self;
        match name {
            "status" if !*has_status => {
                if value.is_empty() {
                    return None;
                }
                (*has_status, tracked.state) = (true, State::new(value));
            }
            "stuck" => keep(&mut tracked.stuck, yes_or_no(value)?),
            "track" => keep(&mut tracked.track, yes_or_no(value)?),
            "auto-renew" => keep(&mut tracked.auto_renew, yes_or_no(value)?),
            "key pair storage" => keep(&mut tracked.key, storage(value)?),
            "certificate" => keep(&mut tracked.certificate, storage(value)?),
            "ca-error" => keep(&mut tracked.ca_error, value.chars().take(TEXT).collect()),
            "CA" => keep(&mut tracked.ca, value.to_owned()),
            "issuer" => keep(&mut tracked.issuer, value.to_owned()),
            "subject" => keep(&mut tracked.subject, value.to_owned()),
            "issued" => keep(&mut tracked.issued, value.to_owned()),
            "expires" => keep(&mut tracked.expires, value.to_owned()),
            // Not "certificate template/profile": that one is the certificate's, and this the request's.
            "profile" => keep(&mut tracked.profile, value.to_owned()),
            "pre-save command" => keep(&mut tracked.pre_save, value.to_owned()),
            "post-save command" => keep(&mut tracked.post_save, value.to_owned()),
            "dns" => keep_all(&mut tracked.dns, value),
            "principal name" => keep_all(&mut tracked.principals, value),
            "IP address" => keep_all(&mut tracked.ip_addresses, value),
            "key usage" => keep_all(&mut tracked.key_usage, value),
            "eku" => keep_all(&mut tracked.extended_key_usage, value),
            _ => {}
        }
        Some(())
    }

    fn finish(self) -> Result<Tracked, BadListing> {
        if self.has_status { Ok(self.tracked) } else { Err(BadListing::NoStatus { id: self.tracked.id }) }
    }
}

fn keep<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn keep_all(field: &mut Vec<String>, value: &str) {
    if field.is_empty() {
        field.extend(value.split(',').filter(|part| !part.is_empty()).map(str::to_owned));
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// `type=FILE,location='/a/b'`, perhaps with more `name='value'` and bare words such as `pin set`.
///
/// certmonger does not escape a `'` in a value, so a value ends at a `'` with a comma or nothing after it.
fn storage(text: &str) -> Option<Storage> {
    let mut storage = Storage::default();
    let mut rest = text;
    while !rest.is_empty() {
        let quoted = rest.find("='").filter(|at| !rest[..*at].contains(','));
        let (name, value, after) = if let Some(at) = quoted {
            let inside = &rest[at + 2..];
            let end = inside.find("',").or_else(|| inside.ends_with('\'').then(|| inside.len() - 1))?;
            (&rest[..at], &inside[..end], &inside[end + 1..])
        } else {
            let (word, _) = rest.split_once(',').unwrap_or((rest, ""));
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (name, value, &rest[word.len()..])
        };
        match name {
            "type" => storage.kind = value.to_owned(),
            "location" => storage.location = Some(PathBuf::from(value)),
            "nickname" => storage.nickname = Some(value.to_owned()),
            _ => {}
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    (!storage.kind.is_empty()).then_some(storage)
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
