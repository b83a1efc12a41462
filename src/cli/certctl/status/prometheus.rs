//! The installations as metrics, in the text format that node_exporter's textfile collector reads.
//!
//! No crate writes them: `prometheus-client` has only OpenMetrics, which that collector does not read, and
//! `prometheus` brings counters shared between threads and macros, where a dozen lines of text are all there is.

use std::fmt::{Display, Write as _};

use chrono::{DateTime, Utc};

use super::Beside;
use super::installation::{Fault, InstallState, Limits, Row};
use super::json::seconds;

/// The metrics, one family after the other.
pub(super) fn text(all: &[Row], beside: &Beside, limits: &Limits) -> String {
    let mut text = Text(String::new());
    let each = |value: &dyn Fn(&Row) -> Option<String>| -> Vec<Sample> {
        all.iter().filter_map(|one| Some(Sample { labels: labels(one), value: value(one)? })).collect()
    };
    let mut gauge =
        |name: &str, help: &str, value: &dyn Fn(&Row) -> Option<String>| text.gauge(name, help, each(value));
    gauge(
        "installed_not_after_seconds",
        "End of the certificate that the device was last seen to run, as a Unix time.",
        &|one| Some(unix(one.installed_until()?)),
    );
    gauge("runs_ordered", "Whether that certificate is the one ordered (1) or another (0).", &|one| {
        Some(flag(one.runs_what_is_ordered()?))
    });
    gauge("pending", "Whether an installation is pending on the device.", &|one| {
        Some(flag(one.record.is_pending()))
    });
    gauge("pending_since_seconds", "Since when it is pending, as a Unix time.", &|one| {
        Some(unix(one.record.pending_since?))
    });
    gauge("next_try_seconds", "When it is tried again, as a Unix time.", &|one| {
        Some(unix(one.record.next_attempt?))
    });
    gauge("failures", "How many attempts have failed in a row.", &|one| {
        Some(one.record.failures.to_string())
    });
    gauge(
        "last_exit_code",
        "The exit code of what went wrong last, 0 if nothing did or it is over.",
        &|one| Some(one.problem().map_or(0, |problem| problem.exit.code()).to_string()),
    );
    gauge("last_attempt_seconds", "When the last attempt began, as a Unix time.", &|one| {
        Some(unix(one.last_attempt()?.started_at))
    });
    gauge("certmonger_trouble", "Whether certmonger does not renew the certificate as it should.", &|one| {
        one.certmonger.as_ref().map(|standing| flag(standing.trouble().is_some()))
    });
    gauge("failed", "Whether an installation failed and is not tried again.", &|one| {
        Some(flag(one.how() == InstallState::Failed))
    });
    gauge("profile_claimed_twice", "Whether another installation has the same profile.", &|one| {
        Some(flag(one.faults.iter().any(|fault| matches!(fault, Fault::ProfileClaimedTwice { .. }))))
    });
    gauge("without_profile", "Whether no profile presents an installation.", &|one| {
        Some(flag(one.faults.contains(&Fault::NoProfile)))
    });
    text.gauge("phase_seconds", "How long each phase of the last attempt took.", phases(all));
    let alone = |value: String| vec![Sample { labels: Vec::new(), value }];
    text.gauge(
        "records_unreadable",
        "How many files in the state directory can't be read.",
        alone(beside.unreadable.len().to_string()),
    );
    text.gauge(
        "unrecorded",
        "How many certificates certmonger renews for a device without a record.",
        alone(beside.unrecorded.len().to_string()),
    );
    text.gauge(
        "requests_unresolved",
        "How many requests can't be carried out as they were given.",
        alone(beside.unresolved.len().to_string()),
    );
    text.gauge("status_written_seconds", "When this was written, as a Unix time.", alone(unix(limits.now)));
    text.0
}

/// The name is the one ordered: the same from one certificate to the next, whatever suffix the object has.
fn labels(one: &Row) -> Vec<(&'static str, String)> {
    let spec = &one.record.spec;
    vec![
        ("certificate", spec.common_name.to_string()),
        ("device", spec.device.to_string()),
        ("location", spec.location.to_string()),
        ("object", spec.name.to_string()),
    ]
}

fn phases(all: &[Row]) -> Vec<Sample> {
    let of_one = |one: &Row| -> Vec<Sample> {
        let attempts = one.last_attempt().into_iter();
        let spent = attempts.flat_map(|attempt| &attempt.milliseconds);
        spent
            .map(|(phase, spent)| {
                let mut labels = labels(one);
                labels.push(("phase", phase.clone()));
                Sample { labels, value: seconds(*spent).to_string() }
            })
            .collect()
    };
    all.iter().flat_map(of_one).collect()
}

fn unix(time: DateTime<Utc>) -> String {
    time.timestamp().to_string()
}

fn flag(is_so: bool) -> String {
    u8::from(is_so).to_string()
}

struct Sample {
    labels: Vec<(&'static str, String)>,
    value: String,
}

struct Text(String);

impl Text {
    /// A family; one without samples is left out.
    fn gauge(&mut self, name: &str, help: &str, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        let name = format!("pan_getcert_{name}");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} gauge"));
        for Sample { labels, value } in samples {
            let quoted: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let quoted = if quoted.is_empty() { String::new() } else { format!("{{{}}}", quoted.join(",")) };
            self.line(format_args!("{name}{quoted} {value}"));
        }
    }

    fn line(&mut self, line: impl Display) {
        // A text takes whatever is written to it.
        let _ = writeln!(self.0, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
