//! The kinds of requests, and the rights that they need.

use std::fmt;

/// The kind of request that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `type=version`.
    Version,
    /// `type=keygen`.
    Keygen,
    /// `type=op`, with the command in words.
    Op(&'static str),
    /// `type=op`, with a command that the caller made.
    Command {
        /// Whether it only shows something.
        is_read_only: bool,
    },
    /// `type=config`, with the action.
    Config(&'static str),
    /// `type=import`.
    Import,
    /// `type=export`.
    Export,
    /// `type=commit`.
    Commit,
    /// `type=commit` with `action=all`.
    Push,
}

/// A feature of the XML API tab of an administrator role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Configuration: get, show, set, edit, delete.
    Configuration,
    /// Operational Requests: jobs, locks, system information.
    OperationalRequests,
    /// Commit.
    Commit,
    /// Import.
    Import,
    /// Export.
    Export,
}

impl Operation {
    /// The right that a role needs for it; none for making a key.
    #[must_use]
    pub fn right(self) -> Option<Right> {
        match self {
            Self::Version | Self::Keygen => None,
            Self::Op(_) | Self::Command { .. } => Some(Right::OperationalRequests),
            Self::Config(_) => Some(Right::Configuration),
            Self::Import => Some(Right::Import),
            Self::Export => Some(Right::Export),
            Self::Commit | Self::Push => Some(Right::Commit),
        }
    }

    /// Whether it changes nothing on the device, so that it may be asked twice.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        match self {
            Self::Op(command) => command.starts_with("show "),
            Self::Command { is_read_only } => is_read_only,
            Self::Config(action) => matches!(action, "get" | "show"),
            Self::Export | Self::Version => true,
            Self::Keygen | Self::Import | Self::Commit | Self::Push => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("the question for the version"),
            Self::Keygen => f.write_str("making an API key"),
            Self::Op(command) => write!(f, "the command '{command}'"),
            Self::Command { .. } => f.write_str("the operational command"),
            Self::Config(action) => write!(f, "the configuration request '{action}'"),
            Self::Import => f.write_str("the upload"),
            Self::Export => f.write_str("the export"),
            Self::Commit => f.write_str("the commit request"),
            Self::Push => f.write_str("the push request"),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "Configuration",
            Self::OperationalRequests => "Operational Requests",
            Self::Commit => "Commit",
            Self::Import => "Import",
            Self::Export => "Export",
        })
    }
}
