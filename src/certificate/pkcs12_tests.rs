#![allow(clippy::unwrap_used)]

use super::*;
use crate::certificate::Source;
use crate::certificate::testing::{self, CertificateSpec, KeyKind};

const NAME: &str = "gp.example.com";

/// A bundle whose files are gone, and its key.
struct Placed {
    bundle: Bundle,
    key: PrivateKey,
}

impl std::ops::Deref for Placed {
    type Target = Bundle;

    fn deref(&self) -> &Bundle {
        &self.bundle
    }
}

fn bundle(kind: KeyKind) -> Placed {
    let root = testing::root("Root", KeyKind::P256);
    let upper = root.intermediate("Upper", KeyKind::P256);
    let lower = upper.intermediate("Lower", KeyKind::P256);
    let issued = lower.issue(&CertificateSpec::default().key(kind));
    let top = tempfile::tempdir().unwrap();
    let live = top.path().join("gp.example.com");
    std::fs::create_dir(&live).unwrap();
    issued.write_live(&live, &[&lower, &upper]);
    let source = Source::locate("gp.example.com", &live, &live).unwrap();
    let bundle = Bundle::load(&source, NAME).unwrap();
    Placed { key: bundle.key().unwrap(), bundle }
}

fn pack(
    placed: &Placed,
    container: Container,
    passphrase: &Passphrase,
    with_chain: bool,
) -> Result<SecretBytes, Pkcs12Error> {
    write(&placed.bundle, &placed.key, container, passphrase, with_chain)
}

fn parsed(bytes: &SecretBytes, passphrase: &Passphrase) -> openssl::pkcs12::ParsedPkcs12_2 {
    Pkcs12::from_der(bytes.expose_secret()).unwrap().parse2(passphrase.secret().expose_secret()).unwrap()
}

#[test]
fn both_containers_carry_key_leaf_and_the_chain_only_if_wanted() {
    for kind in [KeyKind::Rsa(2048), KeyKind::P384] {
        let bundle = bundle(kind);
        for container in [Container::Legacy, Container::Modern] {
            for (with_chain, intermediates) in [(false, 0), (true, 2)] {
                let passphrase = Passphrase::random().unwrap();
                let read = parsed(&pack(&bundle, container, &passphrase, with_chain).unwrap(), &passphrase);
                assert_eq!(read.cert.unwrap().to_der().unwrap(), bundle.leaf_der());
                assert_eq!(read.pkey.unwrap().private_key_to_pkcs8().unwrap(), bundle.key.pkcs8());
                assert_eq!(read.ca.map_or(0, |stack| stack.len()), intermediates, "{container} {kind:?}");
            }
        }
    }
}

#[test]
fn the_containers_use_the_algorithms_they_are_named_for() {
    // Object identifiers in DER: pbeWithSHAAnd3-KeyTripleDES-CBC, PBES2, aes256-CBC, SHA-1, SHA-256.
    const TRIPLE_DES: &[u8] = &[0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];
    const PBES2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
    const AES_256: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
    const SHA_1: &[u8] = &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a];
    const SHA_256: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let bundle = bundle(KeyKind::P256);
    let passphrase = Passphrase::random().unwrap();
    let times = |container, needle: &[u8]| {
        let bytes = pack(&bundle, container, &passphrase, false).unwrap();
        bytes.expose_secret().windows(needle.len()).filter(|window| *window == needle).count()
    };
    assert_eq!(times(Container::Legacy, TRIPLE_DES), 2, "certificates and key");
    assert_eq!(times(Container::Legacy, SHA_1), 1, "MAC");
    assert_eq!(times(Container::Legacy, PBES2), 0);
    assert_eq!(times(Container::Modern, PBES2), 2, "certificates and key");
    assert_eq!(times(Container::Modern, AES_256), 2, "certificates and key");
    assert_eq!(times(Container::Modern, SHA_256), 1, "MAC");
    assert_eq!(times(Container::Modern, TRIPLE_DES) + times(Container::Modern, SHA_1), 0);
}

