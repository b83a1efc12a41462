//! A certificate authority, certificates and keys that nobody trusts and nobody keeps, in each form of upload.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use panos_xmlapi::{Fingerprint, ImportFormat};

use crate::certificate::pkcs12::{self, Passphrase, Pkcs12Error};
use crate::certificate::{Bundle, BundleError, SecretBytes, Source};
use crate::install::upload::UploadForm;

/// In a domain that nobody can have.
pub(super) const COMMON_NAME: &str = "pan-certctl-prove.invalid";
const ROOT: &str = "pan_certctl prove: a root for a minute";
const AUTHORITY: &str = "pan_certctl prove: a CA for a minute";
/// The forms in which the key leaves this machine encrypted.
const FORMS: [UploadForm; 3] = [
    UploadForm::Pkcs12(pkcs12::Container::Legacy),
    UploadForm::Pkcs12(pkcs12::Container::Modern),
    UploadForm::Pem,
];
/// As FreeIPA's.
const BITS: u32 = 2048;
/// A device whose clock is an hour behind takes it all the same.
const BEFORE: i64 = 3600;
const AFTER: i64 = 86_400;

/// Why no throw-away certificate could be made on this machine.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// OpenSSL.
    #[error("a throw-away certificate can't be made: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// A temporary directory.
    #[error("a throw-away certificate can't be kept for a moment: {0}")]
    File(#[from] std::io::Error),
    /// What was made is no certificate by our own rules.
    #[error("a throw-away certificate is not usable: {0}")]
    Bundle(#[from] BundleError),
    /// The container.
    #[error("{0}")]
    Pkcs12(#[from] Pkcs12Error),
}

/// One pair, as it is uploaded.
pub(super) struct Pair {
    pub(super) form: UploadForm,
    pub(super) fingerprint: Fingerprint,
    pub(super) format: ImportFormat,
    pub(super) file: SecretBytes,
    pub(super) passphrase: Passphrase,
}

/// A pair for each form; where one can't be made, why not, as PKCS#12 on a machine in FIPS mode.
pub(super) type Pairs = Vec<(UploadForm, Result<Pair, MaterialError>)>;

/// Makes them.
///
/// # Errors
/// No key or certificate at all.
pub(super) fn make() -> Result<Pairs, MaterialError> {
    let authority = Authority::new()?;
    let key = PKey::from_rsa(Rsa::generate(BITS)?)?;
    let made = FORMS.into_iter().map(|form| (form, authority.pair(form, &key)));
    Ok(made.collect())
}

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// An intermediate one: a root is left out of what is uploaded.
    fn new() -> Result<Self, ErrorStack> {
        let below = |issuer: Option<&Self>| {
            let key = PKey::from_rsa(Rsa::generate(BITS)?)?;
            let name = if issuer.is_some() { AUTHORITY } else { ROOT };
            Ok::<_, ErrorStack>(Self { certificate: certificate(name, &key, issuer, true)?, key })
        };
        below(Some(&below(None)?))
    }

    /// A certificate of its own for each form: a device may not like one twice.
    fn pair(&self, form: UploadForm, key: &PKey<Private>) -> Result<Pair, MaterialError> {
        let leaf = certificate(COMMON_NAME, key, Some(self), false)?;
        let fingerprint = Fingerprint::of_der(&leaf.to_der()?);
        let passphrase = Passphrase::random()?;
        let directory = tempfile::tempdir()?;
        let bundle = self.bundle(directory.path(), &leaf, key)?;
        let (format, file) = form.write(&bundle, &bundle.key()?, &passphrase)?;
        Ok(Pair { form, fingerprint, format, file, passphrase })
    }

    fn bundle(&self, directory: &Path, leaf: &X509, key: &PKey<Private>) -> Result<Bundle, MaterialError> {
        let write = |name: &str, pem: Vec<u8>| {
            let mut options = fs::OpenOptions::new();
            let path = directory.join(name);
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&pem)?;
            Ok::<_, std::io::Error>(path)
        };
        write(&format!("{COMMON_NAME}.crt"), leaf.to_pem()?)?;
        write(&format!("{COMMON_NAME}.key"), key.private_key_to_pem_pkcs8()?)?;
        let chain = write("chain.pem", self.certificate.to_pem()?)?;
        let source = Source::locate(COMMON_NAME, directory, directory)?.with_chain(Some(chain));
        Ok(Bundle::load(&source, COMMON_NAME)?)
    }
}

fn certificate(
    name: &str,
    key: &PKey<Private>,
    issuer: Option<&Authority>,
    is_authority: bool,
) -> Result<X509, ErrorStack> {
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    let now = chrono::Utc::now().timestamp();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(subject.as_ref(), |issuer| issuer.certificate.subject_name()))?;
    builder.set_not_before(Asn1Time::from_unix(now - BEFORE)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(now + AFTER)?.as_ref())?;
    builder.set_pubkey(key)?;
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    let mut usage = KeyUsage::new();
    usage.critical();
    match is_authority {
        true => {
            builder.append_extension(constraints.ca().build()?)?;
            builder.append_extension(usage.key_cert_sign().crl_sign().build()?)?;
        }
        false => {
            builder.append_extension(constraints.build()?)?;
            builder.append_extension(usage.digital_signature().key_encipherment().build()?)?;
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
            let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None))?;
            builder.append_extension(names)?;
        }
    }
    builder.sign(issuer.map_or(key, |issuer| &issuer.key), MessageDigest::sha256())?;
    Ok(builder.build())
}
