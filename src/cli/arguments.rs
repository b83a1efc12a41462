//! What the programs share in reading their command lines, and how a bad one ends.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Parser};
use panos_xmlapi::InvalidAddress;
use tokio::runtime::{Builder, Runtime};

use super::{delegated, report};
use crate::certificate::BundleError;
use crate::delivery::DeliveryError;
use crate::error::{Exit, TABLE};
use crate::files;
use crate::host::certmonger::GetcertError;
use crate::host::core_dumps;
use crate::host::environment::{self, UnsafeEnvironment};
use crate::host::keyfile::KeyFileError;
use crate::host::log::{LOG_FILE, Log, Verbosity};
use crate::host::worker::STATE_DIR;
use crate::install::known_devices::KnownDevicesError;
use crate::install::names::BadName;
use crate::install::problem::Problem;
use crate::settings::SettingsError;
use crate::settings::config::ConfigError;
use crate::settings::location::InvalidPlace;
use crate::text::escape_control;

/// Where a program keeps and finds things.
#[derive(Debug, Clone, Args)]
pub struct PlaceArguments {
    /// Per-device settings [default: /etc/pan_getcert.toml if there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output", hide_short_help = true)]
    pub config: Option<PathBuf>,

    /// The log
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = LOG_FILE,
        help_heading = "Output",
        hide_short_help = true
    )]
    pub log_file: PathBuf,

    /// The directory of the installation records
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = STATE_DIR,
        help_heading = "Output",
        hide_short_help = true
    )]
    pub state_dir: PathBuf,

    /// Show the log's lines on standard error; twice: more
    #[arg(short = 'v', long, global = true, action = clap::ArgAction::Count, help_heading = "Output", hide_short_help = true)]
    pub verbose: u8,
}

impl PlaceArguments {
    /// Opens the log.
    ///
    /// # Errors
    /// A file that can't be appended to.
    pub fn open_log(&self) -> Result<Log, UsageError> {
        Log::open(&self.log_file, Verbosity::from(self.verbose)).map_err(|error| {
            let how = if rustix::process::geteuid().is_root() { "" } else { "run it with sudo, or " };
            UsageError::Other(format!("{error}; {how}name another file with --log-file"))
        })
    }
}

/// A command line that can't be carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting, typed or in the configuration file.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Key type, key size or IPA certificate profile.
    #[error("{0}")]
    KeyType(String),
    /// The certificate or key files.
    #[error(transparent)]
    Files(#[from] BundleError),
    /// The API key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The state directory can't be used: what is asked for can't even be recorded.
    #[error(transparent)]
    State(#[from] Box<DeliveryError>),
    /// The environment.
    #[error(transparent)]
    Environment(#[from] UnsafeEnvironment),
    /// A path that root can't rely on.
    #[error("--{option} {}: {problem}", .path.display())]
    Path {
        /// The option that names it.
        option: &'static str,
        /// The path.
        path: PathBuf,
        /// Who has a say in it.
        problem: String,
    },
    /// Another installation claims a profile.
    #[error(transparent)]
    Claimed(Box<Problem>),
    /// certmonger can't be asked.
    #[error(transparent)]
    Certmonger(Box<GetcertError>),
    /// The worker could not do it.
    #[error("the worker could not deliver this: {0}")]
    Worker(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<InvalidPlace> for UsageError {
    fn from(invalid: InvalidPlace) -> Self {
        Self::Settings(invalid.into())
    }
}

impl UsageError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Settings(error) => error.exit(),
            Self::KeyType(_) => Exit::KeyType,
            Self::Files(_) => Exit::Certificate,
            Self::Key(_) => Exit::Key,
            Self::State(failure) => failure.exit(),
            Self::Claimed(problem) => problem.exit,
            Self::Certmonger(_) => Exit::Certmonger,
            Self::Environment(_) | Self::Path { .. } | Self::Worker(_) | Self::Other(_) => Exit::Usage,
        }
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Settings(error) => error.advice(),
            Self::Files(error) => error.advice(),
            Self::Key(error) => error.advice(),
            Self::State(failure) => failure.advice(),
            Self::Claimed(problem) => problem.advice.clone(),
            Self::Certmonger(error) => error.advice(),
            Self::Environment(error) => Some(error.advice()),
            Self::Path { .. } => Some("choose a path that only root can change".to_owned()),
            Self::Worker(_) => Some(
                "keep it where only root can write, /etc for instance, with root as its owner".to_owned(),
            ),
            Self::KeyType(_) | Self::Other(_) => None,
        }
    }
}

impl From<BadName> for UsageError {
    fn from(error: BadName) -> Self {
        SettingsError::from(error).into()
    }
}

impl From<InvalidAddress> for UsageError {
    fn from(error: InvalidAddress) -> Self {
        SettingsError::from(error).into()
    }
}

impl From<KnownDevicesError> for UsageError {
    fn from(error: KnownDevicesError) -> Self {
        SettingsError::from(error).into()
    }
}

impl From<ConfigError> for UsageError {
    fn from(error: ConfigError) -> Self {
        SettingsError::from(error).into()
    }
}

/// The end of the short help: where the rest is.
#[must_use]
pub fn short_end(words: &str) -> String {
    format!("All options, examples and exit codes: {words} --help, man {}", words.replace(' ', "-"))
}