#[test]
fn another_passphrase_does_not_open_it() {
    let bundle = bundle(KeyKind::P256);
    let bytes = pack(&bundle, Container::Modern, &Passphrase::random().unwrap(), false).unwrap();
    let other = Passphrase::random().unwrap();
    assert!(Pkcs12::from_der(bytes.expose_secret()).unwrap().parse2(other.secret().expose_secret()).is_err());
}

#[test]
fn a_container_with_another_key_leaf_or_chain_is_found_out_before_it_leaves() {
    let (ours, theirs) = (bundle(KeyKind::P256), bundle(KeyKind::P256));
    let passphrase = Passphrase::random().unwrap();
    let bytes = pack(&ours, Container::Modern, &passphrase, true).unwrap();
    let key = |bundle: &Placed| bundle.key.pkcs8().to_vec();
    let der = |bundle: &Placed| {
        let chain = bundle.chain().iter().map(|link| link.to_der().unwrap());
        std::iter::once(bundle.leaf_der().to_vec()).chain(chain).collect::<Vec<_>>()
    };
    let verdict = |certificates: &[Vec<u8>], with_key: &Placed| {
        Contents { name: NAME, certificates }.read_back(bytes.expose_secret(), &key(with_key), &passphrase)
    };
    let (own, other) = (der(&ours), der(&theirs));
    assert!(verdict(&own, &ours).is_ok());
    assert!(matches!(verdict(&own, &theirs), Err(Pkcs12Error::Differs("private key"))));
    let with = |at: usize| {
        let mut mixed = own.clone();
        mixed[at] = other[at].clone();
        mixed
    };
    assert!(matches!(verdict(&with(0), &ours), Err(Pkcs12Error::Differs("certificate"))));
    assert!(matches!(verdict(&with(1), &ours), Err(Pkcs12Error::Differs("chain"))));
    assert!(matches!(verdict(&own[..2], &ours), Err(Pkcs12Error::Differs("chain"))));
    // And by OpenSSL, of which the stand-in makes no leaf.
    let contents = Contents { name: NAME, certificates: &own };
    let stand_in = stand_in().unwrap();
    let bytes = contents.write(&stand_in, (Container::Legacy, 1), &passphrase).unwrap();
    assert!(contents.read_by_openssl(&bytes, &stand_in, &passphrase).is_ok());
    let another = super::stand_in().unwrap();
    assert!(matches!(
        contents.read_by_openssl(&bytes, &another, &passphrase),
        Err(Pkcs12Error::Differs("private key"))
    ));
    let contents = Contents { name: NAME, certificates: &with(1) };
    assert!(matches!(
        contents.read_by_openssl(&bytes, &stand_in, &passphrase),
        Err(Pkcs12Error::Differs("chain"))
    ));
}

#[test]
fn passphrases_are_long_plain_different_and_never_shown() {
    let one = Passphrase::random().unwrap();
    let text = one.secret().expose_secret().to_owned();
    assert_eq!(text.len(), PASSPHRASE_LENGTH);
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_ne!(text, Passphrase::random().unwrap().secret().expose_secret());
    assert!(!format!("{one:?}").contains(&text));
    assert!((ALPHABET.len() as f64).log2() * PASSPHRASE_LENGTH as f64 >= 160.0);
}

#[test]
fn no_letter_is_favoured() {
    let mut counts = std::collections::BTreeMap::new();
    for letter in (0..=255).filter_map(letter) {
        *counts.entry(letter).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), ALPHABET.len());
    assert!(counts.values().all(|count| *count == 4), "{counts:?}");
}

#[test]
#[ignore = "a measurement: cargo test --release --lib -- --ignored --nocapture cpu_of"]
#[allow(clippy::print_stderr)]
fn cpu_of_writing_and_reading_back() {
    let bundle = bundle(KeyKind::Rsa(2048));
    let passphrase = Passphrase::random().unwrap();
    for container in [Container::Legacy, Container::Modern] {
        let start = std::time::Instant::now();
        for _ in 0..20 {
            pack(&bundle, container, &passphrase, true).unwrap();
        }
        eprintln!("{container}: {:?} each", start.elapsed() / 20);
    }
}
