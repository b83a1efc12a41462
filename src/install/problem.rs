//! A failure in words: what is told, and what a record keeps.

use serde::{Deserialize, Serialize};

use crate::error::Exit;

/// Whether and when a failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryClass {
    /// It may pass: tried again, waiting longer each time.
    Transient,
    /// The time is wrong, the certificate's or this machine's: it passes when the time comes, or the clock is right.
    Clock,
    /// Somebody has to do something: tried again seldom.
    NeedsOperator,
    /// Somebody has to do something, and trying again does harm: it stays pending, and is tried when a person asks for it.
    OnRequest,
    /// What was asked for can't be: not tried again.
    Permanent,
}

/// A failure in words, as it is told and recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    #[serde(rename = "message")]
    pub what: String,
    /// What to do next, where there is something to say.
    #[serde(rename = "hint")]
    pub advice: Option<String>,
    /// Whether and when it is tried again.
    pub retry_class: RetryClass,
}
