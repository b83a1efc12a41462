//! What a person should know about a certificate before it is too late: it can be installed, and then some clients, or
//! the device, do not take it.

use std::fmt;

use openssl::nid::Nid;
use openssl::pkey::{Id, PKeyRef, Public};
use openssl::x509::X509Ref;

use super::der::{CONTEXT_3, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, only};
use super::{name, validity};

/// The curves that PAN-OS makes keys on, and the one that it is seen to take besides.
const CURVES: [Nid; 3] = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];
/// The least number of bits of an RSA key.
const RSA_BITS: u32 = 2048;
/// How many days Apple's systems allow a server's certificate, whoever has issued it.
const LONGEST: i64 = 825;
/// How many days browsers allow one of a public CA.
const LONGEST_PUBLIC: i64 = 398;

const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// One thing about a certificate. None of them is known for certain to be refused by every PAN-OS, so none is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// It says what it is for, and serving is not among it.
    NotForServers,
    /// The name that it was asked for stands in the subject only.
    NameNotAmongSans {
        /// The name.
        name: String,
        /// Whether there are no names besides the subject at all.
        has_none: bool,
    },
    /// The RSA key is small.
    SmallRsa {
        /// Its bits.
        bits: u32,
        /// Whose certificate it is, where it is an intermediate one.
        of: Option<String>,
    },
    /// It is signed with SHA-1, or something older.
    WeakDigest {
        /// The algorithm of the signature.
        algorithm: String,
        /// As above.
        of: Option<String>,
    },
    /// It is signed with RSASSA-PSS.
    PssSignature {
        /// As above.
        of: Option<String>,
    },
    /// The key is of a kind that PAN-OS is not known to use.
    UnusualKey(&'static str),
    /// The key is on a curve that PAN-OS is not known to use.
    UnusualCurve(String),
    /// It is valid for longer than some clients allow.
    LongLived {
        /// For how many days.
        days: i64,
    },
}

impl Remark {
    /// Whether it is more than something to know.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::LongLived { days } if *days <= LONGEST)
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotForServers => {
                "Ask for a certificate with a profile that gives the extended key usage serverAuth (pan_getcert -T PROFILE)."
            }
            Self::NameNotAmongSans { .. } => {
                "Ask for a certificate with this name as a subject alternative name (pan_getcert does; with another client add the name to its request)."
            }
            Self::SmallRsa { of: None, .. } => "Ask for one with a longer key: pan_getcert -b 2048 --rekey.",
            Self::UnusualKey(_) | Self::UnusualCurve(_) => {
                "Ask for one with an RSA key, or an EC key on P-256 or P-384: pan_getcert -G RSA or -G EC, with --rekey."
            }
            Self::WeakDigest { of: None, .. } | Self::PssSignature { of: None } => {
                "Have the CA sign with RSA (PKCS#1 v1.5) or ECDSA and SHA-256."
            }
            Self::SmallRsa { .. } | Self::WeakDigest { .. } | Self::PssSignature { .. } => {
                "Ask whoever runs that CA for another certificate of it."
            }
            Self::LongLived { .. } => {
                "Have the CA's profile issue shorter ones; certmonger renews them by itself."
            }
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = |of: &Option<String>| {
            of.as_ref().map_or_else(
                || "the certificate".to_owned(),
                |of| format!("the intermediate certificate {of}"),
            )
        };
        match self {
            Self::NotForServers => f.write_str(
                "the certificate is not for servers: its extended key usage has no serverAuth, so clients refuse it",
            ),
            Self::NameNotAmongSans { name, has_none: true } => write!(
                f,
                "the certificate has no subject alternative name: today's clients do not look at the common name {name}"
            ),
            Self::NameNotAmongSans { name, has_none: false } => write!(
                f,
                "{name} is not among the certificate's subject alternative names: today's clients do not look at the common name"
            ),
            Self::SmallRsa { bits, of } => {
                write!(f, "{} has an RSA key of {bits} bits; less than {RSA_BITS} is refused by many clients", whose(of))
            }
            Self::WeakDigest { algorithm, of } => {
                write!(f, "{} is signed with {algorithm}, which today's clients refuse", whose(of))
            }
            Self::PssSignature { of } => write!(
                f,
                "{} is signed with RSASSA-PSS, with which PAN-OS was seen to have trouble",
                whose(of)
            ),
            Self::UnusualKey(kind) => {
                write!(f, "the certificate has {kind}; PAN-OS is known to use RSA keys and EC keys only")
            }
            Self::UnusualCurve(curve) => write!(
                f,
                "the certificate has a key on the curve {curve}; PAN-OS is known to use P-256, P-384 and P-521 only"
            ),
            Self::LongLived { days } if *days > LONGEST => write!(
                f,
                "the certificate is valid for {days} days; Apple's systems refuse more than {LONGEST}, whoever has issued it"
            ),
            Self::LongLived { days } => write!(
                f,
                "the certificate is valid for {days} days; browsers refuse more than {LONGEST_PUBLIC} of a public CA"
            ),
        }
    }
}

