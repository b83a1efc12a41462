//! A pair of devices: which of the two is configured, and whether the other one gets the same.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use panos_xmlapi::{Address, Error, HaState, Host, Reason, Session};
use tokio::time::Instant;

/// A device that may be one of a pair, and what it answered to the question for its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaMember {
    /// The device.
    pub device: Address,
    /// Its state, or why that is not known: what follows its name.
    pub state: Result<HaState, String>,
}

/// How it is said that a member has answered and was not trusted.
const NOT_TRUSTED: &str = "is not trusted";

/// Which member is to be configured, by its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The first one, which has no high availability: there is no peer to think of.
    Plain(usize),
    /// The active one of a pair.
    Active(usize),
}

impl Choice {
    /// The place in the list.
    #[must_use]
    pub fn index(self) -> usize {
        let (Self::Plain(index) | Self::Active(index)) = self;
        index
    }
}

/// A pair of which no member that was asked, or more than one, says that it is the active one. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoActivePeer {
    /// Neither is.
    #[error("no member of the HA pair is active: {}", .0.join(", "))]
    Neither(Vec<String>),
    /// More than one.
    #[error("more than one member of the HA pair says that it is active: {}", .0.join(", "))]
    Several(Vec<String>),
    /// Only one was asked.
    #[error("the active member of the HA pair is not known: {0}; its HA peer was not asked")]
    Unknown(String),
    /// The one that was the active one is so no more; its peer was not asked.
    #[error("the HA pair has changed its roles during this run: {0} now, and its HA peer was not asked")]
    Changed(String),
}

impl NoActivePeer {
    /// Whether one of them has answered and was not trusted.
    #[must_use]
    pub fn has_stranger(&self) -> bool {
        matches!(self, Self::Neither(answers) if answers.iter().any(|answer| answer.contains(NOT_TRUSTED)))
    }
}

impl HaMember {
    /// A member with what became of [`Session::ha_state`].
    #[must_use]
    pub fn new(device: &Address, answer: Result<HaState, Error>) -> Self {
        let state = known(answer).map_err(|error| unknown(Some(&error), &error));
        Self { device: device.clone(), state }
    }

    /// Where this member says that its peer is, reached by the same port; nothing without a peer.
    #[must_use]
    pub fn peer(&self) -> Option<Address> {
        let state = self.state.as_ref().ok().filter(|state| state.enabled)?;
        // The address may carry the length of its prefix.
        let address = state.peer_address.as_deref()?.split('/').next()?.trim();
        let ip: IpAddr = address.parse().ok()?;
        format!("{}:{}", Host::Ip(ip), self.device.port()).parse().ok()
    }

    fn is_active(&self) -> bool {
        self.state.as_ref().is_ok_and(is_active)
    }
}

impl fmt::Display for HaMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = &self.device;
        match &self.state {
            Err(why) => write!(f, "{device} {why}"),
            Ok(state) if !state.enabled => write!(f, "{device} has no high availability"),
            Ok(HaState { local: Some(local), .. }) => write!(f, "{device} is '{local}'"),
            Ok(_) => write!(f, "{device} does not report its HA state"),
        }
    }
}

/// Why the state of a device is not known: one that was not trusted has answered.
pub(super) fn unknown(error: Option<&Error>, failure: &dyn fmt::Display) -> String {
    match error {
        Some(Error::Identity(_)) => format!("{NOT_TRUSTED} ({failure})"),
        Some(Error::Refused(_)) => format!("has refused ({failure})"),
        Some(_) => format!("did not respond ({failure})"),
        None => format!("could not be asked ({failure})"),
    }
}

/// A device that does not know the question has no high availability.
///
/// # Errors
/// Any other error.
pub(super) fn known(answer: Result<HaState, Error>) -> Result<HaState, Error> {
    match answer {
        Err(Error::Refused(refusal))
            if matches!(refusal.reason, Reason::UnknownCommand | Reason::Invalid) =>
        {
            Ok(HaState::off())
        }
        other => other,
    }
}

/// Whether a device takes the configuration for the pair: `active` or `active-primary` of firewalls,
/// `primary-active` or `secondary-active` of Panorama. `active-secondary` is not: it follows the primary.
pub fn is_active(state: &HaState) -> bool {
    let local = state.local.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
    state.enabled && (matches!(local.as_str(), "active" | "active-primary") || local.ends_with("-active"))
}

/// Decides which member is configured: the active one of a pair, whichever place it has; the first one where
/// that has no high availability, whatever the others say.
///
/// # Errors
/// No active member, or several, with what each answered.
pub fn choose(members: &[HaMember]) -> Result<Choice, NoActivePeer> {
    if let Some(HaMember { state: Ok(first), .. }) = members.first()
        && !first.enabled
    {
        return Ok(Choice::Plain(0));
    }
    let active: Vec<usize> = (0..members.len()).filter(|at| members[*at].is_active()).collect();
    match active.as_slice() {
        [one] => Ok(Choice::Active(*one)),
        others => {
            let mut answers: Vec<String> = members.iter().map(HaMember::to_string).collect();
            Err(match (others, answers.len()) {
                ([], 1) => {
                    let is_found = members.first().is_some_and(|member| member.peer().is_some());
                    let lack = if is_found { "" } else { ", and names no address of an HA peer" };
                    NoActivePeer::Unknown(answers.remove(0) + lack)
                }
                ([], _) => NoActivePeer::Neither(answers),
                _ => NoActivePeer::Several(answers),
            })
        }
    }
}

