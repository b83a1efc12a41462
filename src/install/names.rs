//! The words a person types, checked once. After this no function takes a bare text for a name.

use std::fmt;
use std::str::FromStr;

use panos_xmlapi::{FIREWALL_NAME_LIMIT, Fingerprint, PANORAMA_NAME_LIMIT, check_dns_name};
use serde::{Deserialize, Serialize};

/// A word that is not valid, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {what}: {reason}")]
pub struct BadName {
    what: &'static str,
    text: String,
    reason: String,
}

fn bad(what: &'static str, text: &str, reason: impl Into<String>) -> BadName {
    BadName { what, text: text.chars().take(100).collect(), reason: reason.into() }
}

macro_rules! checked_text {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// The certificate's common name: a DNS name, which also names its files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommonName(String);

checked_text!(CommonName);

impl FromStr for CommonName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "certificate common name";
        if text.contains('*') {
            return Err(bad(
                WHAT,
                text,
                "a wildcard can't name files and objects; request a certificate for each name",
            ));
        }
        check_dns_name(text).map_err(|reason| bad(WHAT, text, reason))?;
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The name of a certificate object on a device, as PAN-OS takes it on a firewall.
///
/// The vendor names the length (63, on Panorama 31); that the first character is a letter or digit was seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

checked_text!(ObjectName);

impl FromStr for ObjectName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "certificate name";
        if text.len() > FIREWALL_NAME_LIMIT {
            return Err(bad(WHAT, text, format!("it is longer than {FIREWALL_NAME_LIMIT} characters")));
        }
        if !text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') {
            return Err(bad(WHAT, text, "it has to begin with a letter, a digit or an underscore"));
        }
        if text.ends_with(' ') {
            return Err(bad(WHAT, text, "it can't end with a space"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte)) {
            return Err(bad(
                WHAT,
                text,
                "only letters, digits, spaces, dots, hyphens and underscores can stand in it",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Digits of a serial number in an object's name: 48 bits, so that two certificates of one name never meet.
const SERIAL_DIGITS: usize = 12;

impl ObjectName {
    /// The name with a year: an object of its own for each year's certificate.
    ///
    /// # Errors
    /// A name that becomes too long.
    pub fn with_year(&self, year: i32) -> Result<Self, BadName> {
        format!("{self}_{year}").parse()
    }

    /// The name, shortened if need be, with the last digits of the certificate's serial number: an object of
    /// its own for each certificate. It fits the shorter limit, Panorama's, so that one certificate has one
    /// name everywhere.
    ///
    /// # Errors
    /// A serial number that is no hexadecimal text.
    pub fn with_serial(&self, serial: &str) -> Result<Self, BadName> {
        if serial.is_empty() || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad("serial number", serial, "it is no hexadecimal number"));
        }
        let digits = serial.to_ascii_lowercase();
        let tail = &digits[digits.len().saturating_sub(SERIAL_DIGITS)..];
        let room = PANORAMA_NAME_LIMIT - 1 - tail.len();
        let short: String = self.0.chars().take(room).collect();
        format!("{}_{tail}", short.trim_end_matches(['.', '-', '_', ' '])).parse()
    }
}

/// How the names of the objects begin that are made for intermediate certificates; the rest is the beginning of a
/// fingerprint, as much as fits the shorter limit, Panorama's.
const ISSUER_PREFIX: &str = "pan_getcert-ca-";
const ISSUER_DIGITS: usize = PANORAMA_NAME_LIMIT - ISSUER_PREFIX.len();

impl ObjectName {
    /// The name of the object that holds an intermediate certificate with this fingerprint.
    #[must_use]
    pub fn of_issuer(fingerprint: Fingerprint) -> Self {
        let digits: String = fingerprint.to_string().chars().take(ISSUER_DIGITS).collect();
        Self(format!("{ISSUER_PREFIX}{digits}"))
    }
}

/// The name of an SSL/TLS service profile: letters, digits, spaces, dots, hyphens, underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileName(String);

checked_text!(ProfileName);

/// The longest name of an SSL/TLS service profile, in characters.
pub const PROFILE_NAME_LIMIT: usize = 63;

impl FromStr for ProfileName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "SSL/TLS profile name";
        if text.len() > PROFILE_NAME_LIMIT {
            return Err(bad(WHAT, text, format!("it is longer than {PROFILE_NAME_LIMIT} characters")));
        }
        if !text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_') {
            return Err(bad(WHAT, text, "it has to begin with a letter, a digit or an underscore"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte)) {
            return Err(bad(
                WHAT,
                text,
                "only letters, digits, spaces, dots, hyphens and underscores can stand in it",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn common_names_are_lower_cased_dns_names() {
        assert_eq!("GP.Example.COM".parse::<CommonName>().unwrap().as_str(), "gp.example.com");
        for text in [
            "",
            "*.example.com",
            "../etc/passwd",
            "a/b",
            "a b",
            "a\nb",
            "-c",
            ".",
            "é.example",
            &"a.".repeat(130),
        ] {
            assert!(text.parse::<CommonName>().is_err(), "{text}");
        }
    }

    #[test]
    fn profile_names_are_what_pan_os_accepts() {
        for text in ["GP portal", "mgmt.v2", "_x", "9-a"] {
            assert!(text.parse::<ProfileName>().is_ok(), "{text}");
        }
        for text in ["", " x", "a'b", "a\"b", "a<b", "a&b", "a]b", "a/b", "-p", &"p".repeat(64)] {
            assert!(text.parse::<ProfileName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_serial_makes_a_name_of_its_own_within_panoramas_limit() {
        let name: ObjectName = "gateway.vpn.example.com".parse().unwrap();
        let one = name.with_serial("00A1B2C3D4E5F60718").unwrap();
        assert_eq!(one.as_str(), "gateway.vpn.exampl_d4e5f60718".replace("_d4", "_c3d4").as_str());
        assert!(one.as_str().len() <= 31);
        assert_ne!(one, name.with_serial("00A1B2C3D4E5F60719").unwrap());
        assert_eq!("gp".parse::<ObjectName>().unwrap().with_serial("1F").unwrap().as_str(), "gp_1f");
        for text in ["", "-1", "1 F", "é0123456789a", "漢字漢字漢"] {
            assert!(name.with_serial(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_intermediate_is_named_after_its_fingerprint_within_panoramas_limit() {
        let name = ObjectName::of_issuer(Fingerprint::of_der(b""));
        assert_eq!(name.as_str(), "pan_getcert-ca-e3b0c44298fc1c14");
        assert!(name.as_str().len() == PANORAMA_NAME_LIMIT && name.as_str().parse::<ObjectName>().is_ok());
    }

    #[test]
    fn object_names_have_63_characters_at_most() {
        assert!("a".repeat(63).parse::<ObjectName>().is_ok());
        assert!("GP portal 2026".parse::<ObjectName>().is_ok(), "devices have such names");
        for text in ["", "*.a", " a", "a ", "a/b", &"a".repeat(64)] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }
}
