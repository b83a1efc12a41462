//! What is wanted to be pushed.

use panos_xmlapi::{Serial, StackName};

use super::limit::MaxFailures;

/// What Panorama pushes to its firewalls after a commit in a template or template stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushPolicy {
    /// Which template stacks.
    pub stacks: StacksToPush,
    /// Only these firewalls of them; empty for all.
    pub only: Vec<Serial>,
    /// Whether everybody's committed changes may go with it where a push of one's own is not possible.
    pub everybody: bool,
    /// On how many firewalls it may fail before it is stopped and taken back; nothing for any number.
    pub max_failures: Option<MaxFailures>,
}

/// Which template stacks are pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StacksToPush {
    /// Every stack that holds the template; a stack that was changed itself.
    AllOfTemplate,
    /// These.
    Named(Vec<StackName>),
    /// None: a person pushes.
    Nothing,
}
