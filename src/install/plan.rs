//! Deciding: the device's state and the wish become a list of steps, without asking anybody.

use super::failure::Failure;
use super::names::ObjectName;
use super::observe::{self, Holdings, Observed};
use super::record::Made;
use super::request::{CommitScope, Existing, Rebind, Wish};
use super::uses::Use;
use crate::certificate::KeyAlgorithm;
use crate::fingerprint::Fingerprint;
use crate::panos::certificates::ServiceProfile;
use crate::panos::changes::PendingChange;

/// How many pending changes of others are told one by one.
const FOREIGN_TOLD: usize = 10;

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
        profiles: Vec<(String, Option<String>)>,
        /// The object.
        to: ObjectName,
    },
    /// Give the new certificate to other places that used the one before.
    Rebind {
        /// The places.
        uses: Vec<Use>,
        /// The object.
        to: ObjectName,
    },
    /// Delete an older object, unless something still refers to it.
    Delete(ObjectName),
    /// Make it the running configuration.
    Commit(CommitScope),
}

/// The certificate that is to be installed, as far as a decision needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The kind of its key.
    pub algorithm: KeyAlgorithm,
}

/// What is to be done, and what a person should know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In their order; none where the device runs all that is wanted.
    pub steps: Vec<Step>,
    /// Remarks for the log.
    pub notes: Vec<String>,
}

/// Decides. `made` are the objects this program made on the device for the same name, the latest last.
///
/// # Errors
/// A state that could not be put back after a failure. Nothing was changed.
pub fn plan(wish: &Wish, offer: Offer, observed: &Observed, made: &[Made]) -> Result<Plan, Failure> {
    let candidate = &observed.candidate;
    let runs_it =
        observed.running.as_ref().is_some_and(|running| running.lacks(wish, offer.fingerprint).is_none());
    let all_rebound = to_bind(wish, candidate, made).is_empty() && observed.uses.rebindable.is_empty();
    if runs_it && all_rebound && wish.existing == Existing::Keep {
        return Ok(Plan { steps: Vec::new(), notes: Vec::new() });
    }
    let mut steps = Vec::new();
    if candidate.fingerprint() != Some(offer.fingerprint) || wish.existing == Existing::Replace {
        let replaces = candidate.object.is_some();
        refuse_what_could_not_be_undone(wish, observed, replaces)?;
        refuse_another_kind_of_key(wish, offer, candidate)?;
        steps.push(Step::Import { object: wish.object.clone(), replaces });
    }
    let profiles = to_bind(wish, candidate, made);
    if !profiles.is_empty() {
        steps.push(Step::Bind { profiles, to: wish.object.clone() });
    }
    if !observed.uses.rebindable.is_empty() {
        steps.push(Step::Rebind { uses: observed.uses.rebindable.clone(), to: wish.object.clone() });
    }
    let mut notes = notes(wish, observed);
    let outdated = outdated(wish, made);
    let can_be_undone = observed.administrator.is_some() && observed.changes.is_some();
    if !outdated.is_empty() && can_be_undone && observed.own_changes_beside(wish).is_empty() {
        steps.extend(outdated.into_iter().map(Step::Delete));
    } else if !outdated.is_empty() {
        notes.push(
            "Older certificates are left: they could not be brought back without losing other changes."
                .to_owned(),
        );
    }
    let names_itself = steps.iter().any(|step| matches!(step, Step::Import { .. }));
    match wish.commit {
        CommitScope::OwnChanges if observed.administrator.is_none() && !names_itself => {
            return Err(Failure::AdministratorUnknown);
        }
        CommitScope::OwnChanges | CommitScope::Everybody => steps.push(Step::Commit(wish.commit)),
        CommitScope::Nothing => {}
    }
    Ok(Plan { steps, notes })
}

/// The named profiles that present something else, and beside them those that present what is being replaced.
fn to_bind(wish: &Wish, candidate: &Holdings, made: &[Made]) -> Vec<(String, Option<String>)> {
    let replaced = match wish.rebind {
        Rebind::Named => Vec::new(),
        Rebind::WhereUsed => observe::replaced(wish, candidate, made),
    };
    let unbound = candidate.unbound(&wish.profiles, &wish.object);
    let is_meant = |profile: &&ServiceProfile| {
        unbound.iter().any(|name| name.as_str() == profile.name)
            || profile.certificate.as_ref().is_some_and(|certificate| replaced.contains(certificate))
    };
    let meant = candidate.profiles.iter().filter(is_meant);
    meant.map(|profile| (profile.name.clone(), profile.certificate.clone())).collect()
}

