//! Troubles that last: told once when they have begun, and once when they are over.

use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::process::Command;

use super::installation::{End, Incident, Record};
use crate::host::child;
use crate::host::log::RunLog;
use crate::install::problem::Mender;
use crate::settings::config::Notify;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(30);

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
    pub fn notice(&self, record: &mut Record, end: &End, now: DateTime<Utc>) -> Option<News> {
        match (end, &record.incident) {
            (End::Failed(problem), None) if record.is_owed() => {
                let lasts = problem.mended_by == Mender::Person || record.failures >= self.settings.patience;
                if !lasts {
                    return None;
                }
                let since = record.owed_since.unwrap_or(now);
                record.incident = Some(Incident { since, told: problem.what.clone() });
                Some(News::Failure)
            }
            (End::Installed { .. } | End::LeftToCommit, Some(_)) => {
                record.incident = None;
                Some(News::Recovered)
            }
            _ => None,
        }
    }

    /// Runs the command. The facts are in its environment, and nothing else is.
    pub async fn tell(&self, news: News, record: &Record, log: &RunLog) {
        let [program, arguments @ ..] = self.settings.command.as_slice() else { return };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", child::PATH)
            .envs(facts(news, record))
            .current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let ended = match command.spawn() {
            Ok(mut child) => tokio::time::timeout(PATIENCE, child.wait()).await,
            Err(error) => Ok(Err(error)),
        };
        let trouble = match ended {
            Ok(Ok(status)) if status.success() => return,
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not over after {} seconds", PATIENCE.as_secs()),
        };
        log.error(&format!("the command on_failure ({program}): {trouble}"));
    }
}

fn facts(news: News, record: &Record) -> Vec<(&'static str, String)> {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let order = &record.order;
    let mut facts = vec![
        ("PAN_EVENT", news.word().to_owned()),
        ("PAN_CERTIFICATE", order.common_name.to_string()),
        ("PAN_OBJECT", order.name.to_string()),
        ("PAN_DEVICE", order.device.to_string()),
        ("PAN_FAILURES", record.failures.to_string()),
    ];
    if let Some(problem) = record.last_problem() {
        facts.push(("PAN_EXIT", problem.exit.code().to_string()));
        facts.push(("PAN_PROBLEM", problem.what.clone()));
        facts.extend(problem.advice.clone().map(|advice| ("PAN_ADVICE", advice)));
    }
    facts.extend(record.owed_since.map(|at| ("PAN_OWED_SINCE", time(at))));
    facts.extend(record.next_try.map(|at| ("PAN_NEXT_TRY", time(at))));
    facts.extend(
        record.proven.as_ref().map(|proven| ("PAN_INSTALLED_UNTIL", time(proven.certificate.not_after))),
    );
    // A NUL can't stand in an environment.
    facts.into_iter().map(|(name, text)| (name, text.replace('\0', " "))).collect()
}
