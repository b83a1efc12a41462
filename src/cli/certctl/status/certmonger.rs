//! What certmonger says of the certificates' files: what it does not renew will not be installed either.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use panos_xmlapi::Address;

use crate::cli::arguments::{self, UsageError};
use crate::cli::certctl::certmonger::getcert;
use crate::cli::post_save::PostSave;
use crate::host::certmonger::{CaError, GetcertError, Listing, Phase, Tracked};

/// A state that is left within milliseconds when all is well is looked at again after this time.
const AGAIN: Duration = Duration::from_secs(2);

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

/// A certificate that certmonger renews for a device by our post-save command, and of which there is no record; or that
/// it was asked for, and that was never issued.
#[derive(Debug, Clone)]
pub(super) struct Unrecorded {
    /// Its common name.
    pub(super) common_name: String,
    /// The device.
    pub(super) device: Address,
    /// certmonger's name for the request.
    pub(super) request: String,
    /// Why it was never issued.
    pub(super) not_issued: Option<String>,
}

/// All of certmonger's requests.
///
/// # Errors
/// Outside: no event loop. Inside: certmonger can't be asked.
pub(super) fn list(session_bus: bool) -> Result<Result<Listing, GetcertError>, UsageError> {
    let getcert = getcert(session_bus);
    Ok(arguments::event_loop()?.block_on(async {
        let listing = getcert.list().await?;
        if !listing.requests.iter().any(Tracked::has_no_request) {
            return Ok(listing);
        }
        tokio::time::sleep(AGAIN).await;
        getcert.list().await
    }))
}

/// The files of a certificate, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CertificateFiles {
    /// The file that was found when it was asked for.
    pub(super) recorded: Option<PathBuf>,
    /// The names that it may have.
    pub(super) possible: Vec<PathBuf>,
    /// Whether it is not certmonger's.
    pub(super) is_blind: bool,
}

/// What certmonger says of each certificate; those with the same files share it.
pub(super) struct Standings<'l> {
    listing: &'l Listing,
    known: HashMap<Arc<CertificateFiles>, Option<Arc<Standing>>>,
}

impl<'l> Standings<'l> {
    pub(super) fn of(listing: &'l Listing) -> Self {
        Self { listing, known: HashMap::new() }
    }

    /// What it says of this one.
    pub(super) fn find(&mut self, files: &Arc<CertificateFiles>) -> Option<Arc<Standing>> {
        let standing = self.known.entry(Arc::clone(files));
        standing.or_insert_with_key(|files| standing_of(files, self.listing).map(Arc::new)).clone()
    }
}

fn standing_of(files: &CertificateFiles, listing: &Listing) -> Option<Standing> {
    let tracked = files.possible.iter().find_map(|file| listing.for_certificate(file)).cloned();
    match (tracked, files.possible.first()) {
        (Some(tracked), _) => Some(Standing::Tracked(Box::new(tracked))),
        (None, _) if files.is_blind => Some(Standing::NotItsBusiness),
        (None, Some(file)) => Some(Standing::NotTracked { file: file.clone() }),
        (None, None) => None,
    }
}

/// The certificates that were issued for devices, to be recorded in this state directory, and those that were refused, or
/// never answered, at the first request. One that is being worked on has nothing to be recorded yet.
pub(super) fn renewed(listing: &Listing, state_dir: &Path) -> Vec<Unrecorded> {
    let mut found = Vec::new();
    for tracked in &listing.requests {
        let not_issued = match tracked.phase() {
            Phase::Done => None,
            Phase::Rejected | Phase::Unreachable | Phase::NeedsPerson(_) => {
                Standing::Tracked(Box::new(tracked.clone())).trouble()
            }
            Phase::Saving | Phase::Working => continue,
        };
        let Some(command) = tracked.post_save.as_deref().and_then(PostSave::read) else { continue };
        if command.arguments.place.state_dir != state_dir {
            continue;
        }
        let common_name = command.arguments.certificate.common_name.to_ascii_lowercase();
        let devices = command.all_devices().unwrap_or_else(|| command.devices());
        found.extend(devices.into_iter().map(|device| Unrecorded {
            common_name: common_name.clone(),
            device,
            request: tracked.id.clone(),
            not_issued: not_issued.clone(),
        }));
    }
    found
}

impl Standing {
    /// Whether somebody has to do something about it: whom certmonger can't reach it tries again by itself.
    pub(super) fn needs_somebody(&self) -> bool {
        let passes = |tracked: &Tracked| {
            tracked.phase() == Phase::Unreachable && !is_refused(tracked) && tracked.lost_key().is_none()
        };
        let waits = matches!(self, Self::Tracked(tracked) if passes(tracked));
        !waits && self.trouble().is_some()
    }

    /// What is wrong in one word, for other programs.
    pub(super) fn word(&self) -> Option<&'static str> {
        let tracked = match self {
            Self::Tracked(tracked) => tracked,
            Self::NotTracked { .. } => return Some("not-tracked"),
            Self::NotItsBusiness => return None,
        };
        self.trouble()?;
        Some(match tracked.phase() {
            _ if tracked.lost_key().is_some() => "key-missing",
            _ if tracked.has_no_request() => "no-request",
            _ if is_refused(tracked) => "refused",
            Phase::Rejected => "refused",
            Phase::NeedsPerson(_) => "stuck",
            Phase::Unreachable => "ca-unreachable",
            _ if [tracked.track, tracked.auto_renew].contains(&Some(false)) => "not-renewed",
            Phase::Done | Phase::Saving | Phase::Working => "ca-error",
        })
    }

    /// What a person should know, if there is anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let tracked = match self {
            Self::Tracked(tracked) => tracked,
            Self::NotTracked { file } => return Some(format!("{} is not tracked", file.display())),
            Self::NotItsBusiness => return None,
        };
        let lost = tracked
            .lost_key()
            .map(|file| format!("the private key file {} is gone: it can't be renewed", file.display()));
        let what = match tracked.phase() {
            Phase::NeedsPerson(what) => Some(what),
            Phase::Rejected => Some("the CA refused"),
            Phase::Unreachable if is_refused(tracked) => Some("the CA refused"),
            Phase::Unreachable => Some("the CA can't be reached"),
            _ if tracked.has_no_request() => Some("certmonger can't make its request to the CA"),
            Phase::Done | Phase::Saving | Phase::Working
                if [tracked.track, tracked.auto_renew].contains(&Some(false)) =>
            {
                Some("the certificate is not renewed")
            }
            Phase::Done | Phase::Saving | Phase::Working => None,
        };
        let error = tracked.ca_error.clone().filter(|error| !error.is_empty());
        let fix =
            is_refused(tracked).then(|| "the same request is refused again until that is fixed".to_owned());
        let said: Vec<String> =
            what.map(str::to_owned).into_iter().chain(lost).chain(error).chain(fix).collect();
        (!said.is_empty()).then(|| format!("{}: {}", tracked.state, said.join(": ")))
    }
}

/// Whether the CA has refused what it will refuse again.
fn is_refused(tracked: &Tracked) -> bool {
    tracked.ca_error.as_deref().is_some_and(|error| CaError::read(error).is_permanent())
}
