//! What can go wrong between us and a device, typed by what a caller can do about it.

use std::fmt;

use super::reply::{Reply, ReplyError};
use super::trust::IdentityError;

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

/// A request that did not end in an understood success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection: the request was never sent.
    #[error("no connection: {cause}")]
    Unreachable {
        /// The innermost cause, in the system's words.
        cause: String,
    },
    /// The device's HTTPS certificate was not accepted; nothing was sent.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The connection ended during the exchange: whether the request took effect is not known.
    #[error("the connection ended during {operation}: {cause}")]
    Interrupted {
        /// The request.
        operation: Operation,
        /// The innermost cause, in the system's words.
        cause: String,
    },
    /// No whole answer in time: whether the request took effect is not known.
    #[error("no answer to {operation} within {seconds} seconds")]
    TimedOut {
        /// The request.
        operation: Operation,
        /// The time allowed.
        seconds: u64,
    },
    /// An HTTP status that carries no API reply (anything but 200, 400 and 403).
    #[error("{operation} was answered with HTTP status {status}{}", redirect_note(*.status))]
    Status {
        /// The request.
        operation: Operation,
        /// The HTTP status.
        status: u16,
    },
    /// A body that is no reply of the XML API, or not the one that was asked for.
    #[error("the answer to {operation} can't be understood: {problem}")]
    InvalidReply {
        /// The request.
        operation: Operation,
        /// What is wrong with it.
        problem: ReplyError,
    },
    /// A body above the size limit.
    #[error("the answer to {operation} is larger than {limit} bytes")]
    TooLarge {
        /// The request.
        operation: Operation,
        /// The limit in bytes.
        limit: usize,
    },
    /// The device said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A request that can't be sent as it is: nothing was sent.
    #[error("the request can't be sent: {0}")]
    InvalidRequest(String),
    /// The client could not be set up (TLS library, characters in the key).
    #[error("the HTTPS client can't be set up: {0}")]
    Setup(String),
}

fn redirect_note(status: u16) -> &'static str {
    if (300..400).contains(&status) { " (a redirect, which is not followed)" } else { "" }
}

impl Error {
    /// Whether the same question may be asked again: the management plane may just be restarting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            // Half a page, or a page of the web server's own.
            Self::InvalidReply { problem, .. } => {
                matches!(problem, ReplyError::Xml(_) | ReplyError::NotUtf8 | ReplyError::WrongRoot(_))
            }
            Self::Refused(refusal) => refusal.reason == Reason::SessionTimedOut,
            _ => false,
        }
    }
}

/// A refusal in the device's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The request.
    pub operation: Operation,
    /// What it means for the caller.
    pub reason: Reason,
    /// The reply's code, if it has one.
    pub code: Option<u16>,
    /// The device's message lines.
    pub lines: Vec<String>,
}

/// What a refusal means, read from the code first and from the text only where the code is silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The API key, or user and password, is not accepted.
    InvalidKey,
    /// The API key's lifetime is over.
    KeyExpired,
    /// The administrator's role lacks a right of the XML API.
    PermissionMissing(Option<Right>),
    /// A configuration or commit lock, with its holder where the device names one.
    Locked(Option<String>),
    /// Another commit or an installation is in progress.
    Busy,
    /// Code 7 or `No such node`.
    NotFound,
    /// Code 8.
    NotUnique,
    /// Code 10: other objects refer to it.
    InUse,
    /// Codes 6, 12 and 17: the path or the value does not fit the schema.
    Invalid,
    /// Codes 400 and 18: the request itself is malformed.
    Malformed,
    /// Code 1.
    UnknownCommand,
    /// Code 13 and `SERIAL not connected`: Panorama has no connection to the firewall that is meant, or knows none of
    /// this serial number.
    NotConnected,
    /// Codes 14 and 15: not possible now, or not on this device (a passive peer).
    NotPossible,
    /// Codes 2, 3, 4, 5, 11 and 21.
    Internal,
    /// Code 22.
    SessionTimedOut,
    /// No code that means anything more.
    Other,
}

