//! Deciding: the device's state and the install request become a list of steps, without asking anybody.

use panos_xmlapi::{Fingerprint, Location, PendingChange, ServiceProfile, UnquotableName, XPath};

use super::change::Change;
use super::error::InstallError;
use super::issuers::{FormerIssuer, Issuer};
use super::names::ObjectName;
use super::places::{Relation, relation};
use super::references::Reference;
use super::request::{CommitScope, Existing, InstallRequest, Rebind};
use super::result::CreatedObject;
use super::state::{self, ConfigView, CurrentInstall, DeviceState};
use crate::certificate::{KeyAlgorithm, key_algorithm_of_pem};

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
    /// Upload an intermediate certificate as an object of its own, without a key.
    ImportIssuer(Issuer),
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
        uses: Vec<Reference>,
        /// The object.
        to: ObjectName,
    },
    /// Delete an older object, unless something still refers to it.
    Delete(ObjectName),
    /// Delete the object of an intermediate certificate that nothing needs any more.
    DeleteIssuer(FormerIssuer),
    /// Make it the running configuration.
    Commit(CommitScope),
}

/// The certificate that is to be installed, as far as a decision needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCertificate {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The kind of its key.
    pub algorithm: KeyAlgorithm,
}

/// Which configuration has all that is wanted, once the steps of a plan are done. Without steps it is so now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The candidate configuration alone: a person commits.
    Candidate,
    /// The running configuration.
    Running,
}

/// What is to be done, and what a person should know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In their order; none where nothing is left to be done, which does not say that the device runs it: see `reached`.
    pub steps: Vec<Step>,
    /// What they lead to.
    pub reached: Reached,
    /// Remarks for the log.
    pub notes: Vec<String>,
}

/// Decides. `made` are the objects this program made on the device for the same name, the latest last; `places`
/// is all that the deployment is about: this install request, and those that are fulfilled together with it.
///
/// # Errors
/// A state that could not be put back after a failure. Nothing was changed.
pub fn plan(
    request: &InstallRequest,
    offer: NewCertificate,
    state: &DeviceState,
    observed: &CurrentInstall,
    made: &[CreatedObject],
    places: &[String],
) -> Result<Plan, InstallError> {
    let candidate = &observed.candidate;
    let runs_it = observed
        .running
        .as_ref()
        .is_some_and(|running| running.first_difference(request, offer.fingerprint).is_none());
    let all_rebound = to_bind(request, candidate, made).is_empty() && observed.uses.rebindable.is_empty();
    let has_issuers = observed.issuers.missing.is_empty();
    if runs_it && all_rebound && has_issuers && request.existing == Existing::Keep {
        return Ok(Plan { steps: Vec::new(), reached: Reached::Running, notes: Vec::new() });
    }
    let mut steps = Vec::new();
    if candidate.fingerprint() != Some(offer.fingerprint) || request.existing == Existing::Replace {
        let replaces = candidate.object.is_some();
        refuse_what_could_not_be_undone(state, places, replaces)?;
        refuse_another_kind_of_key(request, offer, candidate)?;
        steps.push(Step::Import { object: request.object.clone(), replaces });
    }
    steps.extend(observed.issuers.missing.iter().cloned().map(Step::ImportIssuer));
    let profiles = to_bind(request, candidate, made);
    if !profiles.is_empty() {
        steps.push(Step::Bind { profiles, to: request.object.clone() });
    }
    if !observed.uses.rebindable.is_empty() {
        steps.push(Step::Rebind { uses: observed.uses.rebindable.clone(), to: request.object.clone() });
    }
    let mut notes = notes(observed);
    let outdated = outdated(request, made, &presented(&steps));
    let former = former(&steps, observed, &outdated, made);
    let nothing_to_delete = outdated.is_empty() && former.is_empty();
    let can_be_undone = state.administrator.is_some() && state.changes.is_some();
    if !nothing_to_delete && can_be_undone && state.own_changes_elsewhere(places).is_empty() {
        steps.extend(outdated.into_iter().map(Step::Delete));
        steps.extend(former.into_iter().map(Step::DeleteIssuer));
    } else if !nothing_to_delete {
        notes.push("Older certificates were kept: deleting them could not be rolled back safely.".to_owned());
    }
    let names_itself = steps.iter().any(|step| matches!(step, Step::Import { .. }));
    let reached = match request.commit {
        CommitScope::OwnChanges if state.asked && state.administrator.is_none() && !names_itself => {
            return Err(InstallError::AdministratorUnknown);
        }
        CommitScope::OwnChanges | CommitScope::Everybody => {
            steps.push(Step::Commit(request.commit));
            Reached::Running
        }
        CommitScope::Nothing => Reached::Candidate,
    };
    Ok(Plan { steps, reached, notes })
}

