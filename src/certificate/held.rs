//! A certificate that a device holds, as far as it matters who has issued whom.

use std::cmp::Ordering;

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

    /// Whether it does for the other one: of the same authority and key, and valid for longer. Of two that are valid for
    /// as long, one does for the other, and not both.
    #[must_use]
    pub fn does_for(&self, other: &Self) -> bool {
        let (one, two) = (&self.certificate, &other.certificate);
        let der = |certificate: &X509| certificate.subject_name().to_der().ok();
        let same_key = || match (one.public_key(), two.public_key()) {
            (Ok(one), Ok(two)) => one.public_eq(&two),
            _ => false,
        };
        let lasts = match one.not_after().compare(two.not_after()) {
            Ok(Ordering::Equal) => self.fingerprint > other.fingerprint,
            Ok(order) => order == Ordering::Greater,
            Err(_) => false,
        };
        lasts && der(one).is_some() && der(one) == der(two) && same_key()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{self, CertificateSpec, DAY, KeyKind};

    #[test]
    fn one_of_two_certificates_of_an_authority_does_for_the_other_and_never_both() {
        let root = testing::root("Root", KeyKind::P256);
        let spec = |days: i64| CertificateSpec::named("Issuing CA").valid(-DAY, days * DAY);
        let first = root.intermediate_with(&spec(100));
        let held = |issued: &testing::Issued| HeldCertificate::of(&issued.certificate).unwrap();
        for days in [99, 100, 101] {
            let (one, two) = (held(&first), held(&root.intermediate_for_key(&spec(days), first.key.clone())));
            assert!(one.does_for(&two) != two.does_for(&one), "{days}");
            assert!(days == 100 || one.does_for(&two) == (days < 100));
        }
        let other = held(&root.intermediate_with(&spec(900)));
        assert!(!other.does_for(&held(&first)) && !held(&first).does_for(&held(&first)));
    }
}
