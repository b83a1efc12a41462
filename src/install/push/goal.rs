//! One certificate that is to arrive on firewalls.

use panos_xmlapi::Location;

use super::error::PushIncomplete;
use super::scope::SelectiveRefusal;
use super::state::PushState;
use crate::install::names::{ObjectName, ProfileName};
use crate::install::problem::Problem;

/// One certificate that is to arrive on firewalls, and how it stands with each.
pub struct PushGoal<'a> {
    /// Which of the transaction's certificates it is.
    pub item: usize,
    /// Where it is on Panorama.
    pub location: &'a Location,
    /// Its object.
    pub object: &'a ObjectName,
    /// The profiles that present it.
    pub profiles: &'a [ProfileName],
    /// Whether everybody's changes may go along where only our own can't.
    pub everybody: bool,
    /// How it stands with each firewall.
    pub state: PushState,
    /// Whether anything was pushed for it.
    pub was_pushed: bool,
    pub(super) refusals: Vec<SelectiveRefusal>,
    pub(super) troubles: Vec<Problem>,
}

impl<'a> PushGoal<'a> {
    /// Nothing was done for it.
    #[must_use]
    pub fn new(
        item: usize,
        location: &'a Location,
        (object, profiles): (&'a ObjectName, &'a [ProfileName]),
        everybody: bool,
        state: PushState,
    ) -> Self {
        let (refusals, troubles) = (Vec::new(), Vec::new());
        Self { item, location, object, profiles, everybody, state, was_pushed: false, refusals, troubles }
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
