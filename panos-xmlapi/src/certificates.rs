//! Certificate objects and SSL/TLS service profiles, as they stand in a configuration.

use super::words;
use super::xml::Element;

/// A certificate object. Every part can be missing from a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEntry {
    /// The object's name.
    pub name: String,
    /// Subject as the device writes it.
    pub subject: Option<String>,
    /// Issuer as the device writes it.
    pub issuer: Option<String>,
    /// Common name.
    pub common_name: Option<String>,
    /// `yes` or `no`.
    pub ca: Option<String>,
    /// `May  9 19:24:08 2025 GMT`.
    pub not_valid_before: Option<String>,
    /// As above.
    pub not_valid_after: Option<String>,
    /// `RSA` or `EC`.
    pub algorithm: Option<String>,
    /// The certificate in PEM, perhaps with intermediates behind it.
    pub public_key: Option<String>,
    /// Whether a private key is there and visible to this administrator.
    pub has_private_key: bool,
    /// The administrator whose uncommitted change this is, if it is one.
    pub uncommitted_admin: Option<String>,
    /// The template or template stack of Panorama that supplies it, if one does; empty where it is not named.
    pub template: Option<String>,
}

impl CertificateEntry {
    /// Reads an `entry` element.
    #[must_use]
    pub fn read(entry: &Element) -> Self {
        Self {
            name: entry.name_attribute(),
            subject: entry.word_of("subject"),
            issuer: entry.word_of("issuer"),
            common_name: entry.word_of("common-name"),
            ca: entry.word_of("ca"),
            not_valid_before: entry.word_of("not-valid-before"),
            not_valid_after: entry.word_of("not-valid-after"),
            algorithm: entry.word_of("algorithm"),
            public_key: entry.text_of("public-key"),
            has_private_key: entry.text_of("private-key").is_some(),
            uncommitted_admin: entry.attribute("admin").map(words::word),
            template: entry.template(),
        }
    }

    /// All entries in what [`Session::get`](crate::Session::get) answers: one entry, or a `certificate` container; also
    /// in the result of a listing.
    #[must_use]
    pub fn read_all(result: &Element) -> Vec<Self> {
        if result.name == "entry" {
            return vec![Self::read(result)];
        }
        let shared = result.at(&["config", "shared"]).or_else(|| result.child("shared"));
        let container = shared.unwrap_or(result);
        let container = container.child("certificate").unwrap_or(container);
        container.children_named("entry").map(Self::read).collect()
    }
}

/// An SSL/TLS service profile: which certificate a service presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProfile {
    /// The profile's name.
    pub name: String,
    /// The certificate object it is bound to.
    pub certificate: Option<String>,
    /// The template or template stack of Panorama that supplies it, if one does; empty where it is not named.
    pub template: Option<String>,
}

impl Element {
    /// The template or template stack of Panorama that supplies this element of a firewall's configuration, if one does;
    /// empty where it is not named. Such elements are marked with `ptpl="NAME"`, or `src="tpl"`, or both.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        let named = self.attribute("ptpl").map(words::word);
        named.or_else(|| (self.attribute("src") == Some("tpl")).then(String::new))
    }
}

impl ServiceProfile {
    /// Reads an `entry` element.
    #[must_use]
    pub fn read(entry: &Element) -> Self {
        Self {
            name: entry.name_attribute(),
            certificate: entry.word_of("certificate"),
            template: entry.template(),
        }
    }

    /// All profiles in what [`Session::get`](crate::Session::get) answers: one entry, or their container.
    #[must_use]
    pub fn read_all(result: &Element) -> Vec<Self> {
        if result.name == "entry" {
            return vec![Self::read(result)];
        }
        let container = result.child("ssl-tls-service-profile").unwrap_or(result);
        container.children_named("entry").map(Self::read).collect()
    }
}
