//! What may go wrong after the arguments were found good, and what to do about it.

use std::path::PathBuf;

use super::INSTALLER;
use super::NAME;
use crate::cli::arguments::UsageError;
use crate::cli::issuance::IssueError;
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
    NotReady { exit: Exit, what: String, fixes: Vec<String> },
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
    pub(super) fn advice(&self) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match self {
            Self::NotEnrolled => one("Enrol it with ipa-client-install, or name another CA with --ca."),
            Self::NoSuchProfile(_) => one("See which there are: ipa certprofile-find"),
            Self::NotReady { fixes, .. } => fixes.clone(),
            Self::Usage(error) => error.advice().into_iter().collect(),
            Self::Differs { command, .. } => {
                vec![
                    "Nothing was changed. To ask for a new certificate with what was typed:".to_owned(),
                    command.clone(),
                ]
            }
            Self::KeyGone { command, .. } => {
                vec!["Have a new key made, and a certificate for it:".to_owned(), command.clone()]
            }
            Self::Certmonger(error) => error.advice().into_iter().collect(),
            Self::Issue { error, service, command } => advice_for(error, service, command),
            Self::Following(FollowError::Installation(_)) => one("Run it with sudo."),
            Self::Following(FollowError::Certmonger(error)) => error.advice().into_iter().collect(),
            Self::NotInstalled { problem, .. } => problem.advice.clone().into_iter().collect(),
            Self::NotOurs(_) => {
                vec![format!("An administrator can take it over with {NAME}, without --delegated.")]
            }
            Self::Installer(_) => Vec::new(),
        }
    }
}

fn advice_for(error: &IssueError, service: &str, command: &str) -> Vec<String> {
    match error {
        IssueError::Getcert(error) => error.advice().into_iter().collect(),
        IssueError::NoKey { .. } => {
            vec!["Have a new key made, and a certificate for it:".to_owned(), command.to_owned()]
        }
        IssueError::TimedOut { unreachable: true, .. } => vec![format!(
            "By itself certmonger may ask the CA again only in {CA_RETRY_DAYS} days. Run this command again once the CA can be reached: it asks at once."
        )],
        IssueError::TimedOut { .. } => vec![
            "certmonger keeps trying and will install the certificate once it is issued; see 'getcert list'."
                .to_owned(),
        ],
        _ => error.ca_error().map_or_else(Vec::new, |said| advice_against(&CaError::read(said), service)),
    }
}

/// What lifts a refusal of the CA's.
fn advice_against(error: &CaError, service: &str) -> Vec<String> {
    let host =
        ipa::Enrolment::read().map_or_else(|_| "$(hostname -f)".to_owned(), |enrolment| enrolment.host);
    let commands = error.commands(&host, service);
    let mut advice: Vec<String> = error.explanation().into_iter().collect();
    if error.is_permanent() {
        let asks = "Then run this command again: it asks the CA anew.";
        if commands.is_empty() && advice.is_empty() {
            advice.push("Once that is fixed, run this command again: it asks the CA anew.".to_owned());
        } else if commands.is_empty() {
            advice.push(asks.to_owned());
        } else {
            advice.push("What fixes it:".to_owned());
            advice.extend(commands.into_iter().map(|command| format!("  {command}")));
            advice.push(asks.to_owned());
        }
    }
    advice
}
