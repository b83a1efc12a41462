//! Certificates with their keys, made on the spot: what a server presents.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use panos_xmlapi::Fingerprint;

/// A certificate, its key, and the certificates a server sends along.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
    pub chain: Vec<X509>,
}

impl Identity {
    pub fn pin(&self) -> Fingerprint {
        Fingerprint::of_der(&self.certificate.to_der().unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }
}

/// The kind of key a certificate holds.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Rsa(u32),
    Ec(Nid),
    Ed25519,
}

impl Key {
    fn generate(self) -> PKey<Private> {
        match self {
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
            Self::Ec(curve) => {
                let group = EcGroup::from_curve_name(curve).unwrap();
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
            Self::Ed25519 => PKey::generate_ed25519().unwrap(),
        }
    }
}

/// A certificate to be made. Without further words: self-signed, v3, no CA, EC P-256, valid now.
#[derive(Clone)]
pub struct Plan {
    common_name: String,
    dns: Vec<String>,
    ip: Vec<String>,
    version: i32,
    ca: bool,
    key: Key,
    days: (i64, i64),
    client_only: bool,
}

impl Plan {
    pub fn named(common_name: &str) -> Self {
        Self {
            common_name: common_name.to_owned(),
            dns: Vec::new(),
            ip: Vec::new(),
            version: 3,
            ca: false,
            key: Key::Ec(Nid::X9_62_PRIME256V1),
            days: (-1, 30),
            client_only: false,
        }
    }

    pub fn dns(mut self, name: &str) -> Self {
        self.dns.push(name.to_owned());
        self
    }

    pub fn ip(mut self, ip: &str) -> Self {
        self.ip.push(ip.to_owned());
        self
    }

    /// X.509 version 1: no extension can stand in it.
    pub fn v1(mut self) -> Self {
        self.version = 1;
        self
    }

    pub fn ca(mut self) -> Self {
        self.ca = true;
        self
    }

    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    pub fn expired(mut self) -> Self {
        self.days = (-30, -1);
        self
    }

    pub fn client_only(mut self) -> Self {
        self.client_only = true;
        self
    }

    pub fn self_signed(&self) -> Identity {
        self.make(None)
    }

    /// Issued by `issuer`; nothing is sent along.
    pub fn issued_by(&self, issuer: &Identity) -> Identity {
        self.make(Some(issuer))
    }

    fn make(&self, issuer: Option<&Identity>) -> Identity {
        let key = self.key.generate();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", &self.common_name).unwrap();
        let name = name.build();
        let mut serial = BigNum::new().unwrap();
        serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
        let now = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
        )
        .unwrap();
        let at = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(self.version - 1).unwrap();
        builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(issuer.map_or(&name, |issuer| issuer.certificate.subject_name())).unwrap();
        builder.set_not_before(&at(self.days.0)).unwrap();
        builder.set_not_after(&at(self.days.1)).unwrap();
        builder.set_pubkey(&key).unwrap();
        if self.version == 3 {
            let mut constraints = BasicConstraints::new();
            constraints.critical();
            if self.ca {
                constraints.ca();
            }
            builder.append_extension(constraints.build().unwrap()).unwrap();
            if self.client_only {
                builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
            }
            if !self.dns.is_empty() || !self.ip.is_empty() {
                let mut names = SubjectAlternativeName::new();
                for name in &self.dns {
                    names.dns(name);
                }
                for ip in &self.ip {
                    names.ip(ip);
                }
                let names = names.build(&builder.x509v3_context(None, None)).unwrap();
                builder.append_extension(names).unwrap();
            }
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        let digest = match signer.id() {
            openssl::pkey::Id::ED25519 => MessageDigest::null(),
            _ => MessageDigest::sha256(),
        };
        builder.sign(signer, digest).unwrap();
        Identity { certificate: builder.build(), key, chain: Vec::new() }
    }
}
