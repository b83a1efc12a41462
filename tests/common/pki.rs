//! A throw-away PKI in memory: authorities, certificates, keys, and the files tests need of them.
//!
//! Nothing is stored: every key is made when a test asks for it. Elliptic curve keys are the default,
//! as making one takes no time.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Time, Asn1Type};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Name};

/// The kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Rsa(u32),
    P256,
    P384,
    P521,
    Ed25519,
    /// Kinds that no PAN-OS device is known to use, and that our TLS does not speak.
    Ed448,
    RsaPss,
    Brainpool,
}

impl KeyKind {
    pub fn generate(self) -> PKey<Private> {
        let curve = |nid| {
            let group = EcGroup::from_curve_name(nid).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        };
        match self {
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
            Self::P256 => curve(Nid::X9_62_PRIME256V1),
            Self::P384 => curve(Nid::SECP384R1),
            Self::P521 => curve(Nid::SECP521R1),
            Self::Ed25519 => PKey::generate_ed25519().unwrap(),
            Self::Ed448 => PKey::generate_ed448().unwrap(),
            Self::RsaPss => {
                let mut context = PkeyCtx::new_id(Id::RSA_PSS).unwrap();
                context.keygen_init().unwrap();
                context.set_rsa_keygen_bits(2048).unwrap();
                context.keygen().unwrap()
            }
            Self::Brainpool => curve(Nid::BRAINPOOL_P256R1),
        }
    }
}

/// What a certificate should look like.
#[derive(Debug, Clone)]
pub struct CertificateSpec {
    pub common_name: Option<String>,
    pub dns: Vec<String>,
    pub ips: Vec<IpAddr>,
    pub key: KeyKind,
    /// Seconds from now to the first second of validity; negative is the past.
    pub starts_in: i64,
    /// Seconds from now to the last second of validity; negative is the past.
    pub ends_in: i64,
    /// Whether the certificate says by identifier whose key it has and whose key signed it.
    pub identifiers: bool,
    /// Whether it is for clients, and so not for servers.
    pub client_only: bool,
    /// Whether it is signed with SHA-1.
    pub sha1: bool,
}

pub const DAY: i64 = 86_400;

impl Default for CertificateSpec {
    fn default() -> Self {
        Self::named("gp.example.com")
    }
}

impl CertificateSpec {
    pub fn named(common_name: &str) -> Self {
        Self { common_name: Some(common_name.to_owned()), ..Self::nameless() }
    }

    pub fn nameless() -> Self {
        Self {
            common_name: None,
            dns: vec![],
            ips: vec![],
            key: KeyKind::P256,
            starts_in: -DAY,
            ends_in: 90 * DAY,
            identifiers: true,
            client_only: false,
            sha1: false,
        }
    }

    pub fn san(mut self, name: &str) -> Self {
        self.dns.push(name.to_owned());
        self
    }

    pub fn ip(mut self, address: IpAddr) -> Self {
        self.ips.push(address);
        self
    }

    pub fn key(mut self, kind: KeyKind) -> Self {
        self.key = kind;
        self
    }

    /// Without key identifiers, as old authorities issue: only the signature tells keys apart.
    pub fn without_identifiers(mut self) -> Self {
        self.identifiers = false;
        self
    }

    pub fn client_only(mut self) -> Self {
        self.client_only = true;
        self
    }

    pub fn sha1(mut self) -> Self {
        self.sha1 = true;
        self
    }

    pub fn valid(mut self, starts_in: i64, ends_in: i64) -> Self {
        (self.starts_in, self.ends_in) = (starts_in, ends_in);
        self
    }
}

/// A certificate and its key; also an authority, if it was made as one.
#[derive(Clone)]
pub struct Issued {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// A self-signed root authority.
pub fn root(common_name: &str, kind: KeyKind) -> Issued {
    root_for_key(common_name, kind.generate())
}

/// A self-signed root authority with this key: two roots of the same name and key are told apart by nothing else.
pub fn root_for_key(common_name: &str, key: PKey<Private>) -> Issued {
    let spec = CertificateSpec::named(common_name).valid(-DAY, 3650 * DAY);
    let certificate = build(&spec, &key, None, true);
    Issued { certificate, key }
}

/// A self-signed certificate that is no authority, such as a device makes for itself.
pub fn self_signed(spec: &CertificateSpec) -> Issued {
    let key = spec.key.generate();
    Issued { certificate: build(spec, &key, None, false), key }
}

impl Issued {
    /// An authority below this one.
    pub fn intermediate(&self, common_name: &str, kind: KeyKind) -> Self {
        self.intermediate_with(&CertificateSpec::named(common_name).key(kind).valid(-DAY, 1825 * DAY))
    }

    /// An authority below this one, just so.
    pub fn intermediate_with(&self, spec: &CertificateSpec) -> Self {
        self.intermediate_for_key(spec, spec.key.generate())
    }

    /// An authority below this one with a key that exists already, as one that is renewed.
    pub fn intermediate_for_key(&self, spec: &CertificateSpec, key: PKey<Private>) -> Self {
        Self { certificate: build(spec, &key, Some(self), true), key }
    }

