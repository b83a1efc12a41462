//! What certificate managers may ask for, as the configuration file says it.

use serde::Deserialize;

/// What the configuration file says of delegated runs. What is not said is not narrowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Delegated {
    /// Common names, further names and addresses of certificates; `*.` in front stands for one label.
    pub common_names: Option<Vec<String>>,
    /// Names of certificate objects, besides the common name.
    pub cert_names: Option<Vec<String>>,
    /// SSL/TLS service profiles that can be typed.
    pub profiles: Option<Vec<String>>,
}