impl Refusal {
    /// Reads a reply that is no success.
    #[must_use]
    pub fn read(operation: Operation, http: u16, reply: &Reply) -> Self {
        let code = reply.numeric_code();
        let lines = reply.messages.clone();
        let reason = classify(operation, http, code, reply);
        Self { operation, reason, code, lines }
    }

    /// Reads the answer to one change of several; nothing where it is a success.
    pub(super) fn of_part(operation: Operation, part: &Reply) -> Option<Self> {
        let is_code_of_success = !matches!(part.numeric_code(), Some(code) if !matches!(code, 7 | 19 | 20));
        let is_success = part.says_success() && is_code_of_success;
        (!is_success).then(|| Self::read(operation, 200, part))
    }
}

fn classify(operation: Operation, http: u16, code: Option<u16>, reply: &Reply) -> Reason {
    let text = reply.messages.join(" ");
    let lower = text.to_ascii_lowercase();
    let unauthorised = matches!(reply.status.as_deref(), Some("unauth" | "noauth"));
    // Where the body bears no code, the HTTP status is one.
    match code.or((http != 200).then_some(http)) {
        Some(400 | 403) if lower.contains("key expired") || lower.contains("key has expired") => {
            Reason::KeyExpired
        }
        // A role without a right and a wrong key both come with 403; only the text tells them apart.
        Some(403) if lower.contains("not authorized") || lower.contains("unauthorized") || unauthorised => {
            Reason::PermissionMissing(operation.right())
        }
        Some(403) => Reason::InvalidKey,
        Some(16) => Reason::PermissionMissing(operation.right()),
        Some(22) => Reason::SessionTimedOut,
        Some(7) => Reason::NotFound,
        Some(8) => Reason::NotUnique,
        Some(10) => Reason::InUse,
        Some(1) => Reason::UnknownCommand,
        Some(2..=5 | 11 | 21) => Reason::Internal,
        _ if unauthorised => Reason::PermissionMissing(operation.right()),
        code => by_text(&text).unwrap_or(match code {
            Some(6 | 12 | 17) => Reason::Invalid,
            Some(18 | 400) => Reason::Malformed,
            Some(14 | 15) => Reason::NotPossible,
            _ => Reason::Other,
        }),
    }
}

