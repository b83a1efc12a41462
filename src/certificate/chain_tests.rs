#![allow(clippy::unwrap_used)]

use std::time::Instant;

use super::*;
use crate::certificate::testing::{self, CertificateSpec, DAY, Issued, KeyKind};

struct World {
    root: Issued,
    upper: Issued,
    lower: Issued,
    leaf: Issued,
}

fn world() -> World {
    let root = testing::root("Root", KeyKind::P256);
    let upper = root.intermediate("Upper", KeyKind::P256);
    let lower = upper.intermediate("Lower", KeyKind::P256);
    let leaf = lower.issue(&CertificateSpec::default());
    World { root, upper, lower, leaf }
}

fn built(leaf: &Issued, pool: &[&Issued]) -> Result<Chain, BundleError> {
    let pool = pool.iter().map(|issued| issued.certificate.clone()).collect();
    build(Path::new("chain.pem"), &leaf.certificate, pool, Utc::now())
}

fn names(chain: &Chain) -> Vec<String> {
    chain.certificates.iter().map(|certificate| name::subject(certificate)).collect()
}

fn is(certificate: &X509, issued: &Issued) -> bool {
    certificate.to_der().unwrap() == issued.certificate.to_der().unwrap()
}

/// Each order of a few things.
fn orders<'a>(of: &[&'a Issued]) -> Vec<Vec<&'a Issued>> {
    let [first, rest @ ..] = of else { return vec![Vec::new()] };
    let insert = |order: Vec<&'a Issued>| {
        let at = |at: usize| [&order[..at], &[*first], &order[at..]].concat();
        (0..=order.len()).map(at).collect::<Vec<_>>()
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

#[test]
fn any_order_is_put_in_order_from_the_leaf_upwards() {
    let World { upper, lower, leaf, .. } = &world();
    for pool in [[upper, lower], [lower, upper]] {
        let chain = built(leaf, &pool).unwrap();
        assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
        assert!(chain.notes.is_empty() && chain.is_asked_for);
    }
}

#[test]
fn what_is_not_needed_is_left_out_with_a_note() {
    let World { root, upper, lower, leaf } = &world();
    let foreign_root = testing::root("Foreign Root", KeyKind::P256);
    let foreign = foreign_root.intermediate("Foreign", KeyKind::P256);
    let stale = upper.intermediate_with(&CertificateSpec::named("Stale").valid(-9 * DAY, -DAY));
    let chain = built(leaf, &[root, &foreign, leaf, upper, &stale, lower, upper, &foreign_root]).unwrap();
    assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
    assert_eq!(
        chain.notes,
        [
            "left out of the chain in chain.pem: CN=Root (a root: whoever trusts it has it), CN=Foreign (not needed), CN=Stale (expired or not valid yet), CN=Foreign Root (a root: whoever trusts it has it)"
        ]
    );
    // The note stays short.
    let many: Vec<Issued> =
        (0..20).map(|at| foreign_root.intermediate(&format!("Foreign {at}"), KeyKind::P256)).collect();
    let pool: Vec<&Issued> = many.iter().chain([lower, upper]).collect();
    assert!(built(leaf, &pool).unwrap().notes[0].ends_with("CN=Foreign 4 (not needed), and 15 more"));
}

#[test]
fn a_leaf_below_a_root_of_the_file_needs_no_chain() {
    let World { root, .. } = &world();
    let leaf = root.issue(&CertificateSpec::default());
    assert!(built(&leaf, &[root]).unwrap().certificates.is_empty());
    let itself = testing::self_signed(&CertificateSpec::default());
    assert!(built(&itself, &[&itself]).unwrap().certificates.is_empty());
}

/// FreeIPA's CA, renewed by an external one: two certificates of the same name and key.
#[test]
fn of_an_authority_that_was_renewed_the_certificate_that_is_valid_longest_is_taken() {
    let external = testing::root("External CA", KeyKind::P256);
    let renewal = |ends_in: i64, key: &Issued| {
        let spec = CertificateSpec::named("Certificate Authority").valid(-DAY, ends_in);
        external.intermediate_for_key(&spec, key.key.clone())
    };
    let first =
        external.intermediate_with(&CertificateSpec::named("Certificate Authority").valid(-DAY, 100 * DAY));
    let (second, expired) = (renewal(3000 * DAY, &first), renewal(-DAY / 2, &first));
    let leaf = first.issue(&CertificateSpec::default());
    for pool in orders(&[&first, &second, &expired, &external]) {
        let chain = built(&leaf, &pool).unwrap();
        assert_eq!(chain.certificates.len(), 1);
        assert!(is(&chain.certificates[0], &second));
        assert!(chain.notes[0].contains("another one of the same authority is valid for longer"));
    }
    // Only what is over is left: that is told by its name.
    let refused = built(&leaf, &[&expired, &external]).unwrap_err();
    assert!(matches!(refused, BundleError::Expired { subject, .. } if subject == "CN=Certificate Authority"));
}