/// The named profiles that present something else, and beside them those that present what is being replaced.
fn to_bind(
    request: &InstallRequest,
    candidate: &ConfigView,
    made: &[CreatedObject],
) -> Vec<(String, Option<String>)> {
    let replaced = match request.rebind {
        Rebind::Named => Vec::new(),
        Rebind::WhereUsed => state::replaced(request, candidate, made),
    };
    let unbound = candidate.unbound(&request.profiles, &request.object);
    // What a template supplies can't be changed here.
    let is_meant = |profile: &&ServiceProfile| {
        profile.template.is_none()
            && (unbound.iter().any(|name| name.as_str() == profile.name)
                || profile.certificate.as_ref().is_some_and(|certificate| replaced.contains(certificate)))
    };
    let meant = candidate.profiles.iter().filter(is_meant);
    meant.map(|profile| (profile.name.clone(), profile.certificate.clone())).collect()
}

/// What is presented until these steps are done.
fn presented(steps: &[Step]) -> Vec<String> {
    let names = steps.iter().flat_map(|step| match step {
        Step::Bind { profiles, .. } => profiles.iter().filter_map(|(_, from)| from.clone()).collect(),
        Step::Rebind { uses, .. } => uses.iter().map(|place| place.from.clone()).collect(),
        _ => Vec::new(),
    });
    names.collect()
}

/// Older objects that may go. The latest one always stays, and what is presented now, which is not the latest where
/// that was not served: they are the way back until the new one is proven.
fn outdated(request: &InstallRequest, made: &[CreatedObject], presented: &[String]) -> Vec<ObjectName> {
    let Some(keep) = request.keep else { return Vec::new() };
    let older = made.iter().rev().map(|made| &made.object).filter(|object| **object != request.object);
    let may_go =
        older.skip(keep.max(1)).filter(|object| !presented.iter().any(|name| name == object.as_str()));
    may_go.cloned().collect()
}

/// The intermediates that nothing needs once the older objects and what is overwritten are gone.
fn former(
    steps: &[Step],
    observed: &CurrentInstall,
    outdated: &[ObjectName],
    made: &[CreatedObject],
) -> Vec<FormerIssuer> {
    let overwrites = steps.iter().any(|step| matches!(step, Step::Import { replaces: true, .. }));
    let overwritten = observed.candidate.fingerprint().filter(|_| overwrites);
    let deleted = made.iter().filter(|made| outdated.contains(&made.object)).map(|made| made.fingerprint);
    observed.issuers.unneeded(&deleted.chain(overwritten).collect::<Vec<_>>())
}

