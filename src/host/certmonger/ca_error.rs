//! What FreeIPA, or the way to it, complained of: read from the `ca-error` that certmonger shows.
//!
//! `ipa-submit` calls the refusals 2100 and 3009 "denied our request, giving up", and 4001, 4301 and 4016 "failed
//! request, will retry" (measured with FreeIPA 4.9.11 and certmonger 0.79.17). After "will retry" certmonger comes
//! back in seven days, also where the request can never be granted as it is. So the code and the text decide here
//! what can pass by itself, not those words.

/// After a first request that failed, certmonger asks the CA again by itself only after this many days (measured).
pub const CA_RETRY_DAYS: u32 = 7;

/// What a complaint means for whoever waits for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaError {
    /// The request can't be granted as it is: the same request again gets the same answer.
    Refused(Refusal),
    /// The machine can't show who it is: its keytab is not good, or its host entry is gone.
    Identity(Keytab),
    /// The server, its CA or the Kerberos server is down or can't be reached: it passes.
    Outage,
    /// Nothing is known of this text.
    Unknown,
}

/// Why FreeIPA does not grant a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no host entry for the service to belong to.
    NoHost {
        /// The name of the missing host.
        host: String,
    },
    /// A further name (SAN) has no service principal of its own.
    NoPrincipalForName {
        /// The name.
        name: String,
    },
    /// The service principal is missing, and this machine may not add it.
    NoService {
        /// The principal, such as `HTTP/gp.example.com`.
        principal: String,
    },
    /// The service principal is there, and this machine does not manage it.
    NotManaged {
        /// The principal, such as `HTTP/gp.example.com`.
        principal: String,
    },
    /// A further name (SAN) belongs to a host or service that this machine does not manage.
    NameNotManaged {
        /// The name.
        name: String,
    },
    /// There is no such certificate profile, or no CA ACL lets this principal use it with this CA.
    NotPermitted {
        /// The principal, without its realm.
        principal: String,
        /// The CA.
        ca: String,
        /// The certificate profile.
        profile: String,
    },
    /// An IP address does not belong to any of the names in the DNS.
    AddressNotInDns {
        /// The address.
        address: String,
    },
    /// The certificate profile demands another type of key.
    KeyType {
        /// The type that it demands, such as `RSA`.
        demanded: String,
    },
    /// The CA is there, and switched off.
    CaDisabled {
        /// The CA.
        ca: String,
    },
    /// Another refusal of the request itself.
    Other,
}

/// What is wrong with the machine's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keytab {
    /// The keytab has no key for this host.
    NoKey,
    /// The host entry is gone from the server.
    NoHostEntry,
    /// The server has another key, or has disabled the host.
    OldKey,
    /// The certificate of the server is not trusted by this machine.
    ServerNotTrusted,
}

/// A FreeIPA error: its number, and its text.
struct ServerError<'t> {
    code: i32,
    text: &'t str,
}

impl CaError {
    /// Reads a `ca-error` text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if let Some(keytab) = keytab(text) {
            return Self::Identity(keytab);
        }
        if is_outage(text) {
            return Self::Outage;
        }
        match server_error(text) {
            Some(error) => error.meaning(),
            None => Self::Unknown,
        }
    }

    /// Whether asking again can't help until somebody has changed something.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Identity(_))
    }

    /// The commands that fix it, in their order: those of FreeIPA's administrator first. `host` is this machine's name
    /// in FreeIPA, `service` the kind of service that certificates are asked for.
    #[must_use]
    pub fn commands(&self, host: &str, service: &str) -> Vec<String> {
        match self {
            Self::Refused(refusal) => refusal.commands(host, service),
            Self::Identity(keytab) => keytab.commands(host),
            Self::Outage | Self::Unknown => Vec::new(),
        }
    }

    /// One sentence for a person, where there is something to say that no command says.
    #[must_use]
    pub fn explanation(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.explanation(),
            Self::Identity(Keytab::ServerNotTrusted) => {
                Some("this machine does not trust the server's certificate: see /etc/ipa/ca.crt".to_owned())
            }
            Self::Identity(_) => {
                Some("FreeIPA no longer accepts this machine's keytab (/etc/krb5.keytab)".to_owned())
            }
            Self::Outage => Some(format!(
                "certmonger asks again by itself, after a first request only in {CA_RETRY_DAYS} days; run this again once the server is back"
            )),
            Self::Unknown => None,
        }
    }
}

