//! What can go wrong between us and a device, typed by what a caller can do about it.

use std::fmt;

use super::operation::{Operation, Right};
use super::reply::{Reply, ReplyError};
use super::trust::IdentityError;

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
    /// An HTTP status without an API reply.
    #[error("{operation} failed with HTTP status {status}{}", status_note(*.status))]
    Status {
        /// The request.
        operation: Operation,
        /// The HTTP status.
        status: u16,
    },
    /// The device, or a web server in front of it, lets nobody in without a client certificate.
    #[error("the device demands a client certificate")]
    ClientCertificate,
    /// A body that is no reply of the XML API, or not the one that was asked for.
    #[error("invalid response to {operation}: {problem}")]
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

fn status_note(status: u16) -> &'static str {
    match status {
        300..400 => " (a redirect, which is not followed)",
        429 | 502..=504 => " (the device is busy or restarting)",
        _ => "",
    }
}

impl Error {
    /// Whether the same question may be asked again: the management plane may just be restarting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
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

/// What a refusal means. The text decides where it is known: devices give one code to many causes, and none to
/// some. The code decides where the text is not known.
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
    /// Another commit or an installation is in progress, or the device asks to try again: nothing was done.
    Busy,
    /// Only all changes together can be committed, as after a configuration was loaded.
    FullCommitNeeded,
    /// The object comes from a template of Panorama.
    TemplateOwned,
    /// The managed device that the request was meant for is not connected to Panorama, or unknown to it.
    NotConnected,
    /// Code 7 or `No such node`.
    NotFound,
    /// Code 8.
    NotUnique,
    /// Code 10: other objects refer to it.
    InUse,
    /// Codes 6, 12, 13 and 17: the path or the value does not fit the schema.
    Invalid,
    /// Codes 400 and 18: the request itself is malformed.
    Malformed,
    /// Code 1, or code 17 for an operational command: the release does not have it.
    UnknownCommand,
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

/// Texts that say no more than that something is wrong.
const GENERIC: [&str; 5] = [
    "not a valid xml",
    "malformed request",
    "internal error",
    "failed to extract certificate",
    "unknown error",
];

impl Refusal {
    /// One refusal for several attempts at the same thing, each with its name: all are told, the most telling one
    /// first, which also gives the reason.
    ///
    /// With no attempt at all it says nothing.
    #[must_use]
    pub fn of_several(mut attempts: Vec<(&str, Self)>) -> Self {
        if attempts.len() > 1 {
            // Of those that tell as much the last one counts.
            attempts.reverse();
            attempts.sort_by_key(|(_, refusal)| std::cmp::Reverse(refusal.tells()));
            for (name, refusal) in &mut attempts {
                let said =
                    if refusal.lines.is_empty() { "no reason given" } else { &refusal.lines.join("; ") };
                refusal.lines = vec![format!("{name}: {said}")];
            }
        }
        let mut attempts = attempts.into_iter().map(|(_, refusal)| refusal);
        let nothing =
            Self { operation: Operation::Import, reason: Reason::Other, code: None, lines: Vec::new() };
        let mut first = attempts.next().unwrap_or(nothing);
        first.lines.extend(attempts.flat_map(|refusal| refusal.lines));
        first
    }

    /// How much it tells of the cause: nothing, that something is wrong, or what.
    fn tells(&self) -> u8 {
        if self.lines.is_empty() {
            return 0;
        }
        let generic = self.lines.iter().all(|line| has(&line.to_ascii_lowercase(), &GENERIC));
        if generic { 1 } else { 2 }
    }

    /// Whether the device says these words, given in lower case.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        self.lines.iter().any(|line| line.to_ascii_lowercase().contains(words))
    }
}

