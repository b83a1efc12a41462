//! How an installation at one place ended: what its line, the table at the end and the JSON are made of.

use panos_xmlapi::{Address, Location};

use super::firewalls::proven_on;
use crate::delivery::hold::Hold;
use crate::delivery::{InstallSpec, Installation, place_of};
use crate::error::Exit;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::phases::Phase;
use crate::install::problem::Problem;
use crate::install::push::PushState;
use crate::install::result::{Outcome, RunResult};

/// What is told of: a certificate at one place.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The certificate's common name.
    pub common_name: CommonName,
    /// The object's name as it was asked for.
    pub name: ObjectName,
    /// The device.
    pub device: Address,
    /// Where the object lies on it.
    pub location: Location,
    /// The target of the configuration file, where one was named.
    pub target: Option<String>,
    /// The profiles that are to present it.
    pub profiles: Vec<ProfileName>,
}

impl From<&InstallSpec> for Subject {
    fn from(spec: &InstallSpec) -> Self {
        Self {
            common_name: spec.common_name.clone(),
            name: spec.name.clone(),
            device: spec.device.clone(),
            location: spec.location.clone(),
            target: spec.options.target.clone(),
            profiles: spec.profiles.clone(),
        }
    }
}

impl Subject {
    /// The place, as it is named before a line.
    #[must_use]
    pub fn place(&self) -> String {
        place_of(&self.device, &self.location, self.target.as_deref())
    }
}

/// How long the phases of the run took that has ended since this was asked for, the whole last.
#[must_use]
pub(super) fn last_phases(record: &Installation, spec: &InstallSpec) -> Option<Vec<(&'static str, f64)>> {
    let last = record.history.last().filter(|last| last.started_at >= spec.requested_at)?;
    let names = Phase::ALL.iter().map(|phase| phase.name()).chain(std::iter::once("total"));
    #[expect(clippy::cast_precision_loss, reason = "no run takes that long")]
    let spent = |name: &'static str| Some((name, *last.milliseconds.get(name)? as f64 / 1000.0));
    Some(names.filter_map(spent).collect())
}

/// How an installation on one device ended, or that it was put into the queue.
#[derive(Debug, Clone)]
pub struct Told {
    /// What it is about.
    pub(super) about: Subject,
    pub(super) result: Option<RunResult>,
    /// Whether it is tried again by itself, where it failed.
    pub(super) is_pending: Option<bool>,
    /// What it waits for, where it was not begun.
    pub(super) hold: Option<Hold>,
    /// How it stands with the firewalls of a Panorama.
    pub(super) push: Option<PushState>,
}

impl Told {
    /// It ended like this.
    #[must_use]
    pub fn of(about: impl Into<Subject>, result: RunResult) -> Self {
        Self { about: about.into(), result: Some(result), is_pending: None, hold: None, push: None }
    }

    /// The same, and whether it is tried again by itself.
    #[must_use]
    pub fn pending(self, is_pending: bool) -> Self {
        Self { is_pending: Some(is_pending), ..self }
    }

    /// The same, and how it stands with the firewalls of a Panorama.
    #[must_use]
    pub fn pushed(self, push: Option<&PushState>) -> Self {
        Self { push: push.cloned(), ..self }
    }

    /// Nothing was done yet.
    #[must_use]
    pub fn queued(about: impl Into<Subject>) -> Self {
        Self { about: about.into(), result: None, is_pending: None, hold: None, push: None }
    }

    /// It was recorded, and waits.
    #[must_use]
    pub fn held(about: impl Into<Subject>, hold: Hold) -> Self {
        Self { hold: Some(hold), is_pending: Some(true), ..Self::queued(about) }
    }

    /// What it is about.
    #[must_use]
    pub fn about(&self) -> &Subject {
        &self.about
    }

    /// How it ended, in a word; with the exit code where it failed.
    #[must_use]
    pub fn word(&self) -> String {
        let word = self.key_word().replace('-', " ");
        match self.problem() {
            Some(problem) => format!("{word} ({})", problem.exit.code()),
            None => word,
        }
    }

    /// The same for other programs.
    #[must_use]
    pub fn key_word(&self) -> &'static str {
        match self.result.as_ref().map(|result| &result.outcome) {
            None if self.hold.is_some() => "waiting",
            None => "queued",
            Some(Outcome::Installed { unchanged: false, .. }) => "installed",
            Some(Outcome::Installed { unchanged: true, .. }) => "unchanged",
            Some(Outcome::AwaitingCommit { .. }) => "left-to-commit",
            Some(Outcome::AwaitingPush { .. }) => "left-to-push",
            Some(Outcome::Failed(_)) => "failed",
        }
    }

    /// How long each phase took, the whole last.
    #[must_use]
    pub fn phases(&self) -> &[(&'static str, f64)] {
        self.result.as_ref().map(|result| result.phases.as_slice()).unwrap_or_default()
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let waiting = if self.hold.is_some() { Exit::Waiting } else { Exit::Done };
        self.problem().map_or(waiting, |problem| problem.exit)
    }

    /// What is told of it, where it did not fail.
    pub(super) fn sentence(&self) -> String {
        let (device, bound) = (self.about.place(), bound(&self.about.profiles));
        if let Some(hold) = &self.hold {
            return format!(
                "{device}: the certificate '{}'{bound} is recorded, and {hold}.",
                self.about.name
            );
        }
        let on = proven_on(self.push.as_ref());
        let Some(result) = &self.result else {
            return format!(
                "{device}: installation of the certificate '{}'{bound} is queued.",
                self.about.name
            );
        };
        match &result.outcome {
            Outcome::Installed { object, unchanged: false } => {
                let seconds = result.phases.last().map_or(0.0, |(_, seconds)| *seconds);
                format!("{device}: installed the certificate '{object}'{bound}{on} ({seconds:.0} s).")
            }
            Outcome::Installed { object, unchanged: true } => {
                format!(
                    "{device}: the certificate '{object}'{bound} is already installed{on}; nothing to do."
                )
            }
            Outcome::AwaitingCommit { object } => {
                let object = object.as_ref().unwrap_or(&self.about.name);
                format!(
                    "{device}: the certificate '{object}'{bound} is in the candidate configuration; commit it on the device."
                )
            }
            Outcome::AwaitingPush { object } => {
                let object = object.as_ref().unwrap_or(&self.about.name);
                format!(
                    "{device}: the certificate '{object}'{bound} is committed on Panorama, not pushed; push it in Panorama."
                )
            }
            Outcome::Failed(problem) => format!("{device}: {problem}"),
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match &self.result {
            Some(RunResult { outcome: Outcome::Failed(problem), .. }) => Some(problem),
            _ => None,
        }
    }
}

fn bound(profiles: &[ProfileName]) -> String {
    if profiles.is_empty() { String::new() } else { format!(" in {}", quoted(profiles)) }
}

/// Profiles in words.
#[must_use]
pub(super) fn quoted(profiles: &[ProfileName]) -> String {
    profiles.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(" and ")
}
