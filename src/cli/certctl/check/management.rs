//! Whether what is to be installed would lock this program out of the management interface.

use panos_xmlapi::{Location, Session};

use super::CheckTarget;
use super::finding::CheckResult;
use crate::error::Exit;
use crate::install::management::foresee;

const CHECK: &str = "management";

/// Where the management interface uses one of the profiles: whether the certificate that is there already would be
/// accepted there.
pub(super) async fn look(session: &Session, subject: &CheckTarget, place: &Location) -> Option<CheckResult> {
    if !matches!(place, Location::Shared | Location::Panorama) {
        return None;
    }
    let profile = session.management_profile().await.ok()??;
    subject.profiles.iter().find(|named| named.as_str() == profile)?;
    let uses = format!("the management interface uses '{profile}'");
    let Some(bundle) = &subject.certificate else {
        return Some(CheckResult::ok(CHECK, format!("{uses}, and will show the certificate")));
    };
    match foresee(session, bundle).await {
        Ok(None) => Some(CheckResult::ok(CHECK, format!("{uses}; the certificate would be accepted there"))),
        Ok(Some(why)) => {
            let text = format!("{uses}; with the certificate it would not be recognised any more: {why}");
            Some(CheckResult::failed(CHECK, Exit::Identity, text).advise(why.advice()))
        }
        Err(failure) => Some(CheckResult::failed(CHECK, failure.exit(), failure.to_string())),
    }
}
