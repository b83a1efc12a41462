//! A push that was stopped and taken back: what becomes of its installation.

use super::installation::Installation;
use super::state::State;
use crate::install::problem::RetryClass;
use crate::install::push::{Stage, WayBack};

impl Installation {
    /// Whether it is pending, and tried again only when a person asks for it.
    #[must_use]
    pub fn waits_for_a_person(&self) -> bool {
        let is_it = matches!(&self.state, State::Failed { problem, .. }
            if problem.retry_class == RetryClass::OnRequest);
        is_it && self.is_pending()
    }

    /// Whether its push has failed on too many firewalls, and is being taken back.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        self.way_back.as_ref().is_some_and(WayBack::is_under_way)
    }

    /// What was taken back altogether is begun anew.
    pub(super) fn forget_way_gone(&mut self) {
        if self.way_back.as_ref().is_some_and(|back| back.stage == Stage::Done) {
            (self.push, self.way_back) = (None, None);
        }
    }

    /// Another certificate than the one that is taken back is installed: it replaces that wherever it has arrived.
    pub(super) fn forget_other_way(&mut self) {
        let wanted = self.spec.certificate.as_ref().map(|certificate| certificate.fingerprint);
        if self.way_back.as_ref().is_some_and(|back| Some(back.certificate) != wanted) {
            self.way_back = None;
        }
    }
}
