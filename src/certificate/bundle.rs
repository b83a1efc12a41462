//! Leaf, chain and key, proven to belong together, to be in date and to be for the name asked for. The key is not kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref};
use panos_xmlapi::Fingerprint;

use super::chain::{self, Chain};
use super::error::{BundleError, Role};
use super::files::{self, Source};
use super::held::HeldCertificate;
use super::key::{self, KeyAlgorithm, PrivateKey};
use super::name;
use super::remarks::{self, Remark};
use super::validity::{Validity, validity};

/// A certificate with its intermediates, ready to be installed, and where its private key is.
///
/// There is no way to make one whose parts don't belong together. It lives for as long as an installation takes, and
/// has no secret in it: the key is read again by [`Bundle::key`] where a form for a device is made.
pub struct Bundle {
    common_name: String,
    leaf: X509,
    leaf_der: Vec<u8>,
    /// Its public key in binary form.
    public_der: Arc<[u8]>,
    certificate_file: PathBuf,
    key_file: PathBuf,
    chain: Chain,
    validity: Validity,
    algorithm: KeyAlgorithm,
}

impl Bundle {
    /// Reads the files and checks everything that can be checked without a device.
    pub fn load(source: &Source, common_name: &str) -> Result<Self, BundleError> {
        Self::load_at(source, common_name, Utc::now())
    }

    /// The same, as if it were another time.
    pub fn load_at(source: &Source, common_name: &str, now: DateTime<Utc>) -> Result<Self, BundleError> {
        let Leaf { certificate: leaf, public_der } = read_leaf(&source.certificate)?;
        let validity = check_validity(&source.certificate, &leaf, now)?;
        if !name::covers(&leaf, common_name) {
            let (path, wanted) = (source.certificate.clone(), common_name.to_owned());
            return Err(BundleError::WrongName { path, wanted, found: name::all(&leaf) });
        }
        load_key((&source.certificate, &source.key), &leaf, &public_der)?;
        let chain = match &source.chain {
            Some(path) => match chain::load(path, &leaf, now) {
                // Nobody has asked for a chain that has no beginning.
                Err(BundleError::NoIssuer { .. }) if *path == source.certificate => Chain::default(),
                chain => chain?,
            },
            None => Chain::default(),
        };
        Ok(Self {
            common_name: common_name.to_owned(),
            leaf_der: leaf.to_der()?,
            algorithm: KeyAlgorithm::of(leaf.public_key()?.as_ref()),
            leaf,
            public_der,
            certificate_file: source.certificate.clone(),
            key_file: source.key.clone(),
            chain,
            validity,
        })
    }

    /// The name the bundle was loaded for.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The file that the certificate was read from.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate_file
    }

    /// The certificate's subject as `CN=…, O=…`.
    pub fn subject(&self) -> String {
        name::subject(&self.leaf)
    }

    /// The certificate in binary form.
    pub fn leaf_der(&self) -> &[u8] {
        &self.leaf_der
    }

    /// The certificate as PEM.
    pub fn leaf_pem(&self) -> Result<String, ErrorStack> {
        Ok(String::from_utf8_lossy(&self.leaf.to_pem()?).into_owned())
    }

    /// The certificate's SHA-256.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_der(&self.leaf_der)
    }

    /// The certificate's serial number in lower-case hexadecimal.
    pub fn serial_hex(&self) -> Result<String, ErrorStack> {
        Ok(self.leaf.serial_number().to_bn()?.to_hex_str()?.to_lowercase())
    }

    /// The first second of the certificate's validity.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.validity.from
    }

    /// The last second of the certificate's validity.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.validity.to
    }

    /// The kind of the certificate's key.
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The intermediates, from the leaf's issuer upwards; empty where none were asked for.
    pub fn chain(&self) -> &[X509] {
        &self.chain.certificates
    }

    /// It and its intermediates, as a device is to hold them.
    ///
    /// # Errors
    /// OpenSSL, which is not to be expected.
    pub fn held(&self) -> Result<Vec<HeldCertificate>, ErrorStack> {
        std::iter::once(&self.leaf)
            .chain(&self.chain.certificates)
            .map(|one| HeldCertificate::of(one))
            .collect()
    }

    /// Whether a chain file was given: then whoever connects is to get the intermediates with the certificate.
    pub fn asks_for_chain(&self) -> bool {
        self.chain.is_asked_for
    }

    /// Who has issued it, written as the subject.
    pub fn issuer(&self) -> String {
        name::issuer(&self.leaf)
    }

    /// What a person should know about it before it is too late.
    pub fn remarks(&self) -> Vec<Remark> {
        let leaf = remarks::of_leaf(&self.leaf, &self.common_name);
        let above = self.chain.certificates.iter().flat_map(|one| remarks::of_intermediate(one));
        leaf.into_iter().chain(above).collect()
    }

    /// What was left out of the chain and why, for the log.
    pub fn notes(&self) -> &[String] {
        &self.chain.notes
    }

    /// The private key, read from its file now and proven to be this certificate's. Drop it as soon as it was used.
    ///
    /// # Errors
    /// As [`Bundle::load`]; a key file that holds another key by now.
    pub fn key(&self) -> Result<PrivateKey, BundleError> {
        load_key((&self.certificate_file, &self.key_file), &self.leaf, &self.public_der)
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("common_name", &self.common_name)
            .field("fingerprint", &self.fingerprint())
            .field("not_after", &self.validity.to)
            .field("chain", &self.chain.certificates.len())
            .finish_non_exhaustive()
    }
}

/// A certificate as it was read.
#[derive(Clone)]
struct Leaf {
    certificate: X509,
    public_der: Arc<[u8]>,
}

/// The one that was read last, by the SHA-256 of the text: it counts for all devices of a fleet, is parsed once, and lies
/// in memory once. The text decides, so a file that was replaced counts from the next reading on.
static LAST: Mutex<Option<(Fingerprint, Leaf)>> = Mutex::new(None);

fn read_leaf(path: &Path) -> Result<Leaf, BundleError> {
    let pem = files::read_pem(path, Role::Certificate)?;
    if super::pem::certificates_begun(&pem) == 0 {
        return Err(BundleError::NothingThere { role: Role::Certificate, path: path.to_owned() });
    }
    let text = Fingerprint::of_der(&pem);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, leaf)) = last.as_ref().filter(|(known, _)| *known == text) {
        return Ok(leaf.clone());
    }
    let damaged = |_| BundleError::Damaged { role: Role::Certificate, path: path.to_owned() };
    let certificate = X509::from_pem(&pem).map_err(damaged)?;
    let public_der = certificate.public_key()?.public_key_to_der()?.into();
    let leaf = Leaf { certificate, public_der };
    *last = Some((text, leaf.clone()));
    Ok(leaf)
}

fn load_key(
    (certificate, key): (&Path, &Path),
    leaf: &X509Ref,
    public_der: &[u8],
) -> Result<PrivateKey, BundleError> {
    let loaded = key::load(key, leaf.public_key()?.as_ref(), public_der)?;
    loaded
        .ok_or_else(|| BundleError::KeyMismatch { certificate: certificate.to_owned(), key: key.to_owned() })
}

fn check_validity(path: &Path, certificate: &X509Ref, now: DateTime<Utc>) -> Result<Validity, BundleError> {
    let validity = validity(certificate)?;
    if validity.includes(now) { Ok(validity) } else { Err(validity.refusal(path, certificate, now)) }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