fn classify(operation: Operation, http: u16, code: Option<u16>, reply: &Reply) -> Reason {
    let told = reply.messages.join(" ");
    let text = told.to_ascii_lowercase();
    let unauthorised = matches!(reply.status.as_deref(), Some("unauth" | "noauth"));
    if has(&text, &RIGHT_MISSING) || unauthorised {
        return Reason::PermissionMissing(operation.right());
    }
    // Where the body bears no code, the HTTP status is one.
    let code = code.or((http != 200).then_some(http));
    if matches!(code, Some(400 | 403)) && has(&text, &["key expired", "key has expired"]) {
        return Reason::KeyExpired;
    }
    // What is wrong with a key is told with these codes, whatever else the text reminds of.
    match code {
        Some(403) => return by_text(operation, &told, &text).unwrap_or(Reason::InvalidKey),
        Some(16) => return Reason::PermissionMissing(operation.right()),
        Some(22) => return Reason::SessionTimedOut,
        _ => {}
    }
    by_text(operation, &told, &text).unwrap_or(match code {
        Some(429) => Reason::Busy,
        Some(7) => Reason::NotFound,
        Some(8) => Reason::NotUnique,
        Some(10) => Reason::InUse,
        Some(1) => Reason::UnknownCommand,
        Some(17) if matches!(operation, Operation::Op(_)) && !text.contains("invalid") => {
            Reason::UnknownCommand
        }
        Some(2..=5 | 11 | 21) => Reason::Internal,
        Some(6 | 12 | 13 | 17) => Reason::Invalid,
        Some(18 | 400) => Reason::Malformed,
        Some(14 | 15) => Reason::NotPossible,
        _ => Reason::Other,
    })
}

/// How devices say that a role lacks a right, with code 403, with another one, or with none.
const RIGHT_MISSING: [&str; 4] = [
    "not authorized",
    "unauthorized request",
    "need superuser privileges",
    "superuser privilege is required",
];
/// How devices say that they have no time now. All of it means that nothing was done.
const BUSY: [&str; 10] = [
    "commit/validate is in progress",
    "commit is in progress",
    "commit is pending",
    "commit pending",
    "commits pending",
    "install is in progress",
    "sync is in progress",
    "timed out while getting config lock",
    "auto-commit not yet finished",
    "please try again",
];
const LOCKED: [&str; 3] = ["configuration is locked by ", "currently locked by ", "lock is already held by "];
const BAD_CREDENTIALS: [&str; 3] = ["invalid credential", "authentication failed", "not authenticated"];

fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|words| text.contains(words))
}

/// Texts that were seen from devices; `text` is what was told, in lower case.
fn by_text(operation: Operation, told: &str, text: &str) -> Option<Reason> {
    if BAD_CREDENTIALS.iter().any(|words| text.starts_with(words)) {
        return Some(Reason::InvalidKey);
    }
    if let Some(at) = LOCKED.iter().find_map(|words| text.find(words).map(|at| at + words.len())) {
        let holder = told.get(at..).unwrap_or_default().split_whitespace().next();
        return Some(Reason::Locked(holder.map(|name| name.trim_end_matches('.').to_owned())));
    }
    if text.contains("holding") && text.contains("commit lock") {
        return Some(Reason::Locked(None));
    }
    // A password is not tried again: that locks accounts.
    if operation != Operation::Keygen && has(text, &BUSY) {
        return Some(Reason::Busy);
    }
    if text.contains("may need to override template object") {
        return Some(Reason::TemplateOwned);
    }
    // `001900000000003 not connected`
    if text.ends_with(" not connected") && text.split_whitespace().count() == 3 {
        return Some(Reason::NotConnected);
    }
    let partial = has(text, &["full commit", "partial commit", "partial changes"]);
    if operation == Operation::Commit && partial {
        return Some(Reason::FullCommitNeeded);
    }
    // Old releases answer for an unknown job without a code.
    let unknown_job = text.starts_with("job ") && text.ends_with(" not found");
    (text == "no such node" || unknown_job).then_some(Reason::NotFound)
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
