//! A failure in words: what a person is told, and what a record keeps.

use serde::{Deserialize, Serialize};

use crate::error::Exit;

/// Who can mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mender {
    /// Trying again may help.
    Time,
    /// Somebody has to do something.
    Person,
    /// What was ordered can't be: nothing is owed.
    Nobody,
}

/// A failure in words, as it is told and recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// The exit code.
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// What to do next, where there is something to say.
    pub advice: Option<String>,
    /// Who can mend it.
    pub mended_by: Mender,
}
