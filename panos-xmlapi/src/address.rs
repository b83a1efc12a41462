//! Where a device is reached: a DNS name or an IP address, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The port of the web server on a management interface.
pub const HTTPS: u16 = 443;

/// `FQDN[:PORT]`: lower-cased, IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    host: Host,
    port: u16,
}

/// The host part of an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name in lower case.
    Name(String),
    /// An IP address.
    Ip(IpAddr),
}

/// Text that is no device name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid device name: {reason}")]
pub struct InvalidAddress {
    text: String,
    reason: &'static str,
}

impl Address {
    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

/// The name as a person writes it: the port only where it is not 443.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == HTTPS { write!(f, "{}", self.host) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |reason| InvalidAddress { text: text.chars().take(100).collect(), reason };
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (inner, after) = rest.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| bad("no IPv6 address between the brackets"))?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or_else(|| bad("something stands after the bracket"))?),
            };
            (Host::Ip(IpAddr::V6(ip)), port)
        } else {
            match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(bad("an IPv6 address is written in brackets"));
                }
                Some((host, port)) => (parse_host(host).map_err(bad)?, Some(port)),
                None => (parse_host(text).map_err(bad)?, None),
            }
        };
        let port = match port {
            None => HTTPS,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| bad("the port is not 1 to 65535"))?,
            Some(_) => return Err(bad("the port is not a number")),
        };
        Ok(Self { host, port })
    }
}

fn parse_host(text: &str) -> Result<Host, &'static str> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Host::Ip(ip));
    }
    check_dns_name(text)?;
    // What ends in a number, URLs and resolvers take for an IPv4 address: `1.2.3`, `0x7f.1`.
    let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it looks like an IPv4 address but is not valid");
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

/// Whether a text is a DNS host name by RFC 1123: labels of letters, digits and inner hyphens.
///
/// # Errors
/// The rule that is broken.
pub fn check_dns_name(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 253 {
        return Err("it is longer than 253 characters");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("each part between dots has 1 to 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a part does not begin or end with a hyphen");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("only letters, digits, hyphens and dots can stand in it");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_stands_in_a_url_as_it_is_typed_whatever_letters_it_stands_for() {
        // The second stands for nothing; it is a host name all the same.
        for name in ["xn--mnchen-3ya.example", "xn--a.example", "fw-1.example"] {
            let address: Address = name.parse().unwrap();
            let url = reqwest::Url::parse(&format!("https://{}:{}/api/", address.host(), address.port()));
            assert_eq!(url.unwrap().host_str(), Some(name));
        }
    }

    #[test]
    fn names_are_lower_cased_and_ports_default_to_443() {
        for (typed, shown) in [
            ("FW1.Example.COM", "fw1.example.com"),
            ("fw1.example.com:443", "fw1.example.com"),
            ("fw1:8443", "fw1:8443"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(typed.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_host_or_no_port_is_refused() {
        for bad in [
            "",
            ":",
            "fw1:",
            "fw1:0",
            "fw1:65536",
            "fw1:+443",
            "fw1:4a",
            "::1",
            "[::1",
            "[fw1]",
            "[::1]x",
            "-fw",
            "fw-",
            "a..b",
            "fw 1",
            "fw/1",
            "fw1\n",
            "user@fw1",
            "*.example.com",
            "256.1.1.1",
            "127.1",
            "0x7f.1",
            "fw.0x7F",
            "fw.1",
            "fw_1",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
