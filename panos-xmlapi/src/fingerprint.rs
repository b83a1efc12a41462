//! The SHA-256 fingerprint of a certificate: how two places are compared for holding the very same one.

use std::fmt;
use std::str::FromStr;

/// SHA-256 over the DER form of one X.509 certificate.
///
/// Shown as 64 lower-case hexadecimal digits; read with or without colons, in any case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// Text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a SHA-256 fingerprint: 64 hexadecimal digits, in pairs separated by colons or not at all", .0.escape_debug())]
pub struct InvalidFingerprint(String);

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        // The function that does both in one looks the algorithm up each time, which takes longer than to hash.
        let mut hash = openssl::sha::Sha256::new();
        hash.update(der);
        Self(hash.finish())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The form that `openssl x509 -fingerprint` and the device's own web page show: `AB:CD:…`.
    #[must_use]
    pub fn colons(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).map(Self).ok_or_else(|| InvalidFingerprint(text.chars().take(100).collect()))
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = if text.contains(':') {
        let pairs: Vec<&str> = text.split(':').collect();
        if pairs.iter().any(|pair| pair.len() != 2) {
            return None;
        }
        pairs.concat().into_bytes()
    } else {
        text.as_bytes().to_vec()
    };
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: &str = "00ff10a5b6c7d8e9f0112233445566778899aabbccddeeff0123456789abcdef";

    #[test]
    fn hex_with_and_without_colons_in_any_case_is_the_same_fingerprint() {
        let plain: Fingerprint = PLAIN.parse().unwrap();
        let pairs: Vec<String> =
            PLAIN.as_bytes().chunks(2).map(|p| String::from_utf8_lossy(p).to_uppercase()).collect();
        assert_eq!(pairs.join(":").parse::<Fingerprint>().unwrap(), plain);
        assert_eq!(format!(" {PLAIN}\n").parse::<Fingerprint>().unwrap(), plain);
        assert_eq!(plain.to_string(), PLAIN);
    }

    #[test]
    fn everything_else_is_refused() {
        let uneven = PLAIN.replacen("00ff", "0:0ff", 1);
        let short = &PLAIN[2..];
        let foreign = PLAIN.replacen('0', "g", 1);
        let accented = PLAIN.replacen("00", "é", 1);
        for text in ["", ":", short, &uneven, &foreign, &accented, "+1"] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text} was taken");
        }
    }
}
