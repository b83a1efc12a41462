//! By which certificate a device is recognised once a commit has given its management interface another one.
//!
//! The certificate that is installed is no proof of anybody's identity: its key may lie on other devices too, and a
//! renewal may keep it. So it is accepted only where the device itself, still recognised as before, has said before
//! the commit that its management interface uses a profile that gets it. That is written into the journal, and only
//! then accepted: by this session from the commit on, and by a later run where this one did not come to its end.
//! Where a device is recognised by an authority, nothing is accepted besides; a certificate that would not be
//! accepted then is refused beforehand.

use futures_util::future::join_all;
use panos_xmlapi::{
    Address, CertificateEntry, Error, Fingerprint, IdentityError, NextIdentity, ServiceProfile, Session,
    SystemInfo, Trust,
};

use super::connect::{self, Connection, HaRole, connect_single};
use super::error::{Activity, InstallError};
use super::events::Events;
use super::journal::{Entry, Journal};
use super::known_devices::{KnownDevices, KnownDevicesError};
use super::management::{Receiving, after_commit, binding, received, receiving, would_get_in};
use super::objects;
use super::probe::served;
use super::request::{CommitScope, Target};
use super::retry::RetryPolicy;
use super::transaction::{DeviceResult, Transaction};
use crate::certificate::fingerprint_of_pem;

/// What runs that did not come to their end have decided for a device and its HA peer, as they have noted.
#[must_use]
pub fn recorded(journal: &dyn Journal, target: &Target, peer: Option<&Target>) -> Vec<NextIdentity> {
    let devices: Vec<&Address> = std::iter::once(target).chain(peer).map(|one| &one.device).collect();
    journal.next_identities(&devices)
}

/// A target with what is known of it by now: another delivery of the same process may have changed it.
pub(super) fn refreshed(target: &Target, transaction: &Transaction<'_>) -> Target {
    let Trust::Pinned(mut pins) = target.trust.clone() else { return target.clone() };
    match known(transaction).map(|known| known.besides(target.pin, &target.device)) {
        Ok(mut remembered) => {
            remembered.retain(|pin| !pins.contains(pin));
            pins.append(&mut remembered);
        }
        Err(error) => transaction.events.trouble(error.to_string()),
    }
    Target { trust: Trust::Pinned(pins), ..target.clone() }
}

fn known(transaction: &Transaction<'_>) -> Result<KnownDevices, KnownDevicesError> {
    KnownDevices::load(transaction.state_dir)
}

/// Where a device shows the certificate again by which it was recognised before the one that is remembered, somebody
/// has taken a commit back, or it never took effect: then the other one is forgotten.
pub(super) fn fall_back(connection: &Connection, transaction: &Transaction<'_>) {
    let (device, events) = (&connection.target.device, transaction.events);
    let (Trust::Pinned(_), Some(shown)) = (&connection.target.trust, connection.session.peer_fingerprint())
    else {
        return;
    };
    match known(transaction).and_then(|mut known| known.fall_back(device, shown)) {
        Ok(false) => {}
        Ok(true) => events.warn(format!(
            "the management interface shows the certificate from before again; it is remembered as {shown}."
        )),
        Err(error) => events.trouble(format!("the device's fingerprint is not remembered: {error}")),
    }
}

/// Ends what a run that died has left open. From here on this session accepts nothing besides its trust: the device
/// shows what it showed before, or what the journal says, and then its running configuration has to say so too.
///
/// # Errors
/// A device that is not recognised, fails or refuses.
pub(super) async fn settle(
    connection: &mut Connection,
    transaction: &mut Transaction<'_>,
) -> Result<(), InstallError> {
    if !connection.session.accepts_more() {
        return Ok(());
    }
    let (retry_policy, looking) = (transaction.retry_policy(), InstallError::during(Activity::Looking));
    let (fresh, _) = connect::session(&connection.target, retry_policy)?;
    let refusal = match retry_policy.retry(async || fresh.system_info().await.map_err(looking)).await {
        Ok(_) => {
            connection.session = passed_on(fresh, connection)?;
            return Ok(());
        }
        Err(refusal) => refusal,
    };
    let InstallError::Device { error: Error::Identity(IdentityError::PinMismatch { seen, .. }), .. } =
        &refusal
    else {
        return Err(refusal);
    };
    let device = connection.target.device.clone();
    let is_it = |next: &&NextIdentity| *next.device() == device && next.certificate() == *seen;
    let Some(next) = transaction.next.iter().find(is_it).cloned() else { return Err(refusal) };
    // What a managed firewall runs says nothing of the Panorama that is connected to.
    if connection.session.target().is_some() {
        return Err(refusal);
    }
    let presented =
        retry_policy.retry(async || presented(&connection.session, &connection.system).await).await?;
    if presented != Some(next.certificate()) {
        return Err(refusal);
    }
    if let Trust::Pinned(pins) = &mut connection.target.trust {
        pins.push(next.certificate());
    }
    keep(&next, &connection.target, transaction);
    connection.session = passed_on(connect::session(&connection.target, retry_policy)?.0, connection)?;
    Ok(())
}

