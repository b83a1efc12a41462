//! The intermediate certificates: of what a chain file holds, the path above the leaf, each proven to have signed the
//! one before.
//!
//! A chain file may hold more than one path: an authority whose certificate was renewed has two of the same name and
//! key, and one may be signed by several others. It may hold what belongs to no path at all. How much is looked at is
//! bounded, whatever is in the file.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::error::{BundleError, Role};
use super::validity::{Validity, validity};
use super::{files, name, pem};

/// How many certificates a chain file may hold: more than a whole store of roots has.
const CERTIFICATES: usize = 500;
/// How many intermediates a path may have.
const DEPTH: usize = 10;
/// How many signatures are checked, and how many steps are taken, until the best path so far is good enough.
const SIGNATURES: usize = 1_000;
const STEPS: usize = 5_000;
/// How many certificates that are left out are told by name.
const TOLD: usize = 5;

/// Intermediates from the leaf's issuer upwards, and what was left out and why.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) certificates: Vec<X509>,
    pub(super) notes: Vec<String>,
    /// Whether there was a chain file.
    pub(super) is_asked_for: bool,
}

/// Reads a chain file, and builds the path above the leaf.
pub(super) fn load(path: &Path, leaf: &X509Ref, now: DateTime<Utc>) -> Result<Chain, BundleError> {
    build(path, leaf, read(path)?, now)
}

fn read(path: &Path) -> Result<Vec<X509>, BundleError> {
    let bytes = files::read_pem(path, Role::Chain)?;
    let begun = pem::certificates_begun(&bytes);
    if begun > CERTIFICATES {
        return Err(BundleError::TooMany { path: path.to_owned(), limit: CERTIFICATES });
    }
    let certificates = X509::stack_from_pem(&bytes).unwrap_or_default();
    match (begun, certificates.len()) {
        (0, _) => Err(BundleError::NothingThere { role: Role::Chain, path: path.to_owned() }),
        (begun, read) if begun != read => {
            Err(BundleError::Damaged { role: Role::Chain, path: path.to_owned() })
        }
        _ => Ok(certificates),
    }
}

/// One certificate of the file.
struct Candidate {
    certificate: X509,
    validity: Validity,
    /// The first one of the same name and key: they have signed the same.
    entity: usize,
    /// It has issued itself: whoever trusts it has it.
    is_root: bool,
}

/// A way upwards: which candidates, and until when all of them are valid.
#[derive(Clone)]
struct Way {
    links: Vec<usize>,
    valid_until: DateTime<Utc>,
}

impl Way {
    /// Valid for longer, or else leading further up, where a client may need it.
    fn is_better_than(&self, other: &Self) -> bool {
        (self.valid_until, self.links.len()) > (other.valid_until, other.links.len())
    }
}

/// Who has signed something, what is valid for longest first.
#[derive(Clone, Default)]
struct Issuers {
    usable: Vec<usize>,
    /// The first one whose time is over, or has not come.
    out_of_date: Option<usize>,
    has_root: bool,
}

struct Search<'a> {
    leaf: &'a X509Ref,
    pool: &'a [Candidate],
    now: DateTime<Utc>,
    /// By whom each is signed, as far as that was looked for; nothing stands for the leaf.
    issuers: BTreeMap<Option<usize>, Issuers>,
    signatures: usize,
    steps: usize,
    best: Option<Way>,
    /// The best that ends below a root that is in the file, although other intermediates lead on, but to nowhere.
    below_a_root: Option<Way>,
    /// The first candidate at which a way ends because of its time.
    out_of_date: Option<usize>,
}

