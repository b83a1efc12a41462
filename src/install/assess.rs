//! Looking at a device and deciding; nothing is changed.

use panos_xmlapi::{Session, XPath};
use tokio::time::Instant;

use super::apply::PlannedInstall;
use super::change::Contested;
use super::commit_lookup::await_commits;
use super::connect::Connection;
use super::contest::{Known, contested};
use super::error::{BatchError, InstallError};
use super::events::Events;
use super::issuers::{self, ChainQuestion};
use super::names::ObjectName;
use super::places::{self, Spot};
use super::plan::{self, NewCertificate, Plan};
use super::push::PushState;
use super::request::InstallRequest;
use super::result::CreatedObject;
use super::state::{self, CurrentInstall, DeviceState};
use crate::certificate::{Bundle, BundleError, HeldCertificate, Remark};

/// A certificate that is wanted on a device.
pub struct Item<'a> {
    /// What is wanted.
    pub request: &'a InstallRequest,
    /// The certificate.
    pub bundle: &'a Bundle,
    /// The objects that were made for this name before, the latest last.
    pub made: Vec<CreatedObject>,
    /// The objects that were made for intermediate certificates of this name's.
    pub issuers: Vec<CreatedObject>,
    /// How a push for it stood after the last run, where it is on Panorama.
    pub push: Option<PushState>,
}

/// A device that was looked at, and what is to be done there.
pub struct Assessment<'a> {
    /// The device as a whole.
    pub state: DeviceState,
    /// What each install request comes to.
    pub parts: Vec<PlannedInstall<'a>>,
    /// All places that the deployment is about, as they stand in the device's journal of changes.
    pub places: Vec<String>,
    /// The first part that can't be begun, because of a pending change of somebody's in one of its places.
    pub contested: Option<(usize, Contested)>,
}

/// Looks at the device, and decides.
///
/// # Errors
/// A device that fails or refuses; a plan that can't be made, and whose that is.
pub async fn look<'a>(
    connection: &Connection,
    wants: &[Item<'a>],
    known: &Known,
    events: &Events,
) -> Result<Assessment<'a>, BatchError> {
    let (mut state, mut observed) = see(connection, wants).await?;
    // A commit's changes are pending until it is over. A run that died may have left one, and what it will change
    // must not be looked at before.
    if !state.own_changes().is_empty() {
        let request = wants[0].request;
        let time = request.commit_timeout;
        let deadline = Instant::now() + time;
        let own = |job: &panos_xmlapi::Job| job.user == state.administrator;
        let device = (&connection.session, events);
        if await_commits(device, &request.retry_policy, (time, deadline), own).await? {
            (state, observed) = see(connection, wants).await?;
        }
    }
    let mut places = Vec::new();
    for (at, want) in wants.iter().enumerate() {
        let own = state::places_of(want.request, &connection.system).map_err(InstallError::from);
        places.extend(own.map_err(BatchError::of(at))?);
    }
    places.extend(observed.iter().flat_map(|observed| observed.issuers.places.clone()));
    state.look_into_lists(&connection.session, &places).await?;
    let (mut parts, mut planned) = (Vec::new(), Vec::new());
    for (at, (want, mut observed)) in wants.iter().zip(observed).enumerate() {
        let Item { request, bundle, made, .. } = want;
        // Several certificates have the same issuers: one of them brings them along, and takes them away.
        forget_planned(&mut observed, &mut planned).map_err(BatchError::of(at))?;
        let offer = NewCertificate { fingerprint: bundle.fingerprint(), algorithm: bundle.key_algorithm() };
        let mut plan =
            plan::plan(request, offer, &state, &observed, made, &places).map_err(BatchError::of(at))?;
        if !plan.steps.is_empty() {
            plan.notes.extend(bundle.notes().iter().cloned());
            plan.notes.extend(bundle.remarks().iter().map(remark_in_words));
        }
        let mut own = state::places_of(request, &connection.system)
            .map_err(InstallError::from)
            .map_err(BatchError::of(at))?;
        let is_seen = |place: &&String| observed.candidate.sights.contains_key(*place);
        own.extend(observed.issuers.places.iter().filter(is_seen).cloned());
        let spots =
            spots(&connection.session, &plan, &observed, offer, &own).await.map_err(BatchError::of(at))?;
        parts.push(PlannedInstall {
            request,
            bundle,
            observed,
            plan,
            spots,
            form: None,
            issuers: Vec::new(),
            deleted: Vec::new(),
        });
    }
    let spots = parts.iter().enumerate().flat_map(|(at, part)| {
        let is_done =
            part.observed.candidate.first_difference(part.request, part.bundle.fingerprint()).is_none();
        part.spots.iter().map(move |spot| (at, spot, is_done))
    });
    let contested = contested(&connection.session, &mut state, spots, known).await?;
    Ok(Assessment { state, parts, places, contested })
}