/// The same session, to the managed firewall where the one before was to one.
fn passed_on(session: Session, before: &Connection) -> Result<Session, InstallError> {
    match before.session.target() {
        None => Ok(session),
        Some(serial) => session.redirected_to(serial).map_err(InstallError::during(Activity::Looking)),
    }
}

/// The certificate that the management interface presents by the running configuration.
async fn presented(session: &Session, system: &SystemInfo) -> Result<Option<Fingerprint>, InstallError> {
    let prove = InstallError::during(Activity::Proving);
    let place = system.default_location();
    let Some(profile) = session.management_profile().await.map_err(prove)? else { return Ok(None) };
    let result = session.show(&place.profile(&profile)?).await.map_err(prove)?;
    let profiles = result.map(|result| ServiceProfile::read_all(&result)).unwrap_or_default();
    let Some(object) = profiles.into_iter().find_map(|profile| profile.certificate) else { return Ok(None) };
    let result = objects::running(session, &place.certificate(&object)?).await.map_err(prove)?;
    let entries = result.map(|result| CertificateEntry::read_all(&result)).unwrap_or_default();
    let pem = entries.into_iter().find_map(|entry| entry.public_key);
    Ok(pem.and_then(|pem| fingerprint_of_pem(&pem).ok()))
}

/// Whether the management interface uses one of the profiles that present a certificate of ours now. Where that
/// can't be learnt it is said, and taken for a no.
pub(super) async fn management_uses_it(
    connection: &Connection,
    done: &DeviceResult<'_>,
    events: &Events,
) -> bool {
    *done.managements.get_or_init(|| ask_for_management(connection, done, events)).await
}

async fn ask_for_management(connection: &Connection, done: &DeviceResult<'_>, events: &Events) -> bool {
    let receiving = receiving(&done.parts);
    if receiving.is_empty() {
        return false;
    }
    match connection.session.management_profile().await {
        Ok(name) => receiving.iter().any(|receiving| Some(receiving.profile) == name.as_deref()),
        Err(error) => {
            events.trouble(format!("which profile the management interface uses can't be read: {error}"));
            false
        }
    }
}

/// What the commit to come makes management interfaces show: this device's, and that of its HA peer, which gets the
/// configuration too. Nothing is accepted yet.
///
/// # Errors
/// A device that fails or refuses; a certificate that would lock us out.
pub(super) async fn decide(
    connection: &Connection,
    done: &DeviceResult<'_>,
    transaction: &Transaction<'_>,
    scope: CommitScope,
) -> Result<Vec<NextIdentity>, InstallError> {
    let receiving = receiving(&done.parts);
    if receiving.is_empty() {
        return Ok(Vec::new());
    }
    let (retry_policy, events) = (transaction.retry_policy(), transaction.events);
    let binding = binding(&connection.session, retry_policy).await?;
    let profile = after_commit(&binding, &done.state, scope);
    let own = received(connection, profile, &receiving, retry_policy).await?;
    // Asked once: for the other member of a pair, too.
    let _ = done.managements.set(own.is_some());
    let Some(own) = own else { return Ok(Vec::new()) };
    would_get_in(&connection.session, own, retry_policy)
        .await?
        .iter()
        .for_each(|warning| events.remark(warning));
    let pinned = matches!(connection.target.trust, Trust::Pinned(_));
    let mut decided: Vec<NextIdentity> =
        pinned.then(|| binding.next(own.bundle.fingerprint())).into_iter().collect();
    if let (HaRole::Active { other: Some(other) }, true) = (&connection.role, scope != CommitScope::Nothing) {
        let other = &refreshed(other, transaction);
        match of_peer(other, &receiving, retry_policy, events).await {
            Ok(next) => decided.extend(next),
            Err(failure @ InstallError::WouldLockOut { .. }) => return Err(failure),
            Err(failure) => events.warn(format!(
                "the HA peer {} can't be looked at before the commit, so a new certificate of its management interface will not be recognised: {failure}",
                other.device
            )),
        }
    }
    if scope == CommitScope::Nothing && pinned {
        events.warn(format!(
            "the management interface shows the new certificate once a person has committed: run 'pan_certctl pin {}' then.",
            connection.target.device
        ));
    }
    Ok(decided)
}

