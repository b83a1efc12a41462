//! What a deployment makes of a place, and whose uncommitted change was found in one.

use std::fmt;

use panos_xmlapi::Fingerprint;
use serde::{Deserialize, Serialize};

/// What a step makes of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A certificate object with this certificate.
    Holds(Fingerprint),
    /// An element that names this object.
    Names {
        /// The element.
        element: String,
        /// The object.
        object: String,
    },
    /// Nothing: it is deleted.
    Gone,
}

/// A pending change that lies in a place of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contested {
    /// Where.
    pub at: String,
    /// Whose it is.
    pub who: Vec<String>,
    /// Since when, in the device's time, where it tells.
    pub since: Option<String>,
    /// Whether it is the API administrator's own, made from elsewhere.
    pub is_own: bool,
}

impl fmt::Display for Contested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.join(" and ");
        let elsewhere = if self.is_own { " (the API key's own administrator, from elsewhere)" } else { "" };
        let since = self.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
        write!(f, "{who}{elsewhere} has an uncommitted change at {}{since}", self.at)
    }
}
