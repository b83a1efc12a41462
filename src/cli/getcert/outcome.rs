//! How it ended on each device.

use std::collections::BTreeSet;

use panos_xmlapi::Address;

use super::Request;
use super::trouble::Trouble;
use crate::cli::told::{Subject, Told, last_phases};
use crate::cli::{end_table, report};
use crate::delivery::watch::{self, Standing};
use crate::delivery::{Installation, InstallationStore, State};
use crate::error::Exit;
use crate::install::names::ObjectName;
use crate::install::problem::Problem;
use crate::install::result::{Outcome, RunResult};

/// How it ended at each place, and what went wrong.
#[derive(Default)]
pub(super) struct Ended {
    all: Vec<Told>,
    trouble: Option<Trouble>,
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self { all: Vec::new(), trouble: Some(trouble) }
    }
}

impl Ended {
    /// There is no new certificate: both are told, and the refusal counts.
    pub(super) fn and_refused(mut self, request: &Request, refused: Trouble) -> Self {
        if let Some(trouble) = self.trouble.replace(refused) {
            report::problem_with_advice(request.caller.name, &trouble.to_string(), &trouble.advice());
        }
        self
    }

    /// Tells the end: a table or the JSON, and what went wrong. The exit code.
    pub(super) fn tell(&self, request: &Request) -> Exit {
        if !request.json {
            end_table::print(&self.all);
        }
        let exit = self.tell_trouble(request);
        if request.json {
            let problem = self.trouble.as_ref().map(Trouble::to_string);
            let json = report::Json::of(request.named.common_name.as_str(), exit.code(), &self.all);
            json.because(problem.as_deref()).print(request.caller.name);
        }
        exit
    }

    /// Tells only what went wrong.
    pub(super) fn tell_trouble(&self, request: &Request) -> Exit {
        let Some(trouble) = &self.trouble else { return Exit::Done };
        report::problem_with_advice(request.caller.name, &trouble.to_string(), &trouble.advice());
        trouble.exit()
    }
}

/// FINISHED is said only where a device was seen to run this very certificate.
pub(super) fn judge(request: &Request, standings: Vec<(Address, Standing)>) -> Ended {
    let records = InstallationStore::below(&request.state_dir);
    let (mut all, mut troubles) = (Vec::new(), Vec::new());
    let places = standings.into_iter().zip(request.places.iter().zip(&request.awaited));
    for ((_, standing), (place, awaited)) in places {
        let record = records.read(&awaited.key).ok().flatten();
        let about = Subject {
            common_name: request.named.common_name.clone(),
            name: awaited.key.name.clone(),
            device: place.device.clone(),
            location: awaited.key.location.clone(),
            target: place.target.clone(),
            profiles: awaited.profiles.clone(),
        };
        let phases = record.as_ref().and_then(|record| last_phases(record, &record.spec)).unwrap_or_default();
        let ended = |outcome| RunResult { outcome, phases, missing_profiles: Vec::new() };
        let is_pending = record.as_ref().is_some_and(Installation::is_pending);
        let push = record.as_ref().and_then(|record| record.push.as_ref());
        let failed = |problem: Problem, ended: RunResult| {
            let told = Told::of(about.clone(), ended).pending(is_pending).pushed(push);
            (told, Some(Trouble::NotInstalled { device: place.to_string(), problem }))
        };
        let (told, trouble) = match standing {
            Standing::Runs(record) => {
                request.tell(&finished(&record));
                let unchanged = matches!(record.state, State::Installed { unchanged: true, .. });
                let outcome = Outcome::Installed { object: object(&record).clone(), unchanged };
                (Told::of(about, ended(outcome)).pending(false).pushed(push), None)
            }
            Standing::Waits(hold) => {
                let problem = hold.problem(&place.device);
                let trouble = Trouble::NotInstalled { device: place.to_string(), problem };
                (Told::held(about, hold), Some(trouble))
            }
            Standing::Failed(problem) => {
                let ended = ended(Outcome::Failed(problem.clone()));
                failed(problem, ended)
            }
            Standing::Open(doing) => {
                let problem = watch::not_installed(&format!(
                    "the installation is not over ({doing}), or its process was ended"
                ));
                // What the record has are the times of an earlier run.
                let outcome = Outcome::Failed(problem.clone());
                let open = RunResult { outcome, phases: Vec::new(), missing_profiles: Vec::new() };
                failed(problem, open)
            }
        };
        all.push(told);
        troubles.extend(trouble);
    }
    let (failed, count) = (troubles.len(), request.places.len());
    if failed == 0 || count == 1 {
        return Ended { all, trouble: troubles.pop() };
    }
    for trouble in &troubles {
        report::problem_with_advice(request.caller.name, &trouble.to_string(), &trouble.advice());
    }
    let exit = Exit::of_all(&all.iter().map(Told::exit).collect::<Vec<_>>());
    let devices: BTreeSet<&Address> = request.places.iter().map(|place| &place.device).collect();
    // Several places may be on one device.
    let unit = if devices.len() == count { "devices" } else { "places" };
    let waiting = all.iter().filter(|told| told.hold.is_some()).count();
    let only = match waiting {
        0 => String::new(),
        _ if waiting == failed => " yet: it is delivered by the worker".to_owned(),
        _ => format!("; {waiting} of them only wait"),
    };
    let what = format!("{failed} of {count} {unit} are not running the new certificate{only}");
    let problem = Problem { exit, advice: None, ..watch::not_installed(&what) };
    let trouble = Trouble::NotInstalled { device: request.named.common_name.to_string(), problem };
    Ended { all, trouble: Some(trouble) }
}

fn object(record: &Installation) -> &ObjectName {
    record.verified.as_ref().map_or(&record.spec.name, |proven| &proven.object)
}

fn finished(record: &Installation) -> String {
    let object = object(record);
    let until = record.verified.as_ref().map(|proven| proven.certificate.not_after.format(" until %Y-%m-%d"));
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    let (device, name) = (record.spec.place(), record.common_name());
    let presents = report::presented_by(record);
    format!("FINISHED: {device} runs the certificate '{object}' for {name}{presents}, valid{until}.")
}
