//! The retry policy: how long a device may be silent, and when it is asked once more.

use std::borrow::Borrow;
use std::time::Duration;

use panos_xmlapi::{ClientOptions, Error, Reason};

use super::error::InstallError;

/// How long a device is waited for that does not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// What one request may take.
    pub limits: ClientOptions,
    /// The pauses before a question is put again.
    pub pauses: Vec<Duration>,
    /// How long an endpoint may take to show the new certificate.
    pub served: Duration,
    /// How long an HA peer may take to get the new configuration.
    pub sync: Duration,
}

/// What every request may take, and who a device is told that it is asked by.
#[must_use]
pub fn limits() -> ClientOptions {
    ClientOptions {
        user_agent: concat!("pan_getcert/", env!("CARGO_PKG_VERSION")),
        ..ClientOptions::default()
    }
}

impl Default for RetryPolicy {
    /// A device that restarts its management plane is back within a few minutes, but whoever waits for this
    /// run should not wait that long for a candidate configuration.
    fn default() -> Self {
        let pauses = [200, 1_000, 3_000, 10_000, 30_000].map(Duration::from_millis).to_vec();
        Self { limits: limits(), pauses, served: Duration::from_secs(60), sync: Duration::from_secs(120) }
    }
}

impl RetryPolicy {
    /// Asks until there is an answer, or a failure that no waiting mends, or the pauses are used up.
    ///
    /// Only for what may be done twice: questions, and steps that end in the same state again.
    ///
    /// # Errors
    /// The last failure.
    pub async fn retry<T, E: Borrow<InstallError>>(
        &self,
        mut ask: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pauses = self.pauses.iter();
        loop {
            match (ask().await, pauses.next()) {
                (Err(error), Some(pause)) if is_retryable(error.borrow()) => {
                    let failure: &InstallError = error.borrow();
                    tracing::debug!("{failure}; asking again in {} ms", pause.as_millis());
                    tokio::time::sleep(*pause).await;
                }
                (outcome, _) => return outcome,
            }
        }
    }
}

/// Whether waiting may help. A key that was good a moment ago is refused while the authentication service,
/// which starts later than the web server, is not there yet.
fn is_retryable(failure: &InstallError) -> bool {
    match failure {
        InstallError::Device { error: Error::Refused(refusal), .. } => {
            matches!(
                refusal.reason,
                Reason::InvalidKey | Reason::SessionTimedOut | Reason::Busy | Reason::Locked(_)
            )
        }
        InstallError::Device { error, .. } => error.is_transient(),
        _ => false,
    }
}