/// The end of the long help: examples, then the exit codes.
#[must_use]
pub fn long_end(examples: &[(&str, &str)]) -> String {
    let each: Vec<String> = examples.iter().map(|(what, line)| format!("  # {what}\n  {line}")).collect();
    format!("Examples:\n{}\n\n{}", each.join("\n"), exit_code_help())
}

/// The exit codes, for the end of the help.
#[must_use]
pub fn exit_code_help() -> String {
    let rows: Vec<String> =
        TABLE.iter().map(|(exit, text)| format!("  {:>2}  {text}", exit.code())).collect();
    format!("Exit codes:\n{}", rows.join("\n"))
}

/// A command line that was not read; what is wrong was printed.
#[derive(Debug)]
pub enum NotRead {
    /// Help or version was asked for.
    Help(ExitCode),
    /// It is not understood, or more than may be asked for: the code to exit with, and what is wrong.
    Refused(Exit, String),
}

impl From<NotRead> for ExitCode {
    fn from(not_read: NotRead) -> Self {
        match not_read {
            NotRead::Help(exit) => exit,
            NotRead::Refused(exit, _) => exit.into(),
        }
    }
}

/// Reads a command line; help and version go to standard output, a usage error to standard error. What is more than
/// was delegated is refused here, before anything is done.
///
/// # Errors
/// The code to exit with, and why.
pub fn parse<T: Parser>(words: impl IntoIterator<Item = OsString>) -> Result<T, NotRead> {
    let words: Vec<OsString> = words.into_iter().collect();
    let mut command = T::command();
    // Before a secret is read.
    let forbidden = core_dumps::forbid().map_err(|error| {
        UsageError::Other(format!(
            "the system does not let this program forbid core dumps of itself: {error}"
        ))
    });
    forbidden.map_err(|error| {
        let _ = refuse(command.get_name(), &error);
        NotRead::Refused(error.exit(), error.to_string())
    })?;
    let read = command.try_get_matches_from_mut(&words).and_then(|matches| {
        let arguments = T::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok((matches, arguments))
    });
    let (matches, arguments) = read.map_err(|error| {
        // clap repeats words as they are, and they might steer the terminal: they are read again, escaped.
        let shown = words.iter().map(|word| escape_control(&word.to_string_lossy()));
        let error = if error.use_stderr() { T::try_parse_from(shown).err().unwrap_or(error) } else { error };
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let what = "a command is missing; it is one of these";
            report::problem(command.get_name(), what, None);
            error.render().to_string().lines().skip(1).for_each(report::data);
            return NotRead::Refused(Exit::Usage, what.to_owned());
        }
        if error.use_stderr() {
            tell(command.get_name(), &error.render().to_string());
            return NotRead::Refused(Exit::Usage, first_line(&error.to_string()));
        }
        // A closed pipe is no reason to fail.
        let _ = error.print();
        NotRead::Help(Exit::Done.into())
    })?;
    let checked = delegated::check_options(&command, &matches)
        .map_err(UsageError::from)
        .and_then(|()| environment::check().map_err(UsageError::from))
        .and_then(|()| check_places(&matches));
    checked.map_err(|error| {
        let _ = refuse(command.get_name(), &error);
        NotRead::Refused(error.exit(), error.to_string())
    })?;
    Ok(arguments)
}

/// What clap says, in the voice of everything else: what is wrong, tips and usage as they are, and where to read on.
fn tell(program: &str, text: &str) {
    report::problem(program, &first_line(text), None);
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("For more information, ") {
            Some(rest) => {
                report::note(program, &format!("for more information, {}", rest.trim_end_matches('.')));
            }
            None => report::data(line.trim()),
        }
    }
}

/// What is wrong, without what clap says about it besides.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Nobody else may decide where root writes.
fn check_places(matches: &ArgMatches) -> Result<(), UsageError> {
    let mut level = matches;
    // Behind a verb such an option stands with the verb's own.
    while let Some((_, deeper)) = level.subcommand() {
        level = deeper;
    }
    for (id, option) in [("log_file", "log-file"), ("state_dir", "state-dir")] {
        if let Ok(Some(path)) = level.try_get_one::<PathBuf>(id) {
            let bad = |problem: String| UsageError::Path { option, path: path.clone(), problem };
            files::settled(path).map_err(|unsettled| bad(unsettled.to_string()))?;
        }
    }
    Ok(())
}

/// A program that reads its words, does its work, and ends with a code.
pub fn run<T: Parser>(name: &str, work: impl FnOnce(&T) -> Result<Exit, UsageError>) -> ExitCode {
    let arguments: T = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(not_read) => return not_read.into(),
    };
    match work(&arguments) {
        Ok(exit) => exit.into(),
        Err(error) => refuse(name, &error),
    }
}

/// The event loop: one thread is enough for waiting, however many devices are waited for.
///
/// # Errors
/// The system's words.
pub fn event_loop() -> Result<Runtime, UsageError> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| UsageError::Other(format!("can't start the async runtime: {error}")))
}

/// Tells of a command line that can't be carried out.
#[must_use]
pub fn refuse(program: &str, error: &UsageError) -> ExitCode {
    let what = error.to_string();
    let lines = match error {
        // A place in a file is shown with the line that is there.
        UsageError::Settings(SettingsError::Config(_)) => what.lines().collect(),
        _ => vec![what.as_str()],
    };
    report::problem_in_lines(program, &lines, error.advice().as_deref());
    error.exit().into()
}
