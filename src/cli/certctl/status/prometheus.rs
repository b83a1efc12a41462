//! The installations as metrics, in the text format that node_exporter's textfile collector reads.
//!
//! No crate writes them: `prometheus-client` has only OpenMetrics, which that collector does not read, and
//! `prometheus` brings counters shared between threads and macros, where a dozen lines of text are all there is.

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use super::Beside;
use super::installation::{Fault, InstallState, Limits, Row};
use super::json::seconds;

/// Writes the metrics, one family after the other.
pub(super) fn write(out: &mut dyn Write, all: &[Row], beside: &Beside, limits: &Limits) -> io::Result<()> {
    let mut text = Text(out);
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&Row) -> Option<String>| {
        let each = all.iter().filter_map(|one| Some((labels(one), value(one)?)));
        text.gauge(name, help, each)
    };
    gauge(
        "installed_not_after_seconds",
        "End of the certificate that the device was last seen to run, as a Unix time.",
        &|one| Some(unix(one.installed_until()?)),
    )?;
    gauge("runs_ordered", "Whether that certificate is the one ordered (1) or another (0).", &|one| {
        Some(flag(one.runs_what_is_ordered()?))
    })?;
    gauge("pending", "Whether an installation is pending on the device.", &|one| Some(flag(one.is_pending)))?;
    gauge("pending_since_seconds", "Since when it is pending, as a Unix time.", &|one| {
        Some(unix(one.pending_since?))
    })?;
    gauge("next_try_seconds", "When it is tried again, as a Unix time.", &|one| {
        Some(unix(one.next_attempt?))
    })?;
    gauge("failures", "How many attempts have failed in a row.", &|one| Some(one.failures.to_string()))?;
    gauge(
        "last_exit_code",
        "The exit code of what went wrong last, 0 if nothing did or it is over.",
        &|one| Some(one.problem.as_ref().map_or(0, |problem| problem.exit.code()).to_string()),
    )?;
    gauge("last_attempt_seconds", "When the last attempt began, as a Unix time.", &|one| {
        Some(unix(one.last_attempt.as_ref()?.begun))
    })?;
    gauge("certmonger_trouble", "Whether certmonger does not renew the certificate as it should.", &|one| {
        one.certmonger.as_ref().map(|standing| flag(standing.trouble().is_some()))
    })?;
    gauge("failed", "Whether an installation failed and is not tried again.", &|one| {
        Some(flag(one.how == InstallState::Failed))
    })?;
    gauge("profile_claimed_twice", "Whether another installation has the same profile.", &|one| {
        Some(flag(one.faults.iter().any(|fault| matches!(fault, Fault::ProfileClaimedTwice { .. }))))
    })?;
    gauge("without_profile", "Whether no profile presents an installation.", &|one| {
        Some(flag(one.faults.contains(&Fault::NoProfile)))
    })?;
    gauge("drift", "Whether verify found something else on the device than was installed.", &|one| {
        Some(flag(one.drift.is_some()))
    })?;
    text.gauge(
        "phase_seconds",
        "How long each phase of the last attempt took.",
        all.iter().flat_map(phases),
    )?;
    let mut alone = |name: &str, help: &str, value: String| text.gauge(name, help, [(String::new(), value)]);
    alone(
        "records_unreadable",
        "How many files in the state directory can't be read.",
        beside.unreadable.len().to_string(),
    )?;
    alone(
        "unrecorded",
        "How many certificates certmonger renews for a device without a record.",
        beside.unrecorded.len().to_string(),
    )?;
    alone(
        "requests_unresolved",
        "How many requests can't be carried out as they were given.",
        beside.unresolved.len().to_string(),
    )?;
    alone("status_written_seconds", "When this was written, as a Unix time.", unix(limits.now))
}

fn phases(one: &Row) -> impl Iterator<Item = (String, String)> {
    let labels = labels(one);
    let spent = one.last_attempt.as_ref().into_iter().flat_map(|attempt| attempt.milliseconds());
    spent.map(move |(phase, spent)| {
        (format!("{labels},phase=\"{}\"", escaped(phase)), seconds(spent).to_string())
    })
}

/// The name is the one ordered: the same from one certificate to the next, whatever suffix the object has.
fn labels(one: &Row) -> String {
    let Row { common_name, device, location, name, .. } = one;
    let quoted =
        [("certificate", &**common_name), ("device", device), ("location", location), ("object", name)];
    quoted.map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).join(",")
}

fn unix(time: DateTime<Utc>) -> String {
    time.timestamp().to_string()
}

fn flag(is_so: bool) -> String {
    u8::from(is_so).to_string()
}

struct Text<'o>(&'o mut dyn Write);

impl Text<'_> {
    /// A family: labels and values; one without any is left out.
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, String)>,
    ) -> io::Result<()> {
        let mut is_first = true;
        for (labels, value) in samples {
            if std::mem::take(&mut is_first) {
                writeln!(self.0, "# HELP pan_getcert_{name} {help}")?;
                writeln!(self.0, "# TYPE pan_getcert_{name} gauge")?;
            }
            match labels.as_str() {
                "" => writeln!(self.0, "pan_getcert_{name} {value}")?,
                labels => writeln!(self.0, "pan_getcert_{name}{{{labels}}} {value}")?,
            }
        }
        Ok(())
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
