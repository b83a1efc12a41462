//! Configuration and commit locks.

use super::command::written;
use super::error::Error;
use super::operation::Operation;
use super::reply::{Reply, ReplyError};
use super::session::{SUCCESS, Session};
use super::xml::Element;

/// Which of the two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Keeps other administrators from editing the candidate configuration.
    Config,
    /// Keeps other administrators from committing.
    Commit,
}

impl LockKind {
    fn element(self) -> &'static str {
        match self {
            Self::Config => "config-lock",
            Self::Commit => "commit-lock",
        }
    }
}

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

impl Session {
    /// Takes a lock on the whole device. The comment is shown to whoever looks who holds it.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a lock that is held is a refusal.
    pub async fn take_lock(&self, kind: LockKind, comment: &str) -> Result<(), Error> {
        let comment = Element::new("comment").with_text(comment);
        self.change_lock("request lock add", &["request", kind.element(), "add"], Some(comment)).await
    }

    /// Gives back the lock that this administrator holds on the whole device.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]); a lock that nobody holds is a refusal.
    pub async fn release_lock(&self, kind: LockKind) -> Result<(), Error> {
        self.change_lock("request lock remove", &["request", kind.element(), "remove"], None).await
    }

    async fn change_lock(
        &self,
        words: &'static str,
        path: &[&str],
        inner: Option<Element>,
    ) -> Result<(), Error> {
        let command = written(&Element::nested(path, inner))?;
        // Without it a device with several virtual systems would lock one of them.
        let fields = [("type", "op"), ("cmd", command.as_str()), ("vsys", "shared")];
        self.post(Operation::Op(words), &fields).await?.succeeded(&SUCCESS).map(drop)
    }
}
