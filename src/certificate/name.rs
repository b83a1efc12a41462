//! Whether a certificate is for a name, and how a certificate is called in a message.

use std::net::IpAddr;

use openssl::nid::Nid;
use openssl::x509::{X509NameRef, X509Ref};

/// Whether the subject's common name or a dNSName of the certificate is this name.
///
/// A wildcard in a dNSName stands for exactly one label. Case does not matter.
pub(super) fn covers(certificate: &X509Ref, name: &str) -> bool {
    let by_subject = common_names(certificate).any(|found| found.eq_ignore_ascii_case(name));
    by_subject || dns_names(certificate).iter().any(|pattern| matches(pattern, name))
}

/// Whether a dNSName of the certificate is this name, which is all that today's clients look at.
pub(super) fn is_among_sans(certificate: &X509Ref, name: &str) -> bool {
    dns_names(certificate).iter().any(|pattern| matches(pattern, name))
}

/// Whether it has names of hosts besides the subject.
pub(super) fn has_sans(certificate: &X509Ref) -> bool {
    !dns_names(certificate).is_empty() || !addresses(certificate).is_empty()
}

/// Every name a certificate carries, for an error message.
pub(super) fn all(certificate: &X509Ref) -> String {
    let names = every(certificate);
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// Every name a certificate carries, each once and safe to print.
pub(super) fn every(certificate: &X509Ref) -> Vec<String> {
    let mut names: Vec<String> = common_names(certificate).collect();
    for name in dns_names(certificate) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names.iter().map(|name| printable(name)).collect()
}

/// A certificate's subject as `CN=…, O=…`, safe to print.
pub(crate) fn subject(certificate: &X509Ref) -> String {
    distinguished(certificate.subject_name())
}

/// Who has issued it, written in the same way.
pub(crate) fn issuer(certificate: &X509Ref) -> String {
    distinguished(certificate.issuer_name())
}

fn distinguished(name: &X509NameRef) -> String {
    let parts = name.entries().map(|entry| {
        let kind = entry.object().nid().short_name().unwrap_or("?");
        format!("{kind}={}", String::from_utf8_lossy(entry.data().as_slice()))
    });
    printable(&parts.collect::<Vec<_>>().join(", "))
}

/// The bytes are compared as they stand, so a NUL inside a name can't make it look shorter.
fn common_names(certificate: &X509Ref) -> impl Iterator<Item = String> {
    let entries = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    entries.map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned())
}

/// The IP addresses that it is for.
pub(super) fn addresses(certificate: &X509Ref) -> Vec<IpAddr> {
    let names = certificate.subject_alt_names();
    let of_bytes = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    };
    names.iter().flatten().filter_map(|name| name.ipaddress().and_then(of_bytes)).collect()
}

fn dns_names(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    names.iter().flatten().filter_map(|name| name.dnsname().map(str::to_owned)).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let (Some(("*", parent)), Some((label, rest))) = (pattern.split_once('.'), name.split_once('.')) else {
        return false;
    };
    !label.is_empty() && !parent.is_empty() && parent.eq_ignore_ascii_case(rest)
}

fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{CertificateSpec, self_signed};

    #[test]
    fn the_common_name_or_any_dns_name_will_do_in_any_case() {
        let issued = self_signed(&CertificateSpec::named("GP.example.com").san("vpn.Example.com"));
        assert!(covers(&issued.certificate, "gp.example.com"));
        assert!(covers(&issued.certificate, "VPN.example.com"));
        assert!(!covers(&issued.certificate, "other.example.com"));
        assert!(!covers(&issued.certificate, "example.com"));
        assert_eq!(all(&issued.certificate), "GP.example.com, vpn.Example.com");
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        assert!(matches("*.example.com", "gp.Example.com"));
        assert!(!matches("*.example.com", "a.gp.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", ".example.com"));
        assert!(!matches("*", "com"));
        assert!(!matches("g*.example.com", "gp.example.com"));
    }

    #[test]
    fn a_nul_in_the_common_name_does_not_shorten_it() {
        let issued = self_signed(&CertificateSpec::named("gp.example.com\0.evil.example"));
        assert!(!covers(&issued.certificate, "gp.example.com"));
    }

    #[test]
    fn a_certificate_without_names_is_for_nobody_and_control_characters_are_escaped() {
        assert_eq!(all(&self_signed(&CertificateSpec::nameless()).certificate), "nobody");
        assert_eq!(subject(&self_signed(&CertificateSpec::named("a\nb")).certificate), "CN=a\\nb");
    }
}