impl ServerError<'_> {
    fn meaning(&self) -> CaError {
        let between = |before: &str, after: &str| between(self.text, before, after);
        let refusal = match self.code {
            4001 => {
                between("The host '", "' does not exist").map(|host| Refusal::NoHost { host }).or_else(|| {
                    let name = between("for subject alt name ", " in certificate request")?;
                    Some(Refusal::NoPrincipalForName { name })
                })
            }
            2100 => self.access_refused(),
            3009 => between("IP address in subjectAltName (", ") unreachable")
                .map(|address| Refusal::AddressNotInDns { address }),
            4301 => between("Key Type ", " Not Matched")
                .map(|demanded| Refusal::KeyType { demanded })
                .or_else(|| between("CA '", "' is disabled").map(|ca| Refusal::CaDisabled { ca })),
            // What is below zero is a fault of the way, not the server's answer; 903 is the server's own failure.
            _ if self.code <= 0 || matches!(self.code, 903 | 907 | 1100..=1199 | 4016 | 4203 | 4204) => {
                return CaError::Outage;
            }
            _ => None,
        };
        CaError::Refused(refusal.unwrap_or(Refusal::Other))
    }

    fn access_refused(&self) -> Option<Refusal> {
        let principal = || between(self.text, "krbprincipalname=", ",").map(|name| without_realm(&name));
        if self.text.contains("'add' privilege to add the entry") {
            return Some(Refusal::NoService { principal: principal()? });
        }
        if self.text.contains("privilege to the 'userCertificate' attribute") {
            return Some(Refusal::NotManaged { principal: principal()? });
        }
        if let Some(name) = between(self.text, "with subject alt name '", "'") {
            return Some(Refusal::NameNotManaged { name });
        }
        Some(Refusal::NotPermitted {
            principal: without_realm(&between(self.text, "Principal '", "'")?),
            ca: between(self.text, "to use CA '", "'")?,
            profile: between(self.text, "with profile '", "'")?,
        })
    }
}

impl Refusal {
    fn commands(&self, host: &str, service: &str) -> Vec<String> {
        let manage = |principal: &str| format!("ipa service-add-host {principal} --hosts={host}");
        let add = |principal: &str| format!("ipa service-add {principal} --force");
        let principal_of = |name: &str| format!("{service}/{name}");
        let mut commands = vec!["kinit admin".to_owned()];
        commands.extend(match self {
            Self::NoHost { host: name } | Self::NoPrincipalForName { name } => {
                let principal = principal_of(name);
                vec![format!("ipa host-add {name} --force"), add(&principal), manage(&principal)]
            }
            Self::NoService { principal } => vec![add(principal), manage(principal)],
            Self::NotManaged { principal } => vec![manage(principal)],
            Self::NameNotManaged { name } => vec![manage(&principal_of(name))],
            Self::NotPermitted { profile, ca, .. } => {
                vec![
                    format!("ipa certprofile-show {profile}"),
                    format!("ipa ca-show {ca}"),
                    "ipa caacl-find".to_owned(),
                ]
            }
            Self::CaDisabled { ca } => vec![format!("ipa ca-enable {ca}")],
            Self::AddressNotInDns { .. } | Self::KeyType { .. } | Self::Other => return Vec::new(),
        });
        commands
    }

    fn explanation(&self) -> Option<String> {
        match self {
            Self::NotPermitted { principal, ca, profile } => Some(format!(
                "either there is no certificate profile '{profile}' (-T), or no CA ACL allows it for {principal} with the CA '{ca}'"
            )),
            Self::AddressNotInDns { address } => Some(format!(
                "FreeIPA grants the address {address} only where the DNS has it for one of the names, in both directions; add it there, or leave --ip out"
            )),
            Self::KeyType { demanded } => Some(format!(
                "the certificate profile takes {demanded} keys only: use -G {demanded} with --rekey, or another profile with -T"
            )),
            Self::CaDisabled { ca } => Some(format!("the CA '{ca}' is disabled")),
            _ => None,
        }
    }
}

