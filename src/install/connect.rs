//! The way to a device: its key, whom to trust there, and which member of a pair it is that takes the
//! configuration.

use panos_xmlapi::{Error, HaState, NextIdentity, Session, SystemInfo, Trust};

use super::error::{Activity, InstallError};
use super::ha::{self, HaMember};
use super::known_devices::KnownDevices;
use super::managed;
use super::predefined::Predefined;
use super::request::{InstallRequest, Target};
use super::retry::RetryPolicy;
use crate::host::keyfile::KeyFile;

/// A device that answers.
pub struct Connection {
    /// Which one.
    pub target: Target,
    /// The open session.
    pub session: Session,
    /// The administrator's name, where the key file has it.
    pub user: Option<String>,
    /// What the device is.
    pub system: SystemInfo,
    /// Its part in a pair.
    pub role: HaRole,
    /// What a person should know about the choice.
    pub notes: Vec<String>,
    /// The profiles of its release.
    pub predefined: Predefined,
}

/// A device's part in a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HaRole {
    /// It has no peer, or is spoken to for itself.
    Standalone,
    /// It takes the configuration for both.
    Active {
        /// The other member, where it is known.
        other: Option<Box<Target>>,
    },
}

/// A device that has answered, and its state.
struct Answer {
    connection: Connection,
    state: HaState,
}

/// The device of an install request, or of a pair the active member. Nothing is changed. Besides its trust, what a run that died has
/// decided for a device is accepted there.
///
/// # Errors
/// No key; a trust that can't be set up; a device that can't be reached, is not trusted or refuses; a pair without
/// an active member.
pub async fn reach(request: &InstallRequest, next: &[NextIdentity]) -> Result<Connection, InstallError> {
    reach_as(request, &request.target, request.peer.as_ref(), next).await
}

/// The same with what is known of the device and its peer by now.
///
/// # Errors
/// As [`reach`].
pub async fn reach_as(
    request: &InstallRequest,
    target: &Target,
    peer: Option<&Target>,
    next: &[NextIdentity],
) -> Result<Connection, InstallError> {
    let connection = connect_active(target, peer, &request.retry_policy, next).await?;
    let Some(serial) = request.managed() else { return Ok(connection) };
    let (session, system) = managed::through(&connection.session, &connection.system, serial).await?;
    // What Panorama's own pair does with its configuration has nothing to do with the firewall's.
    let predefined = Predefined::default();
    Ok(Connection { session, system, role: HaRole::Standalone, predefined, ..connection })
}

/// A device, or of the pair that it belongs to the active member. Nothing is changed.
///
/// # Errors
/// As [`reach`].
pub async fn connect_active(
    target: &Target,
    peer: Option<&Target>,
    retry_policy: &RetryPolicy,
    next: &[NextIdentity],
) -> Result<Connection, InstallError> {
    let first = connect_and_read_ha(target, retry_policy, next).await;
    let other = match &first {
        Ok(Answer { state, .. }) if !state.enabled => {
            let mut connection = first?.connection;
            connection.notes.extend(peer.map(|peer| {
                let device = &target.device;
                format!(
                    "WARNING: {} is named as HA peer, but {device} has no high availability.",
                    peer.device
                )
            }));
            return Ok(connection);
        }
        Ok(Answer { state, .. }) => match peer {
            Some(peer) => Some(peer.clone()),
            None => peer_from_ha_state(target, state)?,
        },
        Err(failure) if is_unreachable(failure) && peer.is_some() => peer.cloned(),
        Err(_) => return first.map(|answer| answer.connection),
    };
    let mut answers = vec![(target.clone(), first)];
    if let (false, Some(other)) = (is_active(&answers[0].1), other.clone()) {
        let second = connect_and_read_ha(&other, retry_policy, next).await;
        answers.push((other, second));
    }
    let members: Vec<HaMember> = answers.iter().map(|(target, answer)| member(target, answer)).collect();
    let chosen = ha::choose(&members)?.index();
    let mut connection = answers.swap_remove(chosen).1?.connection;
    let rest = answers.pop().map(|(target, _)| target);
    if let Some(passed_over) = members[..chosen].last() {
        let device = &connection.target.device;
        connection.notes.push(format!("{passed_over}; using {device}, the active HA member."));
    }
    connection.role = HaRole::Active { other: rest.or(other).map(Box::new) };
    Ok(connection)
}

