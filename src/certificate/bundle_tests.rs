#![allow(clippy::unwrap_used)]

use super::*;
use crate::certificate::testing::{self, CertificateSpec, DAY, Issued, KeyKind};
use crate::certificate::validity::time;
use chrono::TimeDelta;
use openssl::asn1::Asn1Time;
use openssl::rsa::Rsa;
use secrecy::ExposeSecret;
use std::path::PathBuf;

const NAME: &str = "gp.example.com";

struct Folder {
    _folder: tempfile::TempDir,
    source: Source,
}

fn folder(issued: &Issued) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = issued.write(folder.path(), NAME);
    Folder { _folder: folder, source: Source { certificate, key, chain: None } }
}

/// With the key from its file.
fn keypair(bundle: &Bundle) -> Result<crate::certificate::SecretBytes, crate::certificate::Pkcs12Error> {
    crate::certificate::pem_keypair::write(bundle, &bundle.key().unwrap(), None)
}

fn issue(request: &CertificateSpec) -> Issued {
    testing::root("Root", KeyKind::P256).issue(request)
}

fn refusal(request: &CertificateSpec) -> BundleError {
    Bundle::load(&folder(&issue(request)).source, NAME).unwrap_err()
}

#[test]
fn what_certmonger_left_becomes_a_bundle_with_all_its_facts() {
    let issued = issue(&CertificateSpec::default().key(KeyKind::Rsa(2048)));
    let place = folder(&issued);
    let bundle = Bundle::load(&place.source, NAME).unwrap();
    assert_eq!(bundle.common_name(), NAME);
    assert_eq!(bundle.subject(), "CN=gp.example.com");
    assert_eq!(bundle.leaf_der(), issued.certificate.to_der().unwrap());
    assert_eq!(bundle.leaf_pem().unwrap(), issued.certificate_pem());
    let digest = issued.certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    assert_eq!(bundle.fingerprint().as_bytes(), &*digest);
    assert_eq!(bundle.key_algorithm(), KeyAlgorithm::Rsa(2048));
    let serial = bundle.serial_hex().unwrap();
    assert_eq!(
        openssl::bn::BigNum::from_hex_str(&serial).unwrap(),
        issued.certificate.serial_number().to_bn().unwrap()
    );
    assert_eq!(serial, serial.to_lowercase());
    assert!((bundle.not_after() - Utc::now() - TimeDelta::days(90)).abs() < TimeDelta::minutes(5));
    assert!((Utc::now() - bundle.not_before() - TimeDelta::days(1)).abs() < TimeDelta::minutes(5));
    assert!(bundle.chain().is_empty() && bundle.notes().is_empty());
}

#[test]
fn times_before_1970_and_after_2049_are_read_right() {
    let read = |text: &str| time(&Asn1Time::from_str_x509(text).unwrap()).unwrap().to_rfc3339();
    assert_eq!(read("691231235959Z"), "1969-12-31T23:59:59+00:00");
    assert_eq!(read("491231235959Z"), "2049-12-31T23:59:59+00:00");
    assert_eq!(read("20500101000000Z"), "2050-01-01T00:00:00+00:00");
    assert_eq!(read("99991231235959Z"), "9999-12-31T23:59:59+00:00");
}

#[test]
fn expired_and_not_yet_valid_certificates_are_refused_with_the_date() {
    let expired = refusal(&CertificateSpec::default().valid(-2 * DAY, -DAY));
    let text = expired.to_string();
    assert!(matches!(expired, BundleError::Expired { since, .. } if since < Utc::now()), "{text}");
    assert!(text.contains("the certificate CN=gp.example.com in ") && text.ends_with(" UTC"), "{text}");
    let early = refusal(&CertificateSpec::default().valid(DAY, 2 * DAY));
    assert!(matches!(early, BundleError::NotYetValid { from, .. } if from > Utc::now()), "{early}");
}

#[test]
fn the_first_and_the_last_second_are_valid_and_their_neighbours_are_not() {
    let place = folder(&issue(&CertificateSpec::default()));
    let bundle = Bundle::load(&place.source, NAME).unwrap();
    let (first, last, second) = (bundle.not_before(), bundle.not_after(), TimeDelta::seconds(1));
    let at = |now| Bundle::load_at(&place.source, NAME, now);
    assert!(at(first).is_ok() && at(last).is_ok());
    assert!(matches!(at(first - second), Err(BundleError::NotYetValid { .. })));
    assert!(matches!(at(last + second), Err(BundleError::Expired { .. })));
}

