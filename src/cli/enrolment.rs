//! What is asked of the CA, checked before certmonger is asked.

use std::net::IpAddr;

use clap::Args;
use panos_xmlapi::check_dns_name;

use super::arguments::UsageError;
use super::report;
use crate::host::certmonger::KeyType;
use crate::host::ipa::{Needs, Principal};
use crate::install::names::CommonName;

/// The longest common name in a certificate's subject (RFC 5280, `ub-common-name`), in characters.
const SUBJECT_LIMIT: usize = 64;
/// The smallest RSA key, in bits.
const SMALLEST: u32 = 2048;
/// The largest one that the TLS connection to a device can be made with, in bits.
const LARGEST: u32 = 8192;

/// What is asked of the CA, as typed.
#[derive(Debug, Clone, Default, Args)]
pub struct EnrolmentArguments {
    /// Service of the principal SERVICE/CERT_CN [default: as it is tracked; for a new request HTTP, none for a CA other
    /// than IPA]
    #[arg(short = 'S', long, value_name = "SERVICE", help_heading = "Certificate", hide_short_help = true)]
    pub service: Option<String>,

    /// IPA certificate profile (sub-CA, ...)
    #[arg(short = 'T', long, value_name = "PROFILE", help_heading = "Certificate", hide_short_help = true)]
    pub cert_profile: Option<String>,

    /// RSA, EC or ECDSA [default: certmonger's]
    #[arg(short = 'G', long, value_name = "TYPE", help_heading = "Certificate", hide_short_help = true)]
    pub key_type: Option<String>,

    /// RSA 2048 to 8192; EC 256, 384 or 521 [default: certmonger's]
    #[arg(short = 'b', long, value_name = "BITS", help_heading = "Certificate", hide_short_help = true)]
    pub key_bits: Option<String>,

    /// A further DNS name (can be repeated)
    ///
    /// [default: as it is tracked; for a new request CERT_CN alone]
    #[arg(long = "san", value_name = "NAME", help_heading = "Certificate")]
    pub names: Vec<String>,

    /// An IP address for the certificate (can be repeated)
    #[arg(long = "ip", value_name = "ADDRESS", help_heading = "Certificate", hide_short_help = true)]
    pub addresses: Vec<String>,

    /// certmonger's CA, by its name in 'getcert list-cas'; 'local' needs no server [default: as it is tracked; for a new
    /// request IPA]
    #[arg(long, value_name = "NAME", help_heading = "Certificate", hide_short_help = true)]
    pub ca: Option<String>,
}

/// The CA of a new request that names none.
pub const IPA: &str = "IPA";

/// The same, checked. What was not typed stays as certmonger has it, where it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// `SERVICE/CERT_CN`, where the service was typed.
    pub principal: Option<String>,
    /// The IPA certificate profile.
    pub profile: Option<String>,
    /// The kind of key.
    pub key_type: Option<KeyType>,
    /// The size of the key.
    pub key_bits: Option<u32>,
    /// All DNS names, the common name first.
    pub names: Vec<String>,
    /// Whether one was typed besides the common name.
    pub names_typed: bool,
    /// All addresses.
    pub addresses: Vec<IpAddr>,
    /// The CA, where it was typed.
    pub ca: Option<String>,
    /// The certificate's common name.
    pub common_name: String,
}

impl Enrolment {
    /// The CA of a new request.
    #[must_use]
    pub fn new_ca(&self) -> &str {
        self.ca.as_deref().unwrap_or(IPA)
    }

    /// The principal of a new request. Only IPA needs one; without a Kerberos realm certmonger could not even read it.
    #[must_use]
    pub fn new_principal(&self) -> Option<String> {
        let usual = (self.new_ca() == IPA).then(|| format!("HTTP/{}", self.common_name));
        self.principal.clone().or(usual)
    }
}

impl Enrolment {
    /// What FreeIPA is asked for in a new request, or one as it is typed: a service that was not is the usual one.
    ///
    /// # Errors
    /// An issuing CA that is no name.
    pub fn needs(&self, common_name: &CommonName, issuer: Option<&str>) -> Result<Needs, UsageError> {
        if let Some(issuer) = issuer.filter(|issuer| !is_word(issuer, "._-")) {
            return Err(UsageError::Other(format!("'{}' is not the name of a CA", issuer.escape_debug())));
        }
        let usual = || Principal::new("HTTP", common_name.as_str());
        Ok(Needs {
            principal: self.principal.as_deref().and_then(Principal::read).unwrap_or_else(usual),
            names: self.names.clone(),
            profile: self.profile.clone(),
            issuer: issuer.map(str::to_owned),
            key_type: Some(self.key_type.unwrap_or(KeyType::Rsa)),
        })
    }
}

