//! Commits: making the candidate configuration the running one.

use super::location::Location;
use super::xml::Element;

/// Whose changes are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitScope {
    /// Only those of this administrator.
    Administrator(String),
    /// Full's, half-finished ones included.
    Full,
}

/// A commit request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Whose changes.
    pub scope: CommitScope,
    /// On Panorama, the templates and template stacks to which the commit of one administrator's changes is limited;
    /// empty for all of them. Other locations count for nothing here, nor does a list in a commit of everybody's changes.
    pub locations: Vec<Location>,
    /// What the device shows beside the job.
    pub description: String,
}

/// What a device answers to a commit request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitReply {
    /// A job to wait for.
    Job(String),
    /// There was nothing to commit, in the device's words.
    NoChanges(String),
}

impl Commit {
    /// A commit of what this administrator has changed, and of nothing else.
    #[must_use]
    pub fn of(administrator: impl Into<String>) -> Self {
        Self { scope: CommitScope::Administrator(administrator.into()), ..Self::full() }
    }

    /// A commit of everybody's changes, half-finished ones included.
    #[must_use]
    pub fn full() -> Self {
        Self { scope: CommitScope::Full, locations: Vec::new(), description: String::new() }
    }

    /// This commit with a description, which the device shows beside the job; at most 512 characters by the
    /// documentation.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// This commit limited to one more template or template stack.
    #[must_use]
    pub fn within(mut self, location: Location) -> Self {
        self.locations.push(location);
        self
    }

    pub(super) fn command(&self) -> Element {
        let commit = Element::new("commit");
        let commit = match self.partial() {
            Some(partial) => commit.with(partial),
            None => commit,
        };
        if self.description.is_empty() {
            return commit;
        }
        commit.with(Element::new("description").with_text(&self.description))
    }

    /// The element that limits a commit or a validation; nothing where everything counts.
    pub(super) fn partial(&self) -> Option<Element> {
        let CommitScope::Administrator(name) = &self.scope else { return None };
        let member = |name: &str| Element::new("member").with_text(name);
        let mut partial = Element::new("partial").with(Element::new("admin").with(member(name)));
        for kind in ["template", "template-stack"] {
            let scopes = self.locations.iter().filter_map(Location::commit_scope);
            let mut names: Vec<&str> = scopes.filter(|(of, _)| *of == kind).map(|(_, name)| name).collect();
            names.sort_unstable();
            names.dedup();
            if !names.is_empty() {
                let list = names.into_iter().fold(Element::new(kind), |list, name| list.with(member(name)));
                partial = partial.with(list);
            }
        }
        Some(partial)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn commands_are_those_of_the_reference() {
        assert_eq!(Commit::full().command().to_string(), "<commit></commit>");
        let own = Commit::of("certs").described("renewal <1>");
        assert_eq!(
            own.command().to_string(),
            "<commit><partial><admin><member>certs</member></admin></partial>\
             <description>renewal &lt;1&gt;</description></commit>"
        );
        let branch = || "template:Branch".parse().unwrap();
        let within = Commit::of("certs").within(branch()).within("template:Branch/vsys1".parse().unwrap());
        let within = within.within("stack:All".parse().unwrap()).within(Location::Shared);
        assert_eq!(
            within.command().to_string(),
            "<commit><partial><admin><member>certs</member></admin><template><member>Branch</member></template>\
             <template-stack><member>All</member></template-stack></partial></commit>"
        );
        assert_eq!(Commit::full().within(branch()).command().to_string(), "<commit></commit>");
    }
}
