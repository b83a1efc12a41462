//! Troubles that last: told once when they have begun, and once when they are over.

use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::process::Command;

use super::installation::Installation;
use super::state::Incident;
use crate::host::log::RunLog;
use crate::host::process;
use crate::install::problem::RetryClass;
use crate::install::result::Outcome;
use crate::settings::config::Notify;

/// How long the command may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something that a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A certificate can't be delivered, and won't be soon.
    Failure,
    /// What was told before is over.
    Recovered,
}

impl News {
    /// The word for it in the command's environment.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovered => "recovered",
        }
    }
}

/// Whom to tell, and when.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    /// What is run, and after how many failures.
    pub settings: Notify,
}

impl Notifier {
    /// Notes in the record whether there is news, and which.
    #[must_use]
    pub fn notice(&self, record: &mut Installation, outcome: &Outcome, now: DateTime<Utc>) -> Option<News> {
        match (outcome, &record.incident) {
            (Outcome::Failed(problem), None) if record.is_pending() => {
                let lasts = matches!(problem.retry_class, RetryClass::NeedsOperator | RetryClass::OnRequest)
                    || record.is_taken_back()
                    || record.failures >= self.settings.tell_after;
                if !lasts {
                    return None;
                }
                let since = record.pending_since.unwrap_or(now);
                record.incident = Some(Incident { since, reported: problem.what.clone() });
                Some(News::Failure)
            }
            // It was told that it is being taken back: now that this is over, a person has to act.
            (Outcome::Failed(problem), Some(told))
                if problem.retry_class == RetryClass::OnRequest && told.reported != problem.what =>
            {
                let since = told.since;
                record.incident = Some(Incident { since, reported: problem.what.clone() });
                Some(News::Failure)
            }
            (
                Outcome::Installed { .. } | Outcome::AwaitingCommit { .. } | Outcome::AwaitingPush { .. },
                Some(_),
            ) => {
                record.incident = None;
                Some(News::Recovered)
            }
            _ => None,
        }
    }

    /// Runs the command. The facts are in its environment, and nothing else is.
    pub async fn tell(&self, news: News, record: &Installation, log: &RunLog) {
        let [program, arguments @ ..] = self.settings.command.as_slice() else { return };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", process::PATH)
            .envs(facts(news, record))
            .current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let ended = match command.spawn() {
            Ok(mut child) => tokio::time::timeout(TIMEOUT, child.wait()).await,
            Err(error) => Ok(Err(error)),
        };
        let trouble = match ended {
            Ok(Ok(status)) if status.success() => return,
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not over after {} seconds", TIMEOUT.as_secs()),
        };
        log.error(&format!("the command on_failure ({program}): {trouble}"));
    }
}

fn facts(news: News, record: &Installation) -> Vec<(&'static str, String)> {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let spec = &record.spec;
    let mut facts = vec![
        ("PAN_EVENT", news.word().to_owned()),
        ("PAN_CERTIFICATE", spec.common_name.to_string()),
        ("PAN_OBJECT", spec.name.to_string()),
        ("PAN_DEVICE", spec.device.to_string()),
        ("PAN_FAILURES", record.failures.to_string()),
    ];
    if let Some(problem) = record.last_problem() {
        facts.push(("PAN_EXIT", problem.exit.code().to_string()));
        facts.push(("PAN_PROBLEM", problem.what.clone()));
        facts.extend(problem.advice.clone().map(|advice| ("PAN_ADVICE", advice)));
    }
    // The second name is the one that scripts of 0.1.0 know.
    for name in ["PAN_PENDING_SINCE", "PAN_OWED_SINCE"] {
        facts.extend(record.pending_since.map(|at| (name, time(at))));
    }
    facts.extend(record.next_attempt.map(|at| ("PAN_NEXT_TRY", time(at))));
    facts.extend(
        record
            .verified
            .as_ref()
            .map(|verified| ("PAN_INSTALLED_UNTIL", time(verified.certificate.not_after))),
    );
    // A NUL can't stand in an environment.
    facts.into_iter().map(|(name, text)| (name, text.replace('\0', " "))).collect()
}