/// The host's keys.
const KEYTAB: &str = "/etc/krb5.keytab";

impl Keytab {
    /// The commands that fix it, in their order: those of FreeIPA's administrator, typed on this machine.
    #[must_use]
    pub fn commands(self, host: &str) -> Vec<String> {
        self.commands_where(host, std::fs::exists(KEYTAB).unwrap_or(true))
    }

    fn commands_where(self, host: &str, there_is_a_keytab: bool) -> Vec<String> {
        let remove = format!("ipa-rmkeytab -p host/{host} -k {KEYTAB}");
        let fetch = format!("ipa-getkeytab -p host/{host} -k {KEYTAB}");
        let this = match self {
            // certmonger has the same words for a file that is gone (measured).
            Self::OldKey if !there_is_a_keytab => Self::NoKey,
            other => other,
        };
        match this {
            Self::NoKey => vec!["kinit admin".to_owned(), fetch],
            // A new key begins with number 1 again, and beside the old one it is never used.
            Self::OldKey => vec!["kinit admin".to_owned(), remove, fetch],
            Self::NoHostEntry => {
                vec!["kinit admin".to_owned(), format!("ipa host-add {host} --force"), remove, fetch]
            }
            Self::ServerNotTrusted => Vec::new(),
        }
    }
}

/// What `kinit` and the helper say of the machine's own key. The KDC's texts are MIT Kerberos'.
fn keytab(text: &str) -> Option<Keytab> {
    let says = |words: &str| text.contains(words);
    if says("Peer certificate cannot be authenticated") || says("certificate verify failed") {
        return Some(Keytab::ServerNotTrusted);
    }
    if says("Key table entry not found")
        || says("Keytab contains no suitable keys")
        || says("No key table entry")
        || (says("Key table file") && says("not found"))
    {
        return Some(Keytab::NoKey);
    }
    if says("not found in Kerberos database") {
        return Some(Keytab::NoHostEntry);
    }
    // Of a host that is disabled the server has no key at all: then it is the generic failure.
    let refused = says("Preauthentication failed")
        || says("Generic preauthentication failure")
        // The same where the server gives a ticket to anybody and only the right key can read it.
        || says("Decrypt integrity check failed")
        || says("Password incorrect")
        || says("credentials have been revoked")
        || says("Password has expired");
    refused.then_some(Keytab::OldKey)
}

fn is_outage(text: &str) -> bool {
    const PHRASES: [&str; 12] = [
        "Cannot contact any KDC",
        "Cannot find KDC",
        "Cannot resolve network address for KDC",
        // The KDC is there, its directory server is not.
        "Generic error (see e-text)",
        "Unable to contact an IPA LDAP server",
        "Failed to authenticate to CA REST API",
        "Unable to communicate with CMS",
        "Service Temporarily Unavailable",
        "Couldn't connect to server",
        "Couldn't resolve host",
        "Timeout was reached",
        "cannot connect to ",
    ];
    PHRASES.iter().any(|phrase| text.contains(phrase))
}

/// The server's number and text: `…giving up: 2100 (TEXT).` or `…will retry: 4001 (TEXT).`
fn server_error(text: &str) -> Option<ServerError<'_>> {
    let (_, rest) = text
        .split_once("giving up: ")
        .or_else(|| text.split_once("will retry: "))
        .filter(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit() || first == '-'))?;
    let (code, rest) = rest.split_once(" (").unwrap_or((rest.trim_end_matches('.'), ""));
    Some(ServerError { code: code.trim().parse().ok()?, text: rest })
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (inner, _) = rest.split_once(after)?;
    // What goes into a command that a person types is a name, and nothing else.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/@:".contains(c);
    (!inner.is_empty() && inner.len() <= 255 && inner.chars().all(is_plain)).then(|| inner.to_owned())
}

fn without_realm(principal: &str) -> String {
    principal.split_once('@').map_or(principal, |(name, _)| name).to_owned()
}

#[cfg(test)]
#[path = "ca_error_tests.rs"]
mod tests;
