//! Paths into the configuration, built step by step and quoted so that a name can't leave its place.

use std::fmt;

use super::xml::Element;

/// The path to a device's own entry; there is but one, and it has this name everywhere.
pub(super) const DEVICE: &str = "/config/devices/entry[@name='localhost.localdomain']";

/// An absolute path into the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XPath(String);

/// A name that XPath 1.0 can't express: it holds both kinds of quotes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name '{0}' holds both ' and \", which no path can express")]
pub struct UnquotableName(String);

impl XPath {
    /// The name of the profile that the management interface uses (the path's text).
    #[must_use]
    pub fn management_profile() -> Self {
        Self(format!("{DEVICE}/deviceconfig/system/ssl-tls-service-profile"))
    }

    /// The SSL/TLS service profiles that came with the release; not every one has any.
    #[must_use]
    pub fn predefined_profiles() -> Self {
        Self("/config/predefined/ssl-tls-service-profile".to_owned())
    }

    /// All local administrators.
    #[must_use]
    pub fn administrators() -> Self {
        Self("/config/mgt-config/users".to_owned())
    }

    /// How long API keys are good for, in minutes (the path's text; 0 means for ever).
    #[must_use]
    pub fn key_lifetime() -> Self {
        Self(format!("{DEVICE}/deviceconfig/setting/management/api/key/lifetime"))
    }

    /// The name of the certificate that API keys depend on (the path's text; 11.1 and later). With another certificate
    /// every key ends.
    #[must_use]
    pub fn api_key_certificate() -> Self {
        Self(format!("{DEVICE}/deviceconfig/setting/management/api/key/certificate"))
    }

    /// The device's own part of the configuration: network, device settings, virtual systems.
    #[must_use]
    pub fn device() -> Self {
        Self(DEVICE.to_owned())
    }

    /// A path given as a whole, for places this module has no word for.
    #[must_use]
    pub fn absolute(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// One element further down.
    #[must_use]
    pub fn step(mut self, element: &str) -> Self {
        self.0.push('/');
        self.0.push_str(element);
        self
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// A name that can't be quoted.
    pub fn entry(mut self, name: &str) -> Result<Self, UnquotableName> {
        self.0.push_str(&format!("/entry[@name={}]", quoted(name)?));
        Ok(self)
    }

    /// What this path leads to in a tree that was read as a whole and begins with `config`; only paths that were made
    /// by the steps of this type are understood.
    #[must_use]
    pub fn find_in<'e>(&self, config: &'e Element) -> Option<&'e Element> {
        let mut rest = self.0.strip_prefix("/config")?;
        let mut at = Some(config).filter(|config| config.name == "config")?;
        while let Some(step) = rest.strip_prefix('/') {
            if let Some(quoted) = step.strip_prefix("entry[@name=") {
                let quote = quoted.chars().next()?;
                let (name, after) = quoted.get(1..)?.split_once(quote)?;
                at = at.children_named("entry").find(|entry| entry.attribute("name") == Some(name))?;
                rest = after.strip_prefix(']')?;
            } else {
                let end = step.find('/').unwrap_or(step.len());
                let (name, after) = step.split_at_checked(end)?;
                at = at.child(name)?;
                rest = after;
            }
        }
        rest.is_empty().then_some(at)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name in quotes that do not occur in it.
pub(super) fn quoted(name: &str) -> Result<String, UnquotableName> {
    let quote = match (name.contains('\''), name.contains('"')) {
        (false, _) => '\'',
        (true, false) => '"',
        (true, true) => return Err(UnquotableName(name.to_owned())),
    };
    Ok(format!("{quote}{name}{quote}"))
}

impl fmt::Display for XPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::location::Location;
    use super::super::template_name::{StackName, TemplateName};
    use super::DEVICE;

    #[test]
    fn names_stay_inside_their_quotes() {
        let path = |name| Location::Shared.profile(name).map(|path| path.to_string());
        assert_eq!(
            path("GP portal").unwrap(),
            "/config/shared/ssl-tls-service-profile/entry[@name='GP portal']"
        );
        assert_eq!(path("it's").unwrap(), "/config/shared/ssl-tls-service-profile/entry[@name=\"it's\"]");
        assert_eq!(
            path("a']|//x['").unwrap(),
            "/config/shared/ssl-tls-service-profile/entry[@name=\"a']|//x['\"]"
        );
        assert!(path("'\"").is_err());
        let of_stack =
            |name| StackName::told(name).map(|name| Location::TemplateStack(name).base().to_string());
        let entry = |quoted| format!("{DEVICE}/template-stack/entry[@name={quoted}]/config/shared");
        assert_eq!(of_stack("it's & more").unwrap(), entry("\"it's & more\""));
        assert_eq!(of_stack("a \"b\"").unwrap(), entry("'a \"b\"'"));
        assert!(of_stack("'\"").is_err() && TemplateName::told("'\"").is_err());
    }
}
