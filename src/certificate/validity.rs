//! From when until when a certificate is valid.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509Ref;

use super::error::BundleError;
use super::name;

/// The first and the last second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl Validity {
    pub(super) fn includes(self, now: DateTime<Utc>) -> bool {
        self.from <= now && now <= self.to
    }

    /// What is wrong with a certificate that is not valid now.
    pub(super) fn refusal(self, path: &Path, certificate: &X509Ref, now: DateTime<Utc>) -> BundleError {
        let (path, subject) = (path.to_owned(), name::subject(certificate));
        match now < self.from {
            true => BundleError::NotYetValid { path, subject, from: self.from },
            false => BundleError::Expired { path, subject, since: self.to },
        }
    }
}

pub(super) fn validity(certificate: &X509Ref) -> Result<Validity, ErrorStack> {
    Ok(Validity { from: time(certificate.not_before())?, to: time(certificate.not_after())? })
}

pub(super) fn time(at: &Asn1TimeRef) -> Result<DateTime<Utc>, ErrorStack> {
    let since_epoch = Asn1Time::from_unix(0)?.diff(at)?;
    let whole = TimeDelta::days(since_epoch.days.into()) + TimeDelta::seconds(since_epoch.secs.into());
    Ok(DateTime::UNIX_EPOCH + whole)
}
