//! One certificate that is to arrive on firewalls.

use std::collections::BTreeMap;

use panos_xmlapi::Location;

use super::error::PushIncomplete;
use super::limit::MaxFailures;
use super::scope::SelectiveRefusal;
use super::state::{PushState, Standing};
use super::way_back::FormerBinding;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::Problem;

/// A profile that Panorama runs with the certificate, and that nobody has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebound {
    /// Where it is on a firewall.
    pub at: Location,
    /// Its name.
    pub profile: String,
    /// The stacks in which another template, or the stack itself, has one of this name that wins.
    pub outranked_in: Vec<String>,
}

/// What is to arrive on firewalls.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// A certificate, presented by profiles.
    Certificate {
        /// Its object.
        object: &'a ObjectName,
        /// The profiles.
        profiles: &'a [ProfileName],
        /// Those that were rebound besides.
        rebound: &'a [Rebound],
    },
    /// What profiles were bound to before.
    Bindings(&'a [FormerBinding]),
}

/// One certificate that is to arrive on firewalls, and how it stands with each.
pub struct PushGoal<'a> {
    /// Which of the transaction's certificates it is.
    pub item: usize,
    /// Where it is on Panorama.
    pub location: &'a Location,
    /// What is to arrive.
    pub expected: Expected<'a>,
    /// On how many firewalls it may fail.
    pub limit: Option<MaxFailures>,
    /// Whether everybody's changes may go along where only our own can't.
    pub everybody: bool,
    /// How it stands with each firewall.
    pub state: PushState,
    /// Whether anything was pushed for it.
    pub was_pushed: bool,
    /// The names of the firewalls that it was to arrive on, where Panorama tells them.
    pub hostnames: BTreeMap<String, String>,
    pub(super) refusals: Vec<SelectiveRefusal>,
    pub(super) troubles: Vec<Problem>,
}

impl<'a> PushGoal<'a> {
    /// Nothing was done for it.
    #[must_use]
    pub fn new(
        item: usize,
        location: &'a Location,
        expected: Expected<'a>,
        everybody: bool,
        state: PushState,
    ) -> Self {
        Self {
            item,
            location,
            expected,
            limit: None,
            everybody,
            state,
            was_pushed: false,
            hostnames: BTreeMap::new(),
            refusals: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// The same with a limit.
    #[must_use]
    pub fn within(self, limit: Option<MaxFailures>) -> Self {
        Self { limit, ..self }
    }

    /// The limit, where the push has failed on more firewalls.
    #[must_use]
    pub fn exceeded(&self) -> Option<MaxFailures> {
        self.limit.filter(|limit| self.state.exceeds(*limit))
    }

    /// Whether these stacks alone have brought more failures than may be: then no further one is pushed.
    pub(super) fn is_stopped_after(&self, stacks: &[&String]) -> bool {
        let failed = self.state.open.iter().filter(|device| {
            matches!(device.standing, Standing::Failed { .. }) && stacks.contains(&&device.stack)
        });
        let (failed, of) = (failed.count(), self.state.reached());
        self.limit.is_some_and(|limit| limit.is_exceeded_by(failed, of))
    }

    /// What kept it from being pushed, in words; nothing where nothing did.
    #[must_use]
    pub fn hindrance(&self) -> String {
        let refused = self.refusals.iter().map(ToString::to_string);
        let all: Vec<String> = refused.chain(self.troubles.iter().map(ToString::to_string)).collect();
        all.join("; ")
    }

    /// Why it has not arrived everywhere, where it has not.
    #[must_use]
    pub fn lack(&self) -> Option<PushIncomplete> {
        (!self.state.is_complete()).then(|| PushIncomplete {
            state: self.state.clone(),
            refusals: self.refusals.clone(),
            troubles: self.troubles.clone(),
        })
    }
}