#[test]
fn a_certificate_for_another_name_is_refused_with_the_names_it_has() {
    let error = refusal(&CertificateSpec::named("www.example.com").san("web.example.com"));
    let text = error.to_string();
    assert!(text.ends_with("is not for gp.example.com, but for www.example.com, web.example.com"), "{text}");
}

#[test]
fn a_wildcard_certificate_serves_a_name_below_it() {
    let place = folder(&issue(&CertificateSpec::nameless().san("*.example.com")));
    assert!(Bundle::load(&place.source, NAME).is_ok());
}

#[test]
fn a_key_of_another_certificate_is_refused_and_both_files_are_named() {
    let place = folder(&issue(&CertificateSpec::default()));
    testing::write(&place.source.key, issue(&CertificateSpec::default()).key_pem().as_bytes(), 0o600);
    let error = Bundle::load(&place.source, NAME).unwrap_err();
    assert!(matches!(error, BundleError::KeyMismatch { .. }));
    let text = error.to_string();
    assert!(text.contains("/gp.example.com.key ") && text.ends_with("/gp.example.com.crt"), "{text}");
}

#[test]
fn only_the_first_certificate_of_the_file_counts() {
    let root = testing::root("Root", KeyKind::P256);
    let issued = root.issue(&CertificateSpec::default());
    let place = folder(&issued);
    let both = issued.certificate_pem() + &root.certificate_pem();
    testing::write(&place.source.certificate, both.as_bytes(), 0o644);
    let bundle = Bundle::load(&place.source, NAME).unwrap();
    assert_eq!(bundle.leaf_der(), issued.certificate.to_der().unwrap());
    assert!(bundle.chain().is_empty());
}

#[test]
fn bad_certificate_files_are_told_apart() {
    let issued = issue(&CertificateSpec::default());
    let place = folder(&issued);
    let with = |bytes: &[u8]| {
        testing::write(&place.source.certificate, bytes, 0o644);
        Bundle::load(&place.source, NAME).unwrap_err()
    };
    assert!(matches!(with(b""), BundleError::Empty { .. }));
    assert!(matches!(with(b"\x7fELF\0\0"), BundleError::NotPem { .. }));
    assert!(matches!(with(issued.key_pem().as_bytes()), BundleError::NothingThere { .. }));
    assert!(matches!(with(&issued.certificate_pem().as_bytes()[..200]), BundleError::Damaged { .. }));
    let der = with(&issued.certificate.to_der().unwrap());
    assert!(der.to_string().contains("binary form (DER)"), "{der}");
    assert!(der.advice().unwrap().starts_with("convert it: openssl x509 -inform DER"));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_with_the_limit_and_not_read() {
    let place = folder(&issue(&CertificateSpec::default()));
    for path in [&place.source.certificate, &place.source.key] {
        let before = std::fs::read(path).unwrap();
        std::fs::write(path, vec![b'a'; 10 << 20]).unwrap();
        let error = Bundle::load(&place.source, NAME).unwrap_err().to_string();
        assert!(error.ends_with("holds more than 1024 KiB, the most that is read"), "{error}");
        std::fs::write(path, before).unwrap();
    }
}

#[test]
fn missing_files_folders_and_fifos_are_errors_and_nothing_waits() {
    let place = folder(&issue(&CertificateSpec::default()));
    let with = |path: PathBuf| Bundle::load(&Source { key: path, ..place.source.clone() }, NAME).unwrap_err();
    let top = place.source.key.parent().unwrap().to_path_buf();
    assert!(matches!(with(top.join("none")), BundleError::Missing { .. }));
    assert!(matches!(with(top.clone()), BundleError::NotAFile { found: "a directory", .. }));
    let fifo = top.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(with(fifo), BundleError::NotAFile { found: "a FIFO", .. }));
}

#[test]
fn what_may_not_be_read_ends_with_what_helps() {
    let error = BundleError::Unreadable { role: Role::Key, path: "/etc/ssl/private/a.key".into() };
    assert_eq!(
        error.to_string(),
        format!(
            "no permission to read the private key file /etc/ssl/private/a.key; {}",
            crate::files::instead_of_denied()
        )
    );
}

