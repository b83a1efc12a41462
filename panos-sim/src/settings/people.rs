//! Who may log in.

use serde::{Deserialize, Serialize};

/// Somebody who may log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrator {
    /// Login name.
    pub name: String,
    /// Password, for `type=keygen` and HTTP Basic.
    pub password: String,
    /// What the account may do.
    #[serde(default)]
    pub role: Role,
}

impl Administrator {
    /// An account that may do everything.
    pub fn superuser(name: &str, password: &str) -> Self {
        Self { name: name.into(), password: password.into(), role: Role::Superuser }
    }

    /// An account with a custom admin role of its own name.
    pub fn with_rights(name: &str, password: &str, rights: Rights) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            role: Role::Custom { name: name.into(), rights },
        }
    }
}

/// What an account may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Role {
    /// Everything, other administrators' locks included.
    #[default]
    Superuser,
    /// An admin role profile with some features of the XML API enabled.
    Custom {
        /// Name of the role, which shows in refusals.
        name: String,
        /// The features enabled.
        rights: Rights,
    },
}

/// Features of the XML API that a custom role can have; the default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rights {
    /// `type=config`.
    pub config: bool,
    /// `type=op`.
    pub op: bool,
    /// `type=commit`.
    pub commit: bool,
    /// `type=import`.
    pub import: bool,
    /// `type=export`.
    pub export: bool,
}

impl Rights {
    /// The four that a deployment needs: configuration, operational requests, commit, import.
    pub const DEPLOYMENT: Self = Self { config: true, op: true, commit: true, import: true, export: false };
}

/// A key that is valid from the start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Whose it is.
    pub administrator: String,
    /// The key itself.
    pub key: String,
}