impl Search<'_> {
    fn is_exhausted(&self) -> bool {
        self.signatures >= SIGNATURES || self.steps >= STEPS
    }

    fn issuers(&mut self, of: Option<usize>) -> Result<Issuers, ErrorStack> {
        if let Some(known) = self.issuers.get(&of) {
            return Ok(known.clone());
        }
        let below = of.map_or(self.leaf, |at| &self.pool[at].certificate);
        let (mut found, mut signed) = (Issuers::default(), BTreeMap::new());
        for (at, candidate) in self.pool.iter().enumerate() {
            if !may_have_issued(&candidate.certificate, below) {
                continue;
            }
            let has_signed = match signed.get(&candidate.entity) {
                Some(known) => *known,
                None if self.signatures >= SIGNATURES => false,
                None => {
                    self.signatures += 1;
                    let checked = has_signed(&candidate.certificate, below)?;
                    signed.insert(candidate.entity, checked);
                    checked
                }
            };
            match (has_signed, candidate.is_root, candidate.validity.includes(self.now)) {
                (false, ..) => {}
                (true, true, _) => found.has_root = true,
                (true, false, true) => found.usable.push(at),
                (true, false, false) => found.out_of_date = found.out_of_date.or(Some(at)),
            }
        }
        found.usable.sort_by_key(|at| Reverse(self.pool[*at].validity.to));
        self.issuers.insert(of, found.clone());
        Ok(found)
    }

    /// Goes on from the top of a way.
    fn climb(&mut self, way: &Way) -> Result<(), ErrorStack> {
        self.steps += 1;
        let top = way.links.last().copied();
        let issuers = self.issuers(top)?;
        let is_new =
            |at: &&usize| !way.links.iter().any(|link| self.pool[*link].entity == self.pool[**at].entity);
        let above: Vec<usize> = issuers.usable.iter().filter(is_new).copied().collect();
        let is_over = above.is_empty() || way.links.len() == DEPTH;
        // Nobody else is in the file above it: that is a root that is not, or the one that is.
        let ends_well = top.is_some() && (issuers.out_of_date.is_none() || !above.is_empty());
        match (is_over, issuers.has_root) {
            (true, true) => improve(&mut self.best, way),
            (true, false) if ends_well => improve(&mut self.best, way),
            (true, false) => self.out_of_date = self.out_of_date.or(issuers.out_of_date),
            (false, true) => improve(&mut self.below_a_root, way),
            (false, false) => {}
        }
        if is_over {
            return Ok(());
        }
        for at in above {
            if self.is_exhausted() {
                break;
            }
            let mut further = way.clone();
            further.links.push(at);
            further.valid_until = further.valid_until.min(self.pool[at].validity.to);
            self.climb(&further)?;
        }
        Ok(())
    }
}

fn improve(best: &mut Option<Way>, way: &Way) {
    if best.as_ref().is_none_or(|best| way.is_better_than(best)) {
        *best = Some(way.clone());
    }
}

/// The certificates of the file, each once, without the leaf; and what can't be used, in words.
fn candidates(leaf: &X509Ref, certificates: Vec<X509>) -> Result<(Vec<Candidate>, Vec<String>), ErrorStack> {
    let mut seen = BTreeSet::from([digest(leaf)?]);
    let (mut entities, mut pool, mut unusable) = (BTreeMap::new(), Vec::new(), Vec::new());
    for certificate in certificates {
        if !seen.insert(digest(&certificate)?) {
            continue;
        }
        let key = certificate.public_key().and_then(|key| key.public_key_to_der());
        let (Ok(key), Ok(validity)) = (key, validity(&certificate)) else {
            // What fails in the middle leaves errors behind that would surface elsewhere.
            ErrorStack::get();
            unusable.push(format!("{} (its key or its time can't be read)", name::subject(&certificate)));
            continue;
        };
        let name = certificate.subject_name().to_der()?;
        let entity = *entities.entry((name, key)).or_insert(pool.len());
        let is_root = may_have_issued(&certificate, &certificate) && has_signed(&certificate, &certificate)?;
        pool.push(Candidate { certificate, validity, entity, is_root });
    }
    Ok((pool, unusable))
}

