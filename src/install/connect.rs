//! The way to a device: its key, whom to trust there, and which member of a pair it is that takes the
//! configuration.

use super::failure::{Doing, Failure};
use super::pair::{self, Member};
use super::patience::Patience;
use super::request::{Target, Wish};
use crate::host::keyfile::KeyFile;
use crate::panos::Error;
use crate::panos::HaState;
use crate::panos::NextIdentity;
use crate::panos::Session;
use crate::panos::SystemInfo;

/// A device that answers.
pub struct Reached {
    /// Which one.
    pub target: Target,
    /// The open session.
    pub session: Session,
    /// The administrator's name, where the key file has it.
    pub user: Option<String>,
    /// What the device is.
    pub system: SystemInfo,
    /// Its part in a pair.
    pub role: Role,
    /// What a person should know about the choice.
    pub notes: Vec<String>,
}

/// A device's part in a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It has no peer, or is spoken to for itself.
    Alone,
    /// It takes the configuration for both.
    Active {
        /// The other member, where it is known.
        other: Option<Target>,
    },
}

/// A device that has answered, and its state.
struct Answer {
    reached: Reached,
    state: HaState,
}

/// The device of a wish, or of a pair the active member. Nothing is changed. Besides its trust, what a run that died has
/// decided for a device is accepted there.
///
/// # Errors
/// No key; a trust that can't be set up; a device that can't be reached, is not trusted or refuses; a pair without
/// an active member.
pub async fn reach(wish: &Wish, next: &[NextIdentity]) -> Result<Reached, Failure> {
    reach_active(&wish.target, wish.peer.as_ref(), &wish.patience, next).await
}

/// A device, or of the pair that it belongs to the active member. Nothing is changed.
///
/// # Errors
/// As [`reach`].
pub async fn reach_active(
    target: &Target,
    peer: Option<&Target>,
    patience: &Patience,
    next: &[NextIdentity],
) -> Result<Reached, Failure> {
    let first = knock(target, patience, next).await;
    let other = match &first {
        Ok(Answer { state, .. }) if !state.enabled => {
            let mut reached = first?.reached;
            reached.notes.extend(peer.map(|peer| {
                let device = &target.device;
                format!(
                    "WARNING: {} is named as HA peer, but {device} has no high availability.",
                    peer.device
                )
            }));
            return Ok(reached);
        }
        Ok(Answer { state, .. }) => peer.cloned().or_else(|| found_peer(target, state)),
        Err(failure) if is_absence(failure) && peer.is_some() => peer.cloned(),
        Err(_) => return first.map(|answer| answer.reached),
    };
    let mut answers = vec![(target.clone(), first)];
    if let (false, Some(other)) = (is_active(&answers[0].1), other.clone()) {
        let second = knock(&other, patience, next).await;
        answers.push((other, second));
    }
    let members: Vec<Member> = answers.iter().map(|(target, answer)| member(target, answer)).collect();
    let chosen = pair::choose(&members)?.index();
    let mut reached = answers.swap_remove(chosen).1?.reached;
    let rest = answers.pop().map(|(target, _)| target);
    if let Some(passed_over) = members[..chosen].last() {
        let device = &reached.target.device;
        reached.notes.push(format!("{passed_over}; {device} is active and takes the configuration."));
    }
    reached.role = Role::Active { other: rest.or(other) };
    Ok(reached)
}

fn is_active(answer: &Result<Answer, Failure>) -> bool {
    answer.as_ref().is_ok_and(|answer| pair::is_active(&answer.state))
}

/// One device for itself, whatever part it has in a pair.
///
/// # Errors
/// As [`reach`].
pub async fn reach_alone(
    target: &Target,
    patience: &Patience,
    next: &[NextIdentity],
) -> Result<Reached, Failure> {
    let (session, user) = session(target, patience)?;
    next.iter().for_each(|next| session.add_pin(next));
    hello(target, (session, user)).await
}

async fn knock(target: &Target, patience: &Patience, next: &[NextIdentity]) -> Result<Answer, Failure> {
    let reached = reach_alone(target, patience, next).await?;
    let state =
        pair::known(reached.session.ha_state().await).map_err(Failure::while_doing(Doing::Looking))?;
    Ok(Answer { reached, state })
}

/// A session that accepts nothing besides its trust, and the administrator's name, where the key file has it. Nothing is
/// sent yet.
pub(super) fn session(target: &Target, patience: &Patience) -> Result<(Session, Option<String>), Failure> {
    let host = target.device.host().to_string();
    let keys = KeyFile::load(&target.key_file)?;
    let key = keys.key_for(&host)?;
    let session = Session::new(&target.device, &target.trust, key, patience.limits)
        .map_err(Failure::while_doing(Doing::Looking))?;
    Ok((session, keys.username_for(&host).map(str::to_owned)))
}

async fn hello(target: &Target, (session, user): (Session, Option<String>)) -> Result<Reached, Failure> {
    let system = session.system_info().await.map_err(Failure::while_doing(Doing::Looking))?;
    let (target, role) = (target.clone(), Role::Alone);
    Ok(Reached { target, session, user, system, role, notes: Vec::new() })
}

/// The peer as the device itself names it, reached in the same way. A pin is of no use there.
fn found_peer(target: &Target, state: &HaState) -> Option<Target> {
    let device = Member { device: target.device.clone(), state: Ok(state.clone()) }.peer()?;
    Some(Target { device, ..target.clone() })
}

/// Whether a device may be away, and its peer active. One that answers, and refuses, is for a person to look at.
fn is_absence(failure: &Failure) -> bool {
    matches!(failure, Failure::Device { error, .. } if error.is_transient() && !matches!(error, Error::Refused(_)))
}

fn member(target: &Target, answer: &Result<Answer, Failure>) -> Member {
    let state = match answer {
        Ok(answer) => Ok(answer.state.clone()),
        Err(failure) => Err(failure.to_string()),
    };
    Member { device: target.device.clone(), state }
}