/// What is to be known of a certificate that is for this name.
pub(super) fn of_leaf(leaf: &X509Ref, common_name: &str) -> Vec<Remark> {
    let mut remarks = Vec::new();
    remarks.extend((!is_for_servers(leaf)).then_some(Remark::NotForServers));
    if !name::is_among_sans(leaf, common_name) {
        let has_none = !name::has_sans(leaf);
        remarks.push(Remark::NameNotAmongSans { name: common_name.to_owned(), has_none });
    }
    remarks.extend(leaf.public_key().ok().and_then(|key| of_key(&key, None)));
    remarks.extend(of_signature(leaf, None));
    let days = validity::validity(leaf).map_or(0, |validity| (validity.to - validity.from).num_days());
    remarks.extend((days > LONGEST_PUBLIC).then_some(Remark::LongLived { days }));
    remarks
}

/// The same of an intermediate one, where only the strength counts.
pub(super) fn of_intermediate(certificate: &X509Ref) -> Vec<Remark> {
    let of = || Some(name::subject(certificate));
    // Which keys a device can verify with is not what it can sign with.
    let small = certificate.public_key().ok().and_then(|key| of_key(&key, of()));
    let small = small.filter(|remark| matches!(remark, Remark::SmallRsa { .. }));
    small.into_iter().chain(of_signature(certificate, of())).collect()
}

fn of_key(key: &PKeyRef<Public>, of: Option<String>) -> Option<Remark> {
    match key.id() {
        Id::RSA => (key.bits() < RSA_BITS).then(|| Remark::SmallRsa { bits: key.bits(), of }),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            match curve {
                Some(curve) if CURVES.contains(&curve) => None,
                Some(curve) => Some(Remark::UnusualCurve(curve.short_name().unwrap_or("unknown").to_owned())),
                None => Some(Remark::UnusualCurve("without a name".to_owned())),
            }
        }
        Id::RSA_PSS => Some(Remark::UnusualKey("a key for RSASSA-PSS only")),
        Id::ED25519 => Some(Remark::UnusualKey("an Ed25519 key")),
        Id::ED448 => Some(Remark::UnusualKey("an Ed448 key")),
        Id::DSA => Some(Remark::UnusualKey("a DSA key")),
        _ => Some(Remark::UnusualKey("a key of an unusual kind")),
    }
}

fn of_signature(certificate: &X509Ref, of: Option<String>) -> Option<Remark> {
    let algorithm = certificate.signature_algorithm().object().nid();
    match algorithm {
        Nid::SHA1WITHRSAENCRYPTION
        | Nid::SHA1WITHRSA
        | Nid::ECDSA_WITH_SHA1
        | Nid::DSAWITHSHA1
        | Nid::MD5WITHRSAENCRYPTION => {
            let algorithm = algorithm.long_name().unwrap_or("SHA-1").to_owned();
            Some(Remark::WeakDigest { algorithm, of })
        }
        Nid::RSASSAPSS => Some(Remark::PssSignature { of }),
        _ => None,
    }
}

