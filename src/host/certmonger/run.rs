//! Runs one command with bounds on its time and on what it prints.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use super::error::GetcertError;
use crate::host::process::{self, Trouble};

/// What a command printed and how it ended.
pub(super) struct Ran {
    pub(super) program: String,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: ExitStatus,
}

/// Runs a command to its end. Standard input stays the caller's, so that sudo can ask who sits there.
pub(super) async fn run(
    words: &[OsString],
    arguments: &[OsString],
    session_bus: bool,
    timeout: Duration,
) -> Result<Ran, GetcertError> {
    let Some((program, rest)) = words.split_first() else {
        return Err(GetcertError::ProgramMissing { program: String::new() });
    };
    let name = name_of(words);
    let mut command = process::command(program);
    command.args(rest).args(arguments);
    process::keep_bus(&mut command, session_bus);
    // Its words are compared with the untranslated ones.
    command.env("LC_ALL", "C");
    command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut running = command.spawn().map_err(|source| match source.kind() {
        ErrorKind::NotFound => {
            GetcertError::ProgramMissing { program: program.to_string_lossy().into_owned() }
        }
        _ => GetcertError::Start { program: name.clone(), source },
    })?;
    let ended = tokio::time::timeout(timeout, process::collect(&mut running)).await;
    match ended {
        Err(_) => Err(GetcertError::TimedOut { program: name, after: timeout }),
        Ok(Err(Trouble::TooMuch)) => Err(GetcertError::TooMuch { program: name, limit: process::LIMIT }),
        Ok(Err(Trouble::Io(source))) => Err(GetcertError::Read { program: name, source }),
        Ok(Ok((stdout, stderr, status))) => Ok(Ran { program: name, stdout, stderr, status }),
    }
}

/// The word a person knows the command by: the last one, without its directory.
pub(super) fn name_of(words: &[OsString]) -> String {
    let last = words.last().map(OsString::as_os_str).unwrap_or(OsStr::new("getcert"));
    last.to_string_lossy().rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Instant;

    async fn shell(script: &str, timeout: Duration) -> Result<Ran, GetcertError> {
        let words: Vec<OsString> = ["/bin/sh", "-c"].map(Into::into).to_vec();
        run(&words, &[script.into()], false, timeout).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "current_thread")]
    async fn both_streams_and_the_exit_status_are_kept_and_the_language_is_plain() {
        let ran = shell("printf $LC_ALL; printf err >&2; exit 3", LONG).await.unwrap();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.status.code()), ("C", "err", Some(3)));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_command_that_never_ends_is_given_up() {
        let start = Instant::now();
        let error = shell("exec sleep 600", Duration::from_millis(100)).await.err().unwrap();
        assert!(matches!(error, GetcertError::TimedOut { .. }));
        assert!(start.elapsed() < LONG);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_command_that_never_stops_printing_is_given_up_before_its_time_is_over() {
        let error = shell("exec cat /dev/zero", LONG).await.err().unwrap();
        assert!(matches!(error, GetcertError::TooMuch { .. }), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_that_is_not_there_is_named() {
        let error = run(&["/nonexist/getcert".into()], &[], false, LONG).await.err().unwrap();
        assert_eq!(error.to_string(), "/nonexist/getcert not found: certmonger is not installed");
    }
}
