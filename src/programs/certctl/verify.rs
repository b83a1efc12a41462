//! `pan_certctl verify`: what devices run and show, compared with the records and the files.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;

use super::NAME;
use super::selection::Selection;
use crate::certificate::Bundle;
use crate::error::Exit;
use crate::host::log::{Log, RunLog};
use crate::install::Failure;
use crate::install::connect::reach;
use crate::install::deliver::facts;
use crate::install::observe::place_of;
use crate::install::problem::Problem;
use crate::install::record::{CertificateFacts, DeviceLock, Record, Records, State};
use crate::install::request::Wish;
use crate::install::served::served;
use crate::install::verify::Goal;
use crate::panos::address::Address;
use crate::programs::arguments::{self, BadArguments, PlaceArguments};
use crate::programs::config::{Config, Drift};
use crate::programs::delivery::{again, run_id};
use crate::programs::wishes::Prepared;
use crate::programs::{report, rivals};
use crate::text::harmless;

/// How long an endpoint may take to show its certificate.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is compared.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct VerifyArguments {
    /// What to do about a device that does not run any more what it did [default: as the configuration file
    /// says, else deliver]
    #[arg(long, value_name = "POLICY")]
    drift: Option<DriftOption>,

    #[command(flatten)]
    selection: Selection,
}

/// `--drift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DriftOption {
    /// It is owed anew, and delivered.
    Deliver,
    /// It is told, and left.
    Warn,
}

/// What was found of one record.
#[derive(Debug)]
enum Verdict {
    /// All is as it should be.
    Good,
    /// Owed: nothing new.
    Owed,
    /// The device runs or shows something else, or the file holds a certificate that nobody has ordered.
    Drift { what: String, delivered: bool },
    /// Another certificate was given its profile later.
    Overtaken { profile: String, by: String, forget: PathBuf },
    /// Nobody can tell.
    Unknown(Problem),
}

struct Finding {
    record: Record,
    verdict: Verdict,
}

/// Compares.
///
/// # Errors
/// A device name that is not valid; a configuration, log or state folder that can't be used.
pub fn run(arguments: &VerifyArguments, place: &PlaceArguments) -> Result<Exit, BadArguments> {
    let only = arguments.selection.devices()?;
    let config = Config::load(place.config.as_deref())?;
    let drift = match arguments.drift {
        Some(DriftOption::Deliver) => Drift::Deliver,
        Some(DriftOption::Warn) => Drift::Warn,
        None => config.drift(),
    };
    let records = Records::below(&place.state_dir);
    let begin = |failure: Failure| BadArguments::Begin(Box::new(failure));
    let found = records.all().map_err(|error| begin(error.into()))?;
    for trouble in &found.troubles {
        report::problem(NAME, &trouble.to_string(), None);
    }
    let mut devices: Vec<Address> = found.records.iter().map(|record| record.order.device.clone()).collect();
    devices.dedup();
    devices.retain(|device| only.is_empty() || only.contains(device));
    let log = place.open_log()?;
    let auditor = &Auditor { records, drift, log, lock_wait: config.lock_wait() };
    let work = devices.iter().map(|device| auditor.examine(device));
    let runtime = arguments::event_loop()?;
    let found: Vec<Result<Vec<Finding>, Failure>> =
        runtime.block_on(stream::iter(work).buffered(arguments.selection.at_once()).collect::<Vec<_>>());
    let findings: Vec<Finding> =
        found.into_iter().collect::<Result<Vec<_>, _>>().map_err(begin)?.into_iter().flatten().collect();
    let each: Vec<Exit> = findings.iter().map(Finding::exit).collect();
    let exit = Exit::of_all(&each);
    if arguments.selection.json {
        let each: Vec<_> = findings.iter().map(Finding::json).collect();
        report::json(NAME, &json!({ "exit": exit.code(), "installations": each }));
    } else {
        findings.iter().for_each(Finding::tell);
        if findings.is_empty() {
            report::line("Nothing is installed from here.");
        }
    }
    Ok(exit)
}

struct Auditor {
    records: Records,
    drift: Drift,
    log: Log,
    lock_wait: Duration,
}

impl Auditor {
    /// Looks at one device, while nobody works on it.
    async fn examine(&self, device: &Address) -> Result<Vec<Finding>, Failure> {
        let state_dir = self.records.state_dir();
        let lock = DeviceLock::acquire(state_dir, std::slice::from_ref(device), self.lock_wait).await?;
        let log = self.log.run(&run_id(), true);
        let mut findings = Vec::new();
        let all = self.records.of_device(device)?.records;
        for mut record in all.clone() {
            let verdict = match &record.state {
                _ if record.is_owed() => Verdict::Owed,
                State::LeftToCommit { .. } => self.ask_for_commit(&mut record).await?,
                // It was a mistake, and never installed.
                _ if record.proven.is_none() => continue,
                _ => self.compare(&mut record).await,
            };
            let verdict = match verdict {
                Verdict::Drift { .. } => self.overtaken(&record, &all).unwrap_or(verdict),
                _ => verdict,
            };
            if let Verdict::Drift { what, delivered } = &verdict {
                self.note(&mut record, what, *delivered, &log).await?;
            }
            findings.push(Finding { record, verdict });
        }
        drop(lock);
        Ok(findings)
    }

    /// Delivering it would take the profile away from the other one, which would take it back, day after day.
    fn overtaken(&self, record: &Record, all: &[Record]) -> Option<Verdict> {
        let (other, profile) = rivals::overtaken_by(record, all)?;
        let forget = self.records.path(&record.order.device, &record.order.name);
        Some(Verdict::Overtaken { profile: profile.to_string(), by: other.order.name.to_string(), forget })
    }

