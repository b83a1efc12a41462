//! Commits: making the candidate configuration the running one.

use super::xml::Element;

/// Whose changes are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Only those of this administrator.
    Administrator(String),
    /// Everybody's, half-finished ones included.
    Everybody,
}

/// A commit request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Whose changes.
    pub scope: Scope,
    /// What the device shows beside the job.
    pub description: String,
}

/// What a device answers to a commit request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A job to wait for.
    Job(String),
    /// There was nothing to commit, in the device's words.
    NothingToDo(String),
}

impl Commit {
    pub(super) fn command(&self) -> Element {
        let described = Element::new("description").with_text(&self.description);
        let commit = Element::new("commit");
        match &self.scope {
            Scope::Everybody => commit.with(described),
            Scope::Administrator(name) => {
                let member = Element::new("member").with_text(name);
                commit.with(Element::nested(&["partial", "admin"], Some(member))).with(described)
            }
        }
    }
}
