//! The intermediate certificates: read in any order, put in order, each proven to have signed the one before.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::error::{BundleError, Role};
use super::{files, name, pem};

/// Intermediates from the leaf's issuer upwards, and what was left out and why.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) certificates: Vec<X509>,
    pub(super) notes: Vec<String>,
}

/// What is noted where a chain file holds the leaf.
pub(super) const HOLDS_LEAF: &str =
    "the chain file holds the certificate itself too; it was left out of the chain";

/// Reads a chain file and puts it in order above the leaf.
pub(super) fn load(path: &Path, leaf: &X509Ref) -> Result<Chain, BundleError> {
    order(path, leaf, read(path)?)
}

fn read(path: &Path) -> Result<Vec<X509>, BundleError> {
    let bytes = files::read_pem(path, Role::Chain)?;
    let begun = pem::certificates_begun(&bytes);
    let certificates = X509::stack_from_pem(&bytes).unwrap_or_default();
    match (begun, certificates.len()) {
        (0, _) => Err(BundleError::NothingThere { role: Role::Chain, path: path.to_owned() }),
        (begun, read) if begun != read => {
            Err(BundleError::Damaged { role: Role::Chain, path: path.to_owned() })
        }
        _ => Ok(certificates),
    }
}

fn order(path: &Path, leaf: &X509Ref, mut pool: Vec<X509>) -> Result<Chain, BundleError> {
    let mut chain = Chain::default();
    let leaf_digest = digest(leaf)?;
    let mut seen = vec![leaf_digest];
    let mut unique = Vec::with_capacity(pool.len());
    for certificate in pool.drain(..) {
        let digest = digest(&certificate)?;
        if digest == leaf_digest {
            chain.notes.push(HOLDS_LEAF.to_owned());
        } else if !seen.contains(&digest) {
            seen.push(digest);
            unique.push(certificate);
        }
    }
    // Roots last: where an intermediate has both a root's certificate and a cross-signed one, the
    // cross-signed one leads further up, and it is the one a client may need.
    let mut roots = Vec::new();
    for certificate in unique {
        if signed(&certificate, &certificate)? { roots.push(certificate) } else { pool.push(certificate) }
    }

    let mut last = leaf.to_owned();
    while let Some(position) = position_of_issuer(&pool, &last)? {
        last = pool.remove(position);
        chain.certificates.push(last.clone());
    }
    for root in roots {
        if !signed_any(&root, leaf, &chain.certificates)? {
            return Err(stranger(path, &root, leaf));
        }
        chain.notes.push(format!(
            "the root {} was left out of the chain: whoever trusts it has it already",
            name::subject(&root)
        ));
    }
    match pool.first() {
        Some(left_over) => Err(stranger(path, left_over, leaf)),
        None => Ok(chain),
    }
}

