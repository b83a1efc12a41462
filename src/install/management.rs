//! Whether the certificate that is being installed would lock this program out.
//!
//! A management interface whose SSL/TLS service profile gets the new certificate shows it from the commit on. Whether
//! our next connection would accept it is decided before anything is changed: by the trust that was chosen, the name
//! the device is called by, what our TLS can speak, and the device's own clock.

use chrono::{DateTime, TimeDelta, Utc};
use panos_xmlapi::{DeviceClock, Error, Location, ManagementBinding, Session, XPath};

use super::apply::PlannedInstall;
use super::connect::Connection;
use super::error::{Activity, InstallError};
use super::lockout::LockOut;
use super::places::{Relation, relation};
use super::plan::Step;
use super::request::{CommitScope, Existing};
use super::retry::RetryPolicy;
use super::state::DeviceState;
use crate::certificate::Bundle;

/// How far a device's clock may be behind the beginning of a certificate: so much may pass before somebody connects.
const LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// A profile that is going to present one of the certificates.
pub(super) struct Receiving<'p> {
    pub(super) profile: &'p str,
    pub(super) bundle: &'p Bundle,
    /// Somebody insists (`--force`).
    insisted: bool,
}

/// The profiles that get one of the certificates and could be the management interface's: one that presents nothing
/// now is not, and one of a virtual system is never looked for.
pub(super) fn receiving<'p>(parts: &'p [PlannedInstall<'_>]) -> Vec<Receiving<'p>> {
    let of_part = |part: &'p PlannedInstall<'_>| {
        let bound = part.plan.steps.iter().flat_map(|step| match step {
            Step::Bind { profiles, .. } => profiles.as_slice(),
            _ => &[],
        });
        let bound: Vec<&str> = bound.map(|(name, _)| name.as_str()).collect();
        let gets = part.observed.candidate.profiles.iter().filter(move |profile| {
            let now = profile.certificate.as_deref();
            now == Some(part.request.object.as_str())
                || (now.is_some() && bound.contains(&profile.name.as_str()))
        });
        let insisted = part.request.existing == Existing::Replace;
        gets.map(move |profile| Receiving { profile: &profile.name, bundle: part.bundle, insisted })
    };
    // That of a firewall behind Panorama is not the one that this program is connected to.
    let is_own = |part: &&PlannedInstall<'_>| {
        matches!(part.observed.place, Location::Shared | Location::Panorama)
            && part.request.managed().is_none()
    };
    parts.iter().filter(is_own).flat_map(of_part).collect()
}

pub(super) async fn binding(
    session: &Session,
    retry_policy: &RetryPolicy,
) -> Result<ManagementBinding, InstallError> {
    let looking = InstallError::during(Activity::Looking);
    retry_policy.retry(async || session.management_binding().await.map_err(looking)).await
}

/// The management interface's profile as the commit leaves it. A change of it that is pending counts where it is
/// committed too.
pub(super) fn after_commit<'b>(
    binding: &'b ManagementBinding,
    state: &DeviceState,
    scope: CommitScope,
) -> Option<&'b str> {
    let path = XPath::management_profile().to_string();
    let touches = |xpath: &str| relation(xpath, &path) != Relation::Apart;
    let is_committed = match scope {
        CommitScope::OwnChanges => state.own_changes().iter().any(|change| touches(&change.xpath)),
        CommitScope::Everybody | CommitScope::Nothing => true,
    };
    if is_committed { binding.candidate.as_deref() } else { binding.running.as_deref() }
}

/// What the management interface gets by this profile. A predefined profile hides one of the same name, with its
/// certificate.
pub(super) async fn received<'r, 'p>(
    connection: &Connection,
    profile: Option<&str>,
    receiving: &'r [Receiving<'p>],
    retry_policy: &RetryPolicy,
) -> Result<Option<&'r Receiving<'p>>, InstallError> {
    let found = receiving.iter().rev().find(|receiving| Some(receiving.profile) == profile);
    let Some(found) = found else { return Ok(None) };
    let looking = InstallError::during(Activity::Looking);
    let Connection { session, predefined, .. } = connection;
    let ask = async || predefined.has(session, found.profile).await.map_err(looking);
    match retry_policy.retry(ask).await {
        // Devices that know no such place refuse the path.
        Ok(false) | Err(InstallError::Device { error: Error::Refused(_), .. }) => Ok(Some(found)),
        Ok(true) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether the next connection would fail once the device shows this certificate.
///
/// # Errors
/// A device that does not answer; a certificate that can't be written.
pub async fn foresee(session: &Session, bundle: &Bundle) -> Result<Option<LockOut>, InstallError> {
    let others: Vec<Vec<u8>> = bundle.chain().iter().map(|link| link.to_der()).collect::<Result<_, _>>()?;
    if let Err(why) = session.would_accept(bundle.leaf_der(), others) {
        return Ok(Some(why.into()));
    }
    // A device that does not tell the time is none whose time is wrong.
    let clock = match session.clock().await {
        Ok(clock) => clock,
        Err(Error::Refused(_)) => None,
        Err(error) => return Err(InstallError::during(Activity::Looking)(error)),
    };
    Ok(clock.and_then(|clock| wrong_time(clock, bundle.not_before(), bundle.not_after())))
}

fn wrong_time(clock: DeviceClock, begin: DateTime<Utc>, end: DateTime<Utc>) -> Option<LockOut> {
    let at = DateTime::from_timestamp(clock.at.timestamp(), 0).unwrap_or(clock.at);
    match () {
        () if clock.is_before(begin, LEEWAY) => Some(LockOut::NotYetValid { at, begin }),
        () if clock.is_after(end) => Some(LockOut::Expired { at, end }),
        () => None,
    }
}

/// Refuses what would lock us out, unless somebody insists: then the warning comes back.
///
/// # Errors
/// A certificate that would lock us out; a device that fails.
pub(super) async fn would_get_in(
    session: &Session,
    gets: &Receiving<'_>,
    retry_policy: &RetryPolicy,
) -> Result<Option<String>, InstallError> {
    let Some(why) = retry_policy.retry(async || foresee(session, gets.bundle).await).await? else {
        return Ok(None);
    };
    let failure = InstallError::WouldLockOut { profile: gets.profile.to_owned(), why };
    match (gets.insisted, &failure) {
        (true, InstallError::WouldLockOut { profile, why }) => Ok(Some(format!(
            "WARNING: the management interface uses the SSL/TLS profile '{profile}', and this program can't connect any more once it shows the new certificate: {why}. It is installed because of --force."
        ))),
        _ => Err(failure),
    }
}

/// The same for a plan that is only shown.
///
/// # Errors
/// As `would_get_in`.
pub async fn examine(
    connection: &Connection,
    parts: &[PlannedInstall<'_>],
    state: &DeviceState,
    scope: CommitScope,
    retry_policy: &RetryPolicy,
) -> Result<Option<String>, InstallError> {
    let receiving = receiving(parts);
    if receiving.is_empty() || parts.iter().all(|part| part.plan.steps.is_empty()) {
        return Ok(None);
    }
    let binding = binding(&connection.session, retry_policy).await?;
    let profile = after_commit(&binding, state, scope);
    match received(connection, profile, &receiving, retry_policy).await? {
        Some(gets) => would_get_in(&connection.session, gets, retry_policy).await,
        None => Ok(None),
    }
}
