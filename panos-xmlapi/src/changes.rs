//! The journal of changes that are pending in the candidate configuration.

use super::reply::{Reply, ReplyError};

/// One pending change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChange {
    /// Where.
    pub xpath: String,
    /// The administrator who made it.
    pub owner: String,
    /// `CREATE`, `EDIT`, … without the leading blank devices send.
    pub action: Option<String>,
    /// `shared-object`, `policy-and-objects`, …
    pub component_type: Option<String>,
}

impl PendingChange {
    /// Reads the reply to `show config list changes`.
    ///
    /// # Errors
    /// A reply without a result, or with one that is no journal.
    pub fn read_all(reply: &Reply) -> Result<Vec<Self>, ReplyError> {
        let journal = reply.listing(&["journal"])?;
        let read = journal.children_named("entry").map(|entry| Self {
            xpath: entry.word_of("xpath").unwrap_or_default(),
            owner: entry.word_of("owner").unwrap_or_default(),
            action: entry.word_of("action"),
            component_type: entry.word_of("component-type"),
        });
        Ok(read.collect())
    }
}