/// The peer keeps the choice of its profile, and gets what the profile is bound to.
async fn of_peer(
    other: &Target,
    receiving: &[Receiving<'_>],
    retry_policy: &RetryPolicy,
    events: &Events,
) -> Result<Option<NextIdentity>, InstallError> {
    let connection = connect_single(other, retry_policy, &[]).await?;
    let binding = binding(&connection.session, retry_policy).await?;
    let gets = received(&connection, binding.running.as_deref(), receiving, retry_policy).await?;
    let Some(gets) = gets else { return Ok(None) };
    would_get_in(&connection.session, gets, retry_policy)
        .await?
        .iter()
        .for_each(|warning| events.remark(warning));
    let pinned = matches!(other.trust, Trust::Pinned(_));
    Ok(pinned.then(|| binding.next(gets.bundle.fingerprint())))
}

/// Notes what was decided, and accepts it from now on. To be called right before the commit.
///
/// # Errors
/// A journal that can't be written: then nothing is accepted, and nothing may be committed.
pub(super) async fn accept(
    connection: &Connection,
    transaction: &mut Transaction<'_>,
    decided: Vec<NextIdentity>,
) -> Result<(), InstallError> {
    let device = &connection.target.device;
    let is_decided = |of: &NextIdentity| decided.iter().any(|next| next.device() == of.device());
    transaction.next.retain(|next| next.device() != device && !is_decided(next));
    transaction.next.extend(decided);
    let next = transaction.next.clone();
    if transaction.journal.note(Entry::NextIdentities(next.clone())) {
        transaction.journal.sync().await?;
    }
    next.iter().for_each(|next| connection.session.add_pin(next));
    Ok(())
}

/// Forgets what was decided for this device: its commit did not take place, or all is as it was.
pub(super) fn forget(connection: &Connection, transaction: &mut Transaction<'_>) {
    let device = &connection.target.device;
    transaction.next.retain(|next| next.device() != device);
    transaction.journal.note(Entry::IdentitiesVoid(device.clone()));
}

/// Where the management interface shows a new certificate from now on: once that was seen, and the running
/// configuration was read, the next run has to know. Until then the journal does.
pub(super) async fn remember(
    connection: &Connection,
    done: &DeviceResult<'_>,
    transaction: &mut Transaction<'_>,
) {
    let device = &connection.target.device;
    let own = transaction.next.iter().filter(|next| next.device() == device).cloned();
    let looks = own.filter_map(|next| {
        let parts = done.parts.iter().zip(&done.unproven);
        let proven = parts.filter(|(_, unproven)| unproven.is_none()).map(|(part, _)| part);
        let mut proven = proven.filter(|part| part.bundle.fingerprint() == next.certificate());
        let (name, retry_policy) =
            proven.next().map(|part| (&part.request.common_name, part.request.retry_policy.served))?;
        let wanted = next.certificate();
        Some(async move { served(device, name, wanted, &[], retry_policy).await.map(|_| next) })
    });
    for look in join_all(looks.collect::<Vec<_>>()).await {
        match look {
            Ok(next) => keep(&next, &connection.target, transaction),
            Err(problem) => {
                transaction
                    .events
                    .trouble(format!("the device's new fingerprint is not remembered: {problem}"));
            }
        }
    }
}

/// Into the file of known devices, and out of the journal.
fn keep(next: &NextIdentity, target: &Target, transaction: &mut Transaction<'_>) {
    let certificate = next.certificate();
    let (before, said) = (Some(next.before()), target.pin.as_slice());
    match known(transaction).and_then(|mut known| known.remember(next.device(), certificate, before, said)) {
        Ok(()) => {
            transaction.events.note(format!(
                "The management interface shows the new certificate; it is remembered as {certificate}."
            ));
            transaction.next.retain(|other| other != next);
            transaction.journal.note(Entry::IdentityKept(next.clone()));
        }
        Err(error) => {
            transaction.events.trouble(format!("the device's new fingerprint is not remembered: {error}"))
        }
    }
}
