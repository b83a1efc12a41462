//! Certificate, key and chain: what is taken for a bundle belongs together.
//!
//! The first byte says how the rest is meant: as the files themselves, or as DER that is put into PEM. The three parts
//! are separated by `=====`.
#![no_main]

use std::cell::OnceCell;
use std::path::Path;

use chrono::{DateTime, Utc};
use fuzz::{Place, is_readable};
use libfuzzer_sys::fuzz_target;
use openssl::pkey::PKey;
use openssl::x509::X509;
use pancert::certificate::{Bundle, SeenCertificate, Source, fingerprint_of_pem};
use panos_xmlapi::{CaFile, Host, Trust};
use secrecy::ExposeSecret as _;

#[path = "../../tests/common/pki.rs"]
mod pki;

thread_local!(static PLACE: OnceCell<Place> = const { OnceCell::new() });

const BETWEEN: &[u8] = b"=====";
const NAME: &str = "gp.example.com";

fuzz_target!(init: {
    // Keys are made anew each time: none is stored with the source.
    if let Some(corpus) = std::env::var_os("FUZZ_SEEDS") {
        seeds(Path::new(&corpus));
    }
}, |data: &[u8]| PLACE.with(|place| {
    let Some((first, data)) = data.split_first() else { return };
    let place = place.get_or_init(Place::new);
    let mut parts = split(data);
    parts.resize(3, &[]);
    let labels = ["CERTIFICATE", if first & 2 == 0 { "PRIVATE KEY" } else { "EC PRIVATE KEY" }, "CERTIFICATE"];
    let mut files = Vec::new();
    for (part, label) in parts.iter().zip(labels) {
        files.push(if first & 1 == 0 { part.to_vec() } else { pem(label, part).into_bytes() });
    }
    let paths: Vec<_> =
        ["crt", "key", "chain"].iter().zip(&files).map(|(ending, file)| place.put(&format!("{NAME}.{ending}"), file)).collect();
    let source = Source {
        certificate: paths[0].clone(),
        key: paths[1].clone(),
        chain: (!parts[2].is_empty()).then(|| paths[2].clone()),
    };
    let now: DateTime<Utc> = Utc::now();
    match Bundle::load_at(&source, NAME, now) {
        Ok(bundle) => belongs_together(&bundle, now),
        Err(error) => is_readable(&error.to_string()),
    }
    let text = String::from_utf8_lossy(&files[0]);
    let seen = SeenCertificate::of_pem(&text);
    if let Ok(seen) = &seen {
        is_readable(&seen.subject);
        is_readable(&seen.issuer);
    }
    let _ = fingerprint_of_pem(&text);
    let trust = Trust::Ca { files: vec![CaFile::new(&paths[2])] };
    if let Err(error) = trust.check(&Host::Name(NAME.to_owned())) {
        is_readable(&error.to_string());
    }
}));

fn belongs_together(bundle: &Bundle, now: DateTime<Utc>) {
    assert!(bundle.not_before() <= now && now <= bundle.not_after());
    is_readable(&bundle.subject());
    let key = bundle.key().expect("its key is still there");
    let pem = pancert::certificate::pem_keypair::write(bundle, &key, None).expect("it can be written");
    let leaf = X509::from_pem(pem.expose_secret()).expect("the leaf");
    let key = PKey::private_key_from_pem(pem.expose_secret()).expect("the key");
    assert!(leaf.public_key().expect("its key").public_eq(&key));
    let _ = (bundle.serial_hex(), bundle.key_algorithm(), bundle.notes());
    let mut below = leaf;
    for above in bundle.chain() {
        assert!(below.verify(&above.public_key().expect("a key")).expect("verified"), "a chain with a gap");
        below = above.clone();
    }
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        parts.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = openssl::base64::encode_block(der);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn seeds(corpus: &Path) {
    let root = pki::root("Root", pki::KeyKind::P256);
    let middle = root.intermediate("Middle", pki::KeyKind::P256);
    for kind in [pki::KeyKind::P256, pki::KeyKind::Ed25519, pki::KeyKind::Rsa(2048)] {
        let leaf = middle.issue(&pki::CertificateSpec::named(NAME).san("*.example.com").key(kind));
        let as_pem = [
            b"\0".to_vec(),
            leaf.certificate_pem().into_bytes(),
            BETWEEN.to_vec(),
            leaf.key_pem().into_bytes(),
            BETWEEN.to_vec(),
            middle.certificate_pem().into_bytes(),
            root.certificate_pem().into_bytes(),
        ];
        let as_der = [
            b"\x01".to_vec(),
            leaf.certificate.to_der().expect("DER"),
            BETWEEN.to_vec(),
            leaf.key.private_key_to_pkcs8().expect("DER"),
            BETWEEN.to_vec(),
            middle.certificate.to_der().expect("DER"),
        ];
        for (form, seed) in [("pem", as_pem.concat()), ("der", as_der.concat())] {
            std::fs::write(corpus.join(format!("seed-{kind:?}-{form}")), seed).expect("a seed");
        }
    }
}