/// Older objects that may go. The latest one always stays: it is the way back until the new one is proven.
fn outdated(wish: &Wish, made: &[Made]) -> Vec<ObjectName> {
    let Some(keep) = wish.keep else { return Vec::new() };
    let older = made.iter().rev().map(|made| &made.object).filter(|object| **object != wish.object);
    older.skip(keep.max(1)).cloned().collect()
}

/// Under the same name, a service that is bound to it would change the kind of its key unasked.
fn refuse_another_kind_of_key(wish: &Wish, offer: Offer, candidate: &Holdings) -> Result<(), Failure> {
    let Some(before) = candidate.object.as_ref().and_then(|object| object.algorithm.as_deref()) else {
        return Ok(());
    };
    let after = match offer.algorithm {
        KeyAlgorithm::Rsa(_) => "RSA",
        KeyAlgorithm::Ec(_) => "EC",
        KeyAlgorithm::Other(_) => return Ok(()),
    };
    let in_use =
        |name: &str| candidate.profiles.iter().any(|profile| profile.certificate.as_deref() == Some(name));
    if before.eq_ignore_ascii_case(after)
        || wish.existing == Existing::Replace
        || !in_use(wish.object.as_str())
    {
        return Ok(());
    }
    Err(Failure::OtherKindOfKey {
        object: wish.object.clone(),
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

/// An overwritten object comes back only by reverting all of the administrator's changes.
fn refuse_what_could_not_be_undone(wish: &Wish, observed: &Observed, replaces: bool) -> Result<(), Failure> {
    let administrator = match (&observed.administrator, &observed.changes) {
        _ if !replaces => return Ok(()),
        (_, None) => return Err(Failure::NoWayBack("the device keeps no journal of changes")),
        (None, Some(changes)) if changes.is_empty() => return Ok(()),
        (None, Some(_)) => {
            return Err(Failure::NoWayBack(
                "the device does not tell which of the uncommitted changes are ours",
            ));
        }
        (Some(administrator), Some(_)) => administrator,
    };
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
    let fate = match wish.commit {
        CommitScope::Everybody => "WARNING: committed as well",
        CommitScope::OwnChanges | CommitScope::Nothing => "left uncommitted",
    };
    let told = foreign.iter().take(FOREIGN_TOLD);
    notes.extend(
        told.map(|change| format!("{fate}: a pending change of {} at {}", change.owner, change.xpath)),
    );
    let others = observed.uses.others.iter();
    notes.extend(
        others.map(|place| {
            format!("WARNING: the certificate before is used at {place}, which is left as it is")
        }),
    );
    if foreign.len() > FOREIGN_TOLD {
        notes.push(format!(
            "{fate}: {} more pending changes of other administrators",
            foreign.len() - FOREIGN_TOLD
        ));
    }
    notes
}

impl Observed {
    /// The API administrator's own pending changes.
    #[must_use]
    pub fn own_changes(&self) -> Vec<&PendingChange> {
        let Some(administrator) = &self.administrator else { return Vec::new() };
        self.changes.iter().flatten().filter(|change| change.owner == *administrator).collect()
    }

    /// The same without those in the very places that this wish is about: what a run that died has left.
    #[must_use]
    pub fn own_changes_beside(&self, wish: &Wish) -> Vec<&PendingChange> {
        let object = self.place.certificate(wish.object.as_str());
        let profiles = wish.profiles.iter().map(|name| self.place.profile(name.as_str()));
        let ours: Vec<String> =
            std::iter::once(object).chain(profiles).flatten().map(|path| path.to_string()).collect();
        let is_ours = |xpath: &str| ours.iter().any(|path| xpath.starts_with(path));
        self.own_changes().into_iter().filter(|change| !is_ours(&change.xpath)).collect()
    }

    /// The pending changes of others.
    #[must_use]
    pub fn foreign_changes(&self) -> Vec<&PendingChange> {
        let own = self.administrator.as_deref();
        self.changes.iter().flatten().filter(|change| Some(change.owner.as_str()) != own).collect()
    }
}
