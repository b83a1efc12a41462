//! A certificate that somebody else holds, as far as a person needs to recognise it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use openssl::x509::X509;
use panos_xmlapi::Fingerprint;

use super::fingerprint::NoCertificate;
use super::key::KeyAlgorithm;
use super::{name, pem, validity};

/// What is in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCertificate {
    /// SHA-256 over its DER form.
    pub fingerprint: Fingerprint,
    /// `CN=…, O=…`, safe to print.
    pub subject: String,
    /// Who has issued it, written in the same way.
    pub issuer: String,
    /// Its common name and its DNS names.
    pub names: Vec<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// The first second of its validity.
    pub not_before: DateTime<Utc>,
    /// The last second of its validity.
    pub not_after: DateTime<Utc>,
    /// Its IP addresses.
    pub addresses: Vec<IpAddr>,
    /// Its kind of key.
    pub key: KeyAlgorithm,
    /// Whether it was issued by itself: a placeholder, or an authority.
    pub is_self_issued: bool,
}

/// The kind of key of the first certificate in a PEM text, if there is one that can be read.
#[must_use]
pub fn key_algorithm_of_pem(text: &str) -> Option<KeyAlgorithm> {
    let certificate = X509::from_der(&pem::first_certificate_der(text)?).ok()?;
    Some(KeyAlgorithm::of(certificate.public_key().ok()?.as_ref()))
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
            names: name::every(&certificate),
            serial: serial(&certificate).map_err(|_| NoCertificate)?,
            not_before: validity::time(certificate.not_before()).map_err(|_| NoCertificate)?,
            not_after: validity::time(certificate.not_after()).map_err(|_| NoCertificate)?,
            addresses: name::addresses(&certificate),
            key: KeyAlgorithm::of(&*certificate.public_key().map_err(|_| NoCertificate)?),
            is_self_issued: certificate.subject_name().to_der().ok()
                == certificate.issuer_name().to_der().ok(),
        })
    }
}

fn serial(certificate: &X509) -> Result<String, ErrorStack> {
    Ok(certificate.serial_number().to_bn()?.to_hex_str()?.to_lowercase())
}