impl EnrolmentArguments {
    /// Checks everything that can be checked without asking anybody.
    ///
    /// # Errors
    /// The first value that is not valid.
    pub fn check(&self, common_name: &CommonName) -> Result<Enrolment, UsageError> {
        if common_name.as_str().len() > SUBJECT_LIMIT {
            return Err(UsageError::Other(format!(
                "'{common_name}' has more than {SUBJECT_LIMIT} characters, no certificate can carry it as its subject"
            )));
        }
        let service = self.service.as_deref();
        if let Some(service) = service.filter(|service| !is_word(service, "._-")) {
            return Err(UsageError::Other(format!("'{}' is not a valid service", service.escape_debug())));
        }
        if let Some(ca) = self.ca.as_deref().filter(|ca| !is_word(ca, "._- ")) {
            return Err(UsageError::Other(format!("'{}' is not the name of a CA", ca.escape_debug())));
        }
        if let Some(profile) = self.cert_profile.as_deref().filter(|profile| !is_word(profile, "_-.")) {
            let shown = profile.escape_debug();
            return Err(UsageError::KeyType(format!("'{shown}' is not a valid IPA certificate profile")));
        }
        let key_type = self.key_type.as_deref().map(key_type).transpose()?;
        let key_bits = self.key_bits.as_deref().map(|bits| key_bits(bits, key_type)).transpose();
        let key_bits = match (key_bits, key_type, self.key_bits.as_deref()) {
            // The scripts passed a size over where no type was given.
            (Err(error), None, Some(bits)) if bits.parse::<u32>().is_ok() => {
                report::problem("pan_getcert", &format!("WARNING: -b is ignored without -G: {error}"), None);
                None
            }
            (checked, ..) => checked?,
        };
        let mut names = vec![common_name.to_string()];
        for name in &self.names {
            check_dns_name(name)
                .map_err(|reason| UsageError::Other(format!("--san '{}': {reason}", name.escape_debug())))?;
            let name = name.to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let address = |text: &String| {
            text.parse().map_err(|_| {
                UsageError::Other(format!("--ip '{}' is not an IP address", text.escape_debug()))
            })
        };
        Ok(Enrolment {
            principal: service.map(|service| format!("{service}/{common_name}")),
            profile: self.cert_profile.clone(),
            key_type,
            key_bits,
            names,
            names_typed: !self.names.is_empty(),
            common_name: common_name.to_string(),
            addresses: self.addresses.iter().map(address).collect::<Result<_, _>>()?,
            ca: self.ca.clone(),
        })
    }
}

/// Letters, digits and some marks, beginning with a letter or digit: no option, no path, no other principal.
fn is_word(text: &str, marks: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.len() <= 255
        && text.chars().all(|character| character.is_ascii_alphanumeric() || marks.contains(character))
}

fn key_type(text: &str) -> Result<KeyType, UsageError> {
    match text.to_ascii_lowercase().as_str() {
        "rsa" => Ok(KeyType::Rsa),
        // The letter is that of the scripts before; devices and browsers of today speak no TLS with such a key.
        "dsa" => Err(UsageError::KeyType(
            "a certificate with a DSA key can't be used: TLS is not spoken with it any more. Take RSA or EC"
                .to_owned(),
        )),
        "ec" | "ecdsa" => Ok(KeyType::Ec),
        _ => {
            Err(UsageError::KeyType(format!("'{}' is not a key type: RSA, EC or ECDSA", text.escape_debug())))
        }
    }
}

/// certmonger makes RSA keys unless told otherwise.
fn key_bits(text: &str, key_type: Option<KeyType>) -> Result<u32, UsageError> {
    let bad = |rule: &str| UsageError::KeyType(format!("a key of '{}' bits: {rule}", text.escape_debug()));
    let bits: u32 = text.parse().map_err(|_| bad("that is not a number"))?;
    match key_type.unwrap_or(KeyType::Rsa) {
        // The scripts' help said 512, and certmonger makes the next larger curve of it.
        KeyType::Ec if bits == 512 => Ok(521),
        KeyType::Ec if [256, 384, 521].contains(&bits) => Ok(bits),
        KeyType::Ec => Err(bad("an EC key has 256, 384 or 521")),
        KeyType::Rsa | KeyType::Dsa if (SMALLEST..=LARGEST).contains(&bits) => Ok(bits),
        KeyType::Rsa | KeyType::Dsa => {
            Err(bad("an RSA key has 2048 to 8192, with more the TLS connection to the device can't be made"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;
    use crate::error::Exit;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        enrolment: EnrolmentArguments,
    }

    fn check(words: &[&str]) -> Result<Enrolment, Exit> {
        let line = Line::try_parse_from([&["x"], words].concat()).unwrap();
        line.enrolment.check(&"gp.example.com".parse().unwrap()).map_err(|error| error.exit())
    }

    #[test]
    fn key_types_and_sizes_are_checked_together() {
        assert_eq!(check(&["-G", "EcDsA", "-b", "384"]).unwrap().key_bits, Some(384));
        assert_eq!(check(&["-b", "2048"]).unwrap().key_bits, Some(2048));
        assert_eq!(check(&["-b", "1024"]).unwrap().key_bits, None, "as the scripts: ignored without -G");
        assert_eq!(check(&["-G", "EC", "-b", "512"]).unwrap().key_bits, Some(521));
        for words in [
            &["-G", "ed25519"][..],
            &["-G", "DSA"],
            &["-G", "rsa", "-b", "8193"],
            &["-G", "rsa", "-b", "1024"],
            &["-G", "ec", "-b", "2048"],
            &["-b", "many"],
            &["-G", "RSA", "-b", "99999"],
            &["-T", "a b"],
            &["--cert-profile=--all"],
        ] {
            assert_eq!(check(words).unwrap_err(), Exit::KeyType, "{words:?}");
        }
    }

    #[test]
    fn names_and_addresses_are_checked() {
        let enrolment =
            check(&["--san", "GP.example.com", "--san", "vpn.example.com", "--ip", "::1"]).unwrap();
        assert_eq!(enrolment.names, ["gp.example.com", "vpn.example.com"]);
        for words in
            [&["--san", "*.x"][..], &["--san", ""], &["--ip", "300.1.1.1"], &["-S", "HTTP/x"], &["--ca=-x"]]
        {
            assert_eq!(check(words).unwrap_err(), Exit::Usage, "{words:?}");
        }
    }

    #[test]
    fn a_name_no_subject_can_carry_is_refused() {
        let line = Line::try_parse_from(["x"]).unwrap();
        let long = format!("{}.{}.example.com", "a".repeat(40), "b".repeat(20));
        assert!(line.enrolment.check(&long.parse().unwrap()).is_err());
    }
}
