//! High availability: which of a pair is active, and whether the pair is in step.

use super::reply::{NotAReply, Reply};

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
    /// Reads the reply to `show high-availability state`.
    ///
    /// # Errors
    /// A reply that doesn't say whether high availability is enabled.
    pub fn read(reply: &Reply) -> Result<Self, NotAReply> {
        let result = reply.result().ok_or(NotAReply::Lacks("a result"))?;
        let enabled = match result.text_of("enabled").as_deref() {
            Some("yes") => true,
            Some("no") => false,
            _ => return Err(NotAReply::Lacks("whether high availability is enabled")),
        };
        let group = result.child("group").unwrap_or(result);
        let side = |side: &str, field: &str| group.child(side).and_then(|info| info.text_of(field));
        Ok(Self {
            enabled,
            mode: group.text_of("mode").or_else(|| side("local-info", "mode")),
            local: side("local-info", "state"),
            peer: side("peer-info", "state"),
            peer_address: side("peer-info", "mgmt-ip"),
            peer_connection: side("peer-info", "conn-status"),
            running_sync: group.text_of("running-sync"),
            running_sync_enabled: group.text_of("running-sync-enabled"),
        })
    }
}
