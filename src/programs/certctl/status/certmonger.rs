//! What certmonger says of the certificates' files: what it does not renew will not be installed either.

use std::path::PathBuf;
use std::time::Duration;

use crate::certificate::Source;
use crate::delivery::InstallSpec;
use crate::host::certmonger::{Getcert, GetcertError, Phase, Tracked};
use crate::programs::arguments::{self, UsageError};

/// It answers within milliseconds, and a look at the state is not to hang.
const PATIENCE: Duration = Duration::from_secs(15);

/// How a certificate's file stands with certmonger.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// There is a request for it.
    Tracked(Box<Tracked>),
    /// There is none.
    NotTracked {
        /// The file.
        file: PathBuf,
    },
    /// There is none, and whoever ordered said that there would be none.
    NotItsBusiness,
}

/// Whether an order is for a certificate that is not certmonger's.
pub(super) fn is_blind(order: &InstallSpec) -> bool {
    order.options.blind
}

/// Asks certmonger for all requests at once; what it says of each order, in the same order.
///
/// # Errors
/// Outside: no event loop. Inside: certmonger can't be asked.
pub(super) fn ask<'o>(
    orders: impl Iterator<Item = &'o InstallSpec>,
    session_bus: bool,
) -> Result<Result<Vec<Option<Standing>>, GetcertError>, UsageError> {
    let getcert = Getcert::new(["getcert"], None).on_session_bus(session_bus).with_patience(PATIENCE);
    let listing = match arguments::event_loop()?.block_on(getcert.list()) {
        Ok(listing) => listing,
        Err(error) => return Ok(Err(error)),
    };
    let standing = |order: &InstallSpec| {
        let files = files(order);
        let tracked = files.iter().find_map(|file| listing.for_certificate(file)).cloned();
        match (tracked, files.into_iter().next()) {
            (Some(tracked), _) => Some(Standing::Tracked(Box::new(tracked))),
            (None, _) if is_blind(order) => Some(Standing::NotItsBusiness),
            (None, Some(file)) => Some(Standing::NotTracked { file }),
            (None, None) => None,
        }
    };
    Ok(Ok(orders.map(standing).collect()))
}

/// The names that the certificate's file may have.
fn files(order: &InstallSpec) -> Vec<PathBuf> {
    Source::certificates(order.common_name.as_str(), &order.options.cert_dir).to_vec()
}

impl Standing {
    /// Whether somebody has to do something about it: whom certmonger can't reach it tries again by itself.
    pub(super) fn needs_somebody(&self) -> bool {
        let waits = matches!(self, Self::Tracked(tracked) if tracked.phase() == Phase::Unreachable);
        !waits && self.trouble().is_some()
    }

    /// What a person should know, if there is anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let tracked = match self {
            Self::Tracked(tracked) => tracked,
            Self::NotTracked { file } => return Some(format!("{} is not tracked", file.display())),
            Self::NotItsBusiness => return None,
        };
        let error = tracked.ca_error.as_deref().filter(|error| !error.is_empty());
        let what = match tracked.phase() {
            Phase::NeedsPerson(what) => Some(what),
            Phase::Rejected => Some("the CA refused"),
            Phase::Unreachable => Some("the CA can't be reached"),
            Phase::Done | Phase::Saving | Phase::Working
                if [tracked.track, tracked.auto_renew].contains(&Some(false)) =>
            {
                Some("the certificate is not renewed")
            }
            Phase::Done | Phase::Saving | Phase::Working => None,
        };
        let said: Vec<&str> = what.into_iter().chain(error).collect();
        (!said.is_empty()).then(|| format!("{}: {}", tracked.state, said.join(": ")))
    }
}
