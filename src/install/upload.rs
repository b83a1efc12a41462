//! In which forms a certificate and its key are uploaded, and in which order.
//!
//! No vendor statement says which forms a release takes. Known are single experiences: containers with legacy algorithms
//! are taken where modern ones were not (2026), PEM with an encrypted key is taken (Infisical), and so is PEM with a
//! plain key and a passphrase that is not needed (acme.sh, certbot). So one after the other is tried, and what a device
//! took at last is tried first the next time.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use panos_xmlapi::{Fingerprint, ImportFormat};

use super::error::InstallError;
use super::request::{ContainerChoice, Upload};
use crate::certificate::pkcs12::{self, Container, Passphrase, Pkcs12Error};
use crate::certificate::{Bundle, PrivateKey, SecretBytes, pem_keypair};

/// A form of the file that is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadForm {
    /// A PKCS#12 container with these algorithms.
    Pkcs12(Container),
    /// PEM; the key is encrypted with AES-256 under the passphrase.
    Pem,
    /// PEM; the key is not encrypted, other than by the connection.
    PemPlainKey,
}

use UploadForm::{Pem, PemPlainKey};

const LEGACY: UploadForm = UploadForm::Pkcs12(Container::Legacy);
const MODERN: UploadForm = UploadForm::Pkcs12(Container::Modern);

impl UploadForm {
    /// All of them, in the order in which they are tried where nothing is known.
    pub const ALL: [Self; 4] = [LEGACY, MODERN, Pem, PemPlainKey];

    /// One word for it, as it stands in files and in object names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pkcs12(Container::Legacy) => "pkcs12-legacy",
            Self::Pkcs12(Container::Modern) => "pkcs12-modern",
            Pem => "pem",
            PemPlainKey => "pem-plain-key",
        }
    }

    /// The form in words, as in "trying once more …".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Pkcs12(Container::Legacy) => "with legacy algorithms (3DES, SHA-1)",
            Self::Pkcs12(Container::Modern) => "with modern algorithms (PBES2, AES-256)",
            Pem => "as PEM",
            PemPlainKey => "as PEM with a key that is not encrypted",
        }
    }

    /// The algorithms, where it is a container.
    #[must_use]
    pub fn container(self) -> Option<Container> {
        match self {
            Self::Pkcs12(container) => Some(container),
            Pem | PemPlainKey => None,
        }
    }

    /// The file in this form, with the intermediates where the bundle has any.
    ///
    /// # Errors
    /// A system that gives no random bytes, or forbids an algorithm.
    pub fn write(
        self,
        bundle: &Bundle,
        key: &PrivateKey,
        passphrase: &Passphrase,
    ) -> Result<(ImportFormat, SecretBytes), Pkcs12Error> {
        let with_chain = !bundle.chain().is_empty();
        match self {
            Self::Pkcs12(container) => {
                let file = pkcs12::write(bundle, key, container, passphrase, with_chain)?;
                Ok((ImportFormat::Pkcs12, file))
            }
            Pem => Ok((ImportFormat::Pem, pem_keypair::write(bundle, key, Some(passphrase))?)),
            PemPlainKey => Ok((ImportFormat::Pem, pem_keypair::write(bundle, key, None)?)),
        }
    }
}

impl fmt::Display for UploadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs12(Container::Legacy) => "PKCS#12 (3DES, SHA-1)",
            Self::Pkcs12(Container::Modern) => "PKCS#12 (AES-256, SHA-256)",
            Pem => "PEM (PKCS#8, AES-256)",
            PemPlainKey => "PEM (key not encrypted)",
        })
    }
}

impl FromStr for UploadForm {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|form| form.word() == word).ok_or(())
    }
}

/// A certificate with its key in one form, and the passphrase of it.
pub struct UploadFile {
    /// What the device is told that it is.
    pub format: ImportFormat,
    /// The file.
    pub file: SecretBytes,
    /// Random, and of this file only.
    pub passphrase: Passphrase,
}

/// The files that are on their way to some device just now. Hundreds of devices may get the same certificate at the same
/// time: each file is made, and read back, once for all that need it before the last of them is done with it. Nobody
/// keeps one for later.
static UNDER_WAY: Mutex<Vec<(Fingerprint, Weak<UploadFile>)>> = Mutex::new(Vec::new());

impl UploadFile {
    /// The file for this certificate, whose key is here for as long as the form is made of it. Whoever has it drops it
    /// as soon as the device has answered.
    ///
    /// # Errors
    /// A key that can't be read any more, and as [`UploadForm::write`].
    pub fn of(bundle: &Bundle, form: UploadForm) -> Result<Arc<Self>, InstallError> {
        let under_way = || UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let same = same_file(bundle, form)?;
        let known = under_way().iter().find(|(known, _)| *known == same).and_then(|(_, file)| file.upgrade());
        if let Some(known) = known {
            return Ok(known);
        }
        let passphrase = Passphrase::random()?;
        let (format, file) = form.write(bundle, &bundle.key()?, &passphrase)?;
        let made = Arc::new(Self { format, file, passphrase });
        let mut under_way = under_way();
        under_way.retain(|(_, file)| file.strong_count() > 0);
        under_way.push((same, Arc::downgrade(&made)));
        Ok(made)
    }
}

/// What a file is known by: everything that goes into it, the key by the certificate that it belongs to.
fn same_file(bundle: &Bundle, form: UploadForm) -> Result<Fingerprint, Pkcs12Error> {
    let mut same = format!("{}\n{}\n{}", form.word(), bundle.common_name(), bundle.fingerprint());
    for certificate in bundle.chain() {
        same.push_str(&Fingerprint::of_der(&certificate.to_der()?).to_string());
    }
    Ok(Fingerprint::of_der(same.as_bytes()))
}

/// The forms to try, in their order: first what this device took the last time, where the choice is left to this program.
/// With intermediates PEM comes first: PAN-OS may drop what a container holds besides the leaf.
#[must_use]
pub fn forms(upload: Upload, has_chain: bool, taken: Option<UploadForm>) -> Vec<UploadForm> {
    let mut forms = match (upload, has_chain) {
        (Upload::Pkcs12(ContainerChoice::Only(Container::Legacy)), _) => vec![LEGACY],
        (Upload::Pkcs12(ContainerChoice::Only(Container::Modern)), _) => vec![MODERN],
        (Upload::Pkcs12(ContainerChoice::Auto), _) => vec![LEGACY, MODERN],
        (Upload::Pem, _) => vec![Pem, PemPlainKey],
        (Upload::Auto, false) => vec![LEGACY, MODERN, Pem, PemPlainKey],
        (Upload::Auto, true) => vec![Pem, PemPlainKey, LEGACY, MODERN],
    };
    if let Some(at) = taken.and_then(|taken| forms.iter().position(|form| *form == taken)) {
        forms[..=at].rotate_right(1);
    }
    forms
}
