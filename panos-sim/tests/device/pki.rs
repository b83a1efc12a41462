//! Certificates made on the spot.

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkcs12::Pkcs12,
    pkey::{PKey, Private},
    rsa::Rsa,
    stack::Stack,
    x509::{X509, X509Builder, X509NameBuilder, extension::BasicConstraints},
};

/// A certificate with its private key.
pub struct Made {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Made {
    pub fn certificate_pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    pub fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }

    /// Key, then certificate.
    pub fn pem(&self) -> String {
        self.key_pem() + &self.certificate_pem()
    }

    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }

    /// A PKCS#12 container; `old` for 3DES and SHA-1.
    pub fn pkcs12(&self, passphrase: &str, chain: &[&Made], old: bool) -> Vec<u8> {
        let mut builder = Pkcs12::builder();
        builder.name("it").pkey(&self.key).cert(&self.certificate);
        let mut more = Stack::new().unwrap();
        for made in chain {
            more.push(made.certificate.clone()).unwrap();
        }
        builder.ca(more);
        if old {
            let cipher = Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC;
            builder.key_algorithm(cipher).cert_algorithm(cipher);
            builder.mac_md(MessageDigest::sha1());
        }
        builder.build2(passphrase).unwrap().to_der().unwrap()
    }
}

pub fn fingerprint(certificate: &X509) -> String {
    let digest = certificate.digest(MessageDigest::sha256()).unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ec() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A self-signed EC certificate for this name.
pub fn self_signed(name: &str) -> Made {
    make(name, ec(), None, 30)
}

/// One that ended yesterday.
pub fn expired(name: &str) -> Made {
    make(name, ec(), None, -1)
}

/// A self-signed RSA certificate.
pub fn rsa(name: &str) -> Made {
    make(name, PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(), None, 30)
}

pub fn issued(name: &str, by: &Made) -> Made {
    make(name, ec(), Some(by), 30)
}

fn make(name: &str, key: PKey<Private>, issuer: Option<&Made>, days: i64) -> Made {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let at = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
    let serial = BigNum::from_u32(now as u32).unwrap().to_asn1_integer().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_not_before(&at(-10)).unwrap();
    builder.set_not_after(&at(days)).unwrap();
    builder.set_pubkey(&key).unwrap();
    if issuer.is_none() {
        let constraints = BasicConstraints::new().ca().build().unwrap();
        builder.append_extension(constraints).unwrap();
    }
    match issuer {
        Some(issuer) => {
            builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
            builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
        }
        None => {
            builder.set_issuer_name(&subject).unwrap();
            builder.sign(&key, MessageDigest::sha256()).unwrap();
        }
    }
    Made { certificate: builder.build(), key }
}
