//! A certificate that somebody else holds, as far as a person needs to recognise it.

use chrono::{DateTime, Utc};
use openssl::x509::X509;
use panos_xmlapi::Fingerprint;

use super::fingerprint::NoCertificate;
use super::{bundle, name, pem};

/// What is in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCertificate {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// `CN=…, O=…`, safe to print.
    pub subject: String,
    /// Who has issued it, written in the same way.
    pub issuer: String,
    /// The last second of its validity.
    pub not_after: DateTime<Utc>,
}

impl SeenCertificate {
    /// Reads the first certificate in a PEM text, such as a device's `public-key` element.
    ///
    /// # Errors
    /// A text without a certificate that can be read.
    pub fn of_pem(text: &str) -> Result<Self, NoCertificate> {
        let der = pem::first_certificate_der(text).ok_or(NoCertificate)?;
        let certificate = X509::from_der(&der).map_err(|_| NoCertificate)?;
        Ok(Self {
            fingerprint: Fingerprint::of_der(&der),
            subject: name::subject(&certificate),
            issuer: name::issuer(&certificate),
            not_after: bundle::time(certificate.not_after()).map_err(|_| NoCertificate)?,
        })
    }
}