/// Under the same name, a service that is bound to it would change the kind of its key unasked.
fn refuse_another_kind_of_key(
    request: &InstallRequest,
    offer: NewCertificate,
    candidate: &ConfigView,
) -> Result<(), InstallError> {
    let pem = candidate.object.as_ref().and_then(|object| object.public_key.as_deref());
    let (Some(before), Some(after)) =
        (pem.and_then(key_algorithm_of_pem).and_then(in_words), in_words(offer.algorithm))
    else {
        return Ok(());
    };
    let in_use =
        |name: &str| candidate.profiles.iter().any(|profile| profile.certificate.as_deref() == Some(name));
    if before == after || request.existing == Existing::Replace || !in_use(request.object.as_str()) {
        return Ok(());
    }
    Err(InstallError::KeyTypeChanged {
        object: request.object.clone(),
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

fn in_words(algorithm: KeyAlgorithm) -> Option<&'static str> {
    match algorithm {
        KeyAlgorithm::Rsa(_) => Some("RSA"),
        KeyAlgorithm::Ec(_) => Some("EC"),
        KeyAlgorithm::Other(_) => None,
    }
}

/// An overwritten object comes back only by reverting all of the administrator's changes.
fn refuse_what_could_not_be_undone(
    state: &DeviceState,
    places: &[String],
    replaces: bool,
) -> Result<(), InstallError> {
    let administrator = match (&state.administrator, &state.changes) {
        _ if !replaces => return Ok(()),
        (_, None) => return Err(InstallError::RollbackImpossible("the device keeps no journal of changes")),
        (None, Some(changes)) if changes.is_empty() => return Ok(()),
        (None, Some(_)) => {
            return Err(InstallError::RollbackImpossible(
                "the device does not tell which of the uncommitted changes are ours",
            ));
        }
        (Some(administrator), Some(_)) => administrator,
    };
    let own = state.own_changes_elsewhere(places);
    match own.first() {
        None => Ok(()),
        Some(first) => Err(InstallError::OwnChangesPending {
            administrator: administrator.clone(),
            count: own.len(),
            first: first.xpath.clone(),
        }),
    }
}

/// What a person should know beside an install request's steps.
fn notes(observed: &CurrentInstall) -> Vec<String> {
    let others = observed.uses.others.iter();
    let others = others
        .map(|place| format!("WARNING: the previous certificate is still used by {place}; not changed"));
    observed.notes.iter().chain(&observed.issuers.notes).cloned().chain(others).collect()
}

/// What a person should know about the changes that are pending on the device.
#[must_use]
pub fn pending_notes(request: &InstallRequest, state: &DeviceState, places: &[String]) -> Vec<String> {
    let (mut notes, commit) = (Vec::new(), request.commit);
    // A commit in a template leaves what is elsewhere.
    let scope = request.location.template_entry();
    let is_in_scope = |change: &&&PendingChange| {
        scope.as_ref().is_none_or(|scope| relation(&change.xpath, scope.as_str()) != Relation::Apart)
    };
    let own = state.own_changes_elsewhere(places).iter().filter(is_in_scope).count();
    if own > 0 && commit == CommitScope::OwnChanges {
        notes.push(format!(
            "WARNING: {own} earlier uncommitted changes of this administrator are committed as well."
        ));
    }
    let foreign = state.others_changes();
    let consequence = match commit {
        CommitScope::Everybody => "WARNING: committed as well",
        CommitScope::OwnChanges | CommitScope::Nothing => "left uncommitted",
    };
    let told = foreign.iter().take(FOREIGN_TOLD);
    notes.extend(
        told.map(|change| format!("{consequence}: a pending change of {} at {}", change.owner, change.xpath)),
    );
    if foreign.len() > FOREIGN_TOLD {
        notes.push(format!(
            "{consequence}: {} more pending changes of other administrators",
            foreign.len() - FOREIGN_TOLD
        ));
    }
    notes
}

impl Plan {
    /// Whether the device runs all that is wanted, and nothing is to be done.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.steps.is_empty() && self.reached == Reached::Running
    }

    /// Whether the steps are to become the running configuration, and whose changes with them.
    #[must_use]
    pub fn commit(&self) -> Option<CommitScope> {
        self.steps.iter().find_map(|step| match step {
            Step::Commit(scope) => Some(*scope),
            _ => None,
        })
    }

    /// Whether it makes an object that was not there before.
    #[must_use]
    pub fn makes_an_object(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Import { replaces: false, .. }))
    }

    /// Everything that the steps change, and what they make of it. `certificate` is the one that is uploaded.
    ///
    /// # Errors
    /// A name with both kinds of quotes.
    pub fn changes(
        &self,
        place: &Location,
        certificate: Fingerprint,
    ) -> Result<Vec<(XPath, Change)>, UnquotableName> {
        let mut changes = Vec::new();
        let names = |element: &str, object: &ObjectName| Change::Names {
            element: element.to_owned(),
            object: object.to_string(),
        };
        for step in &self.steps {
            match step {
                Step::Import { object, .. } => {
                    changes.push((place.certificate(object.as_str())?, Change::Holds(certificate)));
                }
                Step::ImportIssuer(issuer) => {
                    let at = place.certificate(issuer.object.as_str())?;
                    changes.push((at, Change::Holds(issuer.fingerprint)));
                }
                Step::Delete(object) | Step::DeleteIssuer(FormerIssuer { object, .. }) => {
                    changes.push((place.certificate(object.as_str())?, Change::Gone));
                }
                Step::Bind { profiles, to } => {
                    for (profile, _) in profiles {
                        changes.push((place.profile(profile)?, names("certificate", to)));
                    }
                }
                Step::Rebind { uses, to } => {
                    changes.extend(uses.iter().map(|place| (place.at.clone(), names(place.element, to))));
                }
                Step::Commit(_) => {}
            }
        }
        Ok(changes)
    }
}