#[test]
fn a_way_counts_as_a_whole_and_not_its_first_certificate() {
    let root = testing::root("Root", KeyKind::P256);
    let short = root.intermediate_with(&CertificateSpec::named("Short").valid(-DAY, 50 * DAY));
    let long = root.intermediate_with(&CertificateSpec::named("Long").valid(-DAY, 900 * DAY));
    let below_long = long.intermediate_with(&CertificateSpec::named("Issuing").valid(-DAY, 400 * DAY));
    let spec = CertificateSpec::named("Issuing").valid(-DAY, 1800 * DAY);
    let below_short = short.intermediate_for_key(&spec, below_long.key.clone());
    let leaf = below_long.issue(&CertificateSpec::default());
    for pool in orders(&[&short, &long, &below_long, &below_short]) {
        let chain = built(&leaf, &pool).unwrap();
        assert_eq!(names(&chain), ["CN=Issuing", "CN=Long"]);
        assert!(is(&chain.certificates[0], &below_long));
    }
    // One way ends at an authority whose time is over: the other one is taken, and none where there is no other.
    let over = root.intermediate_with(&CertificateSpec::named("Short").valid(-9 * DAY, -DAY));
    let below_over = over.intermediate_for_key(&spec, below_long.key.clone());
    let chain = built(&leaf, &[&over, &below_over, &long, &below_long]).unwrap();
    assert_eq!(names(&chain), ["CN=Issuing", "CN=Long"]);
    assert!(matches!(built(&leaf, &[&over, &below_over]), Err(BundleError::Expired { .. })));
}

#[test]
fn a_missing_issuer_is_named() {
    let World { upper, leaf, .. } = &world();
    let error = built(leaf, &[upper]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the chain file chain.pem does not hold the issuer of CN=gp.example.com: missing is CN=Lower"
    );
    let impostor = upper.intermediate("Lower", KeyKind::P256);
    let error = built(leaf, &[&impostor, upper]).unwrap_err();
    assert!(error.to_string().ends_with("(one of that name is in it, but with another key)"), "{error}");
}

#[test]
fn without_key_identifiers_it_is_the_signature_that_decides() {
    let above = testing::root("Root", KeyKind::P256);
    let (right, wrong) =
        (above.intermediate("Twin", KeyKind::P256), above.intermediate("Twin", KeyKind::P256));
    let leaf = right.issue(&CertificateSpec::default().without_identifiers());
    for pool in orders(&[&right, &wrong]) {
        let chain = built(&leaf, &pool).unwrap();
        assert!(is(&chain.certificates[0], &right) && chain.certificates.len() == 1);
    }
}

#[test]
fn a_cross_signed_certificate_is_preferred_to_the_root_of_the_same_key() {
    let World { root, upper, lower, leaf } = &world();
    let older = testing::root("Older Root", KeyKind::P256);
    let cross = older.cross_sign(root);
    let chain = built(leaf, &[root, &cross, upper, lower]).unwrap();
    assert_eq!(names(&chain), ["CN=Lower", "CN=Upper", "CN=Root"]);
    assert!(is(&chain.certificates[2], &cross));
    // Unless it leads to something whose time is over.
    let over = older.intermediate_with(&CertificateSpec::named("Over").valid(-9 * DAY, -DAY));
    let cross = over.cross_sign(root);
    let chain = built(leaf, &[root, &cross, &over, upper, lower]).unwrap();
    assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
}

#[test]
fn two_authorities_that_signed_each_other_do_not_make_an_endless_chain() {
    let one = testing::root("One", KeyKind::P256);
    let two = testing::root("Two", KeyKind::P256);
    let (one_by_two, two_by_one) = (two.cross_sign(&one), one.cross_sign(&two));
    let leaf = one.issue(&CertificateSpec::default());
    let chain = built(&leaf, &[&one_by_two, &two_by_one]).unwrap();
    assert_eq!(names(&chain), ["CN=One", "CN=Two"]);
}

/// Forty authorities of one name, each signed by each: more ways than atoms.
#[test]
fn a_hostile_file_ends_in_a_path_or_an_error_soon() {
    let authorities: Vec<Issued> = (0..20).map(|_| testing::root("Same", KeyKind::P256)).collect();
    let mut pool = Vec::new();
    for above in &authorities {
        for below in &authorities {
            let spec = CertificateSpec::named("Same").without_identifiers();
            pool.push(above.intermediate_for_key(&spec, below.key.clone()));
        }
    }
    let leaf = authorities[7].issue(&CertificateSpec::default().without_identifiers());
    let pool: Vec<&Issued> = pool.iter().collect();
    let begun = Instant::now();
    let ended = built(&leaf, &pool);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    match ended {
        Ok(chain) => assert!(chain.certificates.len() <= DEPTH),
        Err(error) => assert!(matches!(error, BundleError::TooMany { .. }), "{error}"),
    }
}

#[test]
fn a_chain_file_without_certificates_or_with_a_damaged_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.pem");
    let World { lower, leaf, .. } = &world();
    let good = lower.certificate_pem();
    let refused = |text: &str| {
        testing::write(&path, text.as_bytes(), 0o644);
        load(&path, &leaf.certificate, Utc::now()).unwrap_err()
    };
    assert!(matches!(refused("\n"), BundleError::Empty { .. }));
    assert!(matches!(refused("nothing"), BundleError::NotPem { .. }));
    assert!(matches!(refused(&leaf.key_pem()), BundleError::NothingThere { .. }));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(refused(&format!("{good}{broken}")), BundleError::Damaged { .. }));
    assert!(matches!(refused(&format!("{broken}{good}")), BundleError::Damaged { .. }));
    let cut = &good[..good.len() / 2];
    assert!(matches!(refused(&format!("{good}{cut}")), BundleError::Damaged { .. }));
    assert!(matches!(refused(&good.repeat(501)), BundleError::TooMany { .. }));
}
