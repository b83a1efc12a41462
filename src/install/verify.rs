//! Proving: what the device runs, compared with what was wanted.

use panos_xmlapi::{Fingerprint, Location, ServiceProfile, Session};

use super::change::Change;
use super::error::{Activity, InstallError};
use super::names::ObjectName;
use super::places;
use super::request::InstallRequest;
use super::retry::RetryPolicy;
use super::state;

/// What a device's running configuration is to be like.
#[derive(Debug, Clone)]
pub enum ExpectedState {
    /// It holds this very certificate, bound to all profiles of the install request.
    Runs {
        /// The install request.
        request: Box<InstallRequest>,
        /// Where its certificate and profiles live.
        place: Location,
        /// The certificate.
        wanted: Fingerprint,
        /// The objects of intermediate certificates that have come with it.
        issuers: Vec<(ObjectName, Fingerprint)>,
    },
    /// These profiles are bound to these objects.
    Bound {
        /// Where the profiles live.
        place: Location,
        /// The profiles with their objects.
        profiles: Vec<(String, Option<String>)>,
    },
}

impl ExpectedState {
    /// What is missing from it, in words; nothing where all is as it should be.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn lack(&self, session: &Session) -> Result<Option<String>, InstallError> {
        match self {
            Self::Runs { request, place, wanted, issuers } => {
                let running = state::running(session, place, request).await?;
                if let Some(difference) = running.first_difference(request, *wanted) {
                    return Ok(Some(difference));
                }
                for (object, fingerprint) in issuers {
                    let runs = places::running(session, &place.certificate(object.as_str())?).await?;
                    if !runs.is(&Change::Holds(*fingerprint)) {
                        return Ok(Some(format!("it has no intermediate certificate '{object}'")));
                    }
                }
                Ok(None)
            }
            Self::Bound { place, profiles } => {
                let shown =
                    session.show(&place.profiles()).await.map_err(InstallError::during(Activity::Proving))?;
                let now = shown.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default();
                let is_bound = |(name, to): &&(String, Option<String>)| {
                    now.iter().any(|profile| profile.name == *name && profile.certificate == *to)
                };
                let other = profiles.iter().find(|profile| !is_bound(profile));
                Ok(other.map(|(name, to)| {
                    let to = to.as_deref().unwrap_or("nothing");
                    format!("the SSL/TLS profile '{name}' is not bound to '{to}'")
                }))
            }
        }
    }

    /// Looks whether the running configuration is like that.
    ///
    /// # Errors
    /// [`InstallError::NotRunning`] with what was seen instead; a device that fails.
    pub async fn verify(&self, session: &Session, retry_policy: &RetryPolicy) -> Result<(), InstallError> {
        // The management plane may be restarting, with the new certificate.
        let lack = retry_policy.retry(async || self.lack(session).await).await?;
        lack.map_or(Ok(()), |lack| Err(InstallError::NotRunning(lack)))
    }
}
