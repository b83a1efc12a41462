//! All that is known as JSON, nothing shortened.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::NAME;
use super::certmonger::Standing;
use super::installation::{How, Installation, Limits};
use super::summary::Summary;
use crate::fingerprint::Fingerprint;
use crate::install::names::{CommonName, ObjectName, ProfileName};
use crate::install::problem::Problem;
use crate::panos::Address;
use crate::programs::report;

#[derive(Serialize)]
struct Status<'a> {
    installations: Vec<JsonInstallation<'a>>,
    summary: &'a Summary,
}

#[derive(Serialize)]
struct JsonInstallation<'a> {
    certificate: &'a CommonName,
    object: &'a ObjectName,
    device: &'a Address,
    ha_peer: Option<&'a Address>,
    profiles: &'a [ProfileName],
    state: &'static str,
    queued: bool,
    under_way_since: Option<String>,
    ordered: String,
    fingerprint_ordered: Option<Fingerprint>,
    fingerprint_proven: Option<Fingerprint>,
    proven: Option<String>,
    installed_until: Option<String>,
    owed_since: Option<String>,
    owed_too_long: bool,
    next_try: Option<String>,
    failures: u32,
    problem: Option<JsonProblem<'a>>,
    job: Option<&'a str>,
    last_attempt: Option<JsonAttempt<'a>>,
    certmonger: Option<JsonCertmonger<'a>>,
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    exit: u8,
    what: &'a str,
    advice: Option<&'a str>,
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
    trouble: Option<String>,
}

/// Prints one object with an array of installations and the summary.
pub(super) fn print(all: &[Installation], summary: &Summary, limits: &Limits) {
    let installations = all.iter().map(|one| JsonInstallation::of(one, limits)).collect();
    report::json(NAME, &Status { installations, summary });
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl<'a> JsonInstallation<'a> {
    fn of(one: &'a Installation, limits: &Limits) -> Self {
        let (record, order) = (&one.record, &one.record.order);
        Self {
            certificate: &order.common_name,
            object: one.object(),
            device: &order.device,
            ha_peer: order.peer.as_ref(),
            profiles: &order.profiles,
            state: match one.how() {
                How::Installed => "installed",
                How::Owed => "owed",
                How::Failed => "failed",
                How::LeftToCommit => "left-to-commit",
            },
            queued: one.queued,
            under_way_since: one.under_way().map(time),
            ordered: time(order.at),
            fingerprint_ordered: order.certificate.as_ref().map(|certificate| certificate.fingerprint),
            fingerprint_proven: record.proven.as_ref().map(|proven| proven.certificate.fingerprint),
            proven: record.proven.as_ref().map(|proven| time(proven.at)),
            installed_until: one.installed_until().map(time),
            owed_since: record.owed_since.map(time),
            owed_too_long: one.is_overdue(limits),
            next_try: record.next_try.map(time),
            failures: record.failures,
            problem: one.problem().map(JsonProblem::of),
            job: one.job(),
            last_attempt: one.last_attempt().map(|attempt| JsonAttempt {
                run: &attempt.run,
                begun: time(attempt.begun),
                seconds: attempt
                    .milliseconds
                    .iter()
                    .map(|(phase, spent)| (phase.as_str(), seconds(*spent)))
                    .collect(),
            }),
            certmonger: one.certmonger.as_ref().map(JsonCertmonger::of),
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
            trouble: standing.trouble(),
        }
    }
}
