//! High availability: which of a pair is active, and whether the pair is in step.

use super::error::Error;
use super::reply::{Reply, ReplyError};
use super::session::{SUCCESS, Session};
use super::xml::Element;

/// The state of high availability as one device reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaState {
    /// Whether it is enabled at all. The rest may be filled in even where it is not.
    pub enabled: bool,
    /// `Active-Passive` or `Active-Active`; Panorama does not say.
    pub mode: Option<String>,
    /// `active`, `passive`, `active-primary`, on Panorama `primary-active`, …
    pub local: Option<String>,
    /// The peer's state.
    pub peer: Option<String>,
    /// The peer's management address, sometimes with a prefix length.
    pub peer_address: Option<String>,
    /// The connection to the peer: `up` or `down`.
    pub peer_connection: Option<String>,
    /// `synchronized`, `not synchronized`, `synchronization in progress`.
    pub running_sync: Option<String>,
    /// Whether configurations are synchronised: `yes` or `no`.
    pub running_sync_enabled: Option<String>,
}

impl HaState {
    /// The state of a device that has no high availability.
    #[must_use]
    pub fn off() -> Self {
        Self {
            enabled: false,
            mode: None,
            local: None,
            peer: None,
            peer_address: None,
            peer_connection: None,
            running_sync: None,
            running_sync_enabled: None,
        }
    }

    /// Reads the reply to `show high-availability state`.
    ///
    /// # Errors
    /// A reply that doesn't say whether high availability is enabled.
    pub fn read(reply: &Reply) -> Result<Self, ReplyError> {
        let result = reply.result().ok_or(ReplyError::Missing("a result"))?;
        let enabled = match result.word_of("enabled").as_deref() {
            Some("yes") => true,
            Some("no") => false,
            _ => return Err(ReplyError::Missing("whether high availability is enabled")),
        };
        let group = result.child("group").unwrap_or(result);
        let side = |side: &str, field: &str| group.child(side).and_then(|info| info.word_of(field));
        Ok(Self {
            enabled,
            mode: group.word_of("mode").or_else(|| side("local-info", "mode")),
            local: side("local-info", "state"),
            peer: side("peer-info", "state"),
            peer_address: side("peer-info", "mgmt-ip"),
            peer_connection: side("peer-info", "conn-status"),
            running_sync: group.word_of("running-sync"),
            running_sync_enabled: group.word_of("running-sync-enabled"),
        })
    }
}

impl Session {
    /// The state of high availability.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn ha_state(&self) -> Result<HaState, Error> {
        let command = Element::nested(&["show", "high-availability", "state"], None);
        self.named_op("show high-availability state", &command).await?.read(HaState::read)
    }

    /// Asks the device to give its running configuration to its peer, which then happens in the background
    /// as a job of the peer; the device's words. The command and its answers were seen, not documented.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); no peer, or a synchronisation that is in progress, is a refusal.
    pub async fn sync_to_peer(&self) -> Result<String, Error> {
        let words = ["request", "high-availability", "sync-to-remote", "running-config"];
        let reply = self
            .named_op(
                "request high-availability sync-to-remote running-config",
                &Element::nested(&words, None),
            )
            .await?
            .succeeded(&SUCCESS)?;
        Ok(reply.messages.join("; "))
    }
}