fn build(
    path: &Path,
    leaf: &X509Ref,
    certificates: Vec<X509>,
    now: DateTime<Utc>,
) -> Result<Chain, BundleError> {
    let (pool, mut left_out) = candidates(leaf, certificates)?;
    let mut search = Search {
        leaf,
        pool: &pool,
        now,
        issuers: BTreeMap::new(),
        signatures: 0,
        steps: 0,
        best: None,
        below_a_root: None,
        out_of_date: None,
    };
    search.climb(&Way { links: Vec::new(), valid_until: DateTime::<Utc>::MAX_UTC })?;
    let is_exhausted = search.is_exhausted();
    let links = match (search.best.or(search.below_a_root), search.out_of_date) {
        (Some(best), _) => best.links,
        (None, _) if is_exhausted => {
            return Err(BundleError::TooMany { path: path.to_owned(), limit: CERTIFICATES });
        }
        (None, Some(at)) => return Err(pool[at].validity.refusal(path, &pool[at].certificate, now)),
        // It needs nobody above it.
        (None, None) if has_signed(leaf, leaf)? => Vec::new(),
        (None, None) => return Err(no_issuer(path, leaf, &pool)),
    };
    let others = (0..pool.len()).filter(|at| !links.contains(at));
    left_out.extend(others.map(|at| reason(&pool, at, &links, now)));
    let notes = note(path, &left_out).into_iter().collect();
    let certificates = links.iter().map(|at| pool[*at].certificate.clone()).collect();
    Ok(Chain { certificates, notes, is_asked_for: true })
}

/// Why a certificate is not part of the chain, in words.
fn reason(pool: &[Candidate], at: usize, links: &[usize], now: DateTime<Utc>) -> String {
    let candidate = &pool[at];
    let why = if candidate.is_root {
        "a root: whoever trusts it has it".to_owned()
    } else if !candidate.validity.includes(now) {
        "expired or not valid yet".to_owned()
    } else if links.iter().any(|link| pool[*link].entity == candidate.entity) {
        "another one of the same authority is valid for longer".to_owned()
    } else {
        "not needed".to_owned()
    };
    format!("{} ({why})", name::subject(&candidate.certificate))
}

fn note(path: &Path, reasons: &[String]) -> Option<String> {
    if reasons.is_empty() {
        return None;
    }
    let told = reasons.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    let more = match reasons.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!("left out of the chain in {}: {told}{more}", path.display()))
}

fn no_issuer(path: &Path, leaf: &X509Ref, pool: &[Candidate]) -> BundleError {
    let issuer = leaf.issuer_name().to_der().ok();
    let same_name = |candidate: &Candidate| {
        issuer.is_some() && candidate.certificate.subject_name().to_der().ok() == issuer
    };
    BundleError::NoIssuer {
        path: path.to_owned(),
        leaf: name::subject(leaf),
        issuer: name::issuer(leaf),
        has_one_of_that_name: pool.iter().any(same_name),
    }
}

/// Whether the first has issued the second; what can't be checked was not.
pub(super) fn has_issued(issuer: &X509Ref, subject: &X509Ref) -> bool {
    may_have_issued(issuer, subject) && has_signed(issuer, subject).unwrap_or(false)
}

/// By name, key identifier and permitted use, which is cheap.
fn may_have_issued(issuer: &X509Ref, subject: &X509Ref) -> bool {
    issuer.issued(subject) == X509VerifyResult::OK
}

/// By the signature itself.
fn has_signed(issuer: &X509Ref, subject: &X509Ref) -> Result<bool, ErrorStack> {
    let key = issuer.public_key()?;
    // A signature that can't be checked was not made by this key; its error must not linger.
    Ok(subject.verify(&key).unwrap_or_else(|_| {
        ErrorStack::get();
        false
    }))
}

fn digest(certificate: &X509Ref) -> Result<[u8; 32], ErrorStack> {
    Ok(openssl::sha::sha256(&certificate.to_der()?))
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