    async fn note(
        &self,
        record: &mut Record,
        what: &str,
        delivered: bool,
        log: &RunLog,
    ) -> Result<(), Failure> {
        let fate = if delivered { "it is owed anew" } else { "it is left as it is" };
        log.error(&format!("{}: {}: {what}; {fate}", record.order.device, record.common_name()));
        if delivered {
            record.reopen(self.records.now());
            self.records.write_aside(vec![record.clone()]).await?;
        }
        Ok(())
    }

    /// Whether somebody has committed by now what was left to a person.
    async fn ask_for_commit(&self, record: &mut Record) -> Result<Verdict, Failure> {
        let (wish, bundle) = match again(record, self.records.state_dir()) {
            Ok(Prepared { wish, bundle: Ok(bundle), .. }) => (wish, bundle),
            Ok(Prepared { bundle: Err(failure), .. }) => return Ok(Verdict::Unknown((&failure).into())),
            Err(problem) => return Ok(Verdict::Unknown(problem)),
        };
        let object = wish.object.clone();
        match self.look(record, wish, &bundle).await {
            Ok(None) => {
                record.prove(&object, self.records.now());
                self.records.write_aside(vec![record.clone()]).await?;
                Ok(Verdict::Good)
            }
            Ok(Some(lack)) => {
                let what = format!("waits for a commit by a person: {lack}");
                Ok(Verdict::Drift { what, delivered: false })
            }
            Err(failure) => Ok(Verdict::Unknown((&failure).into())),
        }
    }

    async fn compare(&self, record: &mut Record) -> Verdict {
        let prepared = match again(record, self.records.state_dir()) {
            Ok(prepared) => prepared,
            Err(problem) => return Verdict::Unknown(problem),
        };
        let bundle = match prepared.bundle {
            Ok(bundle) => bundle,
            Err(failure) => return Verdict::Unknown((&failure).into()),
        };
        let now = match facts(&bundle) {
            Ok(facts) => facts,
            Err(failure) => return Verdict::Unknown((&failure).into()),
        };
        if record.order.certificate.as_ref() != Some(&now) {
            let what = renewed(&now);
            record.order.certificate = Some(now);
            return self.drifted(what);
        }
        match self.look(record, prepared.wish, &bundle).await {
            Ok(None) => Verdict::Good,
            Ok(Some(what)) => self.drifted(what),
            Err(failure) => Verdict::Unknown((&failure).into()),
        }
    }

    fn drifted(&self, what: String) -> Verdict {
        Verdict::Drift { what, delivered: self.drift == Drift::Deliver }
    }

    /// What the device runs, and what its endpoints show, where that is something else.
    async fn look(
        &self,
        record: &Record,
        mut wish: Wish,
        bundle: &Bundle,
    ) -> Result<Option<String>, Failure> {
        let wanted = bundle.fingerprint();
        if let Some(proven) = &record.proven {
            wish.object = proven.object.clone();
        }
        let reached = reach(&wish, &[wanted]).await?;
        let place = place_of(&wish, &reached.system);
        let goal = Goal::Runs { wish: Box::new(wish.clone()), place, wanted };
        if let Some(lack) = goal.lack(&reached.session).await? {
            return Ok(Some(lack));
        }
        for endpoint in &wish.served {
            if let Err(problem) = served(endpoint, &wish.common_name, wanted, &[], PATIENCE).await {
                return Ok(Some(problem.to_string()));
            }
        }
        Ok(None)
    }
}

fn renewed(now: &CertificateFacts) -> String {
    let until: DateTime<Utc> = now.not_after;
    format!(
        "the file holds another certificate, valid until {}, of which there is no record",
        until.format("%Y-%m-%d")
    )
}

impl Finding {
    fn exit(&self) -> Exit {
        match &self.verdict {
            Verdict::Good | Verdict::Owed | Verdict::Overtaken { .. } => Exit::Done,
            Verdict::Drift { .. } => Exit::Unproven,
            Verdict::Unknown(problem) => problem.exit,
        }
    }

    fn tell(&self) {
        let (device, name) = (&self.record.order.device, self.record.common_name());
        match &self.verdict {
            Verdict::Good => report::line(&format!("{device}: {name}: the device runs it.")),
            Verdict::Owed => report::line(&format!("{device}: {name}: is owed, see 'pan_certctl status'.")),
            Verdict::Drift { what, delivered } => {
                let advice = match delivered {
                    true => "It is owed anew: the worker delivers it, or 'pan_certctl retry'.",
                    false => "It is left as it is; 'pan_instcert' installs it again.",
                };
                report::problem(NAME, &format!("{device}: {name}: {}", harmless(what)), Some(advice));
            }
            Verdict::Overtaken { profile, by, forget } => {
                let what = format!(
                    "{device}: {name}: the SSL/TLS profile '{profile}' was given to '{by}' later; it is left there"
                );
                let advice = format!("If that is so for good, forget this one: rm {}", forget.display());
                report::problem(NAME, &what, Some(&advice));
            }
            Verdict::Unknown(problem) => {
                report::problem(NAME, &format!("{device}: {name}: {problem}"), problem.advice.as_deref());
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        let (verdict, what) = match &self.verdict {
            Verdict::Good => ("good", None),
            Verdict::Owed => ("owed", None),
            Verdict::Drift { what, delivered: true } => ("owed-anew", Some(what.as_str())),
            Verdict::Drift { what, delivered: false } => ("drift", Some(what.as_str())),
            Verdict::Overtaken { by, .. } => ("overtaken", Some(by.as_str())),
            Verdict::Unknown(problem) => ("unknown", Some(problem.what.as_str())),
        };
        json!({
            "common_name": self.record.common_name(),
            "device": self.record.order.device,
            "verdict": verdict,
            "what": what,
            "exit": self.exit().code(),
        })
    }
}
