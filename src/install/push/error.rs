//! A push that has not arrived everywhere: which firewalls, why, and what next.

use std::collections::BTreeSet;
use std::fmt;

use super::scope::SelectiveRefusal;
use super::state::{OpenDevice, PushState, Standing};
use crate::error::Exit;
use crate::install::problem::{Problem, RetryClass};
use crate::text::some_of;

/// Panorama runs the certificate, and not all firewalls that are to have it do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushIncomplete {
    /// How it stands with each firewall.
    pub state: PushState,
    /// Pushes of our own changes that were not possible.
    pub refusals: Vec<SelectiveRefusal>,
    /// What kept a push from being asked for, or from being followed.
    pub troubles: Vec<Problem>,
}

impl std::error::Error for PushIncomplete {}

impl fmt::Display for PushIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        f.write_str(&state.summary())?;
        for refusal in &self.refusals {
            write!(f, "; {refusal}")?;
        }
        for trouble in &self.troubles {
            write!(f, "; {trouble}")?;
        }
        // What was refused stands there already.
        let said = |device: &&OpenDevice| {
            self.refusals.iter().any(|refusal| refusal.stack == device.stack)
                && device.standing == Standing::Waiting
        };
        let open: Vec<String> = state.open.iter().filter(|d| !said(d)).map(ToString::to_string).collect();
        if open.is_empty() { Ok(()) } else { write!(f, ": {}", some_of(&open, "; ")) }
    }
}

impl PushState {
    /// In a few words: how many firewalls have it.
    #[must_use]
    pub fn summary(&self) -> String {
        let (open, total) = (self.open.len(), self.total());
        match (self.stacks.len(), total) {
            (0, _) => {
                "committed on Panorama, and nothing can be pushed: no template stack holds the template"
                    .to_owned()
            }
            (_, 0) => format!(
                "committed on Panorama, and nothing can be pushed: the template stack {} has no firewalls",
                some_of(&self.stacks, ", ")
            ),
            (_, 1) if open == 1 => "committed on Panorama, not pushed to its firewall".to_owned(),
            _ if open == 0 => format!(
                "committed on Panorama, pushed to {total} firewall{}",
                if total == 1 { "" } else { "s" }
            ),
            _ => format!("committed on Panorama, not pushed to {open} of {total} firewalls"),
        }
    }
}

impl PushIncomplete {
    /// The exit code: one that all firewalls share, or 20 where some have it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.state.total() == 0 {
            return Exit::Unproven;
        }
        let proven = self.state.proven.iter().map(|_| Exit::Done);
        let all: Vec<Exit> = proven.chain(self.state.open.iter().map(|open| open.standing.exit())).collect();
        match Exit::of_all(&all) {
            // Whatever kept it from being pushed is the reason for all of them.
            Exit::Commit => self.troubles.first().map_or(Exit::Commit, |trouble| trouble.exit),
            exit => exit,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        if self.state.total() == 0 {
            let put = match self.state.stacks.as_slice() {
                [] => "put the template into a stack that has firewalls".to_owned(),
                [stack] => format!("put firewalls into the template stack {stack}"),
                stacks => format!("put firewalls into one of the template stacks {}", some_of(stacks, ", ")),
            };
            return Some(format!("{put}; with --push none nothing is to be pushed"));
        }
        if !self.refusals.is_empty() {
            return Some(
                "make one full push in Panorama (Push to Devices), or allow it here with --push-all-changes, which carries everybody's committed changes"
                    .to_owned(),
            );
        }
        if let Some(advice) = self.troubles.iter().find_map(|trouble| trouble.advice.clone()) {
            return Some(advice);
        }
        let each: BTreeSet<&str> = self.state.open.iter().map(|open| open.standing.advice()).collect();
        Some(each.into_iter().collect::<Vec<_>>().join("; "))
    }

    /// Whether it is worth trying again without anybody having done anything.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        let refused = |device: &OpenDevice| self.refusals.iter().any(|refusal| refusal.stack == device.stack);
        let may_pass =
            |device: &OpenDevice| device.standing.retry_class() == RetryClass::Transient && !refused(device);
        let troubled = self.troubles.iter().any(|trouble| trouble.retry_class == RetryClass::NeedsOperator);
        if self.state.open.iter().any(may_pass) && !troubled {
            RetryClass::Transient
        } else {
            RetryClass::NeedsOperator
        }
    }
}
