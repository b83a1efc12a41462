//! `pan_certctl verify`: what devices run and show, compared with the records and the files.

use std::sync::Arc;

use clap::Args;
use panos_xmlapi::Address;
use serde_json::json;

use super::selection::Selection;
use super::terminal::Severity;
use super::{NAME, forget};
use crate::cli::arguments::{self, PlaceArguments, UsageError};
use crate::cli::end_table::{self, Row};
use crate::cli::live::Screen;
use crate::cli::{at_once, interrupted, report, signals};
use crate::delivery::DeliveryError;
use crate::delivery::conflicts::DeviceLists;
use crate::delivery::drift::{DriftChecker, Finding, Verdict};
use crate::delivery::{InstallationStore, Queue, State};
use crate::error::Exit;
use crate::settings::config::{Config, Drift};
use crate::text::escape_control;

/// What is compared.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 100)]
pub struct VerifyArguments {
    /// What to do when a device no longer runs the installed certificate [default: as the configuration file
    /// says, else deliver]
    #[arg(long, value_name = "POLICY")]
    drift: Option<DriftOption>,

    #[command(flatten)]
    selection: Selection,
}

/// `--drift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DriftOption {
    /// It is pending again, and delivered.
    Deliver,
    /// It is told, and left.
    Warn,
}