/// Texts that were seen from devices, for replies whose code is missing or says little.
fn by_text(text: &str) -> Option<Reason> {
    const BUSY: [&str; 3] =
        ["Another commit/validate is in progress", "commit is in progress", "install is in progress"];
    const LOCKED: [&str; 3] =
        ["Configuration is locked by", "currently locked by", "lock is already held by"];
    if let Some(at) = LOCKED.iter().find_map(|words| text.find(words).map(|at| at + words.len())) {
        let holder = text.get(at..).unwrap_or_default().split_whitespace().next();
        return Some(Reason::Locked(holder.map(|name| name.trim_end_matches('.').to_owned())));
    }
    if text.contains("holding") && text.contains("commit lock") {
        return Some(Reason::Locked(None));
    }
    if BUSY.iter().any(|words| text.contains(words)) {
        return Some(Reason::Busy);
    }
    if ["Invalid credential", "Invalid Credential", "Authentication failed"]
        .iter()
        .any(|words| text.starts_with(words))
    {
        return Some(Reason::InvalidKey);
    }
    if text.ends_with(" not connected") && text.split_whitespace().count() == 3 {
        return Some(Reason::NotConnected);
    }
    // Old releases answer for an unknown job without a code.
    let unknown_job = text.starts_with("job ") && text.ends_with(" not found");
    (text == "No such node" || unknown_job).then_some(Reason::NotFound)
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was refused", self.operation)?;
        if let Reason::PermissionMissing(Some(right)) = &self.reason {
            write!(f, ": the administrator's role lacks the XML API right '{right}'")?;
        }
        if let Some(code) = self.code {
            write!(f, " (code {code})")?;
        }
        if self.lines.is_empty() { Ok(()) } else { write!(f, ": {}", self.lines.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(operation: Operation, http: u16, body: &str) -> Reason {
        Refusal::read(operation, http, &Reply::parse(body.as_bytes()).unwrap()).reason
    }

    #[test]
    fn every_code_of_the_table_has_its_meaning() {
        let commit = Operation::Commit;
        for (code, reason) in [
            (1, Reason::UnknownCommand),
            (2, Reason::Internal),
            (6, Reason::Invalid),
            (7, Reason::NotFound),
            (8, Reason::NotUnique),
            (10, Reason::InUse),
            (11, Reason::Internal),
            (12, Reason::Invalid),
            (14, Reason::NotPossible),
            (15, Reason::NotPossible),
            (16, Reason::PermissionMissing(Some(Right::Commit))),
            (17, Reason::Invalid),
            (18, Reason::Malformed),
            (21, Reason::Internal),
            (22, Reason::SessionTimedOut),
            (400, Reason::Malformed),
            (403, Reason::InvalidKey),
            (999, Reason::Other),
        ] {
            assert_eq!(
                read(commit, 200, &format!("<response status='error' code='{code}'/>")),
                reason,
                "{code}"
            );
        }
    }

    #[test]
    fn texts_decide_where_the_code_is_silent() {
        let say = |text: &str| {
            read(
                Operation::Config("set"),
                200,
                &format!("<response status='error'><msg><line>{text}</line></msg></response>"),
            )
        };
        assert_eq!(
            say("Config for scope shared is currently locked by jane."),
            Reason::Locked(Some("jane".into()))
        );
        assert_eq!(say("Another commit/validate is in progress. Please try again later"), Reason::Busy);
        assert_eq!(say("No such node"), Reason::NotFound);
        assert_eq!(say("job 4 not found"), Reason::NotFound);
        assert_eq!(say("Authentication failed: Invalid username or password"), Reason::InvalidKey);
        assert_eq!(say("Something new"), Reason::Other);
        let locked = "<response status='error' code='14'><msg><line>Other administrators are holding device wide commit locks.</line></msg></response>";
        assert_eq!(read(Operation::Commit, 200, locked), Reason::Locked(None));
    }

    #[test]
    fn a_missing_right_is_named() {
        let role = "<response status = 'error' code = '403'><result><msg>Type [import] not authorized for user role.</msg></result></response>";
        assert_eq!(read(Operation::Import, 403, role), Reason::PermissionMissing(Some(Right::Import)));
        assert_eq!(
            read(
                Operation::Op("x"),
                200,
                "<response status='unauth' code='16'><msg><line>Unauthorized request</line></msg></response>"
            ),
            Reason::PermissionMissing(Some(Right::OperationalRequests))
        );
        let expired = "<response status='error' code='400'><result><msg>Key Expired: it has expired</msg></result></response>";
        assert_eq!(read(Operation::Import, 400, expired), Reason::KeyExpired);
    }

    #[test]
    fn the_http_status_speaks_where_the_body_bears_no_code() {
        let say = |http, text: &str| {
            let body = format!("<response status='error'><result><msg>{text}</msg></result></response>");
            read(Operation::Import, http, &body)
        };
        assert_eq!(say(403, "Type [import] not authorized"), Reason::PermissionMissing(Some(Right::Import)));
        assert_eq!(say(403, "No"), Reason::InvalidKey);
        assert_eq!(say(400, "Key Expired: it has expired"), Reason::KeyExpired);
        assert_eq!(say(400, "No"), Reason::Malformed);
        assert_eq!(say(200, "No"), Reason::Other);
        // Another thing than the key has expired.
        assert_eq!(say(400, "The licence has expired"), Reason::Malformed);
    }
}
