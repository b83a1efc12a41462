//! What somebody can type who runs the programs as root through the sudo rule, and nothing else.
//!
//! The wildcards of sudoers match anything, so the rule pins only the first word, `--delegated`, and the guard is
//! here: what is not named here can't be typed. It comes from the configuration file, which is root's.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::settings::SettingsError;
use crate::settings::config::DEFAULT;

/// The option that the sudo rule pins, as clap knows it.
pub const DELEGATED: &str = "delegated";

/// The options that can be typed all the same, as clap knows them. None of them names a file, a directory, a program,
/// another host, or how one is trusted; none does away with a check.
const TYPED: [&str; 22] = [
    DELEGATED,
    "devices",
    "group",
    "target",
    "common_name",
    "cert_name",
    "year",
    "suffix",
    "profile",
    "secondary_profile",
    "service",
    "cert_profile",
    "key_type",
    "key_bits",
    "names",
    "addresses",
    "timeout",
    "rekey",
    "resubmit",
    "dry_run",
    "json",
    "verbose",
];

/// Refuses every option that somebody typed who may not.
///
/// # Errors
/// The first of them.
pub(super) fn check_options(command: &Command, matches: &ArgMatches) -> Result<(), SettingsError> {
    if !matches!(matches.try_get_one::<bool>(DELEGATED), Ok(Some(true))) {
        return Ok(());
    }
    let listed = |argument: &Arg| TYPED.contains(&argument.get_id().as_str());
    let set = |argument: &Arg| {
        let source = matches.value_source(argument.get_id().as_str());
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    };
    match command.get_arguments().find(|argument| set(argument) && !listed(argument)) {
        None => Ok(()),
        Some(argument) => {
            let name =
                argument.get_long().map_or_else(|| argument.get_id().to_string(), |long| format!("--{long}"));
            Err(SettingsError::NotDelegated(format!(
                "{name} is not allowed with --delegated; it is set in {DEFAULT}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::{getcert, installer};

    #[test]
    fn every_option_that_can_be_typed_exists_in_one_of_the_programs() {
        let commands = [getcert::Arguments::command(), installer::Arguments::command()];
        for id in TYPED {
            let known = |command: &Command| command.get_arguments().any(|argument| argument.get_id() == id);
            assert!(commands.iter().any(known), "{id}");
        }
    }
}
