//! The SHA-256 fingerprint by which certificates are compared everywhere in this program.

use std::fmt;
use std::str::FromStr;

use openssl::x509::X509;

use super::pem;

/// The SHA-256 of a certificate's DER form; shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// The text is not a SHA-256 fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' is not a SHA-256 fingerprint: 64 hexadecimal digits are needed, in pairs separated by colons or not at all",
    .0.escape_debug()
)]
pub struct BadFingerprint(String);

/// The text holds no certificate that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text holds no readable certificate")]
pub struct NoCertificate;

impl Fingerprint {
    /// The fingerprint of a certificate in its DER form.
    pub fn of_der(der: &[u8]) -> Self {
        Self(openssl::sha::sha256(der))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// The fingerprint of the first certificate in a PEM text, such as a device's `public-key` element.
///
/// A device may indent or re-wrap the text, so blanks and line ends do not matter here.
pub fn fingerprint_of_pem(text: &str) -> Result<Fingerprint, NoCertificate> {
    let der = pem::first_certificate_der(text).ok_or(NoCertificate)?;
    X509::from_der(&der).map_err(|_| NoCertificate)?;
    Ok(Fingerprint::of_der(&der))
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
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        parse(text.trim()).ok_or_else(|| BadFingerprint(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Fingerprint> {
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
        let digit = |d: u8| {
            char::from(d)
                .to_digit(16)
                .and_then(|n| u8::try_from(n).ok())
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(Fingerprint(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{self, Wish};

    const PLAIN: &str = "00ff10a5b6c7d8e9f0112233445566778899aabbccddeeff0123456789abcdef";

    #[test]
    fn hex_with_and_without_colons_in_any_case_is_the_same_fingerprint() {
        let plain: Fingerprint = PLAIN.parse().unwrap();
        let pairs: Vec<String> = PLAIN
            .as_bytes()
            .chunks(2)
            .map(|p| String::from_utf8_lossy(p).to_uppercase())
            .collect();
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

    #[test]
    fn a_pem_text_is_found_whatever_stands_around_it_and_however_it_is_wrapped() {
        let leaf = testing::self_signed(&Wish::default()).certificate;
        let wanted = Fingerprint::of_der(&leaf.to_der().unwrap());
        let pem = String::from_utf8(leaf.to_pem().unwrap()).unwrap();
        let crlf = pem.replace('\n', "\r\n");
        let indented = format!("Bag Attributes\n  x: y\n{}", pem.replace('\n', "\n      "));
        let one_line = pem.replace('\n', " ");
        let other = testing::self_signed(&Wish::default()).certificate;
        let two = format!(
            "{pem}{}",
            String::from_utf8(other.to_pem().unwrap()).unwrap()
        );
        for text in [&pem, &crlf, &indented, &one_line, &two] {
            assert_eq!(fingerprint_of_pem(text).unwrap(), wanted);
        }
    }

    #[test]
    fn a_text_without_a_certificate_has_no_fingerprint() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for text in ["", "hello", broken, open] {
            assert_eq!(fingerprint_of_pem(text), Err(NoCertificate), "{text}");
        }
    }
}
