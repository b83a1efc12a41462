//! The names of templates and template stacks of a Panorama.

use std::fmt;
use std::str::FromStr;

use super::location::excerpt;
use super::xpath::{UnquotableName, quoted};

/// The longest name of a template that somebody types, in characters (Panorama's documentation).
pub const TEMPLATE_NAME_LIMIT: usize = 31;

/// The longest name of a template stack that somebody types, in bytes: as many characters as the vendor's SDK allows,
/// where the documentation of an old release has 31.
pub const STACK_NAME_LIMIT: usize = 63;

/// The name of a template. As somebody types it: a letter or digit, then letters, digits, `_`, `-`, `.` and inner
/// spaces; at most [`TEMPLATE_NAME_LIMIT`] characters. As a device tells it: see [`TemplateName::told`].
///
/// The documentation names letters, digits and `_`; the rest is allowed because it is seen in the field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateName(String);

/// The name of a template stack. As somebody types it: a letter or digit of any script, then all but quotes, `/`, `]`
/// and control characters, with no space at the end; at most [`STACK_NAME_LIMIT`] bytes. As a device tells it: see
/// [`StackName::told`].
///
/// What the documentation allows is less, and of an old release; a stack that is not there is found by asking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackName(String);

/// Text that is not the name of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the name of a template: {reason}", .text.escape_debug())]
pub struct InvalidTemplateName {
    text: String,
    reason: &'static str,
}

/// Text that is not the name of a template stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the name of a template stack: {reason}", .text.escape_debug())]
pub struct InvalidStackName {
    text: String,
    reason: &'static str,
}

impl TemplateName {
    /// A name that a device told: it is there, so it is taken as it is.
    ///
    /// # Errors
    /// A name that no path can express.
    pub fn told(name: &str) -> Result<Self, UnquotableName> {
        quoted(name).map(|_| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StackName {
    /// A name that a device told: it is there, so it is taken as it is.
    ///
    /// # Errors
    /// A name that no path can express.
    pub fn told(name: &str) -> Result<Self, UnquotableName> {
        quoted(name).map(|_| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TemplateName {
    type Err = InvalidTemplateName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |reason| Err(InvalidTemplateName { text: excerpt(text), reason });
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > TEMPLATE_NAME_LIMIT {
            return bad("it is longer than 31 characters");
        }
        if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) || text.ends_with(' ') {
            return bad("it begins with a letter or digit, and does not end with a space");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        if !text.chars().all(allowed) {
            return bad("only letters, digits, '_', '-', '.' and spaces can stand in it");
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for StackName {
    type Err = InvalidStackName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |reason| Err(InvalidStackName { text: excerpt(text), reason });
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > STACK_NAME_LIMIT {
            return bad("it is longer than 63 characters (those that are not ASCII count more than once)");
        }
        if !text.starts_with(char::is_alphanumeric) || text.ends_with(' ') {
            return bad("it begins with a letter or digit, and does not end with a space");
        }
        if text.contains(|c: char| c.is_control() || matches!(c, '\'' | '"' | '/' | ']')) {
            return bad("no quotes, '/', ']' and control characters can stand in it");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
