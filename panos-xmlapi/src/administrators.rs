//! What an administrator may do over the XML API, as far as the device's configuration tells.
//!
//! An administrator's entry names a role; a custom role's entry says for each feature of the XML API whether it is
//! enabled. Both can be read with the right 'Configuration'. An administrator whom another server authenticates
//! (RADIUS, SAML, …) has no entry, so nothing can be told.

use super::error::Error;
use super::location::Location;
use super::operation::Right;
use super::session::Session;
use super::xml::Element;
use super::xpath::{UnquotableName, XPath};

/// What a role includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminRole {
    /// Everything: a superuser, a device administrator, an administrator of virtual systems.
    Everything {
        /// The role, as the configuration calls it.
        role: String,
    },
    /// Reading and nothing else.
    Reader {
        /// The role, as the configuration calls it.
        role: String,
    },
    /// These features of the XML API.
    Custom {
        /// The name of the custom role.
        role: String,
        /// What is enabled.
        enabled: Vec<Right>,
    },
}

impl AdminRole {
    /// Whether the role includes a feature of the XML API.
    #[must_use]
    pub fn allows(&self, right: Right) -> bool {
        match self {
            Self::Everything { .. } => true,
            Self::Reader { .. } => matches!(right, Right::Configuration | Right::OperationalRequests),
            Self::Custom { enabled, .. } => enabled.contains(&right),
        }
    }

    /// The role's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Everything { role } | Self::Reader { role } | Self::Custom { role, .. } => role,
        }
    }
}

/// The words of the configuration for the features of the XML API.
const FEATURES: [(&str, Right); 5] = [
    ("config", Right::Configuration),
    ("op", Right::OperationalRequests),
    ("commit", Right::Commit),
    ("import", Right::Import),
    ("export", Right::Export),
];

impl Session {
    /// The role of an administrator, where the running configuration tells it.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn admin_role(&self, administrator: &str) -> Result<Option<AdminRole>, Error> {
        let Ok(user) = XPath::administrators().entry(administrator) else { return Ok(None) };
        let Some(result) = self.show(&user.step("permissions").step("role-based")).await? else {
            return Ok(None);
        };
        let granted = result.child("role-based").unwrap_or(&result);
        let Some(role) = granted.children().next() else { return Ok(None) };
        let named = || role.name.clone();
        Ok(match role.name.as_str() {
            "superreader" | "devicereader" | "vsysreader" => Some(AdminRole::Reader { role: named() }),
            "custom" => match role.word_of("profile") {
                Some(profile) => self.custom_role(&profile).await?,
                None => None,
            },
            "superuser" | "deviceadmin" | "vsysadmin" | "panorama-admin" => {
                Some(AdminRole::Everything { role: named() })
            }
            _ => None,
        })
    }

    async fn custom_role(&self, name: &str) -> Result<Option<AdminRole>, Error> {
        for place in [Location::Shared, Location::Panorama] {
            let path: Result<XPath, UnquotableName> = place.base().step("admin-role").entry(name);
            let Ok(path) = path else { return Ok(None) };
            if let Some(found) = self.show(&path.step("role")).await?.as_ref().and_then(xml_api) {
                let is_on = |word: &str| found.word_of(word).is_some_and(|text| text.trim() == "enable");
                let enabled = FEATURES.iter().filter(|(word, _)| is_on(word)).map(|(_, right)| *right);
                return Ok(Some(AdminRole::Custom { role: name.to_owned(), enabled: enabled.collect() }));
            }
        }
        Ok(None)
    }

    /// How long the API keys that this device makes are good for, in minutes; nothing where they are good for ever.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn key_lifetime(&self) -> Result<Option<u64>, Error> {
        let Some(result) = self.show(&XPath::key_lifetime()).await? else { return Ok(None) };
        let text = result.word_of("lifetime").unwrap_or_else(|| result.text());
        Ok(text.trim().parse().ok().filter(|minutes| *minutes > 0))
    }
}

/// A role's part about the XML API, below the kind of device that the role is for.
fn xml_api(result: &Element) -> Option<&Element> {
    let role = result.child("role").unwrap_or(result);
    role.children().find_map(|kind| kind.child("xmlapi"))
}