/// All places of one plan as they were found, those that none of its steps changes included. None where nothing is to
/// be done.
async fn spots(
    session: &Session,
    plan: &Plan,
    observed: &CurrentInstall,
    offer: NewCertificate,
    own: &[String],
) -> Result<Vec<Spot>, InstallError> {
    let mut spots = Vec::new();
    if plan.steps.is_empty() {
        return Ok(spots);
    }
    for (at, change) in plan.changes(&observed.place, offer.fingerprint)? {
        let before = match observed.candidate.sights.get(at.as_str()) {
            Some(sight) => sight.clone(),
            None => places::candidate(session, &at).await?,
        };
        spots.push(Spot { at, before, change: Some(change) });
    }
    for place in own
        .iter()
        .filter(|place| !spots.iter().any(|spot: &Spot| spot.at.as_str() == **place))
        .cloned()
        .collect::<Vec<_>>()
    {
        let before = observed.candidate.sights.get(&place).cloned().unwrap_or_default();
        spots.push(Spot { at: XPath::absolute(&place), before, change: None });
    }
    Ok(spots)
}

fn remark_in_words(remark: &Remark) -> String {
    format!("{}: {remark}", if remark.is_warning() { "WARNING" } else { "Note" })
}

/// What another certificate of the same transaction is planned to do about intermediates is not done twice.
fn forget_planned(observed: &mut CurrentInstall, planned: &mut Vec<String>) -> Result<(), InstallError> {
    let place = observed.place.clone();
    let mut is_new = |object: &ObjectName| {
        let at = place.certificate(object.as_str())?.to_string();
        let is_new = !planned.contains(&at);
        planned.extend(is_new.then_some(at));
        Ok::<_, InstallError>(is_new)
    };
    let (mut missing, mut former) = (Vec::new(), Vec::new());
    for issuer in std::mem::take(&mut observed.issuers.missing) {
        if is_new(&issuer.object)? {
            missing.push(issuer);
        }
    }
    for issuer in std::mem::take(&mut observed.issuers.former) {
        if is_new(&issuer.object)? {
            former.push(issuer);
        }
    }
    (observed.issuers.missing, observed.issuers.former) = (missing, former);
    Ok(())
}

/// How the intermediates of one certificate stand.
async fn see_issuers(
    session: &Session,
    want: &Item<'_>,
    observed: &mut CurrentInstall,
    wanted: &[HeldCertificate],
) -> Result<(), InstallError> {
    let removable = if want.request.keep.is_some() { want.issuers.iter().collect() } else { Vec::new() };
    let question = ChainQuestion { place: &observed.place, chain: want.bundle.chain(), removable, wanted };
    let mut issuers = issuers::look(session, &question).await?;
    if want.request.managed().is_some() {
        let told = issuers.missing.drain(..).map(|issuer| {
            format!(
                "WARNING: the intermediate certificate {} is not on the firewall: an upload can't be passed on through Panorama.",
                issuer.subject
            )
        });
        issuers.notes.extend(told);
    }
    observed.candidate.sights.append(&mut issuers.sights);
    observed.issuers = issuers;
    Ok(())
}

async fn see(
    connection: &Connection,
    wants: &[Item<'_>],
) -> Result<(DeviceState, Vec<CurrentInstall>), BatchError> {
    let session: &Session = &connection.session;
    let mut state = DeviceState::look(session, connection.user.clone()).await?;
    let (mut observed, mut held) = (Vec::new(), Vec::new());
    for (at, want) in wants.iter().enumerate() {
        let own = want.bundle.held().map_err(BundleError::from).map_err(InstallError::from);
        held.extend(own.map_err(BatchError::of(at))?);
    }
    for (at, want) in wants.iter().enumerate() {
        let wanted = want.bundle.fingerprint();
        let seen = state::observe(connection, want.request, wanted, &want.made).await;
        let mut seen = seen.map_err(BatchError::of(at))?;
        see_issuers(session, want, &mut seen, &held).await.map_err(BatchError::of(at))?;
        observed.push(seen);
    }
    // With nothing pending, and nothing to overwrite or delete, the mark on the new object will tell the name.
    let nothing_pending = state.changes.as_ref().is_some_and(Vec::is_empty);
    let only_new = observed.iter().all(|observed| observed.candidate.object.is_none());
    if !(nothing_pending && only_new && wants.iter().all(|want| want.request.keep.is_none())) {
        state.fetch_administrator(session).await?;
    }
    Ok((state, observed))
}
