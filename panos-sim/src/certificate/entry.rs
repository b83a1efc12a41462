//! The `entry` a certificate has in the configuration.

use std::{cell::RefCell, fmt::Write, rc::Rc};

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    error::ErrorStack,
    pkey::Id,
    x509::{X509, X509NameRef, X509Ref},
};

use super::recent::{Recent, digest};
use crate::xml::Element;

thread_local! {
    /// What this thread has written lately of the same certificates.
    static WRITTEN: RefCell<Recent<Rc<Vec<Element>>>> = const { RefCell::new(Recent::new(8)) };
    /// What it has read lately of the same PEM texts.
    static READ: RefCell<Recent<Rc<Vec<X509>>>> = const { RefCell::new(Recent::new(32)) };
}

/// Describes a certificate the way `action=get` shows it; without a private key.
pub(crate) fn certificate_entry(name: &str, chain: &[X509]) -> Result<Element, ErrorStack> {
    let der = chain.iter().map(|one| one.to_der()).collect::<Result<Vec<_>, _>>()?;
    let written = WRITTEN.with_borrow_mut(|written| {
        written.get_or(digest(der.iter().map(Vec::as_slice)), || description(chain).map(Rc::new))
    })?;
    Ok(Element::entry(name).with(written.iter().cloned()))
}

fn description(chain: &[X509]) -> Result<Vec<Element>, ErrorStack> {
    let Some(leaf) = chain.first() else {
        return Ok(Vec::new());
    };
    let common_name = leaf.subject_name().entries().find_map(|entry| {
        let is_cn = entry.object().nid() == openssl::nid::Nid::COMMONNAME;
        is_cn.then(|| text(entry.data().as_slice()))
    });
    let epoch = Asn1Time::from_unix(0)?.diff(leaf.not_after())?;
    let epoch = i64::from(epoch.days) * 86_400 + i64::from(epoch.secs);
    let algorithm = match leaf.public_key()?.id() {
        Id::RSA => "RSA",
        Id::EC => "EC",
        _ => "unknown",
    };
    let mut pem = String::new();
    for certificate in chain {
        pem.push_str(&text(&certificate.to_pem()?));
    }
    let hash = |hash: u32| format!("{hash:08x}");
    Ok(Element::default()
        .child(Element::leaf("subject-hash", hash(leaf.subject_name_hash())))
        .child(Element::leaf("issuer-hash", hash(leaf.issuer_name_hash())))
        .child(Element::leaf("not-valid-before", date(leaf.not_before())))
        .child(Element::leaf("issuer", slashes(leaf.issuer_name())))
        .child(Element::leaf("not-valid-after", date(leaf.not_after())))
        .with(common_name.map(|name| Element::leaf("common-name", name)))
        .child(Element::leaf("expiry-epoch", epoch.to_string()))
        .child(Element::leaf("ca", if is_ca(leaf) { "yes" } else { "no" }))
        .child(Element::leaf("subject", slashes(leaf.subject_name())))
        .child(Element::leaf("public-key", pem))
        .child(Element::leaf("algorithm", algorithm))
        .children)
}

/// The certificates of an entry, leaf first; none for what cannot be read.
pub(crate) fn certificates_in(entry: &Element) -> Rc<Vec<X509>> {
    let read = entry.text_of("public-key").map(str::as_bytes).and_then(|pem| {
        READ.with_borrow_mut(|read| read.get_or(digest([pem]), || X509::stack_from_pem(pem).map(Rc::new)))
            .ok()
    });
    read.unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `Nov 22 00:58:49 2026 GMT`, which is how OpenSSL prints it too.
fn date(time: &Asn1TimeRef) -> String {
    time.to_string()
}

/// `/C=NL/CN=vpn.example.test`.
fn slashes(name: &X509NameRef) -> String {
    let mut line = String::new();
    for entry in name.entries() {
        let key = entry.object().nid().short_name().unwrap_or("?");
        // Writing to a string does not fail.
        let _ = write!(line, "/{key}={}", text(entry.data().as_slice()));
    }
    line
}

/// OpenSSL offers no view of the basic constraints, but prints them.
fn is_ca(certificate: &X509Ref) -> bool {
    certificate.to_text().is_ok_and(|printed| text(&printed).contains("CA:TRUE"))
}
