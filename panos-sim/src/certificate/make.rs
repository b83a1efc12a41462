//! Makes the certificate a device shows out of the box.

use std::cell::RefCell;

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509Builder, X509Name, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName},
    },
};

use super::{
    Identity, PrivateKey,
    recent::{Recent, digest},
};
use crate::{Error, ManagementCertificate, Result, pem};

/// Days a made certificate is valid.
const DAYS: u32 = 3650;

/// X.509 counts its versions from 0.
const V1: i32 = 0;
const V3: i32 = 2;

/// The identity that these settings describe; `hostname` is the subject of a self-made one.
pub(crate) fn management_identity(wanted: &ManagementCertificate, hostname: &str) -> Result<Identity> {
    let identity = match wanted {
        ManagementCertificate::SelfSigned => self_signed(hostname, V3, true)?,
        ManagementCertificate::SelfSignedLeaf => self_signed(hostname, V3, false)?,
        ManagementCertificate::SelfSignedV1 => self_signed(hostname, V1, false)?,
        ManagementCertificate::Issued { name, ca_certificate, ca_key } => {
            let ca = X509::from_pem(pem::text(ca_certificate)?.as_bytes())?;
            let ca_key = private_key(&pem::text(ca_key)?)?;
            let key = new_key()?;
            let mut builder = blank(name, &key, V3)?;
            builder.set_issuer_name(ca.subject_name())?;
            builder.append_extension(BasicConstraints::new().critical().build()?)?;
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
            let mut names = SubjectAlternativeName::new();
            match name.parse::<std::net::IpAddr>() {
                Ok(_) => names.ip(name),
                Err(_) => names.dns(name),
            };
            let names = names.build(&builder.x509v3_context(Some(&ca), None))?;
            builder.append_extension(names)?;
            builder.sign(&ca_key, MessageDigest::sha256())?;
            (vec![builder.build()], key)
        }
        ManagementCertificate::Given { certificate, key } => {
            return given(&pem::text(certificate)?, &pem::text(key)?);
        }
    };
    of_parts(&identity.0, &identity.1)
}

thread_local! {
    /// What this thread has read lately: hundreds of devices may be given the same.
    static GIVEN: RefCell<Recent<Identity>> = const { RefCell::new(Recent::new(4)) };
}

fn given(certificate: &str, key: &str) -> Result<Identity> {
    let texts = digest([certificate.as_bytes(), key.as_bytes()]);
    GIVEN.with_borrow_mut(|given| {
        given.get_or(texts, || of_parts(&X509::stack_from_pem(certificate.as_bytes())?, &private_key(key)?))
    })
}

fn of_parts(chain: &[X509], key: &PKey<Private>) -> Result<Identity> {
    Identity::new(chain, PrivateKey::of(key)?)
        .ok_or_else(|| Error::Settings("no management certificate given".into()))
}

fn private_key(pem: &str) -> Result<PKey<Private>> {
    // With the callback form OpenSSL does not ask on the terminal for a passphrase.
    Ok(PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0))?)
}

fn new_key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn self_signed(name: &str, version: i32, ca: bool) -> Result<(Vec<X509>, PKey<Private>)> {
    let key = new_key()?;
    let mut builder = blank(name, &key, version)?;
    let issuer = common_name(name)?;
    builder.set_issuer_name(&issuer)?;
    if version == V3 {
        let mut constraints = BasicConstraints::new();
        if ca {
            constraints.ca();
        }
        builder.append_extension(constraints.critical().build()?)?;
    }
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((vec![builder.build()], key))
}

fn blank(name: &str, key: &PKey<Private>, version: i32) -> Result<X509Builder> {
    let mut builder = X509Builder::new()?;
    builder.set_version(version)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    let subject = common_name(name)?;
    builder.set_subject_name(&subject)?;
    // An hour in the past: the clocks of a test's processes need not agree to the second.
    let earlier = chrono::Utc::now().timestamp() - 3600;
    let (from, to) = (Asn1Time::from_unix(earlier)?, Asn1Time::days_from_now(DAYS)?);
    builder.set_not_before(&from)?;
    builder.set_not_after(&to)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

fn common_name(name: &str) -> Result<X509Name> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}