/// What has no extended key usage is for everything.
fn is_for_servers(certificate: &X509Ref) -> bool {
    let Ok(der) = certificate.to_der() else { return true };
    let usages = extension(&der, EXTENDED_KEY_USAGE).and_then(|value| only(value, SEQUENCE));
    let Some(mut usages) = usages else { return true };
    while let Some(usage) = usages.next() {
        if usage.contents == SERVER_AUTH || usage.contents == ANY_USAGE {
            return true;
        }
    }
    false
}

/// The value of an extension, as it stands in the certificate.
fn extension<'a>(certificate: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut to_be_signed = Reader::new(only(certificate, SEQUENCE)?.expect(SEQUENCE)?);
    let extensions = loop {
        let part = to_be_signed.next()?;
        if part.tag == CONTEXT_3 {
            break part.contents;
        }
    };
    let mut extensions = only(extensions, SEQUENCE)?;
    while let Some(extension) = extensions.next() {
        let mut parts = Reader::new(extension.contents);
        if parts.expect(OBJECT_IDENTIFIER) == Some(wanted) {
            parts.optional(super::der::BOOLEAN);
            return parts.expect(OCTET_STRING);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{self, CertificateSpec, DAY, KeyKind};

    const NAME: &str = "gp.example.com";

    fn remarks(spec: &CertificateSpec) -> Vec<Remark> {
        of_leaf(&testing::root("Root", KeyKind::P256).issue(spec).certificate, NAME)
    }

    fn usual() -> CertificateSpec {
        CertificateSpec::named(NAME).san(NAME)
    }

    #[test]
    fn there_is_nothing_to_say_about_a_usual_certificate() {
        for key in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Rsa(2048)] {
            assert_eq!(remarks(&usual().key(key)), []);
        }
        assert_eq!(remarks(&CertificateSpec::nameless().san("*.example.com")), []);
    }

    #[test]
    fn each_thing_is_remarked_and_said_with_advice() {
        let of = |spec: CertificateSpec| {
            let found = remarks(&spec);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(!found[0].to_string().is_empty() && !found[0].advice().is_empty());
            found.into_iter().next().unwrap()
        };
        assert_eq!(of(usual().client_only()), Remark::NotForServers);
        let without = |has_none| Remark::NameNotAmongSans { name: NAME.to_owned(), has_none };
        assert_eq!(of(CertificateSpec::named(NAME)), without(true));
        assert_eq!(of(CertificateSpec::named(NAME).san("other.example.com")), without(false));
        assert_eq!(of(usual().key(KeyKind::Rsa(1024))), Remark::SmallRsa { bits: 1024, of: None });
        assert_eq!(of(usual().key(KeyKind::Ed25519)), Remark::UnusualKey("an Ed25519 key"));
        assert_eq!(of(usual().key(KeyKind::Ed448)), Remark::UnusualKey("an Ed448 key"));
        assert_eq!(of(usual().key(KeyKind::RsaPss)), Remark::UnusualKey("a key for RSASSA-PSS only"));
        assert_eq!(of(usual().key(KeyKind::Brainpool)), Remark::UnusualCurve("brainpoolP256r1".to_owned()));
        assert!(!of(usual().valid(-DAY, 398 * DAY)).is_warning());
        assert!(of(usual().valid(-DAY, 825 * DAY)).is_warning());
        let weak = Remark::WeakDigest { algorithm: "ecdsa-with-SHA1".to_owned(), of: None };
        assert_eq!(of(usual().sha1()), weak);
        let pss = testing::root("Root", KeyKind::RsaPss).issue(&usual());
        assert_eq!(of_leaf(&pss.certificate, NAME), [Remark::PssSignature { of: None }]);
        let root = testing::root("Root", KeyKind::P256);
        let small = root.intermediate("Small", KeyKind::Rsa(1024));
        let of = Some("CN=Small".to_owned());
        assert_eq!(of_intermediate(&small.certificate), [Remark::SmallRsa { bits: 1024, of }]);
        assert_eq!(of_intermediate(&root.intermediate("Odd", KeyKind::Brainpool).certificate), []);
    }
}
