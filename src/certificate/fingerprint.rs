//! The fingerprint of a certificate in PEM, as a device gives it.

use chrono::{DateTime, Utc};
use openssl::x509::X509;
use panos_xmlapi::Fingerprint;

use super::pem;
use super::recent::Recent;
use super::validity::time;

/// The text holds no certificate that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text holds no readable certificate")]
pub struct NoCertificate;

/// The fingerprint of the first certificate in a PEM text, such as a device's `public-key` element.
///
/// A device may indent or re-wrap the text, so blanks and line ends do not matter here.
///
/// # Errors
/// A text without a certificate that can be parsed.
pub fn fingerprint_of_pem(text: &str) -> Result<Fingerprint, NoCertificate> {
    let der = pem::first_certificate_der(text).ok_or(NoCertificate)?;
    let fingerprint = Fingerprint::of_der(&der);
    if !READABLE.contains(&fingerprint) {
        X509::from_der(&der).map_err(|_| NoCertificate)?;
        READABLE.add(fingerprint);
    }
    Ok(fingerprint)
}

/// When the first certificate in such a text ends.
///
/// # Errors
/// A text without a certificate that can be parsed, or with an end that can't be read.
pub fn end_of_pem(text: &str) -> Result<DateTime<Utc>, NoCertificate> {
    let der = pem::first_certificate_der(text).ok_or(NoCertificate)?;
    let certificate = X509::from_der(&der).map_err(|_| NoCertificate)?;
    time(certificate.not_after()).map_err(|_| NoCertificate)
}

/// Of which it is known that they can be parsed: a device shows the same one many times, and hundreds of devices do.
static READABLE: Recent<64> = Recent::new();

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{self, CertificateSpec};

    #[test]
    fn a_pem_text_is_found_whatever_stands_around_it_and_however_it_is_wrapped() {
        let leaf = testing::self_signed(&CertificateSpec::default()).certificate;
        let wanted = Fingerprint::of_der(&leaf.to_der().unwrap());
        let pem = String::from_utf8(leaf.to_pem().unwrap()).unwrap();
        let crlf = pem.replace('\n', "\r\n");
        let indented = format!("Bag Attributes\n  x: y\n{}", pem.replace('\n', "\n      "));
        let one_line = pem.replace('\n', " ");
        let other = testing::self_signed(&CertificateSpec::default()).certificate;
        let two = format!("{pem}{}", String::from_utf8(other.to_pem().unwrap()).unwrap());
        for text in [&pem, &crlf, &indented, &one_line, &two] {
            assert_eq!(fingerprint_of_pem(text).unwrap(), wanted);
        }
    }

    #[test]
    fn a_text_without_a_certificate_has_no_fingerprint() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for text in ["", "hello", broken, open] {
            assert_eq!(fingerprint_of_pem(text), Err(NoCertificate), "{text}");
        }
    }
}