fn is_active(answer: &Result<Answer, InstallError>) -> bool {
    answer.as_ref().is_ok_and(|answer| ha::is_active(&answer.state))
}

/// One device for itself, whatever part it has in a pair.
///
/// # Errors
/// As [`reach`].
pub async fn connect_single(
    target: &Target,
    retry_policy: &RetryPolicy,
    next: &[NextIdentity],
) -> Result<Connection, InstallError> {
    let (session, user) = session(target, retry_policy)?;
    next.iter().for_each(|next| session.add_pin(next));
    hello(target, (session, user)).await
}

async fn connect_and_read_ha(
    target: &Target,
    retry_policy: &RetryPolicy,
    next: &[NextIdentity],
) -> Result<Answer, InstallError> {
    let connection = connect_single(target, retry_policy, next).await?;
    let state =
        ha::known(connection.session.ha_state().await).map_err(InstallError::during(Activity::Looking))?;
    Ok(Answer { connection, state })
}

/// A session that accepts nothing besides its trust, and the administrator's name, where the key file has it. Nothing is
/// sent yet.
pub(super) fn session(
    target: &Target,
    retry_policy: &RetryPolicy,
) -> Result<(Session, Option<String>), InstallError> {
    let host = target.device.host().to_string();
    let keys = KeyFile::load(&target.key_file)?;
    let key = match &target.named_by {
        None => keys.key_for(&host)?,
        Some(by) => keys.key_for_named_by(&host, &by.host().to_string())?,
    };
    let session = Session::new(&target.device, &target.trust, key, retry_policy.limits)
        .map_err(InstallError::during(Activity::Looking))?;
    Ok((session, keys.username_for(&host).map(str::to_owned)))
}

async fn hello(
    target: &Target,
    (session, user): (Session, Option<String>),
) -> Result<Connection, InstallError> {
    let system = session.system_info().await.map_err(InstallError::during(Activity::Looking))?;
    let (target, role) = (target.clone(), HaRole::Standalone);
    Ok(Connection {
        target,
        session,
        user,
        system,
        role,
        notes: Vec::new(),
        predefined: Predefined::default(),
    })
}

/// The peer as the device itself names it. A device that was broken into can name any address, so this one is trusted
/// by its own line in `known_devices` or by authorities, never by what the device is recognised by.
fn peer_from_ha_state(target: &Target, state: &HaState) -> Result<Option<Target>, InstallError> {
    let member = HaMember { device: target.device.clone(), state: Ok(state.clone()) };
    let Some(device) = member.peer() else { return Ok(None) };
    let own = KnownDevices::load(&target.peer_from_ha_state.state_dir)?.pins_of(&device);
    let trust =
        if own.is_empty() { target.peer_from_ha_state.authorities.clone() } else { Trust::Pinned(own) };
    let named_by = Some(target.device.clone());
    Ok(Some(Target { device, trust, pin: None, named_by, ..target.clone() }))
}

/// Whether a device may be away, and its peer active. One that answers, and refuses, is for a person to look at.
fn is_unreachable(failure: &InstallError) -> bool {
    matches!(failure, InstallError::Device { error, .. } if error.is_transient() && !matches!(error, Error::Refused(_)))
}

fn member(target: &Target, answer: &Result<Answer, InstallError>) -> HaMember {
    let state = match answer {
        Ok(answer) => Ok(answer.state.clone()),
        Err(failure) => {
            let error = match failure {
                InstallError::Device { error, .. } => Some(error),
                _ => None,
            };
            Err(ha::unknown(error, failure))
        }
    };
    HaMember { device: target.device.clone(), state }
}
