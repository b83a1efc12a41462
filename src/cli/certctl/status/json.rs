//! All that is known as JSON, nothing shortened.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use panos_xmlapi::{Address, Fingerprint};
use serde::{Serialize, Serializer};

use super::certmonger::Standing;
use super::installation::{InstallState, Limits, Row};
use super::summary::Summary;
use super::{Beside, NAME};
use crate::cli::firewalls::JsonFirewalls;
use crate::cli::report::{self, JsonHold};
use crate::install::names::ProfileName;
use crate::install::problem::Problem;

#[derive(Serialize)]
struct Status<'a> {
    installations: Each<'a>,
    unresolved: Vec<JsonUnresolved<'a>>,
    unrecorded: Vec<JsonUnrecorded<'a>>,
    unreadable: &'a [String],
    summary: &'a Summary,
}

/// Each is made when it is written: there may be very many.
pub(super) struct Each<'a> {
    pub(super) all: &'a [Row],
    pub(super) limits: &'a Limits,
}

impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all.iter().map(|one| JsonInstallation::of(one, self.limits)))
    }
}

#[derive(Serialize)]
struct JsonInstallation<'a> {
    certificate: &'a str,
    object: &'a str,
    device: &'a str,
    ha_peer: Option<&'a str>,
    location: &'a str,
    target: Option<&'a str>,
    profiles: &'a [ProfileName],
    state: &'static str,
    queued: bool,
    under_way_since: Option<String>,
    ordered: String,
    fingerprint_ordered: Option<Fingerprint>,
    fingerprint_proven: Option<Fingerprint>,
    proven: Option<String>,
    installed_until: Option<String>,
    pending_since: Option<String>,
    pending_too_long: bool,
    next_try: Option<String>,
    waits_for: Option<JsonHold>,
    failures: u32,
    problem: Option<JsonProblem<'a>>,
    drift: Option<JsonDrift<'a>>,
    job: Option<&'a str>,
    last_attempt: Option<JsonAttempt<'a>>,
    certmonger: Option<JsonCertmonger<'a>>,
    push: Option<JsonFirewalls<'a>>,
    faults: Vec<JsonFault>,
}

/// What is wrong, in a word and in words.
#[derive(Serialize)]
struct JsonFault {
    word: &'static str,
    what: String,
}

/// What certmonger renews for a device, and of which there is no record.
#[derive(Serialize)]
struct JsonUnrecorded<'a> {
    certificate: &'a str,
    device: &'a Address,
    request: &'a str,
    not_issued: Option<&'a str>,
}

/// What was asked for and can't be read as a request yet.
#[derive(Serialize)]
struct JsonUnresolved<'a> {
    requested: String,
    argv: &'a [String],
    problem: JsonProblem<'a>,
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    exit: u8,
    what: &'a str,
    advice: Option<&'a str>,
}

/// What `verify` found, and when.
#[derive(Serialize)]
struct JsonDrift<'a> {
    found: String,
    what: &'a str,
    presents_another: bool,
    presented_until: Option<String>,
}

#[derive(Serialize)]
struct JsonAttempt<'a> {
    run: &'a str,
    begun: String,
    seconds: BTreeMap<&'a str, f64>,
}

#[derive(Serialize)]
struct JsonCertmonger<'a> {
    tracked: bool,
    state: Option<&'a str>,
    stuck: Option<bool>,
    ca_error: Option<&'a str>,
    word: Option<&'static str>,
    trouble: Option<String>,
}

/// Prints one object with an array of installations, what is found beside them, and the summary.
pub(super) fn print(all: &[Row], beside: &Beside, summary: &Summary, limits: &Limits) {
    let unresolved = beside.unresolved.iter().map(|spec| JsonUnresolved {
        requested: time(spec.requested_at),
        argv: &spec.argv,
        problem: JsonProblem::of(&spec.problem),
    });
    let unrecorded = beside.unrecorded.iter().map(|one| JsonUnrecorded {
        certificate: &one.common_name,
        device: &one.device,
        request: &one.request,
        not_issued: one.not_issued.as_deref(),
    });
    let (unresolved, unrecorded) = (unresolved.collect(), unrecorded.collect());
    let installations = Each { all, limits };
    report::json_stream(
        NAME,
        &Status { installations, unresolved, unrecorded, unreadable: &beside.unreadable, summary },
    );
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl<'a> JsonInstallation<'a> {
    fn of(one: &'a Row, limits: &Limits) -> Self {
        Self {
            certificate: &one.common_name,
            object: &one.object,
            device: &one.device,
            location: &one.location,
            target: one.target.as_deref(),
            ha_peer: one.peer.as_deref(),
            profiles: &one.profiles,
            state: match one.how {
                InstallState::Installed => "installed",
                InstallState::Pending => "pending",
                InstallState::Failed => "failed",
                InstallState::Adopted => "adopted",
                InstallState::LeftToCommit => "left-to-commit",
                InstallState::LeftToPush => "left-to-push",
            },
            queued: one.queued,
            under_way_since: one.under_way.map(time),
            ordered: time(one.requested_at),
            fingerprint_ordered: one.ordered,
            fingerprint_proven: one.proven.map(|proven| proven.fingerprint),
            proven: one.proven.map(|proven| time(proven.at)),
            installed_until: one.installed_until().map(time),
            pending_since: one.pending_since.map(time),
            pending_too_long: one.is_overdue(limits),
            next_try: one.next_attempt.map(time),
            waits_for: one.hold.as_deref().map(JsonHold::of),
            failures: one.failures,
            problem: one.problem.as_deref().map(JsonProblem::of),
            drift: one.drift.as_ref().map(|drift| JsonDrift {
                found: time(drift.at),
                what: &drift.what,
                presents_another: drift.presents.is_some(),
                presented_until: drift.presents.and_then(|presents| presents.until).map(time),
            }),
            job: one.job.as_deref(),
            last_attempt: one.last_attempt.as_ref().map(|attempt| JsonAttempt {
                run: &attempt.run,
                begun: time(attempt.begun),
                seconds: attempt.milliseconds().map(|(phase, spent)| (phase, seconds(spent))).collect(),
            }),
            certmonger: one.certmonger.as_deref().map(JsonCertmonger::of),
            push: one
                .push
                .as_deref()
                .map(|push| JsonFirewalls::of(push, one.how == InstallState::LeftToPush)),
            faults: one
                .faults
                .iter()
                .map(|fault| JsonFault { word: fault.word(), what: fault.to_string() })
                .collect(),
        }
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "no run takes that long")]
pub(super) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

impl<'a> JsonProblem<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self { exit: problem.exit.code(), what: &problem.what, advice: problem.advice.as_deref() }
    }
}

impl<'a> JsonCertmonger<'a> {
    fn of(standing: &'a Standing) -> Self {
        let tracked = match standing {
            Standing::Tracked(tracked) => Some(tracked),
            Standing::NotTracked { .. } | Standing::NotItsBusiness => None,
        };
        Self {
            tracked: tracked.is_some(),
            state: tracked.map(|tracked| tracked.state.as_str()),
            stuck: tracked.and_then(|tracked| tracked.stuck),
            ca_error: tracked.and_then(|tracked| tracked.ca_error.as_deref()),
            word: standing.word(),
            trouble: standing.trouble(),
        }
    }
}
