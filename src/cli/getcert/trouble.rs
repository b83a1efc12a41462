//! What may go wrong after the arguments were found good, and what to do about it.

use std::path::PathBuf;

use super::INSTALLER;
use super::NAME;
use crate::cli::arguments::UsageError;
use crate::cli::issuance::IssueError;
use crate::cli::report::Advice;
use crate::delivery::watch::FollowError;
use crate::error::Exit;
use crate::host::certmonger::{CA_RETRY_DAYS, CaError, GetcertError};
use crate::host::ipa;
use crate::install::problem::Problem;

/// What went wrong after the arguments were found good.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("this machine is not an enrolled IPA client: {} is missing", ipa::CONFIGURATION)]
    NotEnrolled,
    #[error("IPA has no certificate profile '{0}'")]
    NoSuchProfile(String),
    #[error("{what}")]
    NotReady { exit: Exit, what: String, fixes: Vec<Advice> },
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error("certmonger tracks this certificate already, and not as it was typed: {}", .differences.join("; "))]
    Differs { differences: Vec<String>, command: String },
    #[error("the private key file {} is gone: certmonger can't ask for a certificate with it", .file.display())]
    KeyGone { file: PathBuf, command: String },
    #[error(transparent)]
    Certmonger(#[from] GetcertError),
    #[error("{error}")]
    Issue { error: IssueError, service: String, command: String },
    #[error("{INSTALLER} can't be run: {0}")]
    Installer(std::io::Error),
    #[error(transparent)]
    Following(#[from] FollowError),
    #[error("{} exists and was not requested by {NAME}: not allowed with --delegated", .0.display())]
    NotOurs(PathBuf),
    #[error("{device}: {problem}")]
    NotInstalled { device: String, problem: Problem },
}

impl Trouble {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::NotEnrolled => Exit::Key,
            Self::NoSuchProfile(_) => Exit::KeyType,
            Self::NotInstalled { problem, .. } => problem.exit,
            Self::NotReady { exit, .. } => *exit,
            Self::Usage(error) => error.exit(),
            Self::NotOurs(_) | Self::Differs { .. } => Exit::Usage,
            _ => Exit::Certificate,
        }
    }

    /// What to do about it, line by line.
    pub(super) fn advice(&self) -> Vec<Advice> {
        let one = |text: &str| vec![hint(text)];
        match self {
            Self::NotEnrolled => one("enrol it with ipa-client-install, or name another CA with --ca"),
            Self::NoSuchProfile(_) => one("see which there are: ipa certprofile-find"),
            Self::NotReady { fixes, .. } => fixes.clone(),
            Self::Usage(error) => hints(error.advice()),
            Self::Differs { command, .. } => {
                vec![
                    hint("nothing was changed; to ask for a new certificate with what was typed:"),
                    Advice::Command(command.clone()),
                ]
            }
            Self::KeyGone { command, .. } => new_key(command),
            Self::Certmonger(error) => hints(error.advice()),
            Self::Issue { error, service, command } => advice_for(error, service, command),
            Self::Following(FollowError::Installation(_)) => one("run it with sudo"),
            Self::Following(FollowError::Certmonger(error)) => hints(error.advice()),
            Self::NotInstalled { problem, .. } => hints(problem.advice.clone()),
            Self::NotOurs(_) => {
                one(&format!("an administrator can take it over with {NAME}, without --delegated"))
            }
            Self::Installer(_) => Vec::new(),
        }
    }
}

fn hint(text: impl Into<String>) -> Advice {
    Advice::Hint(text.into())
}

fn hints(advice: Option<String>) -> Vec<Advice> {
    advice.into_iter().map(Advice::Hint).collect()
}

fn new_key(command: &str) -> Vec<Advice> {
    vec![hint("have a new key made, and a certificate for it:"), Advice::Command(command.to_owned())]
}

fn advice_for(error: &IssueError, service: &str, command: &str) -> Vec<Advice> {
    match error {
        IssueError::Getcert(error) => hints(error.advice()),
        IssueError::NoKey { .. } => new_key(command),
        IssueError::TimedOut { unreachable: true, .. } => vec![hint(format!(
            "by itself certmonger may ask the CA again only in {CA_RETRY_DAYS} days; run this command again once the CA can be reached: it asks at once"
        ))],
        IssueError::TimedOut { .. } => vec![hint(
            "certmonger keeps trying and will install the certificate once it is issued; see 'getcert list'",
        )],
        _ => error.ca_error().map_or_else(Vec::new, |said| advice_against(&CaError::read(said), service)),
    }
}

/// What lifts a refusal of the CA's.
fn advice_against(error: &CaError, service: &str) -> Vec<Advice> {
    let host =
        ipa::Enrolment::read().map_or_else(|_| "$(hostname -f)".to_owned(), |enrolment| enrolment.host);
    let commands = error.commands(&host, service);
    let mut advice = hints(error.explanation());
    if error.is_permanent() {
        let asks = "then run this command again: it asks the CA anew";
        if commands.is_empty() && advice.is_empty() {
            advice.push(hint("once that is fixed, run this command again: it asks the CA anew"));
        } else if commands.is_empty() {
            advice.push(hint(asks));
        } else {
            advice.push(hint("what fixes it:"));
            advice.extend(commands.into_iter().map(Advice::Command));
            advice.push(hint(asks));
        }
    }
    advice
}
