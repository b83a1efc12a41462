//! Deciding: the device's state and the wish become a list of steps, without asking anybody.

use super::failure::Failure;
use super::names::{ObjectName, ProfileName};
use super::observe::Observed;
use super::request::{CommitScope, Existing, Wish};
use crate::fingerprint::Fingerprint;

/// One thing to do on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Upload the certificate with its key.
    Import {
        /// The object's name.
        object: ObjectName,
        /// Whether there is an object of this name, which is overwritten.
        replaces: bool,
    },
    /// Bind profiles to the object, all in one request.
    Bind {
        /// The profiles with what each is bound to now.
        profiles: Vec<(ProfileName, Option<String>)>,
        /// The object.
        to: ObjectName,
    },
    /// Make it the running configuration.
    Commit(CommitScope),
}

/// What is to be done, and what a person should know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In their order; none where the device runs all that is wanted.
    pub steps: Vec<Step>,
    /// Remarks for the log.
    pub notes: Vec<String>,
}

/// Decides.
///
/// # Errors
/// Profiles that don't exist; a state that could not be put back after a failure. Nothing was changed.
pub fn plan(wish: &Wish, wanted: Fingerprint, observed: &Observed) -> Result<Plan, Failure> {
    let candidate = &observed.candidate;
    let missing: Vec<ProfileName> =
        wish.profiles.iter().filter(|name| candidate.profile(name).is_none()).cloned().collect();
    if !missing.is_empty() {
        let known = candidate.profiles.iter().map(|profile| profile.name.clone()).collect();
        return Err(Failure::ProfilesMissing { missing, known });
    }
    let runs_it = observed.running.as_ref().is_some_and(|running| running.lacks(wish, wanted).is_none());
    if runs_it && wish.existing == Existing::Keep {
        return Ok(Plan { steps: Vec::new(), notes: Vec::new() });
    }
    let mut steps = Vec::new();
    if candidate.fingerprint() != Some(wanted) || wish.existing == Existing::Replace {
        let replaces = candidate.object.is_some();
        refuse_what_could_not_be_undone(wish, observed, replaces)?;
        steps.push(Step::Import { object: wish.object.clone(), replaces });
    }
    let unbound = candidate.unbound(&wish.profiles, &wish.object);
    if !unbound.is_empty() {
        let now =
            |name: &ProfileName| candidate.profile(name).and_then(|profile| profile.certificate.clone());
        let profiles = unbound.into_iter().map(|name| (name.clone(), now(name))).collect();
        steps.push(Step::Bind { profiles, to: wish.object.clone() });
    }
    let names_itself = steps.iter().any(|step| matches!(step, Step::Import { .. }));
    match wish.commit {
        CommitScope::OwnChanges if observed.administrator.is_none() && !names_itself => {
            return Err(Failure::AdministratorUnknown);
        }
        CommitScope::OwnChanges | CommitScope::Everybody => steps.push(Step::Commit(wish.commit)),
        CommitScope::Nothing => {}
    }
    Ok(Plan { steps, notes: notes(wish, observed) })
}

/// An overwritten object comes back only by reverting all of the administrator's changes.
fn refuse_what_could_not_be_undone(wish: &Wish, observed: &Observed, replaces: bool) -> Result<(), Failure> {
    let (true, Some(administrator)) = (replaces, &observed.administrator) else { return Ok(()) };
    let own = observed.own_changes_beside(wish);
    match own.first() {
        None => Ok(()),
        Some(first) => Err(Failure::OwnChangesPending {
            administrator: administrator.clone(),
            count: own.len(),
            first: first.xpath.clone(),
        }),
    }
}

fn notes(wish: &Wish, observed: &Observed) -> Vec<String> {
    let mut notes = Vec::new();
    let own = observed.own_changes_beside(wish).len();
    if own > 0 && wish.commit == CommitScope::OwnChanges {
        notes.push(format!(
            "WARNING: {own} earlier uncommitted changes of this administrator are committed as well."
        ));
    }
    let foreign = observed.foreign_changes();
    if foreign > 0 {
        notes.push(match wish.commit {
            CommitScope::Everybody => {
                format!(
                    "WARNING: {foreign} uncommitted changes of other administrators are committed as well."
                )
            }
            _ => format!("{foreign} uncommitted changes of other administrators are left as they are."),
        });
    }
    notes
}

impl Observed {
    /// The API administrator's own pending changes.
    #[must_use]
    pub fn own_changes(&self) -> Vec<&crate::panos::changes::PendingChange> {
        let Some(administrator) = &self.administrator else { return Vec::new() };
        self.changes.iter().flatten().filter(|change| change.owner == *administrator).collect()
    }

    /// The same without those in the very places that this wish is about: what a run that died has left.
    #[must_use]
    pub fn own_changes_beside(&self, wish: &Wish) -> Vec<&crate::panos::changes::PendingChange> {
        let object = self.place.certificate(wish.object.as_str());
        let profiles = wish.profiles.iter().map(|name| self.place.profile(name.as_str()));
        let ours: Vec<String> =
            std::iter::once(object).chain(profiles).flatten().map(|path| path.to_string()).collect();
        let is_ours = |xpath: &str| ours.iter().any(|path| xpath.starts_with(path));
        self.own_changes().into_iter().filter(|change| !is_ours(&change.xpath)).collect()
    }

    /// How many changes of others are pending.
    #[must_use]
    pub fn foreign_changes(&self) -> usize {
        self.changes.as_ref().map_or(0, Vec::len) - self.own_changes().len()
    }
}