fn position_of_issuer(pool: &[X509], of: &X509Ref) -> Result<Option<usize>, ErrorStack> {
    for (position, candidate) in pool.iter().enumerate() {
        if signed(candidate, of)? {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

fn signed_any(issuer: &X509Ref, leaf: &X509Ref, chain: &[X509]) -> Result<bool, ErrorStack> {
    if signed(issuer, leaf)? {
        return Ok(true);
    }
    for certificate in chain {
        if signed(issuer, certificate)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By name, key identifier and permitted use first, as that is cheap, then by the signature itself.
fn signed(issuer: &X509Ref, subject: &X509Ref) -> Result<bool, ErrorStack> {
    if issuer.issued(subject) != X509VerifyResult::OK {
        return Ok(false);
    }
    let key = issuer.public_key()?;
    // A signature that can't be checked was not made by this key; its error must not linger.
    Ok(subject.verify(&key).unwrap_or(false))
}

fn digest(certificate: &X509Ref) -> Result<[u8; 32], ErrorStack> {
    Ok(openssl::sha::sha256(&certificate.to_der()?))
}

fn stranger(path: &Path, certificate: &X509Ref, leaf: &X509Ref) -> BundleError {
    let (subject, leaf) = (name::subject(certificate), name::subject(leaf));
    BundleError::NotInChain { path: path.to_owned(), subject, leaf }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::testing::{self, CertificateSpec, Issued, KeyKind};

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

    fn ordered(leaf: &Issued, pool: &[&Issued]) -> Result<Chain, BundleError> {
        let pool = pool.iter().map(|issued| issued.certificate.clone()).collect();
        order(Path::new("chain.pem"), &leaf.certificate, pool)
    }

    fn names(chain: &Chain) -> Vec<String> {
        chain.certificates.iter().map(|certificate| name::subject(certificate)).collect()
    }

    #[test]
    fn any_order_is_put_in_order_from_the_leaf_upwards() {
        let World { upper, lower, leaf, .. } = &world();
        for pool in [[upper, lower], [lower, upper]] {
            let chain = ordered(leaf, &pool).unwrap();
            assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
            assert!(chain.notes.is_empty());
        }
    }

    #[test]
    fn a_root_that_signed_part_of_the_chain_is_dropped_with_a_note() {
        let World { root, upper, lower, leaf } = &world();
        let chain = ordered(leaf, &[root, upper, lower]).unwrap();
        assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
        assert_eq!(
            chain.notes,
            ["the root CN=Root was left out of the chain: whoever trusts it has it already"]
        );
    }

    #[test]
    fn the_leaf_itself_and_doubles_do_no_harm() {
        let World { upper, lower, leaf, .. } = &world();
        let chain = ordered(leaf, &[leaf, lower, upper, lower]).unwrap();
        assert_eq!(names(&chain), ["CN=Lower", "CN=Upper"]);
        assert_eq!(chain.notes.len(), 1);
    }

    #[test]
    fn a_certificate_of_another_chain_is_refused_by_name() {
        let World { upper, lower, leaf, .. } = &world();
        let foreign_root = testing::root("Foreign Root", KeyKind::P256);
        let foreign = foreign_root.intermediate("Foreign", KeyKind::P256);
        for stranger in [&foreign, &foreign_root] {
            let error = ordered(leaf, &[lower, upper, stranger]).unwrap_err();
            let subject = name::subject(&stranger.certificate);
            assert!(
                error.to_string().starts_with(&format!("{subject} in the chain file chain.pem ")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_chain_with_a_gap_is_refused_and_not_cut_short() {
        let World { upper, leaf, .. } = &world();
        let error = ordered(leaf, &[upper]).unwrap_err();
        assert!(matches!(error, BundleError::NotInChain { subject, .. } if subject == "CN=Upper"));
    }

    #[test]
    fn an_impostor_with_the_right_name_but_another_key_is_refused() {
        let World { upper, leaf, .. } = &world();
        let impostor = upper.intermediate("Lower", KeyKind::P256);
        assert!(matches!(ordered(leaf, &[&impostor, upper]), Err(BundleError::NotInChain { .. })));
    }

    #[test]
    fn without_key_identifiers_it_is_the_signature_that_decides() {
        let right = testing::root("Twin", KeyKind::P256);
        let wrong = testing::root("Twin", KeyKind::P256);
        let leaf = right.issue(&CertificateSpec::default().without_identifiers());
        assert!(signed(&right.certificate, &leaf.certificate).unwrap());
        assert!(!signed(&wrong.certificate, &leaf.certificate).unwrap());
    }

    #[test]
    fn a_cross_signed_certificate_is_preferred_to_the_root_of_the_same_key() {
        let World { root, upper, lower, leaf } = &world();
        let older = testing::root("Older Root", KeyKind::P256);
        let cross = older.cross_sign(root);
        let chain = ordered(leaf, &[root, &cross, upper, lower]).unwrap();
        assert_eq!(names(&chain), ["CN=Lower", "CN=Upper", "CN=Root"]);
        assert_eq!(chain.certificates[2].to_der().unwrap(), cross.certificate.to_der().unwrap());
    }

    #[test]
    fn two_authorities_that_signed_each_other_do_not_make_an_endless_chain() {
        let one = testing::root("One", KeyKind::P256);
        let two = testing::root("Two", KeyKind::P256);
        let (one_by_two, two_by_one) = (two.cross_sign(&one), one.cross_sign(&two));
        let leaf = one.issue(&CertificateSpec::default());
        let chain = ordered(&leaf, &[&one_by_two, &two_by_one]).unwrap();
        assert_eq!(names(&chain), ["CN=One", "CN=Two"]);
    }

    #[test]
    fn a_chain_file_without_certificates_or_with_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.pem");
        let World { lower, leaf, .. } = &world();
        let good = lower.certificate_pem();
        let refused = |text: &str| {
            testing::write(&path, text.as_bytes(), 0o644);
            load(&path, &leaf.certificate).unwrap_err()
        };
        assert!(matches!(refused("\n"), BundleError::Empty { .. }));
        assert!(matches!(refused("nothing"), BundleError::NotPem { .. }));
        assert!(matches!(refused(&leaf.key_pem()), BundleError::NothingThere { .. }));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(&format!("{good}{broken}")), BundleError::Damaged { .. }));
        assert!(matches!(refused(&format!("{broken}{good}")), BundleError::Damaged { .. }));
        let cut = &good[..good.len() / 2];
        assert!(matches!(refused(&format!("{good}{cut}")), BundleError::Damaged { .. }));
    }
}
