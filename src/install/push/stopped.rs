//! A push that has failed on more firewalls than it may: stopped, and taken back as far as that could be had.

use std::fmt;

use super::limit::MaxFailures;
use super::state::{OpenDevice, PushState, Standing};
use super::way_back::{Stage, WayBack};
use crate::install::problem::{Problem, RetryClass};
use crate::text::some_of;

/// A push that was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushStopped {
    /// How it stands with each firewall.
    pub state: PushState,
    /// On how many firewalls it may fail; unknown where the run that was stopped had another one.
    pub limit: Option<MaxFailures>,
    /// The way back, and how far it was gone; nothing where there is none.
    pub back: Option<WayBack>,
    /// What stands in the way.
    pub trouble: Option<Problem>,
}

impl std::error::Error for PushStopped {}

impl fmt::Display for PushStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        write!(f, "the push has failed on {} of {} firewalls", state.failed(), state.reached())?;
        if let Some(limit) = self.limit {
            write!(f, ", more than --max-failures {limit} allows")?;
        }
        f.write_str(" and was stopped: ")?;
        let to_take_back = state.count(|standing| matches!(standing, Standing::ToTakeBack { .. }));
        let all = to_take_back + state.count(|standing| matches!(standing, Standing::TakenBack));
        match &self.back {
            None => f.write_str(
                "nothing was bound back, because the profiles presented no other certificate before, or the new one has overwritten it",
            )?,
            Some(back) if back.stage == Stage::Binding => {
                let are = back.verb("is", "are");
                write!(f, "{} {are} still to be bound back on Panorama", back.in_words())?;
            }
            Some(back) => {
                let were = back.verb("was", "were");
                write!(f, "{} {were} bound back and committed on Panorama, ", back.in_words())?;
                match (to_take_back, all) {
                    (_, 0) => f.write_str("and no firewall had taken the new certificate"),
                    (0, 1) => f.write_str("and pushed to the firewall that had taken the new certificate"),
                    (0, _) => write!(f, "and pushed to the {all} firewalls that had taken the new certificate"),
                    _ => write!(f, "and not yet pushed to {to_take_back} of {all} firewalls that had taken the new certificate"),
                }?;
            }
        }
        if let Some(trouble) = &self.trouble {
            write!(f, "; {trouble}")?;
        }
        let is_told = |device: &&OpenDevice| device.standing != Standing::TakenBack;
        let open: Vec<String> = state.open.iter().filter(is_told).map(ToString::to_string).collect();
        if open.is_empty() { Ok(()) } else { write!(f, ": {}", some_of(&open, "; ")) }
    }
}

impl PushStopped {
    /// Whether all that could be done was done.
    fn is_over(&self) -> bool {
        self.back.as_ref().is_none_or(|back| back.stage == Stage::Done)
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        if self.is_over() {
            return "fix what the firewalls complain of; it is not tried again by itself: 'pan_certctl retry --now' tries it again".to_owned();
        }
        let is_open = |device: &OpenDevice| matches!(device.standing, Standing::ToTakeBack { .. });
        let is_bound = self.back.as_ref().is_some_and(|back| back.stage != Stage::Binding);
        let gone = match is_bound && self.state.open.iter().any(is_open) {
            true => "; of a firewall that is gone take the serial number out of the stack",
            false => "",
        };
        let by_itself =
            format!("taking it back is gone on with by itself ('pan_certctl retry --now' at once){gone}");
        match self.trouble.as_ref().and_then(|trouble| trouble.advice.as_ref()) {
            Some(advice) => format!("{advice}; {by_itself}"),
            None => by_itself,
        }
    }

    /// Who can mend it.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        if self.is_over() { RetryClass::OnRequest } else { RetryClass::Transient }
    }
}
