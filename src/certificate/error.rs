//! What can be wrong with certificate, key and chain files, in the words of who has to repair it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;

use crate::files::instead_of_denied;

/// Which of the files an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The file whose first certificate is installed.
    Certificate,
    /// The private key.
    Key,
    /// The intermediate certificates.
    Chain,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
            Self::Chain => "chain",
        })
    }
}

/// Why the files don't make a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No file where one has to be.
    #[error("{role} file not found: {}", either(tried))]
    Missing {
        /// Which file.
        role: Role,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The caller may not read it.
    #[error("no permission to read the {role} file {}; {}", path.display(), instead_of_denied())]
    Unreadable {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// A directory, FIFO or device.
    #[error("the {role} file {} is {found}, not a regular file", path.display())]
    NotAFile {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// More bytes than any such file has.
    #[error("the {role} file {} holds more than {} KiB, the most that is read", path.display(), limit / 1024)]
    TooLarge {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// Nothing in it.
    #[error("the {role} file {} is empty", path.display())]
    Empty {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// Binary DER instead of PEM.
    #[error("the {role} file {} is in binary form (DER), not PEM", path.display())]
    Der {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// No PEM at all.
    #[error("the {role} file {} is not a PEM file", path.display())]
    NotPem {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// PEM of another kind, such as a key where a certificate has to be.
    #[error("the {role} file {} holds no {}", path.display(), content(*role))]
    NothingThere {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// PEM of the right kind, which can't be decoded.
    #[error("the {role} file {} is damaged: a PEM block in it can't be read", path.display())]
    Damaged {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
    },
    /// The key is protected by a passphrase, which nobody can type in a post-save command.
    #[error("the private key in {} is encrypted", path.display())]
    Encrypted {
        /// Where it is.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("the private key {} does not match the certificate {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The certificate is for somebody else.
    #[error("the certificate in {} is not for {wanted}, but for {found}", path.display())]
    WrongName {
        /// The certificate file.
        path: PathBuf,
        /// The name that was asked for.
        wanted: String,
        /// The names it carries.
        found: String,
    },
    /// Its time is over.
    #[error("the certificate {subject} in {} expired on {}", path.display(), date(since))]
    Expired {
        /// The file.
        path: PathBuf,
        /// Whose certificate.
        subject: String,
        /// The last second of its validity.
        since: DateTime<Utc>,
    },
    /// Its time has not come.
    #[error("the certificate {subject} in {} is not valid before {}", path.display(), date(from))]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// Whose certificate.
        subject: String,
        /// The first second of its validity.
        from: DateTime<Utc>,
    },
    /// The chain file does not lead up from the certificate.
    #[error(
        "the chain file {} does not hold the issuer of {leaf}: missing is {issuer}{}",
        path.display(),
        if *has_one_of_that_name { " (one of that name is in it, but with another key)" } else { "" }
    )]
    NoIssuer {
        /// The chain file.
        path: PathBuf,
        /// The certificate that is to be installed.
        leaf: String,
        /// Who has issued it.
        issuer: String,
        /// Whether there is one of that name, which has not signed the certificate.
        has_one_of_that_name: bool,
    },
    /// So many certificates that it would take too long to find the right ones.
    #[error(
        "the chain file {} holds more than {limit} certificates, or very many that may have issued one another",
        path.display()
    )]
    TooMany {
        /// The chain file.
        path: PathBuf,
        /// How many it may hold.
        limit: usize,
    },
    /// The operating system failed.
    #[error("cannot read the {role} file {}: {source}", path.display())]
    Io {
        /// Which file.
        role: Role,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// OpenSSL failed at something that is no fault of the files.
    #[error("OpenSSL failed: {}", reason(.0))]
    OpenSsl(#[from] ErrorStack),
}

impl BundleError {
    /// What to do about it, where that can be said.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Der { role: Role::Key, path, .. } => {
                Some(format!("convert it: openssl pkey -inform DER -in {} -out FILE.pem", path.display()))
            }
            Self::Der { path, .. } => {
                Some(format!("convert it: openssl x509 -inform DER -in {} -out FILE.pem", path.display()))
            }
            Self::Encrypted { path } => Some(format!(
                "an unattended renewal needs a key without a passphrase: openssl pkey -in {} -out FILE.key",
                path.display()
            )),
            Self::KeyMismatch { .. } => {
                Some("one of the two may be left from an earlier certificate: compare their dates".to_owned())
            }
            Self::NotYetValid { .. } => Some("check this machine's clock".to_owned()),
            Self::NoIssuer { .. } => Some(
                "add that certificate to the chain file (of FreeIPA: ipa ca-show NAME --certificate-out=FILE), or leave --chain out where it is a root"
                    .to_owned(),
            ),
            Self::TooMany { .. } => {
                Some("name a file with the intermediate certificates of this certificate only".to_owned())
            }
            _ => None,
        }
    }
}

fn either(tried: &[PathBuf]) -> String {
    let names: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    names.join(" or ")
}

/// The first of the reasons, without the places in OpenSSL's sources.
fn reason(stack: &ErrorStack) -> String {
    let first = stack.errors().first();
    let words =
        first.map(|error| [error.library(), error.reason()].into_iter().flatten().collect::<Vec<_>>());
    words
        .filter(|words| !words.is_empty())
        .map_or_else(|| "no reason given".to_owned(), |words| words.join(": "))
}

fn content(role: Role) -> &'static str {
    match role {
        Role::Key => "private key",
        Role::Certificate | Role::Chain => "certificate",
    }
}

fn date(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
