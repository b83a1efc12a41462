//! The runs as JSON, nothing shortened.

use serde::Serialize;

use super::NAME;
use crate::cli::report;
use crate::host::runlog::{PHASES, Run, RunOutcome, Unended};

#[derive(Serialize)]
struct Runs<'a> {
    runs: Vec<JsonRun<'a>>,
}

#[derive(Serialize)]
struct JsonRun<'a> {
    begun: String,
    ended: Option<String>,
    id: Option<&'a str>,
    certificates: &'a [String],
    device: Option<&'a str>,
    result: &'static str,
    problem: Option<&'a str>,
    /// Of a run that wrote no end: whether it still runs, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Option<bool>>,
    times: u64,
    seconds: serde_json::Map<String, serde_json::Value>,
}

/// Prints one object with an array of them.
pub(super) fn print(runs: &[Run]) {
    report::json(NAME, &Runs { runs: runs.iter().map(JsonRun::of).collect() });
}

impl<'a> JsonRun<'a> {
    fn of(run: &'a Run) -> Self {
        let (result, problem) = match &run.ending {
            RunOutcome::Done => ("ok", None),
            RunOutcome::Failed(problem) => ("failed", Some(problem.as_str())),
            RunOutcome::LeftToCommit => ("left-to-commit", None),
            RunOutcome::LeftToPush => ("left-to-push", None),
            RunOutcome::NotEnded(_) => ("not-ended", None),
            RunOutcome::Unknown => ("unknown", None),
        };
        let known = PHASES.iter().zip(run.seconds);
        Self {
            begun: run.begun.to_rfc3339(),
            ended: (!matches!(run.ending, RunOutcome::NotEnded(_))).then(|| run.ended.to_rfc3339()),
            id: run.id.as_deref(),
            certificates: &run.certificates,
            device: run.device.as_deref(),
            result,
            problem,
            running: match &run.ending {
                RunOutcome::NotEnded(Unended::Unknown) => Some(None),
                RunOutcome::NotEnded(Unended::Killed) => Some(Some(false)),
                RunOutcome::NotEnded(Unended::Running(_)) => Some(Some(true)),
                _ => None,
            },
            times: run.times,
            seconds: known
                .filter_map(|(name, seconds)| Some(((*name).to_owned(), seconds?.into())))
                .collect(),
        }
    }
}
