//! Proving: what the device runs, compared with what was wanted.

use super::failure::{Doing, Failure};
use super::observe;
use super::patience::Patience;
use super::request::Wish;
use crate::fingerprint::Fingerprint;
use crate::panos::Location;
use crate::panos::ServiceProfile;
use crate::panos::Session;

/// What a device's running configuration is to be like.
#[derive(Debug, Clone)]
pub enum Goal {
    /// It holds this very certificate, bound to all profiles of the wish.
    Runs {
        /// The wish.
        wish: Box<Wish>,
        /// Where its certificate and profiles live.
        place: Location,
        /// The certificate.
        wanted: Fingerprint,
    },
    /// These profiles are bound to these objects.
    Bound {
        /// Where the profiles live.
        place: Location,
        /// The profiles with their objects.
        profiles: Vec<(String, Option<String>)>,
    },
}

impl Goal {
    /// What is missing from it, in words; nothing where all is as it should be.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn lack(&self, session: &Session) -> Result<Option<String>, Failure> {
        match self {
            Self::Runs { wish, place, wanted } => {
                Ok(observe::running(session, place, wish).await?.lacks(wish, *wanted))
            }
            Self::Bound { place, profiles } => {
                let shown =
                    session.show(&place.profiles()).await.map_err(Failure::while_doing(Doing::Proving))?;
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
    /// [`Failure::NotRunning`] with what was seen instead; a device that fails.
    pub async fn verify(&self, session: &Session, patience: &Patience) -> Result<(), Failure> {
        // The management plane may be restarting, with the new certificate.
        let lack = patience.insist(async || self.lack(session).await).await?;
        lack.map_or(Ok(()), |lack| Err(Failure::NotRunning(lack)))
    }
}
