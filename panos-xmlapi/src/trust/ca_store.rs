//! OpenSSL's judgement of a chain: which CAs are believed, and what a certificate has to be.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext};
use rustls::pki_types::CertificateDer;

use super::IdentityError;
use super::ca_file::CaFile;
use crate::address::Host;
use crate::fingerprint::Fingerprint;

/// Directories of CA certificates in OpenSSL's hashed form: read one certificate at a time, as needed.
const HASHED_FOLDERS: [&str; 2] = ["/etc/ssl/certs", FEDORA_FOLDER];
const FEDORA_FOLDER: &str = "/etc/pki/ca-trust/extracted/pem/directory-hash";
/// What Fedora and its kin had before that directory; their `/etc/ssl/certs` holds nothing hashed.
const FEDORA_BUNDLE: &str = "/etc/pki/tls/certs/ca-bundle.crt";
/// OpenSSL's words for "112 bits": no SHA-1, no RSA below 2048 bits in what has to be verified.
const SECURITY_LEVEL: std::ffi::c_int = 2;

/// A file of CA certificates that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the CA file {} can't be used: {problem}", .path.display())]
pub struct CaFileError {
    path: PathBuf,
    problem: String,
}

/// OpenSSL's verdict on a chain; for how long none of the certificates that were sent ends.
pub(super) fn verify(
    store: &X509Store,
    leaf: &X509Ref,
    others: &[CertificateDer<'_>],
    seen: Fingerprint,
) -> Result<Duration, IdentityError> {
    let unusable = |error: ErrorStack| IdentityError::Unusable(error.to_string());
    let mut chain = Stack::new().map_err(unusable)?;
    for other in others {
        chain.push(X509::from_der(other).map_err(unusable)?).map_err(unusable)?;
    }
    let mut context = X509StoreContext::new().map_err(unusable)?;
    let (accepted, verdict) = context
        .init(store, leaf, &chain, |context| Ok((context.verify_cert()?, context.error())))
        .map_err(unusable)?;
    if accepted {
        let each = std::iter::once(leaf).chain(&chain);
        return Ok(each.map(|one| time_left(one).unwrap_or_default()).min().unwrap_or_default());
    }
    Err(IdentityError::Unverified {
        subject: one_line(leaf.subject_name()),
        seen,
        verdict: verdict.to_string(),
    })
}

/// How long a certificate lasts, to the second.
fn time_left(certificate: &X509Ref) -> Result<Duration, ErrorStack> {
    let left = Asn1Time::days_from_now(0)?.diff(certificate.not_after())?;
    let seconds = i64::from(left.days) * 86_400 + i64::from(left.secs);
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// A distinguished name as `CN=…, O=…`.
fn one_line(name: &openssl::x509::X509NameRef) -> String {
    let parts: Vec<String> = name
        .entries()
        .filter_map(|entry| {
            let kind = entry.object().nid().short_name().ok()?;
            let value = entry.data().to_string().ok()?;
            Some(format!("{kind}={}", value.escape_debug()))
        })
        .collect();
    parts.join(", ")
}

/// A store for one host. The environment (`SSL_CERT_FILE` and its like) has no say in it.
pub(super) fn store(files: &[CaFile], host: &Host) -> Result<X509Store, CaFileError> {
    let system = |error: ErrorStack| CaFileError {
        path: PathBuf::from(HASHED_FOLDERS[0]),
        problem: error.to_string(),
    };
    let mut builder = X509StoreBuilder::new().map_err(system)?;
    for folder in HASHED_FOLDERS {
        if Path::new(folder).is_dir() {
            let lookup = builder.add_lookup(X509Lookup::hash_dir()).map_err(system)?;
            lookup.add_dir(folder, SslFiletype::PEM).map_err(system)?;
        }
    }
    if !Path::new(FEDORA_FOLDER).is_dir() && Path::new(FEDORA_BUNDLE).is_file() {
        add_file(&mut builder, &CaFile::new(FEDORA_BUNDLE))?;
    }
    for file in files {
        add_file(&mut builder, file)?;
    }
    let mut rules = X509VerifyParam::new().map_err(system)?;
    rules.set_purpose(X509PurposeId::SSL_SERVER).map_err(system)?;
    rules.set_auth_level(SECURITY_LEVEL);
    rules.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    // A device's own self-signed certificate, or one intermediate, may be what the administrator trusts.
    rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::TRUSTED_FIRST).map_err(system)?;
    match host {
        Host::Name(name) => rules.set_host(name),
        Host::Ip(ip) => rules.set_ip(IpAddr::clone(ip)),
    }
    .map_err(system)?;
    builder.set_param(&rules).map_err(system)?;
    Ok(builder.build())
}

fn add_file(builder: &mut X509StoreBuilder, file: &CaFile) -> Result<(), CaFileError> {
    let bad = |problem: String| CaFileError { path: file.path().to_owned(), problem };
    let pem = file.read().map_err(bad)?;
    let certificates = certificates(&pem).map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() {
        return Err(bad("it holds no PEM certificate".to_owned()));
    }
    for certificate in certificates.iter() {
        builder.add_cert(certificate.clone()).map_err(|error| bad(error.to_string()))?;
    }
    Ok(())
}

/// The certificates in a text, and the SHA-256 of the text.
type Parsed = (Fingerprint, Arc<[X509]>);

/// What was read last, the latest first. The same few files count for all devices of a fleet: parsed once, their
/// certificates lie in memory once, however many sessions there are. The text decides, so a file that was replaced
/// counts from the next session on.
static PARSED: Mutex<Vec<Parsed>> = Mutex::new(Vec::new());
const KEPT: usize = 4;

fn certificates(pem: &[u8]) -> Result<Arc<[X509]>, ErrorStack> {
    let text = Fingerprint::of_der(pem);
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = parsed.iter().position(|(known, _)| *known == text);
    let found = match known {
        Some(at) => parsed.remove(at),
        None => (text, X509::stack_from_pem(pem)?.into()),
    };
    parsed.insert(0, found.clone());
    parsed.truncate(KEPT);
    Ok(found.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_certificate_is_told_to_the_second() {
        let left = |end: i64| {
            let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
            let mut builder = X509::builder().unwrap();
            builder.set_not_after(&Asn1Time::from_unix(now + end).unwrap()).unwrap();
            time_left(&builder.build()).unwrap().as_secs()
        };
        assert!((28..=30).contains(&left(30)));
        assert!((3 * 86_400 - 2..=3 * 86_400).contains(&left(3 * 86_400)));
        assert_eq!((left(0), left(-5), left(-100_000)), (0, 0, 0));
    }
}