/// Whether the one that was chosen is still the active one. Its peer is not asked.
///
/// # Errors
/// It is so no more, with what it answered.
pub fn check_still_chosen(member: &HaMember) -> Result<(), NoActivePeer> {
    match choose(std::slice::from_ref(member)) {
        Ok(_) => Ok(()),
        Err(_) => Err(NoActivePeer::Changed(member.to_string())),
    }
}

/// What became of the configuration's way to the peer. None of it makes a deployment fail: the active
/// device runs the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HaSyncOutcome {
    /// There is no peer, or the pair does not synchronise its configurations.
    Off,
    /// The peer has the same running configuration.
    Synchronized {
        /// Whether that had to be asked for.
        asked: bool,
    },
    /// It was not seen to have it.
    Open {
        /// What the device said at last, or why it said nothing.
        last: String,
        /// Why asking for the synchronisation did not help, or was of no use.
        trouble: Option<String>,
    },
}

impl fmt::Display for HaSyncOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("the device does not synchronise its configuration with a peer"),
            Self::Synchronized { asked: false } => f.write_str("the HA peer has the same configuration"),
            Self::Synchronized { asked: true } => {
                f.write_str("the HA peer has the same configuration, after it was asked for")
            }
            Self::Open { last, trouble } => {
                write!(f, "the HA peer's configuration is not confirmed in sync: {last}")?;
                trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
            }
        }
    }
}

/// The pause after the first question; each pause is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For how long, at most, a device may begin by itself.
const LONGEST_GRACE: Duration = Duration::from_secs(15);

/// Waits, after a commit, until the peer has the same running configuration. Where the device does not
/// begin by itself within a quarter of the time (15 seconds at most), it is asked to, once.
pub async fn wait_until_in_sync(session: &Session, timeout: Duration) -> HaSyncOutcome {
    let begun = Instant::now();
    let (deadline, grace) = (begun + timeout, (timeout / 4).min(LONGEST_GRACE));
    let (mut pause, mut asked, mut trouble) = (FIRST_PAUSE, false, None);
    loop {
        let last = match session.ha_state().await {
            Ok(state) => {
                let said = state.running_sync.as_deref().unwrap_or("it does not say").trim().to_owned();
                let overdue = begun.elapsed() >= grace;
                match HaSync::of(&state) {
                    HaSync::Off => return HaSyncOutcome::Off,
                    HaSync::Done => return HaSyncOutcome::Synchronized { asked },
                    HaSync::Moving => {}
                    HaSync::Cut if overdue => {
                        let trouble = Some("the connection to the peer is down".to_owned());
                        return HaSyncOutcome::Open { last: said, trouble };
                    }
                    HaSync::Idle if overdue && !asked => {
                        asked = true;
                        trouble = ask(session).await;
                    }
                    HaSync::Cut | HaSync::Idle => {}
                }
                said
            }
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return HaSyncOutcome::Open { last: error.to_string(), trouble },
        };
        let now = Instant::now();
        if now >= deadline {
            return HaSyncOutcome::Open { last, trouble };
        }
        tokio::time::sleep_until((now + pause).min(deadline)).await;
        pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
    }
}

/// How two running configurations stand to each other.
enum HaSync {
    /// They are not meant to be the same.
    Off,
    /// They are the same.
    Done,
    /// One is on its way.
    Moving,
    /// They differ, and the connection is down.
    Cut,
    /// They differ, and nothing happens.
    Idle,
}

impl HaSync {
    fn of(state: &HaState) -> Self {
        let is = |field: &Option<String>, word: &str| {
            field.as_deref().is_some_and(|f| f.eq_ignore_ascii_case(word))
        };
        let said = state.running_sync.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
        match said.as_str() {
            _ if !state.enabled || is(&state.running_sync_enabled, "no") => Self::Off,
            "synchronized" => Self::Done,
            said if said.contains("in progress") => Self::Moving,
            _ if is(&state.peer_connection, "down") => Self::Cut,
            _ => Self::Idle,
        }
    }
}

/// Asks for the synchronisation; why that came to nothing, if it did.
async fn ask(session: &Session) -> Option<String> {
    match session.sync_to_peer().await {
        Ok(words) => {
            tracing::debug!("synchronisation to the HA peer: {words}");
            None
        }
        // Somebody was faster.
        Err(Error::Refused(refusal)) if refusal.lines.iter().any(|line| line.contains("in progress")) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
#[path = "ha_tests.rs"]
mod tests;
