//! What the usual private keys consist of, and whether they are the other half of a public key.

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::EcPoint;
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use secrecy::zeroize::Zeroizing;

use super::der::{
    BIT_STRING, CONTEXT_0, CONTEXT_1, Element, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE,
    element, only,
};

/// A private key, read as far as its kind demands.
pub(super) struct Parts<'a> {
    /// Whose it should be: the algorithm and the key of the certificate.
    owner: Owner<'a>,
    numbers: Numbers<'a>,
}

struct Owner<'a> {
    algorithm: Element<'a>,
    public: Element<'a>,
}

enum Numbers<'a> {
    /// All of PKCS#1: n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p.
    Rsa { numbers: [&'a [u8]; 8], pkcs1: &'a [u8] },
    /// The scalar of a curve.
    Curve(&'a [u8]),
    /// The seed of Ed25519 or Ed448.
    Edwards(Id, &'a [u8]),
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

impl<'a> Owner<'a> {
    fn read(public_key: &'a [u8]) -> Option<Self> {
        let mut info = only(public_key, SEQUENCE)?;
        let (algorithm, public) = (info.next()?, info.next()?);
        (algorithm.tag == SEQUENCE && public.tag == BIT_STRING).then_some(Self { algorithm, public })
    }

    fn name(&self) -> Option<&'a [u8]> {
        Reader::new(self.algorithm.contents).expect(OBJECT_IDENTIFIER)
    }

    fn curve(&self) -> Option<&'a [u8]> {
        let mut algorithm = Reader::new(self.algorithm.contents);
        algorithm.expect(OBJECT_IDENTIFIER)?;
        algorithm.next().map(|curve| curve.whole)
    }
}

impl<'a> Parts<'a> {
    /// Reads what a PEM block of this label holds; nothing where it is not one of the usual keys, or not of the same
    /// algorithm as the public key, which is given in binary form.
    pub(super) fn read(label: &str, der: &'a [u8], public_key: &'a [u8]) -> Option<Self> {
        let owner = Owner::read(public_key)?;
        let inner = match label {
            "PRIVATE KEY" => {
                let mut info = only(der, SEQUENCE)?;
                info.expect(INTEGER).filter(|version| matches!(version, [0 | 1]))?;
                info.next().filter(|algorithm| algorithm.whole == owner.algorithm.whole)?;
                info.expect(OCTET_STRING)?
            }
            "RSA PRIVATE KEY" if owner.name() == Some(RSA) => der,
            "EC PRIVATE KEY" if owner.name() == Some(CURVE) => der,
            _ => return None,
        };
        let numbers = match owner.name()? {
            RSA | RSA_PSS => rsa(inner)?,
            CURVE => curve(inner, &owner)?,
            ED25519 => Numbers::Edwards(Id::ED25519, octets(inner)?),
            ED448 => Numbers::Edwards(Id::ED448, octets(inner)?),
            _ => return None,
        };
        Some(Self { owner, numbers })
    }

    /// Whether they are the other half of the public key. A public half that the key file carries may be another
    /// key's: it is not looked at.
    pub(super) fn belong_to(&self, public: &PKeyRef<Public>) -> bool {
        let belong = match &self.numbers {
            Numbers::Rsa { numbers, .. } => rsa_belongs(numbers, public),
            Numbers::Curve(scalar) => scalar_belongs(scalar, public),
            Numbers::Edwards(id, seed) => seed_belongs(*id, seed, public),
        };
        // What fails in the middle leaves errors behind that would surface elsewhere.
        belong.unwrap_or_else(|_| {
            ErrorStack::get();
            false
        })
    }

    /// As unencrypted PKCS#8, with nothing in it but the key.
    pub(super) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let inner = match &self.numbers {
            Numbers::Rsa { pkcs1, .. } => Zeroizing::new(pkcs1.to_vec()),
            Numbers::Curve(scalar) => {
                let (version, scalar) = (element(INTEGER, &[&[1]]), element(OCTET_STRING, &[scalar]));
                let public = element(CONTEXT_1, &[self.owner.public.whole]);
                element(SEQUENCE, &[&version, &scalar, &public])
            }
            Numbers::Edwards(_, seed) => element(OCTET_STRING, &[seed]),
        };
        let (version, key) = (element(INTEGER, &[&[0]]), element(OCTET_STRING, &[&inner]));
        element(SEQUENCE, &[&version, self.owner.algorithm.whole, &key])
    }
}