    /// A second certificate for an authority, signed by this one.
    pub fn cross_sign(&self, other: &Self) -> Self {
        let name = other.certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next().unwrap();
        let spec = CertificateSpec::named(std::str::from_utf8(name.data().as_slice()).unwrap())
            .valid(-DAY, 1825 * DAY);
        Self { certificate: build(&spec, &other.key, Some(self), true), key: other.key.clone() }
    }

    /// A certificate signed by this authority, with a key of its own.
    pub fn issue(&self, spec: &CertificateSpec) -> Self {
        self.issue_for_key(spec, spec.key.generate())
    }

    /// A certificate signed by this authority for a key that exists already.
    pub fn issue_for_key(&self, spec: &CertificateSpec, key: PKey<Private>) -> Self {
        Self { certificate: build(spec, &key, Some(self), false), key }
    }

    pub fn certificate_pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// The key as PKCS#8.
    pub fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }

    /// Writes `NAME.crt` (0644) and `NAME.key` (0600), as certmonger leaves them; gives both paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (crt, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        write(&crt, self.certificate_pem().as_bytes(), 0o644);
        write(&key, self.key_pem().as_bytes(), 0o600);
        (crt, key)
    }

    /// Writes `cert.pem`, `privkey.pem`, `chain.pem` and `fullchain.pem`, as an ACME client leaves them.
    pub fn write_live(&self, folder: &Path, chain: &[&Self]) {
        let chain: String = chain.iter().map(|issued| issued.certificate_pem()).collect();
        write(&folder.join("cert.pem"), self.certificate_pem().as_bytes(), 0o644);
        write(&folder.join("privkey.pem"), self.key_pem().as_bytes(), 0o600);
        write(&folder.join("chain.pem"), chain.as_bytes(), 0o644);
        write(&folder.join("fullchain.pem"), (self.certificate_pem() + &chain).as_bytes(), 0o644);
    }
}

/// Writes a file with this mode from its first byte on, whatever the umask. No program: see `programs.rs`.
pub fn write(path: &Path, contents: &[u8], mode: u32) {
    assert!(!contents.starts_with(b"#!"), "{} is a program", path.display());
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode & 0o600).open(path).unwrap();
    file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    file.write_all(contents).unwrap();
}

fn build(spec: &CertificateSpec, key: &PKey<Private>, issuer: Option<&Issued>, authority: bool) -> X509 {
    let subject = subject(spec);
    let signing_key = issuer.map_or(key, |issuer| &issuer.key);
    let issuer_certificate = issuer.map(|issuer| issuer.certificate.clone());

    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&random_serial()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder
        .set_issuer_name(issuer_certificate.as_ref().map_or(&subject, |issuer| issuer.subject_name()))
        .unwrap();
    builder.set_not_before(&from_now(spec.starts_in)).unwrap();
    builder.set_not_after(&from_now(spec.ends_in)).unwrap();
    builder.set_pubkey(key).unwrap();

    let mut constraints = BasicConstraints::new();
    constraints.critical();
    let mut usage = KeyUsage::new();
    usage.critical();
    if authority {
        constraints.ca();
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature();
        if key.id() == Id::RSA {
            usage.key_encipherment();
        }
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    if spec.client_only {
        builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
    }
    if spec.identifiers {
        let context = builder.x509v3_context(issuer_certificate.as_deref(), None);
        let identifier = SubjectKeyIdentifier::new().build(&context).unwrap();
        builder.append_extension(identifier).unwrap();
    }
    if spec.identifiers && issuer.is_some() {
        let context = builder.x509v3_context(issuer_certificate.as_deref(), None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap();
        builder.append_extension(identifier).unwrap();
    }
    if !spec.dns.is_empty() || !spec.ips.is_empty() {
        let mut names = SubjectAlternativeName::new();
        spec.dns.iter().for_each(|name| {
            names.dns(name);
        });
        spec.ips.iter().for_each(|address| {
            names.ip(&address.to_string());
        });
        let context = builder.x509v3_context(issuer_certificate.as_deref(), None);
        let names = names.build(&context).unwrap();
        builder.append_extension(names).unwrap();
    }
    let digest = match signing_key.id() {
        Id::ED25519 | Id::ED448 => MessageDigest::null(),
        _ if spec.sha1 => MessageDigest::sha1(),
        _ => MessageDigest::sha256(),
    };
    builder.sign(signing_key, digest).unwrap();
    builder.build()
}

fn subject(spec: &CertificateSpec) -> X509Name {
    let mut subject = X509Name::builder().unwrap();
    if let Some(name) = &spec.common_name {
        subject.append_entry_by_nid_with_type(Nid::COMMONNAME, name, Asn1Type::UTF8STRING).unwrap();
    }
    subject.build()
}

fn random_serial() -> openssl::asn1::Asn1Integer {
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    serial.to_asn1_integer().unwrap()
}

fn from_now(seconds: i64) -> Asn1Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Asn1Time::from_unix(i64::try_from(now).unwrap() + seconds).unwrap()
}