#[test]
fn the_chain_of_a_live_folder_is_read_ordered_and_checked() {
    let root = testing::root("Root", KeyKind::P256);
    let upper = root.intermediate("Upper", KeyKind::P256);
    let lower = upper.intermediate("Lower", KeyKind::P256);
    let leaf = lower.issue(&CertificateSpec::default());
    let top = tempfile::tempdir().unwrap();
    let live = top.path().join(NAME);
    std::fs::create_dir(&live).unwrap();
    leaf.write_live(&live, &[&root, &upper, &lower]);
    let source = Source::locate(NAME, &live, &live).unwrap();
    let bundle = Bundle::load(&source, NAME).unwrap();
    let ders: Vec<_> = bundle.chain().iter().map(|certificate| certificate.to_der().unwrap()).collect();
    assert_eq!(ders, [lower.certificate.to_der().unwrap(), upper.certificate.to_der().unwrap()]);
    assert_eq!(bundle.notes().len(), 1);

    let full = source.with_chain(Some(live.join("fullchain.pem")));
    assert_eq!(Bundle::load(&full, NAME).unwrap().chain().len(), 2);
}

#[test]
fn an_expired_intermediate_is_refused_by_name() {
    let root = testing::root("Root", KeyKind::P256);
    let stale = root.intermediate_with(&CertificateSpec::named("Stale").valid(-20 * DAY, -DAY));
    let place = folder(&stale.issue(&CertificateSpec::default()));
    let chain = place.source.key.with_file_name("chain.pem");
    testing::write(&chain, stale.certificate_pem().as_bytes(), 0o644);
    let error = Bundle::load(&place.source.clone().with_chain(Some(chain)), NAME).unwrap_err();
    assert!(matches!(error, BundleError::Expired { subject, .. } if subject == "CN=Stale"));
}

#[test]
fn the_pem_keypair_is_key_leaf_and_intermediates_in_this_order() {
    let root = testing::root("Root", KeyKind::P256);
    let lower = root.intermediate("Lower", KeyKind::P256);
    let issued = lower.issue(&CertificateSpec::default().key(KeyKind::Rsa(2048)));
    let place = folder(&issued);
    // A key in the older form leaves as PKCS#8 all the same.
    let old = issued.key.rsa().unwrap().private_key_to_pem().unwrap();
    testing::write(&place.source.key, &old, 0o600);
    let chain = place.source.key.with_file_name("chain.pem");
    testing::write(&chain, lower.certificate_pem().as_bytes(), 0o644);
    let bundle = Bundle::load(&place.source.clone().with_chain(Some(chain)), NAME).unwrap();
    let wanted = issued.key_pem() + &issued.certificate_pem() + &lower.certificate_pem();
    assert_eq!(keypair(&bundle).unwrap().expose_secret(), wanted.as_bytes());
    assert!(Rsa::private_key_from_pem(keypair(&bundle).unwrap().expose_secret()).is_ok());
}

#[test]
fn debug_output_of_a_bundle_holds_no_key() {
    let issued = issue(&CertificateSpec::default());
    let place = folder(&issued);
    let bundle = Bundle::load(&place.source, NAME).unwrap();
    let text = format!("{bundle:?} {:?} {:?}", bundle.key().unwrap(), keypair(&bundle).unwrap());
    assert!(!text.contains("PRIVATE") && !text.contains(&issued.key_pem()[40..80]), "{text}");
    assert!(text.contains(&bundle.fingerprint().to_string()));
}

#[test]
fn a_key_file_that_holds_another_key_by_now_is_found_out_where_the_key_is_used() {
    let place = folder(&issue(&CertificateSpec::default()));
    let bundle = Bundle::load(&place.source, NAME).unwrap();
    assert!(bundle.key().is_ok());
    testing::write(&place.source.key, issue(&CertificateSpec::default()).key_pem().as_bytes(), 0o600);
    assert!(matches!(bundle.key(), Err(BundleError::KeyMismatch { .. })));
    std::fs::remove_file(&place.source.key).unwrap();
    assert!(matches!(bundle.key(), Err(BundleError::Missing { role: Role::Key, .. })));
}