fn rsa(pkcs1: &[u8]) -> Option<Numbers<'_>> {
    let mut key = only(pkcs1, SEQUENCE)?;
    // Version 1 has more than two primes.
    key.expect(INTEGER).filter(|version| *version == [0])?;
    let mut numbers = [&[][..]; 8];
    for number in &mut numbers {
        *number = key.expect(INTEGER)?;
    }
    key.is_empty().then_some(Numbers::Rsa { numbers, pkcs1 })
}

fn curve<'a>(sec1: &'a [u8], owner: &Owner<'_>) -> Option<Numbers<'a>> {
    let mut key = only(sec1, SEQUENCE)?;
    key.expect(INTEGER).filter(|version| *version == [1])?;
    let scalar = key.expect(OCTET_STRING)?;
    match key.optional(CONTEXT_0) {
        Some(curve) if Some(curve) != owner.curve() => None,
        _ => Some(Numbers::Curve(scalar)),
    }
}

fn octets(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let contents = reader.expect(OCTET_STRING)?;
    reader.is_empty().then_some(contents)
}

/// A number that is wiped when dropped, which [`BigNum`] alone is not.
struct Secret(BigNum);

impl Secret {
    fn of(bytes: &[u8]) -> Result<Self, ErrorStack> {
        let mut number = BigNum::from_slice(bytes)?;
        number.set_const_time();
        Ok(Self(number))
    }

    fn made(make: impl FnOnce(&mut BigNumRef) -> Result<(), ErrorStack>) -> Result<Self, ErrorStack> {
        let mut number = Self(BigNum::new()?);
        make(&mut number.0)?;
        Ok(number)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.clear();
    }
}

fn rsa_belongs(numbers: &[&[u8]; 8], public: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
    let [n, e, d, p, q, dp, dq, inverse] = numbers.map(Secret::of);
    let (n, e, d, p, q, dp, dq, inverse) = (n?, e?, d?, p?, q?, dp?, dq?, inverse?);
    let owner = public.rsa()?;
    if n.0 != *owner.n() || e.0 != *owner.e() {
        return Ok(false);
    }
    let mut context = BigNumContext::new()?;
    let one = BigNum::from_u32(1)?;
    // The certificate's modulus is a product of two primes, and of no other numbers: who has two factors has these. So
    // nothing has to be signed to find out, which would take longer than all else that is done with a certificate.
    let product = Secret::made(|product| product.checked_mul(&p.0, &q.0, &mut context))?;
    let turned = Secret::made(|turned| turned.mod_mul(&inverse.0, &q.0, &p.0, &mut context))?;
    let mut fits = p.0 > one && q.0 > one && product.0 == n.0 && turned.0 == one;
    for (prime, exponent) in [(&p, &dp), (&q, &dq)] {
        let below = Secret::made(|below| below.checked_sub(&prime.0, &one))?;
        let reduced = Secret::made(|reduced| reduced.nnmod(&d.0, &below.0, &mut context))?;
        // What one exponent does to a number, the other one undoes.
        let undone = Secret::made(|undone| undone.mod_mul(&e.0, &exponent.0, &below.0, &mut context))?;
        fits &= reduced.0 == exponent.0 && undone.0 == one;
    }
    Ok(fits)
}

fn scalar_belongs(scalar: &[u8], public: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
    let owner = public.ec_key()?;
    let (group, scalar) = (owner.group(), Secret::of(scalar)?);
    let mut context = BigNumContext::new()?;
    let mut point = EcPoint::new(group)?;
    point.mul_generator2(group, &scalar.0, &mut context)?;
    point.eq(group, owner.public_key(), &mut context)
}

fn seed_belongs(id: Id, seed: &[u8], public: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
    let key = PKey::private_key_from_raw_bytes(seed, id)?;
    Ok(key.raw_public_key()? == public.raw_public_key()?)
}
