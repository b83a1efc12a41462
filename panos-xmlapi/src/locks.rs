//! Configuration and commit locks.

use super::reply::{Reply, ReplyError};

/// A lock that an administrator holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The administrator.
    pub owner: String,
    /// `shared`, a virtual system, …
    pub name: Option<String>,
    /// What kind of scope `name` is.
    pub kind: Option<String>,
    /// When it was taken, in the device's own time.
    pub created: Option<String>,
    /// Whether the holder is logged in: `yes` or `no`.
    pub logged_in: Option<String>,
    /// The holder's comment.
    pub comment: Option<String>,
}

impl Lock {
    /// Reads the reply to `show config-locks` or `show commit-locks`.
    ///
    /// # Errors
    /// A reply without a result, or with one that is no list of locks.
    pub fn read_all(reply: &Reply) -> Result<Vec<Self>, ReplyError> {
        let container = reply.listing(&["config-locks", "commit-locks"])?;
        let read = container.children_named("entry").map(|entry| Self {
            owner: entry.name_attribute(),
            name: entry.word_of("name"),
            kind: entry.word_of("type"),
            created: entry.word_of("created"),
            logged_in: entry.word_of("loggedin"),
            comment: entry.word_of("comment"),
        });
        Ok(read.collect())
    }
}
