//! A certificate that a device holds, as far as it matters who has issued whom.

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref};
use panos_xmlapi::Fingerprint;

use super::fingerprint::NoCertificate;
use super::{chain, pem};

/// A certificate of a device, or one that is about to be there.
#[derive(Debug, Clone)]
pub struct HeldCertificate {
    certificate: X509,
    fingerprint: Fingerprint,
}

impl HeldCertificate {
    /// The first certificate in a PEM text, such as a device's `public-key` element.
    ///
    /// # Errors
    /// A text without a certificate that can be read.
    pub fn of_pem(text: &str) -> Result<Self, NoCertificate> {
        let der = pem::first_certificate_der(text).ok_or(NoCertificate)?;
        let certificate = X509::from_der(&der).map_err(|_| NoCertificate)?;
        Ok(Self { certificate, fingerprint: Fingerprint::of_der(&der) })
    }

    /// One that was read already.
    ///
    /// # Errors
    /// OpenSSL, which is not to be expected.
    pub fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        let fingerprint = Fingerprint::of_der(&certificate.to_der()?);
        Ok(Self { certificate: certificate.to_owned(), fingerprint })
    }

    /// Its SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether it has issued the other one: by the names, and by the signature.
    #[must_use]
    pub fn has_issued(&self, other: &Self) -> bool {
        chain::has_issued(&self.certificate, &other.certificate)
    }

    /// Whether it does for the other one: of the same authority and key, and valid for as long.
    #[must_use]
    pub fn does_for(&self, other: &Self) -> bool {
        let (one, two) = (&self.certificate, &other.certificate);
        let der = |certificate: &X509| certificate.subject_name().to_der().ok();
        let same_key = || match (one.public_key(), two.public_key()) {
            (Ok(one), Ok(two)) => one.public_eq(&two),
            _ => false,
        };
        der(one).is_some() && der(one) == der(two) && one.not_after() >= two.not_after() && same_key()
    }
}