/// Compares.
///
/// # Errors
/// A device name that is not valid; a configuration, log or state directory that can't be used.
pub fn run(arguments: &VerifyArguments, place: &PlaceArguments) -> Result<Exit, UsageError> {
    let config = Config::load(place.config.as_deref())?;
    let drift = match arguments.drift {
        Some(DriftOption::Deliver) => Drift::Deliver,
        Some(DriftOption::Warn) => Drift::Warn,
        None => config.drift(),
    };
    let records = InstallationStore::below(&place.state_dir);
    let begin = |failure: DeliveryError| UsageError::State(Box::new(failure));
    let (mut lists, mut devices) = (DeviceLists::default(), Vec::<Address>::new());
    let unread = records.each(|record| {
        lists.add(&record.spec);
        if devices.last() != Some(&record.spec.device) {
            devices.push(record.spec.device);
        }
    });
    let unread = unread.map_err(|error| begin(error.into()))?;
    let queued = Queue::below(&place.state_dir).all().map_err(|error| begin(error.into()))?.specs;
    queued.iter().for_each(|queued| lists.add_queued(&queued.spec));
    let mut each = Vec::new();
    let is_clean = unread.errors.is_empty();
    for error in &unread.errors {
        report::problem(NAME, &error.to_string(), None);
        each.push(Exit::Usage);
    }
    let devices = arguments.selection.among(&devices)?;
    let log = place.open_log()?;
    let screen = Screen::new(Some(devices.len()), place.verbose);
    let watcher = Arc::<Screen>::clone(&screen);
    let auditor = &DriftChecker { records, drift, log, lock_wait: config.lock_wait(), lists, watcher };
    let (json, screen) = (arguments.selection.json, &screen);
    let work = devices.iter().map(|device| async move {
        let working = screen.work_on(device, "verify");
        let found = auditor.examine(device).await;
        working.end(found.is_err());
        // As soon as it is known, however long the others take; of each only what is told at the end is kept.
        found.map(|found| {
            found.iter().filter(|_| !json).for_each(Finding::tell);
            found.iter().map(|one| Examined::of(one, json)).collect::<Vec<_>>()
        })
    });
    let work = at_once::all(work, arguments.selection.at_once());
    let stopped = |signal| interrupted::only_looked(NAME, screen, signal);
    let found = signals::run(arguments::event_loop()?, work, stopped);
    let (mut all, mut rows, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
    for (device, found) in devices.iter().zip(found) {
        match found {
            Ok(found) => found.into_iter().for_each(|Examined { exit, told, row }| {
                // What is well does not make a problem another one.
                each.extend((exit != Exit::Done).then_some(exit));
                all.extend(told);
                rows.extend(row);
            }),
            Err(failure) => {
                report::problem(NAME, &failure.to_string(), failure.advice().as_deref());
                let (exit, text) = (failure.exit(), failure.to_string());
                each.push(exit);
                troubles.push(json!({ "device": device, "problem": text, "exit": exit.code() }));
                rows.push(Row::failed(device.to_string(), exit));
            }
        }
    }
    let exit = Exit::of_all(&each);
    if json {
        let told = json!({ "exit": exit.code(), "installations": all, "troubles": troubles });
        report::json(NAME, &told);
    } else if rows.is_empty() && is_clean {
        report::line("No installations.");
    }
    end_table::print_rows(&rows);
    Ok(exit)
}

/// What is kept of a finding until the end.
struct Examined {
    exit: Exit,
    told: Option<serde_json::Value>,
    row: Option<Row>,
}

impl Examined {
    fn of(found: &Finding, is_json: bool) -> Self {
        Self { exit: found.exit(), told: is_json.then(|| found.json()), row: (!is_json).then(|| found.row()) }
    }
}

impl Finding {
    fn exit(&self) -> Exit {
        match &self.verdict {
            Verdict::Good | Verdict::Pending | Verdict::Superseded { .. } | Verdict::LeftOut { .. } => {
                Exit::Done
            }
            Verdict::Drift { .. } => Exit::Unproven,
            Verdict::Unknown(problem) => problem.exit,
        }
    }

    fn tell(&self) {
        let (device, name) = (self.record.spec.place(), self.record.common_name());
        match &self.verdict {
            Verdict::Good => {
                report::line(&format!("{device}: {name}: OK, the device is running this certificate."))
            }
            Verdict::Pending => {
                report::line(&format!("{device}: {name}: pending; see 'pan_certctl status'."))
            }
            Verdict::Drift { what, delivered, .. } => {
                let advice = match delivered {
                    true => "it will be installed again by the worker, or now with 'pan_certctl retry --now'",
                    false => self
                        .left_to_a_person()
                        .unwrap_or("no action was taken; 'pan_instcert' installs it again"),
                };
                report::problem(NAME, &format!("{device}: {name}: {}", escape_control(what)), Some(advice));
            }
            Verdict::Superseded { profile, by } => {
                let what = format!(
                    "{device}: {name}: the SSL/TLS profile '{profile}' now uses '{by}', installed later; not changed"
                );
                self.advise_forgetting(&what, "if that is so for good");
            }
            Verdict::LeftOut { what } => {
                let what = format!(
                    "{device}: {name}: {}; the device is left as it is: pan_getcert was run without it",
                    escape_control(what)
                );
                self.advise_forgetting(&what, "if that is meant");
            }
            Verdict::Unknown(problem) => {
                report::problem(NAME, &format!("{device}: {name}: {problem}"), problem.advice.as_deref());
            }
        }
    }

    /// What a person has to do who was left to finish it.
    fn left_to_a_person(&self) -> Option<&'static str> {
        match self.record.state {
            State::AwaitingCommit { .. } => Some("commit it on the device"),
            State::AwaitingPush { .. } => Some("push it in Panorama"),
            State::Pending | State::Installed { .. } | State::Failed { .. } => None,
        }
    }

    fn advise_forgetting(&self, what: &str, when: &str) {
        let advice = format!("{when}: {}", forget::command(&self.record));
        report::problem(NAME, what, Some(&advice));
    }

    fn row(&self) -> Row {
        let mood = match (&self.verdict, self.exit()) {
            (Verdict::Good, _) => Severity::Plain,
            (_, Exit::Done) => Severity::Odd,
            _ => Severity::Bad,
        };
        let word = match &self.verdict {
            Verdict::Unknown(problem) => format!("{} ({})", self.key_word(), problem.exit.code()),
            _ => self.key_word().replace('-', " "),
        };
        let spec = &self.record.spec;
        let place = spec.options.target.clone().unwrap_or_else(|| spec.place());
        Row::looked_at(place, word, mood, self.took.as_secs_f64()).with_certificate(&spec.common_name)
    }

    fn key_word(&self) -> &'static str {
        match &self.verdict {
            Verdict::Good => "good",
            Verdict::Pending => "pending",
            Verdict::Drift { delivered: true, .. } => "pending-again",
            Verdict::Drift { delivered: false, .. } => "drift",
            Verdict::Superseded { .. } => "overtaken",
            Verdict::LeftOut { .. } => "left-out",
            Verdict::Unknown(_) => "unknown",
        }
    }

    fn json(&self) -> serde_json::Value {
        let (what, advice) = match &self.verdict {
            Verdict::Good | Verdict::Pending => (None, None),
            Verdict::Drift { what, .. } | Verdict::LeftOut { what } => (Some(what.as_str()), None),
            Verdict::Superseded { by, .. } => (Some(by.as_str()), None),
            Verdict::Unknown(problem) => (Some(problem.what.as_str()), problem.advice.as_deref()),
        };
        let spec = &self.record.spec;
        json!({
            "common_name": spec.common_name.as_str(),
            "device": spec.device,
            "location": spec.location,
            "target": spec.options.target,
            "verdict": self.key_word(),
            "what": what,
            "advice": advice,
            "exit": self.exit().code(),
            "seconds": { "total": self.took.as_secs_f64() },
        })
    }
}
