//! Runs another program of this machine for a question, with bounds on its time and on what it prints.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use super::process;

/// How long a program may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most characters that are kept of what it complains of.
const COMPLAINT: usize = 2000;

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Whether it called it a success.
    pub(crate) success: bool,
    /// What it printed.
    pub(crate) output: String,
    /// What it complained of, in one line.
    pub(crate) complaint: String,
}

/// A program that gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    /// It is not there.
    #[error("the program {0} is not installed")]
    Missing(String),
    /// It could not be run, or did not end in time.
    #[error("{program}: {problem}")]
    Failed {
        /// The program.
        program: String,
        /// What the system said.
        problem: String,
    },
}

/// Runs a program to its end, in the language that its words are known in.
pub(crate) async fn ask(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Said, CommandError> {
    let failed = |problem: String| CommandError::Failed { program: program.to_owned(), problem };
    let mut command = process::command(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    command.envs(environment.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => CommandError::Missing(program.to_owned()),
        _ => failed(error.to_string()),
    })?;
    let ended = tokio::time::timeout(TIMEOUT, process::collect(&mut running)).await;
    let late = |_| failed(format!("it does not answer within {} seconds", TIMEOUT.as_secs()));
    let (output, stderr, status) = ended.map_err(late)?.map_err(|trouble| failed(trouble.to_string()))?;
    let words = stderr.split_whitespace().flat_map(|word| word.chars().chain([' ']));
    let complaint = words.take(COMPLAINT).collect::<String>().trim_end().to_owned();
    Ok(Said { success: status.success(), output, complaint })
}
